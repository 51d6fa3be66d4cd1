"""What a judgement is worth in training: +1 where it ranks the best response first, -1 otherwise.

Eq. 10 of arXiv 2504.02495, pure: no files and no model. Rejection, the labels of a meta RM and online RL
all ask here; it fits into a trainer of your own as well.
"""

import math
from collections.abc import Sequence

__all__ = ["THRESHOLD", "correct", "reward", "singles_out"]

THRESHOLD = 5.5
"""The middle of 1 to 10: a single response at or above it is called right, as `grmeval score` does."""


def reward(
    scores: Sequence[float | None] | None, quality: Sequence[int], threshold: float = THRESHOLD
) -> int:
    """+1 for a correct judgement, -1 for any other; there is no reward for form. See `correct`."""
    return 1 if correct(scores, quality, threshold) else -1


def correct(
    scores: Sequence[float | None] | None, quality: Sequence[int], threshold: float = THRESHOLD
) -> bool:
    """Whether a judgement agrees with the labels.

    `scores` [n] and `quality` [n] are in the same order, the item's; None: the judgement could not be read.
    What is unreadable, be it one score that is missing or no number, is wrong.

    Two or more responses: the best strictly highest, so a tie with one that is not best is wrong. Of
    several equally good best ones, one above every other response is enough, whichever it is. Where the
    labels single out none, nothing is correct.

    One response: a score at or above `threshold` calls it right, one below calls it wrong; `quality` is 1
    (right) or 0. Of a judge that scores 0 or 1, as the paper's does in training, any threshold between them
    says S_1 = r_1. A benchmark's own threshold is `BenchSpec.threshold`.

    ValueError: as many scores as labels are needed, and at least one.
    """
    if not quality:
        raise ValueError("no response is labelled")
    if scores is None:
        return False
    if len(scores) != len(quality):
        raise ValueError(f"{len(scores)} scores for {len(quality)} labelled responses")
    known = [score for score in scores if score is not None and not math.isnan(score)]
    if len(known) < len(scores):
        return False
    if len(known) == 1:
        return (known[0] >= threshold) == (quality[0] > 0)
    if not singles_out(quality):
        return False
    top = max(quality)
    pairs = list(zip(known, quality, strict=True))
    return max(s for s, q in pairs if q == top) > max(s for s, q in pairs if q < top)


def singles_out(quality: Sequence[int]) -> bool:
    """Whether labels make any judgement correct: of two or more responses, some are better than others."""
    return len(quality) == 1 or len(set(quality)) > 1
