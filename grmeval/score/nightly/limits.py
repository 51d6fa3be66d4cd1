"""Limits that are no margin: what was asked for of a night alone, and silence beside its baseline's."""

from collections.abc import Iterator
from typing import NamedTuple

from grmeval.score.arrays import RunArrays
from grmeval.score.nightly.night import Check, NightBeside
from grmeval.score.nightly.silence import judged_parts, silences, surely_more

__all__ = ["Absolute", "limit_checks"]

TOKENS = "tokens per judgement"
_SILENT = {"unread": "invalid judgements", "undecided": "undecided votes"}

_SAME = 1e-12
"""A limit in percent becomes a share by a rounded division."""

MORE_SILENCE = 0.05
"""How far above the baseline's the share of unreadable judgements, or of undecided votes, may surely be."""


class Absolute(NamedTuple):
    """Limits that need no baseline; None: not asked for. Rates in [0, 1] of judgements, or of votes.

    `undecided` and `invalid` are then held to the baseline's: see `MORE_SILENCE`.
    """

    invalid: float | None = None
    truncated: float | None = None
    tokens: float | None = None
    undecided: float | None = None


def limit_checks(night: NightBeside, limits: Absolute, margin: float) -> Iterator[Check]:
    """What the night is held to besides its difference; `margin` is the largest drop of the whole."""
    yield from _silence(night, limits, margin)
    yield from _absolute(night.run, limits)


def _silence(night: NightBeside, absolute: Absolute, margin: float) -> Iterator[Check]:
    """Whether the night, or a section of it, surely says less than the baseline did.

    Whatever its rules pay for silence. What nobody asked for is told where it is so. Under `drop` no
    more votes may be gone than points: what is dropped costs nothing.
    """
    allowed = {"unread": MORE_SILENCE, "undecided": MORE_SILENCE}
    if night.rules.on_invalid == "drop":
        allowed["undecided"] = min(MORE_SILENCE, margin)
    limits = {"unread": absolute.invalid, "undecided": absolute.undecided}
    parts = len(judged_parts(night.frame))
    for part, found in silences(night.frame, night.rules, 1 - 2 * night.alpha / parts):
        for kind, now in found._asdict().items():
            before = getattr(night.figure(part), kind)
            if limits[kind] is None and surely_more(now, before, allowed[kind]):
                name = _SILENT[kind] + (f" of {part.name}" if part.level == "section" else "")
                limit = before[0] + allowed[kind]
                said = (
                    f"{100 * now.value:.4g} %, surely more than the baseline's "
                    f"{100 * before[0]:.4g} % and {100 * allowed[kind]:g}"
                )
                yield Check("absolute", name, "regressed", said, value=now.value, limit=limit)
        if part.level == "overall" and absolute.undecided is not None:
            yield _limited(_SILENT["undecided"], found.undecided.value, absolute.undecided)


def _absolute(run: RunArrays, limits: Absolute) -> Iterator[Check]:
    samples = int(run.samples.sum())
    truncated = int(sum(int(c.sum()) for r, c in run.reasons.items() if r == "truncated"))
    for name, limit, count in (
        (_SILENT["unread"], limits.invalid, int(run.invalid.sum())),
        ("truncated judgements", limits.truncated, truncated),
        (TOKENS, limits.tokens, int(run.tokens.sum())),
    ):
        if limit is not None:
            yield _limited(name, count / samples, limit)


def _limited(name: str, value: float, limit: float) -> Check:
    """A share, or tokens a judgement, against what was asked for."""
    scale, unit = (1, "") if name == TOKENS else (100, " %")
    verdict = "regressed" if value > limit * (1 + _SAME) else "passed"
    said = f"{scale * value:.4g}{unit}, at most {scale * limit:g}{unit} allowed"
    if name == TOKENS and not value:
        verdict, said = "broken", "the run does not say how many tokens its judgements took"
    return Check("absolute", name, verdict, said, value=value, limit=limit)
