"""Ctrl-C (and SIGTERM, as schedulers send it): one line and exit code 130, at any moment of a command's life.

While a command works, an interrupt is a KeyboardInterrupt that closes what is open; before and after, where
nothing is, the process ends at once. Imported before anything that takes time.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["CHILD", "INTERRUPTED", "SAID", "at_once", "in_turn", "is_child"]

INTERRUPTED = 130
SAID = "interrupted: what is finished is kept; the same command goes on"
CHILD = "GRMEVAL_CHILD"
"""Set for a command that another one started, which says the line for both."""


def is_child() -> bool:
    """Whether another command started this one."""
    return CHILD in os.environ


def at_once() -> None:
    """From here on an interrupt ends the process; one that whoever started it has ignored stays ignored."""
    _answer(_leave)


@contextmanager
def in_turn() -> Iterator[None]:
    """Inside, an interrupt is a KeyboardInterrupt; afterwards it is again what it was.

    Only where `at_once` has been said: a program that calls this package answers for itself.
    """
    if signal.getsignal(signal.SIGTERM) is not _leave:
        yield
        return
    try:
        _answer(signal.default_int_handler)
        yield
    finally:
        _answer(_leave)


def _answer(how: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, how)  # type: ignore[arg-type]


def _leave(number: int, frame: FrameType | None) -> None:
    if not is_child():
        with suppress(OSError):
            os.write(2, f"{SAID}\n".encode())
    os._exit(INTERRUPTED)
