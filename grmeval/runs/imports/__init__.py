"""Judgements that another program made become a run, or answers to a run's requests samples of it.

Open make_run.py first; answers.py reads batch files.
"""

from grmeval.runs.imports.answers import Answers, import_answers, run_named
from grmeval.runs.imports.make_run import import_scores

__all__ = [
    "Answers",
    "import_answers",
    "import_scores",
    "run_named",
]
