"""A paper's tables as runs: the suite's file, its runs planned, what they would cost.

Open planner.py first.
"""

from grmeval.runs.suite.estimate import Work
from grmeval.runs.suite.file import Suite, SuiteRow, SuiteRun, read_suite, suites
from grmeval.runs.suite.planner import Choices, Job, Planner, commands

__all__ = [
    "Choices",
    "Job",
    "Planner",
    "Suite",
    "SuiteRow",
    "SuiteRun",
    "Work",
    "commands",
    "read_suite",
    "suites",
]
