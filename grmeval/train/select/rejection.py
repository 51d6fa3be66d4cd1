"""Which sampled judgements are trained on: rejective fine-tuning of arXiv 2504.02495. Pure: no files.

    N samples of an item without a hint    incorrect ones go; where all N are correct, the item is too easy
                                           and all of them go
    its sample with a hint                 goes if it is incorrect, and only then

What cannot be read is incorrect. What is correct: `grmeval.train.reward`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from grmeval.train.reward import THRESHOLD, correct, singles_out

__all__ = ["INCORRECT", "KEPT", "NO_BEST", "OVER", "RULES", "TOO_EASY", "UNREADABLE", "reject"]

KEPT, NO_BEST, UNREADABLE, INCORRECT = "kept", "no best", "unreadable", "incorrect"
TOO_EASY, OVER = "too easy", "over the limit"

RULES: Mapping[str, str] = MappingProxyType(
    {
        NO_BEST: "the item's labels single out no best response",
        UNREADABLE: "no scores could be read, which is incorrect",
        INCORRECT: "the best is not strictly highest; of one response: the score is on the wrong side",
        TOO_EASY: "all samples of the item without a hint are correct",
        OVER: "more than --max-per-item",
    }
)
"""Why a sample is dropped, in the order in which it is asked; `OVER` is no rule of the paper."""

Scores = Sequence[float | None] | None
"""In the item's response order; None: unreadable."""


def reject(
    quality: Sequence[int],
    plain: Sequence[Scores],
    hinted: Sequence[Scores] = (),
    *,
    wanted: int,
    threshold: float = THRESHOLD,
) -> tuple[list[str], list[str]]:
    """(what becomes of each sample without a hint, of each with one): KEPT, or a rule of RULES.

    `wanted`: samples without a hint that an item is to have (the paper's N_RFT). Where some are missing
    nobody knows whether the item is too easy, so that it is not.
    """
    found = [_alone(scores, quality, threshold) for scores in plain]
    if len(found) >= wanted and found and all(each == KEPT for each in found):
        found = [TOO_EASY] * len(found)
    return found, [_alone(scores, quality, threshold) for scores in hinted]


def _alone(scores: Scores, quality: Sequence[int], threshold: float) -> str:
    """What becomes of a sample, whatever the others of its item are."""
    if not singles_out(quality):
        return NO_BEST
    if scores is None:
        return UNREADABLE
    return KEPT if correct(scores, quality, threshold) else INCORRECT
