"""The engine of one command: opened when a launch first needs it, kept for the launches that follow."""

import hashlib
from collections.abc import Callable
from itertools import count
from types import TracebackType

from grmeval.engines import Engine
from grmeval.runs.plan import Plan

__all__ = ["Engines"]


class Engines:
    """Several benchmarks, one model: it is loaded once. Use as a context; leaving it frees the model.

    A launch records its engine's seed, and no two launches of a run may have the same: an engine that
    started with a seed that the run has seen is closed, and another one opened.
    """

    def __init__(self, open_engine: Callable[[int], Engine] | None = None) -> None:
        """`open_engine(seed)` replaces the plan's own engine."""
        self._open = open_engine
        self._engine: Engine | None = None
        self._seed: int | None = None

    def seed(self, seed: int, launch: str, taken: set[int]) -> int:
        """Of the engine that is open, or a new one of 32 bits (what every engine accepts)."""
        if self._seed is not None and self._seed not in taken:
            return self._seed
        for attempt in count():
            digest = hashlib.sha256(f"{seed}\0{launch}\0{attempt}".encode()).digest()
            if (chosen := int.from_bytes(digest[:4], "big")) not in taken:
                return chosen
        raise AssertionError("count() never ends")

    def is_open(self, seed: int) -> bool:
        """Whether `open` would load nothing."""
        return self._engine is not None and self._seed == seed

    def open(self, plan: Plan, seed: int) -> Engine:
        """The engine that started with `seed`."""
        if not self.is_open(seed):
            self.close()
            self._engine = (self._open or plan.engine)(seed)
            # The fake is made of one benchmark's items; it costs nothing to make.
            self._seed = None if plan.config.engine == "fake" and not self._open else seed
        assert self._engine is not None
        return self._engine

    def close(self) -> None:
        """Free the model, if one is loaded."""
        engine, self._engine, self._seed = self._engine, None, None
        if engine is not None:
            engine.close()

    def __enter__(self) -> "Engines":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
