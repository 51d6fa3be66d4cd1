"""Judges: an Item and a response order -> messages; generated text -> scores, or a reason why not."""

from grmeval.judges.judge import Judge
from grmeval.judges.pointwise import PointwiseJudge

__all__ = ["Judge", "PointwiseJudge"]
