"""Texts that are known again in whatever a chat template makes of them."""

from collections.abc import Iterable
from typing import Any, SupportsIndex

__all__ = ["Traced"]


class Traced(str):
    """A text in disguise: other characters, one for one. What a template asks of it, `text` answers.

    A template that trims, cuts, joins or looks at it does so with `text`, and what it writes is in disguise.
    What it does in other ways (`upper`) it does to the disguise: whoever lifts that sees another text.
    """

    text: str

    def __new__(cls, disguise: str, text: str) -> "Traced":
        """`disguise` is as long as `text`."""
        traced = super().__new__(cls, disguise)
        traced.text = text
        return traced

    def __str__(self) -> "Traced":
        return self

    def __eq__(self, other: object) -> bool:
        return bool(self.text == _text(other))

    def __ne__(self, other: object) -> bool:
        return bool(self.text != _text(other))

    def __hash__(self) -> int:
        return hash(self.text)

    def __contains__(self, part: Any) -> bool:
        return _text(part) in self.text

    def __getitem__(self, key: SupportsIndex | slice) -> "Traced":
        return Traced(super().__getitem__(key), self.text[key])

    def __add__(self, other: str) -> "Traced":
        return Traced(str.__add__(self, other), self.text + _text(other))

    def __radd__(self, other: str) -> "Traced":
        return Traced(str.__add__(other, self), _text(other) + self.text)

    def startswith(self, *asked: Any) -> bool:
        """See str."""
        return self.text.startswith(*map(_text, asked))

    def endswith(self, *asked: Any) -> bool:
        """See str."""
        return self.text.endswith(*map(_text, asked))

    def find(self, *asked: Any) -> int:
        """See str."""
        return self.text.find(*map(_text, asked))

    def rfind(self, *asked: Any) -> int:
        """See str."""
        return self.text.rfind(*map(_text, asked))

    def count(self, *asked: Any) -> int:
        """See str."""
        return self.text.count(*map(_text, asked))

    def strip(self, chars: str | None = None) -> "Traced":
        """See str."""
        return self._parts([self.text.strip(chars)])[0]

    def lstrip(self, chars: str | None = None) -> "Traced":
        """See str."""
        return self._parts([self.text.lstrip(chars)])[0]

    def rstrip(self, chars: str | None = None) -> "Traced":
        """See str."""
        return self._parts([self.text.rstrip(chars)])[0]

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        """See str."""
        return [*self._parts(self.text.split(sep, maxsplit), len(sep or ""))]

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        """See str."""
        return [*self._parts(self.text.rsplit(sep, maxsplit), len(sep or ""))]

    def splitlines(self, keepends: bool = False) -> list[str]:
        """See str."""
        return [*self._parts(self.text.splitlines(keepends))]

    def replace(self, old: str, new: str, count: SupportsIndex = -1) -> str:
        """See str; `new` is in disguise only where it was before."""
        first, *rest = self.split(old, count)
        for part in rest:
            first = first + new + part
        return first

    def _parts(self, parts: Iterable[str], gap: int = 0) -> "list[Traced]":
        """Parts of `text` as they follow one another, `gap` characters between two (0: or white space)."""
        found, at = list[Traced](), 0
        for part in parts:
            at = self.text.index(part, at)
            found.append(self[at : at + len(part)])
            at += len(part) + gap
        return found


def _text(value: Any) -> Any:
    return value.text if isinstance(value, Traced) else value
