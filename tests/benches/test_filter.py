"""Filters: which subsets a name or a pattern keeps, and what is left of a benchmark."""

import pytest

from grmeval.benches import BenchSpec, Filter, find_spec, narrowed
from grmeval.errors import ConfigError

RM_BENCH, _ = find_spec("rm-bench")
SUBSETS = list(RM_BENCH.expected)


@pytest.mark.parametrize(
    ("only", "kept"),
    [
        (Filter(), sorted(SUBSETS)),
        (Filter(("math/hard",)), ["math/hard"]),
        (Filter(("chat/*", "math/hard")), ["chat/easy", "chat/hard", "chat/normal", "math/hard"]),
        (Filter((), ("Chat",)), ["chat/easy", "chat/hard", "chat/normal"]),
        (Filter(("math/hard", "chat/easy"), ("Chat",))
         , ["chat/easy", "chat/hard", "chat/normal", "math/hard"]),
    ],
)  # fmt: skip
def test_what_any_name_holds_is_kept(only: Filter, kept: list[str]) -> None:
    assert only.kept(RM_BENCH, SUBSETS) == kept
    assert Filter.of(only.record()) == only
    assert bool(only) == (kept != sorted(SUBSETS))


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (Filter(("math/hrd",)), ["--subset 'math/hrd' of RM-Bench: no such one; allowed: chat/easy",
                                 "did you mean 'math/hard'?"]),
        (Filter((), ("Maths",)), ["--section 'Maths'", "allowed: Chat, Math, Code, Safety",
                                  "did you mean 'Math'?"]),
        (Filter(("Math",)), ["--subset 'Math'", "that is a section (--section)"]),
        (Filter((), ("math/hard",)), ["that is a subset (--subset)"]),
        (Filter(("*/harder",)), ["--subset '*/harder'"]),
        (Filter(("",)), ["--subset ''"]),
    ],
)  # fmt: skip
def test_a_name_that_holds_nothing_lists_what_there_is(only: Filter, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        only.kept(RM_BENCH, SUBSETS)
    assert all(words in str(caught.value) for words in said)


def test_a_subset_whose_rows_are_not_at_hand_is_said() -> None:
    here = [subset for subset in SUBSETS if not subset.startswith("math")]
    for only in (Filter(("math/hard",)), Filter((), ("Math",))):
        with pytest.raises(ConfigError, match="none of its rows are at hand; allowed: "):
            only.kept(RM_BENCH, here)


def test_no_name_is_left_that_means_more_than_is_kept() -> None:
    part = narrowed(RM_BENCH, Filter(("*/hard", "chat/easy"), ("Code",)), SUBSETS)
    assert [section.name for section in part.sections] == [
        "Chat (2 of 3 subsets)",
        "Math (1 of 3 subsets)",
        "Code",
        "Safety (1 of 3 subsets)",
    ]
    assert [view.name for view in part.views] == ["Hard"]
    assert part.title == "RM-Bench, section Code, subsets */hard, chat/easy alone"
    assert "NOT the benchmark's own number" in part.metric
    assert sum(part.expected.values()) == 387 * 2 + 1587 + 684 * 3 + 1323
    BenchSpec(**part.model_dump())  # as a record, it can be read again


def test_weights_of_dropped_subsets_are_dropped() -> None:
    spec, _ = find_spec("rewardbench-prior")
    (weighed,) = [section for section in spec.sections if section.weights][:1]
    name = next(iter(weighed.weights))
    part = narrowed(spec, Filter((name,)), list(spec.expected))
    assert [section.weights for section in part.sections] == [{name: weighed.weights[name]}]
