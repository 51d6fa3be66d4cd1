"""Measure: pure functions on arrays that turn stored judgements into numbers with error bars."""

from grmeval.measure.intervals import Estimate, estimate, wilson
from grmeval.measure.metrics import roc_auc
from grmeval.measure.outcomes import (
    ON_INVALID,
    TIES,
    Outcomes,
    credit,
    judge_single,
    judge_totals,
)
from grmeval.measure.scaling import Curve, vote_curve
from grmeval.measure.votes import VOTES, subset_totals, totals

__all__ = [
    "ON_INVALID",
    "TIES",
    "VOTES",
    "Curve",
    "Estimate",
    "Outcomes",
    "credit",
    "estimate",
    "judge_single",
    "judge_totals",
    "roc_auc",
    "subset_totals",
    "totals",
    "vote_curve",
    "wilson",
]
