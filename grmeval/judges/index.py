"""LLM-as-a-judge: names the best response (arXiv 2504.02495, Eq. 13)."""

from collections.abc import Sequence

from grmeval.items import NOTHING_KNOWN, Known, Reading
from grmeval.judges.judge import Needs
from grmeval.judges.parse import PARSER, read_pick
from grmeval.judges.prompted import PromptedJudge

__all__ = ["IndexJudge"]


class IndexJudge(PromptedJudge):
    """`Analysis`, `Best Response: \\boxed{i}` out, i counted from 1 in the order shown.

    A sample scores the pick 1 and the others 0, so `majority` counts picks (and equals `sum`).
    """

    name = "index"
    about = "an analysis, then the number of the best response"
    score_range: tuple[int, int] | None = (0, 1)
    votes: tuple[str, ...] = ("majority",)
    needs = Needs(responses=2)
    picks = True
    parser = PARSER
    template_name = "index"
    lines = (("Analysis", 1),)
    last = "Best Response"

    def box(self, n: int) -> tuple[str, int]:
        """One whole number from 1 to n."""
        return f"({'|'.join(str(i) for i in range(1, n + 1))})", len(str(n))

    def boxed(self, scores: Sequence[int]) -> str:
        """The slot of the highest score, the first of equals: this judge cannot say that two tie."""
        return str(1 + max(range(len(scores)), key=lambda slot: scores[slot]))

    def read(self, text: str, n: int, finish: str, known: Known = NOTHING_KNOWN) -> Reading:
        """See `grmeval.judges.parse`."""
        return read_pick(text, n, finish, known)
