"""Plain text to standard output."""

import io
import os
import signal
import sys
from collections.abc import Iterable

__all__ = ["put"]


def put(pieces: Iterable[str]) -> None:
    """Write pieces as they come; a reader that leaves early (`| head`) is no bug: exit 141."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8
    try:
        for piece in pieces:
            sys.stdout.write(piece)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None
