"""Judges whose model has a head in place of a voice: numbers in, the same samples out."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

from grmeval.engines.heads import HeadEngine
from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.errors import ConfigError
from grmeval.items import Item, Key, Message, Request
from grmeval.judges import JUDGES, ScalarJudge, ScalarPairJudge
from grmeval.runs import configure, prepare
from grmeval.score import score
from tests.helpers import SHARED, command, grmeval, on_official_rows, rows, sampled

ITEM = Item(
    bench="b",
    subset="s",
    id="i",
    conversation=(Message("user", "Why?"),),
    responses=("one", "two", "three"),
    quality=(0, 1, 0),
    cluster="c",
)
PAIR_ROWS = SHARED / "reward-bench-part"


class Lengths:
    """A scorer that gives each chat the length of its last turn, the last asked first; `two` does not fit."""

    context = 100

    def __init__(self, refuses: str | None = None) -> None:
        self.refuses, self.closed = refuses, False

    def facts(self) -> dict[str, str]:
        return {"engine": "lengths"}

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        for request in reversed(list(requests)):
            text = request.messages[-1].content
            if text == self.refuses:
                yield Reward(request, None, "prompt_too_long", 9, 0)
            else:
                yield Reward(request, len(text) / 2, None, 3, 1)

    def close(self) -> None:
        self.closed = True


def request(judge: ScalarJudge | ScalarPairJudge, item: Item, order: tuple[int, ...]) -> Request:
    return Request(Key("s", item.id), order, (0, 1), (), chats=judge.chats(item, order, 0))


def test_each_response_has_a_chat_of_its_own_and_its_number_comes_back_in_its_slot() -> None:
    engine, judge = HeadEngine(Lengths()), ScalarJudge()
    found = list(engine.generate([request(judge, ITEM, (2, 0, 1))]))
    assert [(c.j, c.finish, c.prompt_tokens, c.cached_tokens, c.tokens) for c in found] == [
        (1, "stop", 9, 3, 0),
        (0, "stop", 9, 3, 0),
    ]
    for completion in found:
        reading = judge.read(completion.text, 3, completion.finish)
        assert reading.scores == (2.5, 1.5, 1.5)  # three, one, two
        assert reading.form == "head"
    assert [chat[-1] for chat in judge.chats(ITEM, (2, 0, 1), 0)] == [
        Message("assistant", text) for text in ("three", "one", "two")
    ]


def test_one_chat_that_does_not_fit_makes_the_sample_invalid() -> None:
    (first, _) = HeadEngine(Lengths(refuses="two")).generate(
        [request(ScalarJudge(), ITEM, (0, 1, 2))]
    )
    assert (first.finish, first.text, first.prompt_tokens) == ("prompt_too_long", "", 15)
    assert ScalarJudge().read(first.text, 3, first.finish).invalid == "prompt_too_long"


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "[1, 2, null]", "{}", "7", "[1, 2, 3, 4]", "nonsense"]
)
def test_what_are_not_as_many_numbers_is_no_score(text: str) -> None:
    assert ScalarJudge().read(text, 3, "stop").invalid == "no_score"


def test_the_sign_of_a_pairs_number_picks() -> None:
    judge = ScalarPairJudge()
    assert judge.read("[-1.5]", 2, "stop").scores == (-1.5, 0.0)
    assert judge.read("[-1.5, 2]", 2, "stop").invalid == "no_score"
    pair = Item(**{**{f: getattr(ITEM, f) for f in ITEM.__slots__}, "responses": ("a", "b")})
    (chat,) = judge.chats(pair, (1, 0), 0)
    assert chat[-1].content.index("\nb\n") < chat[-1].content.index("\na\n")


@pytest.mark.parametrize("name", ["scalar", "scalar-pair"])
def test_what_is_written_is_read(name: str) -> None:
    judge = JUDGES[name]()
    scores = judge.read(judge.write([7, 3], "words"), 2, "stop").scores
    assert scores is not None
    assert scores[0] - scores[1] == 4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"judge": "scalar", "k": 2}, "--k 2: judge scalar gives the same numbers again after 1"),
        (
            {"judge": "scalar-pair"},
            "15 of 75 items have more than two responses: take --layout pairs",
        ),
        ({"judge": "scalar-pair"}, "20 of 75 items have one response"),
        ({"judge": "scalar", "system": "Be kind."}, "judge scalar has no prompt of its own"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        prepare(configure({"engine": "fake"} | settings))


def test_a_head_and_a_voice_are_not_taken_for_each_other() -> None:
    for words, said in (
        (("--judge", "scalar"), "--judge scalar: which reward model? --model FOLDER"),
        (
            ("--judge", "scalar", "--model", "demo"),
            "--judge scalar --model demo: a model that writes",
        ),
        (("--model", "deepseek-grm-27b-meta"), "a model with a head"),
    ):
        found = grmeval("run", *words)
        assert (found.returncode, said in found.stderr) == (2, True), found.stderr


def test_samples_hold_numbers_and_are_read_again(tmp_path: Path) -> None:
    folder = sampled(tmp_path, judge="scalar", limit=8)
    stored = rows(folder.path)
    assert len(stored) == 8
    assert all(json.loads(row["text"]) for row in stored)
    assert {row["tokens"] for row in stored} == {0}
    again = score(folder, reparse=True)
    assert "texts read again by this parser: 0 readings differ" in again.footer
    assert "read by fallback" not in "".join(again.footer)


@on_official_rows(PAIR_ROWS)
@pytest.mark.parametrize("judge", ["scalar", "scalar-pair"])
def test_the_fakes_truth_comes_out(tmp_path: Path, judge: str) -> None:
    settings: dict[str, Any] = {"bench": "rewardbench", "data": PAIR_ROWS, "judge": judge, "k": 1}
    folder = sampled(tmp_path, **settings, engine_args={"accuracy": 0.7, "ties": 0.0})
    stored = rows(folder.path)
    best = {
        (row["subset"], row["id"]): row["quality"].index(1) for row in folder.items().to_pylist()
    }
    right = sum(
        row["scores"][best[row["subset"], row["id"]]] == max(row["scores"])
        and len(set(row["scores"])) == 2
        for row in stored
    )
    low, high = binom.interval(0.999, len(stored), 0.7)
    assert low <= right <= high


def test_a_pairs_two_orders_are_a_vote(tmp_path: Path) -> None:
    own = tmp_path / "rows.jsonl"
    line = {"id": "a", "prompt": "Why?", "responses": ["yes", "no"], "label": 0}
    own.write_text(json.dumps(line) + "\n" + json.dumps(line | {"id": "b"}) + "\n")
    made = [
        "run",
        "--engine",
        "fake",
        "--judge",
        "scalar-pair",
        "--bench",
        own,
        "--results",
        tmp_path,
    ]
    found = grmeval(*made, "--json")
    assert found.returncode == 0, (found.stderr, command(*made))
    assert json.loads(found.stdout)["rows"][0]["k"] == 2
