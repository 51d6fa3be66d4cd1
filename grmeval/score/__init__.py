"""Scores: a run folder -> arrays -> measure -> one result object that holds all a report prints."""

from grmeval.score.accuracy import Accuracy, Row, score
from grmeval.score.baseline import Baseline, baseline_of, read_baseline, write_baseline
from grmeval.score.compare import Comparison, Flip, Gap, compare
from grmeval.score.cost import Cost, Spent, unlike_effort
from grmeval.score.curve import CurveRow, Scaling, Slope, scale
from grmeval.score.gate import Absolute, Check, Gated, gate
from grmeval.score.prices import Price, Prices, read_prices
from grmeval.score.rules import Rules
from grmeval.score.together import together
from grmeval.score.trend import Night, Trend, trend

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
    "Slope",
    "Spent",
    "Trend",
    "baseline_of",
    "compare",
    "gate",
    "read_baseline",
    "read_prices",
    "scale",
    "score",
    "together",
    "trend",
    "unlike_effort",
    "write_baseline",
]
