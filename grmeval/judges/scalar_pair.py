"""Pairwise scalar reward models: one number says by how much the first of two responses is better."""

import json
from collections.abc import Sequence

from grmeval.items import NOTHING_KNOWN, Item, Known, Message, Reading
from grmeval.judges.judge import Needs
from grmeval.judges.prompted import PromptedJudge
from grmeval.judges.scalar import ScalarJudge

__all__ = ["ScalarPairJudge"]


class ScalarPairJudge(PromptedJudge):
    """Both responses in one prompt, one raw logit S: the response shown first scores S, the other 0.

    So the sign of S picks (arXiv 2504.02495, section 2), and over both orders the sum is the difference
    of the two. A third sample would repeat the first.
    """

    name = "scalar-pair"
    about = "a head says how much better the first of two responses is"
    score_range: tuple[int, int] | None = None
    votes: tuple[str, ...] = ("sum", "majority")
    needs = Needs(responses=2)
    parser = 1
    template_name = "scalar-pair"
    lines = ()
    last = ""
    head = True
    most: int | None = 2

    def lacks(self, item: Item) -> str | None:
        """See Judge."""
        if item.n > 2:
            return "have more than two responses: take --layout pairs"
        return super().lacks(item)

    def chats(self, item: Item, order: Sequence[int], j: int) -> tuple[tuple[Message, ...], ...]:
        """One chat."""
        return (self.messages(item, order),)

    def grammar(self, n: int) -> str | None:
        """None: nothing is generated."""
        return None

    def box(self, n: int) -> tuple[str, int]:
        """Nothing is generated."""
        return "", 0

    def boxed(self, scores: Sequence[int]) -> str:
        """How much better the first is, as a JSON list."""
        return json.dumps([float(scores[0] - scores[1])])

    def read(self, text: str, n: int, finish: str, known: Known = NOTHING_KNOWN) -> Reading:
        """See ScalarJudge.read."""
        found = ScalarJudge().read(text, 1, finish, known)
        return found if found.scores is None else found._replace(scores=(*found.scores, 0.0))

    def write(self, scores: Sequence[int], analysis: str) -> str:
        """The inverse; a head says nothing besides."""
        return self.boxed(scores)
