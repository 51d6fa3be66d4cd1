"""Training items: preference sets, cleaned by rules, held against benchmarks. Open make.py first."""

from grmeval.train.data.folder import check_out, write
from grmeval.train.data.make import Made, Settings, make
from grmeval.train.data.sources import Read, check_sources, read_source, training_sets

__all__ = [
    "Made",
    "Read",
    "Settings",
    "check_out",
    "check_sources",
    "make",
    "read_source",
    "training_sets",
    "write",
]
