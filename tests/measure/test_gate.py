"""The gate: its verdicts by their limits, sections by Holm, advice by its own formula, and nights."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from grmeval.measure import Contrast, advice, decide, decide_sections, holm, panel

NAN = float("nan")


def found(value: float, error: float = 0.01, freedom: float = 1e6) -> Contrast:
    """Limits of another level, which the gate must not take."""
    return Contrast(value, value - error, value + error, error, freedom, 1000, 1000)


@pytest.mark.parametrize(
    ("value", "margin", "verdict"),
    [
        (0.017, 0.02, "improved"),
        (0.016, 0.02, "passed"),
        (-0.003, 0.02, "passed"),
        (-0.004, 0.02, "inconclusive"),
        (-0.036, 0.02, "inconclusive"),
        (-0.037, 0.02, "regressed"),
        (0.017, 0.0, "improved"),
        (0.016, 0.0, "inconclusive"),
        (-0.017, 0.0, "regressed"),
    ],
)
def test_limits_are_one_sided(value: float, margin: float, verdict: str) -> None:
    assert decide(found(value), margin) == verdict


def test_few_degrees_of_freedom_widen_the_limits() -> None:
    assert decide(found(-0.003), 0.02) == "passed"
    assert decide(found(-0.003, freedom=10), 0.02) == "inconclusive"
    assert decide(found(-0.003), 0.02, alpha=0.01) == "inconclusive"


@pytest.mark.parametrize(
    ("value", "margin", "alpha", "message"),
    [
        (NAN, 0.01, 0.05, "nothing to compare"),
        (0.0, -0.01, 0.05, "margin"),
        (0.0, NAN, 0.05, "margin"),
        (0.0, 0.01, 0.5, "alpha"),
        (0.0, 0.01, 0.0, "alpha"),
    ],
)
def test_nonsense_is_never_a_pass(value: float, margin: float, alpha: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decide(found(value), margin, alpha)
    with pytest.raises(ValueError, match=message):
        decide_sections([found(0.1), found(value)], [0.01, margin], alpha)


def test_nothing_to_compare_is_never_a_pass() -> None:
    none = panel(np.zeros((2, 3)), np.zeros((2, 3)), np.arange(3), np.zeros(3, int), np.ones(1))
    with pytest.raises(ValueError, match="nothing to compare"):
        decide(none.contrast((1, -1)), 0.01)


@pytest.mark.parametrize(
    ("values", "verdict", "sections"),
    [
        ((0.02, 0.03), "improved", ("improved", "improved")),
        ((0.0, 0.03), "passed", ("passed", "improved")),
        ((0.0, -0.01), "inconclusive", ("passed", "inconclusive")),
        ((0.03, -0.06), "regressed", ("improved", "regressed")),
        # One-sided p 0.0446: below alpha, but not below alpha / 2 as the smallest of two.
        ((0.03, -0.037), "inconclusive", ("improved", "inconclusive")),
        # Both: the second step of Holm's is alpha itself.
        ((-0.037, -0.06), "regressed", ("regressed", "regressed")),
    ],
)
def test_sections_are_as_good_as_the_worst(values: Any, verdict: str, sections: Any) -> None:
    assert decide_sections([found(v) for v in values], [0.02, 0.02]) == (verdict, sections)


def test_one_section_is_decided_as_the_whole_is() -> None:
    for value in np.linspace(-0.06, 0.03, 37):
        one = found(float(value), freedom=25)
        assert decide_sections([one], [0.02]).verdict == decide(one, 0.02)


def test_each_section_has_its_own_margin_and_p() -> None:
    values, margins = (-0.03, -0.05, -0.041), (0.001, 0.03, 0.02)
    given = [found(value, freedom=40) for value in values]
    p = [student.cdf((v + m) / 0.01, 40) for v, m in zip(values, margins, strict=True)]
    expected = ["regressed" if one < 0.05 else "inconclusive" for one in holm(p)]
    assert decide_sections(given, margins).sections == tuple(expected)


def test_sections_need_as_many_margins() -> None:
    with pytest.raises(ValueError, match="shorter"):
        decide_sections([found(0), found(0)], [0.01])
    with pytest.raises(ValueError, match="no section"):
        decide_sections([], [])


# --- advice ---


def test_advice_shrinks_the_error_until_the_margin_is_apart() -> None:
    # 0.02 apart, 0.01 of error; (1.645 + 0.842) errors are wanted: (2.487 / 2)^2 times the items.
    given = advice(0.0, 0.01, 0.02, 0.05, sample_share=0.5, k=8)
    assert given.items == pytest.approx((2.4865 / 2) ** 2, rel=1e-3)
    # Of the variance 0.647 may stay, 0.5 of it between items: 8 * 0.5 / 0.147 samples.
    assert given.k == 28


def test_what_samples_cannot_spare_needs_items() -> None:
    given = advice(-0.01, 0.01, 0.02, 0.05, sample_share=0.5, k=8)
    assert given.items == pytest.approx(2.4865**2, rel=1e-3)
    assert given.k is None
    assert advice(-0.01, 0.01, 0.02, 0.05, sample_share=1.0, k=8).k == 50
    assert advice(0.05, 0.01, 0.02, 0.05, sample_share=0.5, k=8) == (1, 8)


def test_a_value_at_the_margin_is_never_decided() -> None:
    assert advice(-0.02, 0.01, 0.02, 0.05, sample_share=0.5, k=8) == (np.inf, None)


@pytest.mark.parametrize(
    "change", [{"error": 0.0}, {"sample_share": 1.1}, {"k": 0}, {"value": NAN}, {"alpha": 0.6}]
)
def test_advice_refuses_nonsense(change: dict[str, Any]) -> None:
    given = {"value": 0.0, "error": 0.1, "margin": 0.1, "alpha": 0.05, "sample_share": 0.5, "k": 8}
    with pytest.raises(ValueError, match=r"advice needs|alpha must"):
        advice(**{**given, **change})


# --- nights (perf/nights.py is the long version) ---

NIGHTS = 400
RARE = binom.ppf(0.999, NIGHTS, 1e-3)  # verdicts four errors off: 2 in 100,000, or so
SAMPLES = 8
PROMPTS = np.array([300, 150, 28])
WEIGHTS = np.array([3.0, 2.0, 0.1])
# Kinds of items: odds that one sample is right, and their shares.
RIGHT = np.array([0.9, 0.7, 0.55, 0.3])
SHARE = np.array([0.4, 0.3, 0.2, 0.1])


def voted(loss: float) -> Any:
    """Expected credit of the vote of 8 in the whole population: in closed form."""
    right = RIGHT * (1 - loss)
    return SHARE @ (binom.sf(4, SAMPLES, right) + binom.pmf(4, SAMPLES, right) / 2)


def night(rng: np.random.Generator, loss: float) -> Contrast:
    """Fresh items, a baseline and a new run."""
    of = np.repeat(np.arange(3), PROMPTS)
    cluster = np.repeat(np.arange(len(of)), rng.integers(1, 4, len(of)))
    own, shared = (rng.choice(4, size, p=SHARE) for size in (len(cluster), len(of)))
    right = RIGHT[np.where(rng.random(len(cluster)) < 0.5, own, shared[cluster])]
    wins = rng.binomial(SAMPLES, np.array([right * (1 - loss), right]))
    credit = (np.sign(2 * wins - SAMPLES) + 1) / 2
    both = panel(credit, np.ones_like(credit), cluster, of[cluster], WEIGHTS)
    return both.contrast((1, -1))


def rates(loss: float, margin: float, nights: int = NIGHTS) -> Counter[str]:
    rng = np.random.default_rng(9)
    found: Counter[str] = Counter(decide(night(rng, loss), margin) for _ in range(nights))
    found["passed"] += found["improved"]  # to improve is to pass
    return found


def test_a_drop_of_the_margin_passes_or_alarms_one_night_in_twenty() -> None:
    drop = voted(0) - voted(0.05)
    found, most = rates(0.05, drop), binom.ppf(0.999, NIGHTS, 0.05)
    assert found["passed"] <= most
    assert found["regressed"] <= most


def typical_error(loss: float) -> Any:
    rng = np.random.default_rng(10)
    return np.mean([night(rng, loss).error for _ in range(40)])


def test_equal_nights_pass_where_the_margin_is_two_and_a_half_errors() -> None:
    found = rates(0.0, 2.5 * typical_error(0.0))
    assert found["passed"] >= binom.ppf(0.001, NIGHTS, 0.8)
    assert found["regressed"] <= RARE


def test_twice_such_a_margin_is_seen() -> None:
    margin = (voted(0) - voted(0.099)) / 2
    assert 2.5 <= margin / typical_error(0.099) <= 2.6
    found = rates(0.099, margin)
    assert found["regressed"] >= binom.ppf(0.001, NIGHTS, 0.8)
    assert found["passed"] <= RARE
