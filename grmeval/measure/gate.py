"""Gate: has a run become worse than its baseline by more than a margin? With a say for "cannot tell"."""

from collections.abc import Sequence
from math import ceil, inf, isfinite, isnan
from typing import Literal, NamedTuple

from grmeval.measure.paired import Contrast
from grmeval.measure.significance import holm

Verdict = Literal["improved", "passed", "inconclusive", "regressed"]


class SectionVerdicts(NamedTuple):
    """The verdict over all sections, and each section's own."""

    verdict: Verdict
    sections: tuple[Verdict, ...]


class Advice(NamedTuple):
    """What would decide: `items` times as many items, or `k` samples; None: no k would."""

    items: float
    k: int | None


def decide(found: Contrast, margin: float, alpha: float = 0.05) -> Verdict:
    """The verdict on `found`, new minus baseline, against a drop of `margin` (0.01 = one point).

    Limits are one-sided at `alpha` each (whatever level `found` was made with). "passed": the lower limit is
    above -margin: a drop so large is excluded. "improved": above 0 as well, which passes too.
    "regressed": the upper limit is below -margin. Else "inconclusive". Where the true drop is the
    margin, "passed" and "regressed" come with probability alpha each; with a margin of 2.5 errors
    two equal runs pass four times out of five. ValueError: nothing to compare (NaN is no pass), a
    negative margin, alpha outside (0, 0.5).
    """
    low, high = _limits(found, margin, alpha)
    if high < -margin:
        return "regressed"
    return _passing(low, margin)


def decide_sections(
    found: Sequence[Contrast], margins: Sequence[float], alpha: float = 0.05
) -> SectionVerdicts:
    """Verdicts on sections, each with a margin of its own.

    "regressed": one-sided p-values of "no worse than -margin", adjusted by Holm (1979), so that the odds of
    any false alarm stay at alpha. "passed" when every section's lower limit is above its -margin; an
    intersection-union test (Berger, 1982) needs no correction: to pass falsely, a section that is
    too bad must pass, which alone has odds of alpha. "improved": every section is. ValueError: as
    `decide`; no section; not one margin a section.
    """
    from scipy.special import stdtr

    if not found:
        raise ValueError("no section to decide on")
    lows = [_limits(one, margin, alpha)[0] for one, margin in zip(found, margins, strict=True)]
    below = [
        float(stdtr(one.freedom, (one.value + margin) / one.error))
        for one, margin in zip(found, margins, strict=True)
    ]
    sections = tuple(
        "regressed" if p < alpha else _passing(low, margin)
        for p, low, margin in zip(holm(below), lows, margins, strict=True)
    )
    # The whole is as good as its worst section.
    order: tuple[Verdict, ...] = ("regressed", "inconclusive", "passed", "improved")
    return SectionVerdicts(next(one for one in order if one in sections), sections)


def advice(
    value: float,
    error: float,
    margin: float,
    alpha: float,
    sample_share: float,
    k: int,
    power: float = 0.8,
) -> Advice:
    """How many more items, or samples of the same items, would decide with probability `power`.

    Were the true difference `value`, the error would have to shrink until |value + margin| is
    (z_{1 - alpha} + z_{power}) errors. Items divide the whole variance; samples only
    `sample_share` of it (within items, at `k` samples), taken as 1 / k. The k is both runs'.
    A value that stands at -margin: infinitely many. ValueError: arguments out of range.
    """
    from scipy.special import ndtri

    if not (error > 0 and 0 <= sample_share <= 1 and k >= 1 and isfinite(value + margin)):
        raise ValueError(
            "advice needs a finite value, a positive error, a share in [0, 1] and k >= 1"
        )
    if not (0 < alpha < 0.5 and 0 < power < 1):
        raise ValueError(f"alpha must lie in (0, 0.5) and power in (0, 1), not {alpha} and {power}")
    distance = abs(value + margin) / float(ndtri(1 - alpha) + ndtri(power))
    shrink = min((distance / error) ** 2, 1.0)
    spared = shrink - (1 - sample_share)
    return Advice(
        items=1 / shrink if shrink > 0 else inf,
        k=ceil(sample_share * k / spared - 1e-9) if spared > 1e-12 else None,
    )


def smallest_margin(error: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The margin at which equal runs pass with probability `power`: (z_{1 - alpha} + z_{power}) errors."""
    from scipy.special import ndtri

    return float(ndtri(1 - alpha) + ndtri(power)) * error


def _passing(low: float, margin: float) -> Verdict:
    if low > 0:
        return "improved"
    return "passed" if low > -margin else "inconclusive"


def _limits(found: Contrast, margin: float, alpha: float) -> tuple[float, float]:
    """One-sided limits of the difference at `alpha` each."""
    from scipy.special import stdtrit

    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha}")
    if not (isfinite(margin) and margin >= 0):
        raise ValueError(f"a margin must be a number of at least 0, not {margin}")
    if isnan(found.value) or isnan(found.error):
        raise ValueError("nothing to compare: the difference is not a number")
    reach = float(stdtrit(found.freedom, 1 - alpha)) * found.error
    return found.value - reach, found.value + reach
