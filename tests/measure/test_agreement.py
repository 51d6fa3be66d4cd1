"""Agreement: Krippendorff's own example, a coincidence matrix, and counting by hand."""

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from grmeval.measure.agreement import LEVELS, agreement, krippendorff, picks

nan = float("nan")

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example C: 4 observers, 12 units.
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ]
).T


@pytest.mark.parametrize(
    ("level", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_krippendorffs_own_example(level: str, printed: float) -> None:
    found = krippendorff(FOUR_OBSERVERS, np.arange(12), level)
    assert round(found.value, 3) == printed
    assert (found.items, found.clusters) == (11, 11)  # one unit has a single rating


def by_coincidences(ratings: NDArray[np.float64], level: str) -> float:
    """The textbook's way: a matrix of coincidences, and a difference for each two values."""
    units = [unit[~np.isnan(unit)] for unit in ratings]
    units = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in units for value in unit})
    place = {value: at for at, value in enumerate(values)}
    seen = np.zeros((len(values), len(values)))
    for unit in units:
        for a, b in permutations(unit, 2):
            seen[place[a], place[b]] += 1 / (len(unit) - 1)
    size = seen.sum(axis=1)

    def difference(a: int, b: int) -> float:
        low, high = sorted((a, b))
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return float((values[a] - values[b]) ** 2)
        return float((size[low : high + 1].sum() - (size[low] + size[high]) / 2) ** 2)

    cells = [(a, b) for a in range(len(values)) for b in range(len(values))]
    observed = sum(seen[a, b] * difference(a, b) for a, b in cells)
    expected = sum(size[a] * size[b] * difference(a, b) for a, b in cells) / (size.sum() - 1)
    return float(1 - observed / expected)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_the_coincidence_matrix_gives(level: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 8, 30)[:, None]
    ratings = np.clip(truth + rng.integers(-2, 3, (30, 6)), 1, 10).astype(float)
    ratings[rng.random(ratings.shape) < 0.4] = nan
    found = krippendorff(ratings, np.arange(30), level)
    assert found.value == pytest.approx(by_coincidences(ratings, level), abs=1e-12)


def test_its_limits_leave_out_one_cluster_after_another() -> None:
    rng = np.random.default_rng(3)
    ratings = rng.integers(1, 5, (24, 5)) + rng.integers(0, 4, 24)[:, None].astype(float)
    cluster = np.arange(24) // 2 * 7
    found = krippendorff(ratings, cluster, "interval")
    others = [by_coincidences(ratings[cluster != one], "interval") for one in np.unique(cluster)]
    assert found.error == pytest.approx(np.sqrt(11 * np.var(others)), rel=1e-9)
    assert found.low < found.value < found.high <= 1
    assert (found.items, found.clusters) == (24, 12)


def test_nothing_to_agree_on_is_no_number() -> None:
    one = np.array([0, 1])
    assert np.isnan(krippendorff(np.full((2, 3), 4.0), one).value)
    assert np.isnan(krippendorff(np.array([[1.0, nan], [nan, 2.0]]), one).value)
    assert np.isnan(krippendorff(np.array([[1.0, 2.0], [3.0, 2.0]]), np.zeros(2, int)).low)
    with pytest.raises(ValueError, match="unknown level"):
        krippendorff(FOUR_OBSERVERS, np.arange(12), "ratio")
    with pytest.raises(ValueError, match="ratings"):
        krippendorff(FOUR_OBSERVERS, np.arange(4))


def test_perfect_agreement_is_1_and_chance_is_0() -> None:
    same = np.repeat(np.arange(1.0, 9)[:, None], 4, axis=1)
    assert krippendorff(same, np.arange(8)).value == pytest.approx(1)
    rng = np.random.default_rng(0)
    random = krippendorff(rng.integers(1, 11, (2000, 4)).astype(float), np.arange(2000))
    assert abs(random.value) < 3.29 * random.error


def test_a_pick_is_shared_by_equals() -> None:
    scores = np.array([[[3.0, 7, 7], [9, 1, 2], [nan, 5, 6], [8, 8, 8]]])
    valid = np.array([[True, True, True, False]])
    assert picks(scores, valid)[0].tolist() == [[0, 0.5, 0.5], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    one = picks(np.array([[[5.5], [5.0], [9.0]]]), np.array([[True, True, False]]))
    assert one[0].tolist() == [[1, 0], [0, 1], [0, 0]]
    with pytest.raises(ValueError, match="scores"):
        picks(scores, valid[0])


def test_agreement_is_that_of_every_two_samples() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(1, 4, (20, 6, 3)).astype(float)
    valid = rng.random((20, 6)) < 0.6
    valid[0], valid[1] = False, [True, False, False, False, False, False]
    picked = picks(scores, valid)
    found = agreement(picked)
    for item in range(20):
        drawn = picked[item][valid[item]]
        pairs = [float(a @ b) for a, b in permutations(drawn, 2)]
        expected = np.mean(pairs) if pairs else nan
        assert found[item] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(found[:2]).all()
