"""Signs of life: what a command is doing, said as it begins, and every ten seconds until it ends."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable

from grmeval.report.printable import printable

__all__ = ["EVERY", "Signs", "say"]

EVERY = 10.0
"""Seconds of silence at most."""


def say(line: str) -> None:
    """A line on standard error, at once; text of strangers in it makes no terminal act.

    Where nobody can read it (a full disk, a closed pipe) the work goes on.
    """
    with contextlib.suppress(OSError):
        print(printable(line), file=sys.stderr, flush=True)


class Signs:
    """One command's. Use as a context: afterwards nothing more is said, whatever ended it.

    A thread watches the clock, since what takes long is in no position to.
    """

    def __init__(self, say: Callable[[str], None] = say, every: float = EVERY) -> None:
        self._say, self._every = say, every
        self._changed = threading.Condition()
        self._turn, self._over = 0, False
        self._so_far: Callable[[], str] | None = None
        self._watcher: threading.Thread | None = None

    def at(self, what: str) -> None:
        """Something begins: `what …` now, and then how long it has taken."""
        self._say(f"{what} …")
        began = time.monotonic()
        self.so_far(lambda: f"{what} …, {time.monotonic() - began:.0f} s so far")

    def so_far(self, line: Callable[[], str] | None) -> None:
        """What is said from now on, made when it is due; None: nothing."""
        with self._changed:
            self._turn, self._so_far = self._turn + 1, line
            self._changed.notify()
        if line and self._watcher is None:
            watcher = threading.Thread(target=self._watch, name="signs of life", daemon=True)
            watcher.start()
            self._watcher = watcher

    def _watch(self) -> None:
        with self._changed:
            while not self._over:
                turn = self._turn
                news = self._changed.wait_for(lambda: self._over or self._turn != turn, self._every)  # noqa: B023
                if not news and self._so_far:
                    self._say(self._so_far())

    def __enter__(self) -> "Signs":
        return self

    def __exit__(self, *ended: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        if self._watcher:
            self._watcher.join()
