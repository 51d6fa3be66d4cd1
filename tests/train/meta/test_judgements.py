"""Judgements as examples for a meta RM: hand-worked labels, what is left out, and a split by prompt."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grmeval.errors import ConfigError, Incomplete
from grmeval.items import Completion, Item, Key, Message, Request
from grmeval.judges import MetaPrompt, PointwiseJudge
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.runs.meta import is_right
from grmeval.store import RunFolder
from grmeval.train.meta.judgements import Example, content_hash, judgements, split
from grmeval.train.reward import correct
from tests.helpers import Quiet, sampled

Scores = tuple[int, ...]
NOTHING, CUT = "I cannot say.", "cut"

TABLE: dict[str, tuple[list[int], list[tuple[Scores | str, bool | str]]]] = {
    # item: quality, [(scores of the responses, or what else was written; its label, or why it has none)]
    "pair": ([1, 0], [((8, 6), True), ((6, 8), False), ((7, 7), False), (NOTHING, "unreadable")]),
    "three": ([0, 1, 0], [((3, 9, 4), True), ((9, 9, 1), False), ((1, 2, 3), False), (CUT, "truncated")]),
    "two best": ([1, 0, 1], [((9, 8, 2), True), ((2, 8, 8), False), ((7, 1, 7), True), ("", "unreadable")]),
    "good": ([1], [((6,), True), ((5,), False), ((10,), True), ((1,), False)]),
    "bad": ([0], [((6,), False), ((5,), True), ((10,), False), ((1,), True)]),
    "alike": ([1, 1], [((8, 6), "unlabelled")] * 4),
}  # fmt: skip
K = 4


class Written:
    """An engine that writes what TABLE says."""

    context = 1_000_000

    def facts(self) -> dict[str, str]:
        return {"engine": "table"}

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        return 1

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            for j in request.js:
                said = TABLE[request.key.id][1][j][0]
                text, finish = (said, "stop") if isinstance(said, str) else ("", "stop")
                if said == CUT:
                    finish = "length"
                elif not isinstance(said, str):
                    shown = [said[i] for i in request.order]
                    text = PointwiseJudge().write(shown, f"Sample {j}.")
                yield Completion(request, j, text, finish, 1, 0, 1)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    place = tmp_path_factory.mktemp("table")
    rows = [
        {
            "id": name,
            "prompt": f"Of {name}?",
            "responses": [f"{name} {at}" for at in range(len(quality))],
            "quality": quality,
        }
        for name, (quality, _) in TABLE.items()
    ]
    bench = place / "rows.jsonl"
    bench.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    settings = {"bench": str(bench), "engine": "fake", "results": place / "results", "k": K}
    with Engines(lambda seed: Written()) as engines:
        return extend(prepare(configure(settings)), Quiet(), engines)


def test_labels_equal_the_table(run: RunFolder) -> None:
    found = judgements([run], MetaPrompt())
    labels = {(each.key.id, each.j): each.right for each in found.examples}
    assert labels == {
        (name, j): label
        for name, (_, written) in TABLE.items()
        for j, (_, label) in enumerate(written)
        if isinstance(label, bool)
    }
    reasons = [why for _, written in TABLE.values() for _, why in written if isinstance(why, str)]
    assert found.left_out == Counter(reasons)
    assert {each.run for each in found.examples} == {run.path.name}


def test_unreadable_judgements_may_be_wrong_examples(run: RunFolder) -> None:
    found = judgements([run], MetaPrompt(), keep_unreadable=True)
    (unreadable,) = [e for e in found.examples if e.key.id == "pair" and e.j == 3]
    assert not unreadable.right
    assert unreadable.chat[1] == Message("assistant", NOTHING)
    assert found.left_out == {"no_text": 1, "truncated": 1, "unlabelled": 4}


def test_an_example_shows_the_responses_in_the_order_that_was_judged(run: RunFolder) -> None:
    found = {(e.key.id, e.j): e for e in judgements([run], MetaPrompt()).examples}
    orders = set()
    for j in range(3):
        user, said = found["pair", j].chat
        at = [user.content.index(f"pair {i}") for i in range(2)]
        orders.add(at[0] < at[1])
        scores = TABLE["pair"][1][j][0]
        shown = scores if at[0] < at[1] else scores[::-1]
        assert f"\\boxed{{{shown[0]}, {shown[1]}}}" in said.content
    assert orders == {True, False}


def test_no_prompt_is_on_both_sides_and_the_share_is_of_items(tmp_path: Path) -> None:
    folders = [sampled(tmp_path, k=2), sampled(tmp_path, k=2, seed=1)]
    examples = judgements(folders, MetaPrompt()).examples
    train, held = split(examples, 0.2, 0)
    assert not {e.cluster for e in train} & {e.cluster for e in held}
    assert sorted(train + held) == sorted(examples)
    items = {e.item for e in examples}
    assert len(items) == 150
    assert 30 <= len({e.item for e in held}) < 40
    assert {e.item for e in split(examples, 0.2, 1)[1]} != {e.item for e in held}
    # What is held out stays held out when a run is added.
    alone = split([e for e in examples if e.run == folders[0].path.name], 0.2, 0)[1]
    assert {e.key for e in alone} == {e.key for e in held}


def test_one_prompt_cannot_be_split_and_two_can() -> None:
    def example(cluster: str, j: int) -> Example:
        return Example("r", Key("s", cluster), j, cluster, (), True)

    with pytest.raises(ConfigError, match="1 prompt in all these judgements"):
        split([example("a", j) for j in range(9)], 0.1, 0)
    train, held = split([example(name, j) for name in "ab" for j in range(9)], 0.9, 0)
    assert len(train) == len(held) == 9


def test_the_hash_is_of_names_labels_and_texts(run: RunFolder) -> None:
    examples = judgements([run], MetaPrompt()).examples
    first = examples[0]
    known = content_hash(examples)
    assert known == content_hash(judgements([run], MetaPrompt()).examples)
    for other in (
        first._replace(right=not first.right),
        first._replace(chat=first.chat[:1]),
        first._replace(j=9),
    ):
        assert content_hash([other, *examples[1:]]) != known


def test_runs_that_no_meta_rm_can_be_asked_about_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="responses are judged one by one here"):
        judgements([sampled(tmp_path, k=1, layout="single")], MetaPrompt())
    empty = prepare(configure({"engine": "fake", "results": tmp_path, "k": 1})).folder()
    with pytest.raises(Incomplete, match="no judgement yet"):
        judgements([empty], MetaPrompt())


@given(data=st.data(), quality=st.lists(st.sampled_from([0, 1]), min_size=1, max_size=4))
def test_the_fake_meta_rm_draws_by_the_same_labels(data: Any, quality: list[int]) -> None:
    some = st.one_of(st.none(), st.lists(st.sampled_from([1.0, 5.0, 5.5, 6.0, None]),
                                         min_size=len(quality), max_size=len(quality)))  # fmt: skip
    scores = data.draw(some)
    item = Item("b", "s", "1", (), ("r",) * len(quality), tuple(quality))
    assert is_right(item, scores, 5.5) == correct(scores, quality, 5.5)
