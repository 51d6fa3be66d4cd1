"""A suite's rows, scored from the run folders that there are. Open row.py first."""

from grmeval.score.suite.row import Made, make_row

__all__ = ["Made", "make_row"]
