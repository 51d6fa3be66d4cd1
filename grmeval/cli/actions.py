"""Under GitHub Actions whatever is printed may be a command: here it is text, but for what gate says.

The runner takes a line that begins with `::`, or holds `##[`, for a command, on either stream. A name, an id
or a judgement may hold both. So the last sign of each is written as the escape that JSON has for it: JSON
stays the same JSON, and people still read what it is.
"""

import os
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

__all__ = ["acts", "command", "guard_streams"]

_SIGN = re.compile(r"(?<=:):|(?<=##)\[")
_BEFORE = 2
"""How many characters a sign looks back, into what an earlier write left there."""


def acts() -> bool:
    """Whether this runs in a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def guard_streams() -> None:
    """From here on nothing that is printed is a command."""
    if acts():
        for name in ("stdout", "stderr"):
            setattr(sys, name, _Guarded(getattr(sys, name)))


def command(lines: Iterable[str], stream: TextIO) -> None:
    """Write commands of our own."""
    (stream.stream if isinstance(stream, _Guarded) else stream).writelines(lines)


class _Guarded:
    """A text stream that writes no command; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self._before = stream, ""

    def write(self, text: str) -> int:
        known = len(_escaped(self._before))
        self.stream.write(_escaped(self._before + text)[known:])
        self._before = (self._before + text)[-_BEFORE:]
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _escaped(text: str) -> str:
    return _SIGN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
