"""Scores: a run folder -> arrays -> verdicts -> one result object that holds all a report prints.

Open table/accuracy.py first: the walk of one run. Rooms import downwards only:
arrays < verdicts, cost < table < curve, compare, nightly, diagnosis, suite.
"""

from grmeval.score.compare import Comparison, Flip, Gap, compare
from grmeval.score.cost import Cost, Price, Prices, Spent, read_prices, unlike_effort
from grmeval.score.curve import CurveRow, Scaling, Slope, scale
from grmeval.score.nightly import (
    Absolute,
    Baseline,
    Check,
    Gated,
    Night,
    Trend,
    baseline_of,
    gate,
    read_baseline,
    trend,
    write_baseline,
)
from grmeval.score.table import (
    Accuracy,
    Row,
    SeedsRow,
    answer,
    score,
    seed_groups,
    seeds_alone,
    together,
)
from grmeval.score.verdicts import Rules

__all__ = [
    "Absolute",
    "Accuracy",
    "Baseline",
    "Check",
    "Comparison",
    "Cost",
    "CurveRow",
    "Flip",
    "Gap",
    "Gated",
    "Night",
    "Price",
    "Prices",
    "Row",
    "Rules",
    "Scaling",
    "SeedsRow",
    "Slope",
    "Spent",
    "Trend",
    "answer",
    "baseline_of",
    "compare",
    "gate",
    "read_baseline",
    "read_prices",
    "scale",
    "score",
    "seed_groups",
    "seeds_alone",
    "together",
    "trend",
    "unlike_effort",
    "write_baseline",
]
