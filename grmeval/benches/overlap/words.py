"""Texts -> hashes of their words, of runs of n words, and of the whole: what overlaps are looked for by.

Two texts whose case, spaces or punctuation differ have the same words. Signs that calculate are words, so
that 3 + 4 is not 3 4 (a line of equals signs is one word); so is each character of a script that writes no
spaces (Chinese, Japanese).
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grams", "Hashed", "Hashes", "Numbers", "hashed", "words"]

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int32]

_SIGNS = r"[+=<>^%]+|[*/-](?=\s*\d)"
_WORD = re.compile(rf"[^\W_]+|{_SIGNS}")
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD_OR_SIGN = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W_])+|{_SIGNS}")

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Any odd number: words of a run weigh its powers, so that their order counts."""


class Grams(NamedTuple):
    """The runs of n words of some texts: hash [G], which text [G], the place of the first word in it [G]."""

    hashes: Hashes
    text: Numbers
    place: Numbers

    def only(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Grams":
        """Those of a mask, or those at some places, in that order."""
        return Grams(self.hashes[which], self.text[which], self.place[which])


class Hashed(NamedTuple):
    """Texts [T]: the hash of all words of each [T], how many there are [T], and the runs of n of them."""

    whole: Hashes
    length: Numbers
    grams: Grams


def words(text: str) -> list[str]:
    """The words of a text, as they are compared."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold().replace("'", "").replace("\u2019", "")
    unspaced = not text.isascii() and _HAS_UNSPACED.search(text)
    return (_WORD_OR_SIGN if unspaced else _WORD).findall(text)


def hashed(texts: Sequence[str], n: int) -> Hashed:
    """The hashes of some texts. They hold within one process: Python's hash of a text changes with each."""
    of_words, whole = list[Hashes](), list[int]()
    for text in texts:
        found = words(text)
        of_words.append(np.fromiter(map(hash, found), np.int64, len(found)).view(np.uint64))
        whole.append(hash(tuple(found)))
    length = np.fromiter(map(len, of_words), np.int32, len(of_words))
    return Hashed(
        np.array(whole, np.int64).view(np.uint64),
        length,
        _grams(np.concatenate([*of_words, np.empty(0, np.uint64)]), length, n),
    )


def _grams(word_hashes: Hashes, length: Numbers, n: int) -> Grams:
    """The runs of n words, none across two texts; `word_hashes` [W]: those of texts [T] of `length` words."""
    total = len(word_hashes) - n + 1
    if total <= 0:
        return Grams(np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int32))
    sums = np.zeros(total, np.uint64)
    factor = np.uint64(1)
    with np.errstate(over="ignore"):  # whatever is above 64 bits is not kept
        for step in range(n):
            sums += word_hashes[step : step + total] * factor
            factor = factor * _FACTOR
    text = np.repeat(np.arange(len(length), dtype=np.int32), length)
    start = np.cumsum(length, dtype=np.int64) - length
    place = (np.arange(len(word_hashes)) - start[text]).astype(np.int32)
    inside = place[:total] + n <= length[text[:total]]
    return Grams(sums[inside], text[:total][inside], place[:total][inside])
