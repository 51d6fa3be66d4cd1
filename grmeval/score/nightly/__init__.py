"""Nights against a baseline: the gate, the baseline's file, the trend. Open gate.py first."""

from grmeval.score.nightly.baseline import Baseline, read_baseline, write_baseline
from grmeval.score.nightly.gate import Gated, gate
from grmeval.score.nightly.limits import Absolute
from grmeval.score.nightly.make_baseline import baseline_of
from grmeval.score.nightly.night import Check
from grmeval.score.nightly.trend import Night, Trend, trend

__all__ = [
    "Absolute",
    "Baseline",
    "Check",
    "Gated",
    "Night",
    "Trend",
    "baseline_of",
    "gate",
    "read_baseline",
    "trend",
    "write_baseline",
]
