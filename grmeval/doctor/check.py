"""What one look says, and the care taken of every look: it may fail, hang, or see a secret."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

__all__ = ["GB", "Check", "State", "guarded", "in_background", "reason"]

GB = 10**9
State = Literal["ok", "note", "problem"]
T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `advice` is empty only where nothing need be done."""

    state: State
    found: str
    advice: str = ""


def guarded(look: Callable[[], Check]) -> Check:
    """A look that fails says so: the others are still wanted."""
    try:
        check = look()
    except Exception as error:
        check = Check("note", f"cannot be looked at: {reason(error)}", "report this as a bug")
    return Check(check.state, _clean(check.found), _clean(check.advice))


def _clean(text: str) -> str:
    """One line that no terminal obeys, without user names and passwords of URLs."""
    text = re.sub(r"://\S*@", "://", " ".join(text.split()))
    return "".join(c if c.isprintable() else "?" for c in text)


def reason(error: BaseException) -> str:
    """The system's words, or the error's class: a library's message may hold a URL."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def in_background(seconds: float, work: Callable[[], T]) -> Callable[[], T | None]:
    """Start `work`; what comes back gives its result, or None after that many seconds more.

    A name server or a driver that hangs cannot be interrupted, only left behind.
    """
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()

    def wait() -> T | None:
        thread.join(seconds)
        return found[0] if found else None

    return wait
