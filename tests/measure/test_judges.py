"""Several judges that take turns: subsets with a fresh panel's counts of each, one at a time."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import vote_curve, vote_noise
from tests.measure.oracle import Judgement, judgements, stored_samples, verdict, votes_for

KS = range(1, 9)


def generator() -> np.random.Generator:
    return np.random.default_rng(11)


def fresh_panels(k: int, judges: int, rotations: int) -> list[Counter[tuple[int, int]]]:
    """(judge, rotation) of k judgements, dealt one at a time: from each judge on, from each rotation on."""
    found = []
    for first in range(judges):
        for start in range(rotations):
            asked = Counter[int]()
            held = Counter[tuple[int, int]]()
            for turn in range(k):
                judge = (first + turn) % judges
                held[judge, (start + asked[judge]) % rotations] += 1
                asked[judge] += 1
            if held not in found:
                found.append(held)
    return found


def by_hand(
    stored: list[Judgement], k: int, judges: int, rotations: int, vote: str, best: np.ndarray
) -> np.ndarray | None:
    """Masses of one item: each fresh panel's counts weigh the same, and so do the subsets that have them."""
    panels = []
    for panel in fresh_panels(k, judges, rotations):
        same = [
            verdict(vote, subset, best, 2.5)
            for subset in combinations(stored, k)
            if Counter((s.j % judges, s.j // judges % rotations) for s in subset) == panel
        ]
        if same:
            panels.append(np.mean(same, axis=0))
    return np.mean(panels, axis=0) if panels else None


@pytest.mark.parametrize(("n", "vote"), [(n, v) for n in (1, 2, 3) for v in votes_for(n)])
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("judges", [2, 3])
def test_agrees_with_every_subset_one_at_a_time(
    n: int, vote: str, balanced: bool, judges: int
) -> None:
    block = stored_samples(np.random.default_rng(n), 8, 8, n)
    curve = vote_curve(
        block.scores,
        block.valid,
        block.drawn,
        block.best,
        KS,
        vote=vote,
        balanced=balanced,
        judges=judges,
        threshold=2.5,
        rng=generator(),
        extra=block.extra,
    )
    found = np.stack(curve.outcomes, axis=-1)
    for item, best in enumerate(block.best):
        for column, k in enumerate(KS):
            stored = judgements(block, item)
            masses = by_hand(stored, k, judges, n if balanced else 1, vote, best)
            assert curve.reached[item, column] == (masses is not None)
            if masses is not None:
                assert_allclose(found[item, column], masses, atol=1e-12)
    assert curve.exact.all()


@pytest.mark.parametrize("balanced", [True, False])
def test_for_one_sample_the_noise_is_that_inside_each_judge(balanced: bool) -> None:
    judges, n, each = 3, 2, 4
    rng = generator()
    scores = rng.integers(1, 8, (5, judges * n * each, n)).astype(float)
    full = np.ones(scores.shape[:2], bool)
    best = np.tile([True, False], (5, 1))
    found = vote_noise(
        "sum", scores, full, full, best, 1, balanced=balanced, judges=judges, rng=rng
    )
    lead = scores[..., 0] - scores[..., 1]
    credit = np.where(lead == 0, 0.5, lead > 0)
    strata = judges * (n if balanced else 1)
    inside = [credit[:, at::strata].var(axis=1, ddof=1) for at in range(strata)]
    expected = np.mean(inside, axis=0) / scores.shape[1]
    assert_allclose(found.variance, expected)
    assert_allclose(found.credit, credit.mean(axis=1))
