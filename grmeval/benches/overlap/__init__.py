"""Whether rows hold texts of a benchmark: decontamination of training data. Open find.py first."""

from grmeval.benches.overlap.find import NGRAM, THRESHOLD, Example, Found, Overlap, Overlaps

__all__ = ["NGRAM", "THRESHOLD", "Example", "Found", "Overlap", "Overlaps"]
