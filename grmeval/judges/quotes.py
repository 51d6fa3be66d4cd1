"""What a judgement quotes of the responses: a line that one of them holds is not the judge's own."""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

__all__ = ["Quotes"]

_MARKS = " \t\r*#>`\"'“”_-$."
_NEAR = 400
_PLAIN = re.compile(r"(?:(?:[^\W\d]+[ \t]+){0,2}[^\W\d]+[ \t*_]*[:：])?[ \t*_$]*\\boxed[^\n]*")
"""A box after nothing but a label: a judge may write one that a response holds too."""


class Quotes:
    """The lines of some responses, and which follow each other."""

    def __init__(self, responses: Sequence[str]) -> None:
        """Nothing is looked at before it is asked for."""
        self._responses = responses

    @cached_property
    def _lines(self) -> list[list[str]]:
        return [_bare_lines(response) for response in self._responses]

    @cached_property
    def _alone(self) -> set[str]:
        return {line for lines in self._lines for line in lines}

    @cached_property
    def _pairs(self) -> set[tuple[str, str]]:
        return {
            (first[-_NEAR:], second[:_NEAR])
            for lines in self._lines
            for first, second in pairwise(lines)
        }

    @cached_property
    def _longest(self) -> int:
        """No line of a response is longer, markup around a quote of it included."""
        return max(map(len, self._alone), default=0) + 40

    def hold(self, text: str, start: int, end: int, boxed: bool) -> bool:
        """Whether a response holds the line of text[start:end]; of a plain box also the line beside it."""
        if not self._responses:
            return False
        begin = text.rfind("\n", max(0, start - self._longest), start) + 1
        if not begin and start > self._longest:
            return False
        stop = text.find("\n", end, end + self._longest)
        stop = min(len(text), end + self._longest) if stop < 0 else stop
        line = text[begin:stop].strip(_MARKS)
        if line not in self._alone:
            return False
        if not boxed or not _PLAIN.fullmatch(line):
            return True
        # A longer line is cut in both: only its near end is compared.
        above = _bare_lines(text[max(0, begin - 2 * _NEAR) : begin])
        below = _bare_lines(text[stop : stop + 2 * _NEAR])
        return bool(above and (above[-1][-_NEAR:], line[:_NEAR]) in self._pairs) or bool(
            below and (line[-_NEAR:], below[0][:_NEAR]) in self._pairs
        )


def _bare_lines(text: str) -> list[str]:
    return [bare for line in text.split("\n") if (bare := line.strip(_MARKS))]
