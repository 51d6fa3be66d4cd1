"""How much of a number rests on nothing: judgements that cannot be read, votes without a winner."""

from collections.abc import Iterator
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import estimate
from grmeval.measure.intervals import Estimate
from grmeval.score.arrays import RunArrays
from grmeval.score.verdicts import Frame, Part, Rules, Verdicts

__all__ = ["Silence", "judged_parts", "silences", "surely_more"]


class Silence(NamedTuple):
    """Shares of a number, items weighed as its metric weighs them.

    unread: of judgements that cannot be read. undecided: of votes that are paid, or dropped, without a
    winner: tied, or with nothing to read; only as far as the rules do not count them wrong, since those
    cost accuracy already.
    """

    unread: Estimate
    undecided: Estimate


def judged_parts(frame: Frame) -> list[Part]:
    """The whole, and each section where there are several, that have a labelled item, and so a number."""
    parts = [part for part in frame.parts() if part.level in ("overall", "section")]
    several = parts if len(parts) > 2 else parts[:1]
    return [part for part in several if len(_judged(frame.verdicts, part.units))]


def silences(frame: Frame, rules: Rules, level: float) -> Iterator[tuple[Part, Silence]]:
    """Of each of `judged_parts`; limits at a confidence `level`."""
    for part in judged_parts(frame):
        judged = part._replace(units=_judged(frame.verdicts, part.units))
        yield part, _silence(frame.run, frame.verdicts, rules, judged, level)


def _judged(verdicts: Verdicts, units: NDArray[Any]) -> NDArray[Any]:
    """Those that a number is made of, or would be, were they not dropped."""
    if verdicts.ranked:
        known = np.isin(verdicts.first[units], verdicts.ranked.items)
    else:
        known = ~np.isnan(verdicts.credit[units, 0])
    judged: NDArray[Any] = units[known]
    return judged


def _silence(run: RunArrays, verdicts: Verdicts, rules: Rules, part: Part, level: float) -> Silence:
    """Of one part, whether or not its items are dropped."""
    units, _, number, weights = verdicts.weighed(run, part.units, part.level)
    first = verdicts.first[units]
    invalid, asked = (np.bincount(run.unit, counts) for counts in (run.invalid, run.samples))
    masses = verdicts.outcomes
    undecided = (rules.ties != "wrong") * masses.tie + (rules.on_invalid != "wrong") * masses.void
    one, cluster = np.ones(len(units)), run.cluster[first]
    unread, without = (
        estimate(share, one, cluster, number, weights, level)
        for share in (
            (invalid / np.maximum(asked, 1))[run.unit[first]],
            np.nan_to_num(undecided[units, 0]),  # terms of Ties have no vote of their own
        )
    )
    return Silence(unread, without)


def surely_more(now: Estimate, then: tuple[float, float], allowed: float) -> bool:
    """Whether a share lies above another, `then` (and its upper limit), by more than is allowed.

    The lower limit of their difference by MOVER (Zou and Donner, 2008): both are samples.
    """
    value, high = then
    reach = sqrt((now.value - now.low) ** 2 + (high - value) ** 2)
    return now.value - value - reach > allowed
