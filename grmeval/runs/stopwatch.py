"""A watcher of a launch that shows nothing: it counts, and notes when sampling began and ended."""

import time

from grmeval.items import Sample
from grmeval.runs.plan import Plan
from grmeval.runs.sample import Estimate

__all__ = ["Stopwatch"]


class Stopwatch:
    """See Progress."""

    began = ended = 0.0
    samples = 0

    @property
    def seconds(self) -> float:
        """From the first request to the last sample on disk."""
        return self.ended - self.began

    def loading(self, plan: Plan, is_open: bool) -> None:
        """Nothing is noted."""

    def begin(self, estimate: Estimate) -> None:
        """The first request."""
        self.began = time.perf_counter()

    def advance(self, sample: Sample) -> None:
        """A sample is on disk."""
        self.samples += 1

    def end(self) -> None:
        """No more come."""
        self.ended = time.perf_counter()
