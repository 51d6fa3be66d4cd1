"""The pointwise GRM that sees a reference answer (arXiv 2504.02495, Table 12)."""

from typing import Any

from grmeval.items import Item
from grmeval.judges.judge import Needs
from grmeval.judges.pointwise import PointwiseJudge

__all__ = ["PointwiseReferenceJudge"]


class PointwiseReferenceJudge(PointwiseJudge):
    """As the pointwise judge, with `Item.reference` in the prompt. The paper prints no such template."""

    name = "pointwise-reference"
    about = "as pointwise, and is shown the item's reference answer"
    needs = Needs(reference=True)
    template_name = "pointwise-reference"
    variables = (*PointwiseJudge.variables, "reference (text)")
    shows = ("responses", "reference")

    def values(self, item: Item) -> dict[str, Any]:
        """The reference answer."""
        return {"reference": item.reference}
