"""Terms of pools under the votes that need more than scores, against the curve of whole verdicts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import Extra, judge_totals, term_curve, vote_curve
from grmeval.measure.votes import Floats
from tests.measure.oracle import stored_samples, votes_for


@pytest.mark.parametrize("vote", votes_for(3))
def test_verdicts_as_terms_are_the_curve(vote: str) -> None:
    scores, valid, drawn, best, extra = stored_samples(np.random.default_rng(5), 8, 7, 3)
    extra, ks = extra._replace(k_meta=2), [1, 3, 4, 7]

    def judge(totals: Floats, item: int) -> Floats:
        return np.array(judge_totals(totals, best[item]))

    rng = np.random.default_rng(6)
    found, noise = term_curve(
        scores, valid, drawn, ks, vote=vote, terms=4, judge=judge, rng=rng, extra=extra
    )
    curve = vote_curve(
        scores, valid, drawn, best, ks, vote=vote, balanced=False, rng=rng, extra=extra
    )
    assert_allclose(found, np.array(curve.outcomes), atol=1e-12)
    assert not noise.any()


@pytest.mark.parametrize(
    ("vote", "expected"),
    [
        ("borda", [2, 0.5, 0.5, 2, 0, 1]),  # 2 : 0.5 : 0.5 of the first prompt's, inside it
        ("majority", [1, 0, 0, 1, 0, 0]),
        ("sum", [9, 1, 1, 10, 2, 7]),
    ],
)
def test_only_responses_to_one_prompt_are_rivals(vote: str, expected: list[float]) -> None:
    scores = np.array([[[9.0, 1.0, 1.0, 10.0, 2.0, 7.0]]])
    once = np.ones((1, 1), bool)
    found, _ = term_curve(
        scores,
        once,
        once,
        [1],
        vote=vote,
        terms=6,
        judge=lambda totals, _: np.moveaxis(totals, -1, 0),
        prompt=np.array([0, 0, 0, 1, 1, 1]),
        rng=np.random.default_rng(0),
    )
    assert found[:, 0, 0].tolist() == expected


def test_what_a_vote_needs_is_asked_for() -> None:
    ones, once = np.ones((1, 1, 2)), np.ones((1, 1), bool)

    def curve(extra: Extra) -> None:
        term_curve(
            ones,
            once,
            once,
            [1],
            vote="meta",
            terms=1,
            judge=lambda totals, _: totals[None, ..., 0],
            rng=np.random.default_rng(0),
            extra=extra,
        )

    curve(Extra(reward=np.zeros((1, 1))))
    with pytest.raises(ValueError, match="'meta' needs `reward`"):
        curve(Extra(weight=np.zeros((1, 1))))
