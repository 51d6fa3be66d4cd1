"""The pointwise GRM (arXiv 2504.02495, Eq. 7 and 9): principles, critique, one score a response."""

from collections.abc import Sequence

from grmeval.items import NOTHING_KNOWN, Known, Reading
from grmeval.judges.parse import PARSER, read_scores
from grmeval.judges.prompted import PromptedJudge

__all__ = ["PointwiseJudge"]

SCORES = (1, 10)


class PointwiseJudge(PromptedJudge):
    """All responses in one prompt; `Specific Criteria`, `Analysis`, `Scores: \\boxed{x, x}` out."""

    name = "pointwise"
    about = "writes its own criteria, an analysis, a score for each response"
    score_range: tuple[int, int] | None = SCORES
    votes: tuple[str, ...] = ("sum", "mean", "median", "majority", "borda", "max")
    parser = PARSER
    template_name = "pointwise"
    lines: tuple[tuple[str, int], ...] = (("Specific Criteria", 1), ("Analysis", 2))
    last = "Scores"

    def box(self, n: int) -> tuple[str, int]:
        """n whole numbers."""
        return ", ".join(["(10|[1-9])"] * n), 4 * n

    def boxed(self, scores: Sequence[int]) -> str:
        """The scores."""
        return ", ".join(str(score) for score in scores)

    def read(self, text: str, n: int, finish: str, known: Known = NOTHING_KNOWN) -> Reading:
        """See `grmeval.judges.parse`."""
        return read_scores(text, n, finish, *SCORES, known)
