"""The packaged sample: as many rows as it says, labelled, and with no pattern in where the best is."""

from collections import Counter

import pytest

from grmeval.benches import load

LOADED = load("sample")
AREAS = ("arithmetic", "code", "facts", "instructions", "safety")


def test_rows_are_as_many_as_expected() -> None:
    assert Counter(item.subset for item in LOADED.items) == LOADED.spec.expected
    assert LOADED.missing == {}
    assert {item.subset.split("-")[0] for item in LOADED.items} == set(AREAS)


@pytest.mark.parametrize(("ending", "n"), [("-pairs", 2), ("-best-of-4", 4), ("-single", 1)])
def test_shape_and_labels(ending: str, n: int) -> None:
    items = [item for item in LOADED.items if item.subset.endswith(ending)]
    assert {item.n for item in items} == {n}
    assert all(item.quality is not None and len(item.quality) == n for item in items)
    best = {sum(item.quality or ()) for item in items}
    assert best == ({0, 1} if n == 1 else {1})


def test_rows_with_a_checkable_answer_carry_it() -> None:
    checkable = [
        i for i in LOADED.items if i.subset.split("-")[0] in ("arithmetic", "code", "facts")
    ]
    assert checkable
    assert [item.key for item in checkable if not item.reference] == []


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize(("ending", "n"), [("-pairs", 2), ("-best-of-4", 4)])
def test_the_best_is_in_every_place_about_as_often(area: str, ending: str, n: int) -> None:
    items = [item for item in LOADED.items if item.subset == f"{area}{ending}"]
    places = Counter(item.quality.index(1) for item in items if item.quality)
    counts = [places[slot] for slot in range(n)]
    assert max(counts) - min(counts) <= 1


def test_the_best_is_in_every_place_about_as_often_over_all_areas() -> None:
    for n in (2, 4):
        places = Counter(i.quality.index(1) for i in LOADED.items if i.quality and i.n == n)
        counts = [places[slot] for slot in range(n)]
        assert max(counts) - min(counts) <= 1, (n, counts)


def test_single_responses_are_right_about_half_the_time() -> None:
    right = [item.quality[0] for item in LOADED.items if item.quality and item.n == 1]
    assert 0.4 <= sum(right) / len(right) <= 0.6


def test_nothing_is_odd_and_every_subset_has_a_section() -> None:
    assert [item.key for item in LOADED.items if item.flags] == []
    sections = {LOADED.spec.section_of(item.subset) for item in LOADED.items}
    assert sections == set(range(len(LOADED.spec.sections)))


def test_pairs_of_the_sample_are_groups_of_three() -> None:
    pairs = load("sample", layout="pairs").items
    groups = Counter(item.group for item in pairs if item.group is not None)
    assert len(groups) == sum(n for s, n in LOADED.spec.expected.items() if "best-of-4" in s)
    assert set(groups.values()) == {3}
    assert {item.n for item in pairs} == {1, 2}
