"""The exact curve of `meta`: every subset one at a time, closed forms, and what it may not do."""

from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import Curve, Extra, vote_curve
from tests.measure.oracle import Block, expected, stored_samples


def exact(block: Block, ks: list[int], vote: str, balanced: bool, permutations: int = 256) -> Curve:
    """Nothing is enumerated but single subsets, so that the curve is exact only by counting."""
    return vote_curve(
        block.scores,
        block.valid,
        block.drawn,
        block.best,
        ks,
        vote=vote,
        balanced=balanced,
        rng=np.random.default_rng(11),
        enumerate_at_most=1,
        permutations=permutations,
        extra=block.extra,
    )


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("k_meta", [None, 1, 3, 10])
@pytest.mark.parametrize("samples", [5, 10])
def test_agrees_with_every_subset_one_at_a_time(
    n: int, balanced: bool, k_meta: int | None, samples: int
) -> None:
    block = stored_samples(np.random.default_rng(samples), 16, samples, n)
    block = block._replace(extra=block.extra._replace(k_meta=k_meta))
    scores = block.scores * 2 - 5  # to both sides of the threshold of a single
    block = block._replace(scores=scores + 5.5 if n == 1 else scores)
    ks = list(range(1, samples + 1))
    curve = exact(block, ks, "meta", balanced)
    assert curve.exact.all()
    masses = expected(block, ks, "meta", balanced)
    assert_allclose(np.stack(curve.outcomes, axis=-1), masses, atol=1e-12)


def paired(items: int, samples: int, invalid: float = 0.1) -> Block:
    rng = np.random.default_rng(4)
    scores = rng.integers(1, 11, (items, samples, 2)).astype(float)
    valid = rng.random((items, samples)) >= invalid
    scores[~valid] = np.nan
    best = np.tile([True, False], (items, 1))
    extra = Extra(reward=rng.normal(size=(items, samples)).round(1))
    return Block(scores, valid, np.ones_like(valid), best, extra)


@pytest.mark.parametrize("balanced", [True, False])
def test_keeping_all_is_the_sum(balanced: bool) -> None:
    block = paired(40, 24)
    block = block._replace(extra=block.extra._replace(k_meta=12))
    ks = [1, 2, 3, 7, 8, 12]
    kept, added = exact(block, ks, "meta", balanced), exact(block, ks, "sum", balanced)
    assert kept.exact.all()
    for one, other in zip(kept.outcomes, added.outcomes, strict=True):
        assert_allclose(one, other, atol=1e-13)


def test_keeping_one_is_the_best_rewarded_of_the_subset() -> None:
    """The sample at place p of N is first of a k-subset with probability C(N - p - 1, k - 1) / C(N, k)."""
    block, k = paired(20, 64, invalid=0.0), 16
    assert block.extra.reward is not None
    block = block._replace(extra=block.extra._replace(k_meta=1))
    order = np.argsort(-block.extra.reward, axis=1, kind="stable")  # type: ignore[operator]
    first = np.array([comb(63 - p, k - 1) / comb(64, k) for p in range(64)])
    lead = np.take_along_axis(block.scores[..., 0] - block.scores[..., 1], order, axis=1)
    found = exact(block, [k], "meta", False).outcomes
    assert_allclose(found.win[:, 0], (lead > 0) @ first, rtol=1e-12)
    assert_allclose(found.tie[:, 0], (lead == 0) @ first, rtol=1e-12)


def test_it_does_not_matter_how_samples_are_numbered_inside_an_order() -> None:
    block = paired(10, 12, invalid=0.3)
    moved = np.array([6, 1, 4, 9, 0, 11, 8, 3, 10, 5, 2, 7])  # the parity of each j stays
    assert block.extra.reward is not None
    distinct = block._replace(extra=Extra(reward=np.random.default_rng(1).normal(size=(10, 12))))
    other = Block(
        distinct.scores[:, moved],
        distinct.valid[:, moved],
        distinct.drawn,
        distinct.best,
        distinct.extra.at(np.s_[:, moved]),
    )
    for ks in ([1, 4, 5], [2, 11]):
        one, two = exact(distinct, ks, "meta", True), exact(other, ks, "meta", True)
        assert_allclose(one.outcomes.win, two.outcomes.win, rtol=1e-13)


def test_a_table_that_is_dearer_than_drawing_is_not_made() -> None:
    block = paired(30, 64, invalid=0.05)
    curve = exact(block, [2, 8, 32], "meta", True, permutations=4096)
    assert curve.exact.tolist() == [True, True, False]
    assert (curve.noise[:, :2] == 0).all()
    assert (curve.noise[:, 2] > 0).any()
