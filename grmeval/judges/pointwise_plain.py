"""The pointwise GRM without principles (arXiv 2504.02495, Table 7, `w/o principle generation`)."""

from grmeval.judges.pointwise import PointwiseJudge

__all__ = ["PointwisePlainJudge"]


class PointwisePlainJudge(PointwiseJudge):
    """`Analysis`, `Scores: \\boxed{x, x}` out: it is asked for no criteria of its own."""

    name = "pointwise-plain"
    about = "no criteria of its own: an analysis, a score for each response"
    template_name = "pointwise-plain"
    lines = (("Analysis", 1),)
