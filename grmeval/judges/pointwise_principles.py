"""The pointwise GRM with principles that are given (arXiv 2504.02495, Tables 1 and 14)."""

import hashlib
from pathlib import Path
from typing import Any

from grmeval.items import Item
from grmeval.judges.judge import Needs
from grmeval.judges.pointwise import PointwiseJudge
from grmeval.judges.principles import Principles

__all__ = ["PointwisePrinciplesJudge"]


class PointwisePrinciplesJudge(PointwiseJudge):
    """The criteria are in the prompt, an item's own or the same for all; `Analysis` and `Scores` out."""

    name = "pointwise-principles"
    about = "is given criteria (--principles): an analysis, a score for each response"
    needs = Needs(principles=True)
    template_name = "pointwise-principles"
    lines = (("Analysis", 1),)
    variables = (*PointwiseJudge.variables, "principles (text)")
    shows = ("responses", "principles")

    def __init__(
        self,
        template: Path | None = None,
        system: str | None = None,
        structured_tokens: int | None = None,
        principles: Path | None = None,
    ) -> None:
        """See PromptedJudge and Principles. Without `principles` it can read, and judge nothing."""
        super().__init__(template, system, structured_tokens, principles)
        self._principles = Principles(principles)

    def lacks(self, item: Item) -> str | None:
        """A text for this item."""
        return super().lacks(item) or self._principles.lacks(item.key)

    def values(self, item: Item) -> dict[str, Any]:
        """The item's principles."""
        return {"principles": self._principles.of(item.key)}

    def identity(self) -> dict[str, Any]:
        """As of the others, and the hash of the principles."""
        # The same bytes mean other principles as one text for all items.
        how = b"items\0" if self._principles.by_item else b"text\0"
        digest = hashlib.sha256(how + self._principles.content).hexdigest()
        return super().identity() | {"principles": digest[:16]}
