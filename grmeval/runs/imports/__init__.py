"""Judgements that another program made become a run. Open make_run.py first."""

from grmeval.runs.imports.make_run import import_scores

__all__ = [
    "import_scores",
]
