"""Training data for the packaged small model: items whose truth is known, judgements composed by rule.

Open items.py first. `python -m grmeval.train.smol` writes a benchmark of them, and training examples.
"""

from grmeval.train.smol.items import FAMILIES, Made, make, sft_row, texts_of
from grmeval.train.smol.questions import Answer, Question, Split

__all__ = ["FAMILIES", "Answer", "Made", "Question", "Split", "make", "sft_row", "texts_of"]
