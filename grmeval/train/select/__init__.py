"""Stored judgements become rows to fine-tune on: rejection, general data, provenance.

Open make.py first; rejection.py holds the paper's rule, selected.py reads what was made.
"""

from grmeval.train.select.folder import Selection, footer, title
from grmeval.train.select.make import Choices, select
from grmeval.train.select.rejection import KEPT, RULES, reject
from grmeval.train.select.runs import Sources
from grmeval.train.select.selected import Selected, read_selected

__all__ = [
    "KEPT",
    "RULES",
    "Choices",
    "Selected",
    "Selection",
    "Sources",
    "footer",
    "read_selected",
    "reject",
    "select",
    "title",
]
