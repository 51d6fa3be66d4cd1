"""A run folder as arrays. Open run.py first: RunArrays is all that scoring reads of a run."""

from grmeval.score.arrays.read_run import read_run
from grmeval.score.arrays.run import Block, RunArrays
from grmeval.score.arrays.tokens import Taken

__all__ = [
    "Block",
    "RunArrays",
    "Taken",
    "read_run",
]
