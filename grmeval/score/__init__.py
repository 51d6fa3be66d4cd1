"""Scores: a run folder -> arrays -> verdicts -> one result object that holds all a report prints.

Open table/accuracy.py first: the walk of one run. Rooms import downwards only:
arrays < verdicts, cost < table < curve, compare, planned, nightly, diagnosis, suite.
"""

from grmeval.score.compare import Comparison, Flip, Gap, compare, flipped
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
from grmeval.score.planned import (
    Compared,
    Measure,
    Planned,
    PlanRow,
    compare_plan,
    price_plan,
)
from grmeval.score.table import (
    OUTCOMES,
    Accuracy,
    ItemList,
    ItemRow,
    Row,
    SeedsRow,
    answer,
    list_items,
    score,
    seed_groups,
    seeds_alone,
    together,
)
from grmeval.score.verdicts import Rules

__all__ = [
    "OUTCOMES",
    "Absolute",
    "Accuracy",
    "Baseline",
    "Check",
    "Compared",
    "Comparison",
    "Cost",
    "CurveRow",
    "Flip",
    "Gap",
    "Gated",
    "ItemList",
    "ItemRow",
    "Measure",
    "Night",
    "PlanRow",
    "Planned",
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
    "compare_plan",
    "flipped",
    "gate",
    "list_items",
    "price_plan",
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
