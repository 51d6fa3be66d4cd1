"""What is made of finished runs: a panel, critiques for a head that reads them, principles.

Nothing is asked of a model. Open panel.py first: a run made from runs.
"""

from grmeval.runs.derived.critiques import StoredCritiques, critiques_of, with_critiques
from grmeval.runs.derived.panel import Missing, panel_of
from grmeval.runs.derived.principles import extract_principles

__all__ = [
    "Missing",
    "StoredCritiques",
    "critiques_of",
    "extract_principles",
    "panel_of",
    "with_critiques",
]
