"""The hint behind a prompt: the truth, under the numbers that are shown."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import ConfigError
from grmeval.items import Item, Message
from grmeval.judges import PromptedJudge, lacks_truth, make_judge
from grmeval.judges.hint import hint
from grmeval.runs import Plan, configure, prepare
from tests.helpers import WRITING

ASIDE = " Judge as if you had found this out yourself: do not mention the hint."


def item(*quality: int, meta: Mapping[str, Any] = {}, **more: Any) -> Item:
    texts = tuple(f"answer {index}" for index in range(len(quality)))
    asked = (Message("user", "Which?"),)
    return Item("b", "s", "i", asked, texts, quality, "ref", meta=meta, **more)


@pytest.mark.parametrize(
    ("judged", "order", "said"),
    [
        (item(1, 0), (0, 1), "the best response is Response 1."),
        (item(1, 0), (1, 0), "the best response is Response 2."),
        (item(0, 0, 1, 0), (3, 2, 1, 0), "the best response is Response 2."),
        (item(2, 3, 1), (2, 0, 1), "the best response is Response 3."),
        # several equally good ones: all of them, by the numbers that are shown
        (item(1, 1, 0), (2, 1, 0), "Responses 2 and 3 are the best and equally good."),
        (item(1, 1, 0, 1), (0, 1, 2, 3), "Responses 1, 2 and 4 are the best and equally good."),
        # one response: the truth
        (item(1), (0,), "the response is right."),
        (item(0), (0,), "the response is wrong."),
        # by how much it is preferred
        (
            item(1, 0, meta={"strength": 3}),
            (1, 0),
            "the best response is Response 2 (much better).",
        ),
        (
            item(0, 1, meta={"strength": -1}),
            (0, 1),
            "the best response is Response 2 (slightly better).",
        ),
        (
            item(1, 0, meta={"strength": 1.5}),
            (0, 1),
            "the best response is Response 1 (better by 1.5).",
        ),
        (
            item(1, 0, meta={"strength": "far better"}),
            (0, 1),
            "the best response is Response 1 (far better).",
        ),
        (item(1, 0, meta={"strength": 0}), (0, 1), "the best response is Response 1."),
        (item(1, meta={"strength": 3}), (0,), "the response is right."),
    ],
)
def test_hint_in_words(judged: Item, order: tuple[int, ...], said: str) -> None:
    assert hint(judged, order) == f"Hint: {said}{ASIDE}"


@pytest.mark.parametrize(
    ("judged", "why"),
    [
        (item(1, 0), None),
        (item(0), None),
        (item(1, 1, 0), None),
        (replace(item(1, 0), quality=None), "have no labels"),
        (item(1, 1), "single out no response"),
        (item(0, 0, 0), "single out no response"),
        (item(1, pool="p"), "judged one by one"),
    ],
)
def test_items_that_have_no_truth_to_tell(judged: Item, why: str | None) -> None:
    found = lacks_truth(judged)
    assert found is None if why is None else why in str(found)
    told = make_judge("pointwise")
    assert isinstance(told, PromptedJudge)
    assert told.hinted().lacks(judged) == found
    assert told.lacks(judged) is None  # without a hint it can judge them all


@pytest.mark.parametrize("name", WRITING)
def test_every_judge_that_writes_is_told_behind_its_own_prompt(name: str, tmp_path: Path) -> None:
    given = tmp_path / "principles.txt"
    given.write_text("Be right.", "utf-8")
    judge = make_judge(
        name, system="Be brief.", principles=given if WRITING[name].needs.principles else None
    )
    assert isinstance(judge, PromptedJudge)
    told = judge.hinted()
    (system, plain), (same, hinted) = (each.messages(item(0, 1), (1, 0)) for each in (judge, told))
    assert system == same == Message("system", "Be brief.")
    assert hinted.content == (
        f"{plain.content.rstrip()}\n\nHint: the best response is Response 1.{ASIDE}"
    )
    assert told.identity() == judge.identity() | {"hint": 1}
    assert "hint" not in judge.identity()


def plan(tmp_path: Path, hinted: bool = False, **settings: Any) -> Plan:
    values = {"bench": "sample", "engine": "fake", "results": tmp_path} | settings
    return prepare(configure(values), hinted=hinted)


def test_a_hint_makes_another_run_and_changes_no_other() -> None:
    plain, told = plan(Path("r")), plan(Path("r"), hinted=True)
    assert plain.path != told.path
    changed = {**told.identity, "judge": {**told.identity["judge"]}}
    assert changed["judge"].pop("hint") == 1
    assert changed == plain.identity


@pytest.mark.parametrize("orders", ["balanced", "random"])
def test_the_number_is_that_of_the_slot_in_which_the_best_is_shown(orders: str) -> None:
    told = plan(Path("r"), hinted=True, orders=orders, k=4)
    items = {each.key: each for each in told.items()}
    named = set[tuple[int, int]]()
    for request in told.requests(told.missing(())):
        judged = items[request.key]
        last = request.messages[-1].content.rsplit("\n\n", 1)[1]
        assert judged.quality
        if judged.n == 1:
            assert last.startswith(
                f"Hint: the response is {'right' if judged.quality[0] else 'wrong'}."
            )
            continue
        (shown,) = re.findall(r"Response (\d)\.", last)
        assert judged.quality[request.order[int(shown) - 1]] == 1
        named.add((judged.n, int(shown)))
    assert named == {(n, slot) for n in (2, 4) for slot in range(1, n + 1)}


def test_what_cannot_be_told_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    unlabelled = '{"prompt": "a", "responses": ["x", "y"]}'
    rows = f'{unlabelled}\n{unlabelled[:-1]}, "quality": [1, 0]}}\n'
    (tmp_path / "rows.jsonl").write_text(rows, "utf-8")
    with pytest.raises(ConfigError, match="1 of 2 items have no labels"):
        plan(tmp_path, hinted=True, bench=str(tmp_path / "rows.jsonl"))
    with pytest.raises(ConfigError, match="--judge scalar: a hint is for a judge that is asked"):
        plan(tmp_path, hinted=True, judge="scalar")
