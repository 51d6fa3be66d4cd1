"""Ctrl-C (and SIGTERM, as schedulers send it): one line and exit code 130, at any moment of a command's life.

Where something is open that wants to be closed (an engine, a child), an interrupt is a KeyboardInterrupt;
everywhere else the process ends at once: while libraries are imported an exception can be lost in them, and
files are whole or not there whatever ends the process. Imported before anything that takes time.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["CHILD", "INTERRUPTED", "SAID", "at_once", "check", "in_turn", "is_child", "leave"]

INTERRUPTED = 130
SAID = "interrupted: what is finished is kept; the same command goes on"
CHILD = "GRMEVAL_CHILD"
"""Set for a command that another one started, which says the line for both."""

_is_child = os.environ.pop(CHILD, None) is not None
_pressed = False


def is_child() -> bool:
    """Whether another command started this one."""
    return _is_child


def at_once() -> None:
    """From here on an interrupt ends the process; one that whoever started it has ignored stays ignored."""
    _answer(_leave)


@contextmanager
def in_turn() -> Iterator[None]:
    """Inside, an interrupt is a KeyboardInterrupt; the next one ends the process after all. May be nested.

    Only where `at_once` has been said: a program that calls this package answers for itself.
    """
    if not _ours():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        _answer(_raise)
        yield
    finally:
        _answer(_leave if _pressed else before)


def check() -> None:
    """KeyboardInterrupt again, where one was raised and got lost in what was being imported."""
    if _pressed:
        raise KeyboardInterrupt


def leave() -> None:
    """End the process as interrupted, with what was printed; nothing where it answers for itself."""
    if _ours():
        _leave(signal.SIGINT, None)


def _ours() -> bool:
    return signal.getsignal(signal.SIGTERM) in (_leave, _raise)


def _answer(how: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, how)  # type: ignore[arg-type]


def _raise(number: int, frame: FrameType | None) -> None:
    global _pressed
    _answer(_leave)
    _pressed = True
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it may be in the middle of writing
            stream.flush()
    if not _is_child:
        with suppress(OSError):
            os.write(2, f"{SAID}\n".encode())
    # Not sys.exit: an interpreter that has seen an interrupt in an import ends by a signal.
    os._exit(INTERRUPTED)
