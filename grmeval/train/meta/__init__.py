"""A meta RM: one logit that tells whether a judgement ranks the best response first. Open train.py first."""

from grmeval.train.meta.prepare import Prepared, notes, prepare
from grmeval.train.meta.train import make_trainer, train_meta

__all__ = ["Prepared", "make_trainer", "notes", "prepare", "train_meta"]
