"""A grmeval command in a process of its own, which ends with the one that started it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from grmeval.interrupts import CHILD, in_turn, is_child

__all__ = ["leave_with_parent", "run_child"]


def run_child(words: Sequence[object], quiet: bool = False) -> int:
    """Run `grmeval` with these words, give its exit code; KeyboardInterrupt where it was interrupted.

    What it prints goes to standard error, or unheard if `quiet`: standard output is the caller's.
    """
    command = [sys.executable, "-m", "grmeval", *map(str, words)]
    environment = os.environ | {CHILD: "1"}
    with (
        in_turn(),
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if quiet else _error_stream(),
            stderr=_error_stream(),
            env=environment,
        ) as child,
    ):
        try:
            code = child.wait()
        except (
            KeyboardInterrupt
        ):  # it leaves as its standard input ends; what it holds is free then
            if child.stdin:
                child.stdin.close()
            child.wait()
            raise
    if code in (130, -signal.SIGINT):
        raise KeyboardInterrupt
    return code


def _error_stream() -> int:
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # closed
        return subprocess.DEVNULL


def leave_with_parent() -> None:
    """In a child: end as on Ctrl-C once whoever started it is gone, or it would be in the way.

    Its standard input is a pipe that nobody writes to; it ends with its other end.
    """
    if not is_child():
        return

    def wait() -> None:
        while os.read(0, 1):  # not through sys.stdin, whose lock would outlive the thread
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="leave-with-parent", daemon=True).start()
