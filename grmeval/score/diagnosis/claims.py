"""Which claims of a diagnosis are told from noise, given all that were looked at.

A report looks at many numbers, and one in twenty 95 % intervals leaves out the truth. A claim is found where
its p-value, adjusted by Benjamini and Hochberg (1995) over all claims of the report, is at most RATE: of what
is found a share of RATE is expected to be noise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isnan

from grmeval.measure import benjamini_hochberg, detectable
from grmeval.score.diagnosis.findings import RATE, Claim, Finding, Part

__all__ = ["POWER", "declared", "looked_at"]

POWER = 0.8
"""The probability with which `Finding.detectable` would be found."""


def looked_at(parts: Iterable[Part]) -> list[Claim]:
    """The claims that could be tested: what was looked at."""
    return [claim for part in parts for claim in part.claims if not isnan(claim.row.p)]


def declared(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts with q and the detectable size in their numbers, and a sentence for each claim."""
    looked = looked_at(parts)
    adjusted = benjamini_hochberg([claim.row.p for claim in looked]).tolist()
    known = {
        id(claim.row): replace(claim.row, q=q, detectable=_visible(claim, RATE / len(looked)))
        for claim, q in zip(looked, adjusted, strict=True)
    }

    def told(row: Finding) -> Finding:
        return known.get(id(row), row)

    found = []
    for part in parts:
        claims = tuple(replace(claim, row=told(claim.row)) for claim in part.claims)
        says = (*(claim.sentence() for claim in claims), *part.says)
        rows = tuple(map(told, part.findings))
        found.append(replace(part, findings=rows, claims=claims, says=says))
    return tuple(found)


def _visible(claim: Claim, alpha: float) -> float:
    """The smallest true value that would be found alone with probability POWER; NaN: none would."""
    row, sides = claim.row, 1 if claim.above else 2
    if isnan(claim.freedom) or sides * 0.5**row.clusters > alpha:
        return float("nan")
    size = detectable(row.error, claim.freedom, alpha * (2 if claim.above else 1), POWER)
    return size if size <= 1 or row.unit != "points" else float("nan")
