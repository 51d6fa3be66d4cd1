"""Asking a meta RM: its rewards of a run's judgements. Open score.py first: the loop."""

from grmeval.runs.meta.plan import MetaPlan, configure_meta, meta_of, prepare_meta
from grmeval.runs.meta.score import Scored, meta_score
from grmeval.runs.meta.shown import SHOWN, is_right, refuse_unasked, shown

__all__ = [
    "SHOWN",
    "MetaPlan",
    "Scored",
    "configure_meta",
    "is_right",
    "meta_of",
    "meta_score",
    "prepare_meta",
    "refuse_unasked",
    "shown",
]
