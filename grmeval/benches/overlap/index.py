"""The texts of one benchmark, so that it can be asked which of them another text holds.

Sorted arrays of hashes, no texts: 16 bytes for each run of n words.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.benches.overlap.words import Grams, Hashed, Hashes, Numbers, hashed

__all__ = ["BATCH", "Hits", "Index", "Seen", "find", "make_index"]

BATCH = 1000
"""Texts whose words are in memory at one time."""
COMMON = 50
"""A run of words that more texts of one benchmark have than this is its form, such as the frame of a task
that each of its prompts repeats, and tells none of them."""


class Index(NamedTuple):
    """Different texts [T] of one benchmark.

    `names`: of the first item that has each; `own`: how many of its words lie in a run of n that few others
    have; `whole` [T] and `at` [T]: the hashes of whole texts, sorted, and whose they are;
    `grams`: the runs of n words, sorted by their hash.
    """

    names: list[str]
    own: Numbers
    whole: Hashes
    at: Numbers
    grams: Grams


class Hits(NamedTuple):
    """Pairs [H] of an asked text and one of the index, which it holds to that share, or which it is."""

    asked: Numbers
    text: Numbers
    share: NDArray[np.float64]
    exact: NDArray[np.bool_]


class Seen:
    """Whether a hash may be in any of several indexes: what is in none of them is told at once."""

    BITS = 27

    def __init__(self) -> None:
        self._there = np.zeros(1 << self.BITS, np.bool_)

    def add(self, hashes: Hashes) -> None:
        """These are in one."""
        self._there[self._places(hashes)] = True

    def likely(self, asked: Hashed) -> Hashed:
        """What is asked, without the runs of words that are in none."""
        there = self._there[self._places(asked.grams.hashes)]
        return asked._replace(grams=asked.grams.only(there))

    def _places(self, hashes: Hashes) -> Hashes:
        return hashes >> np.uint64(64 - self.BITS)


def make_index(texts: Iterable[tuple[str, str]], n: int, least: int = 1) -> Index:
    """The index of (name of an item, text)s of `least` words or more; of equal texts the first counts."""
    names, numbers = list[str](), dict[int, int]()
    parts = list[Hashed]()
    for batch in _batches(texts):
        found = hashed([text for _, text in batch], n)
        new = np.zeros(len(batch), np.bool_)
        for place, (name, _) in enumerate(batch):
            key = int(found.whole[place])
            if found.length[place] >= least and key not in numbers:
                new[place] = True
                numbers[key] = len(names)
                names.append(name)
        parts.append(_kept(found, new, len(names) - int(new.sum())))
    whole = np.concatenate([part.whole for part in parts] or [np.empty(0, np.uint64)])
    sorted_grams = _rare(_sorted([part.grams for part in parts]))
    order = np.argsort(whole)
    return Index(
        names,
        _own(sorted_grams, len(names), n),
        whole[order],
        order.astype(np.int32),
        sorted_grams,
    )


def find(index: Index, asked: Hashed, n: int, threshold: float) -> Hits:
    """Which texts of the index are texts that are asked, or are held by them to the share `threshold`.

    A share is that of a text's own words that lie in runs of n words which both have, wherever they stand.
    """
    exact = _exact(index, asked)
    near = _near(index, asked.grams, n, threshold)
    if not len(near.asked):
        return exact
    width = max(len(index.names), 1)
    known = exact.asked.astype(np.int64) * width + exact.text
    new = ~np.isin(near.asked.astype(np.int64) * width + near.text, known)
    return Hits(
        np.concatenate([exact.asked, near.asked[new]]),
        np.concatenate([exact.text, near.text[new]]),
        np.concatenate([exact.share, near.share[new]]),
        np.concatenate([exact.exact, near.exact[new]]),
    )


def _exact(index: Index, asked: Hashed) -> Hits:
    if not len(index.whole):
        return _no_hits()
    place = np.minimum(np.searchsorted(index.whole, asked.whole), len(index.whole) - 1)
    same = np.flatnonzero((index.whole[place] == asked.whole) & (asked.length > 0))
    text = index.at[place[same]]
    return Hits(same.astype(np.int32), text, np.ones(len(same)), np.ones(len(same), np.bool_))


def _near(index: Index, asked: Grams, n: int, threshold: float) -> Hits:
    left = np.searchsorted(index.grams.hashes, asked.hashes, "left")
    count = np.searchsorted(index.grams.hashes, asked.hashes, "right") - left
    if not count.sum():
        return _no_hits()
    asking = np.repeat(asked.text, count)
    before = np.cumsum(count) - count
    at = np.repeat(left - before, count) + np.arange(count.sum())
    text, place = index.grams.text[at], index.grams.place[at]
    order = np.lexsort((place, text, asking))
    asking, text, place = asking[order], text[order], place[order]
    starts, covered = _covered(asking, text, place, n)
    asking, text = asking[starts], text[starts]
    share = covered / index.own[text]
    enough = share >= threshold
    return Hits(asking[enough], text[enough], share[enough], np.zeros(int(enough.sum()), np.bool_))


def _covered(
    first: Numbers, second: Numbers, place: Numbers, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(where each pair of first and second begins, how many words its runs cover); all three sort them."""
    begins = np.ones(len(place), np.bool_)
    begins[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    starts = np.flatnonzero(begins)
    step = np.full(len(place), n, np.int64)  # the last run of a pair covers all its words
    step[:-1] = np.where(begins[1:], n, np.minimum(place[1:] - place[:-1], n))
    return starts, np.add.reduceat(step, starts)


def _no_hits() -> Hits:
    none = np.empty(0, np.int32)
    return Hits(none, none, np.empty(0), np.empty(0, np.bool_))


def _batches(texts: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    waiting = iter(texts)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def _kept(found: Hashed, new: NDArray[np.bool_], first: int) -> Hashed:
    """The texts that are new; the first of them is number `first`."""
    number = (np.cumsum(new) - 1 + first).astype(np.int32)
    inside = new[found.grams.text]
    grams = found.grams.only(inside)
    return Hashed(found.whole[new], found.length[new], grams._replace(text=number[grams.text]))


def _sorted(parts: list[Grams]) -> Grams:
    if not parts:
        return Grams(np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int32))
    found = Grams(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.text for part in parts]),
        np.concatenate([part.place for part in parts]),
    )
    parts.clear()
    return found.only(np.argsort(found.hashes, kind="stable"))


def _rare(found: Grams) -> Grams:
    """Without the runs that more than COMMON texts have; a text that repeats one counts once."""
    if not len(found.hashes):
        return found
    begins = np.ones(len(found.hashes), np.bool_)
    begins[1:] = found.hashes[1:] != found.hashes[:-1]
    another = begins.copy()  # stable: of one hash, texts stand in a row
    another[1:] |= found.text[1:] != found.text[:-1]
    run = np.cumsum(begins) - 1
    rare = np.bincount(run, another) <= COMMON
    return found.only(rare[run])


def _own(found: Grams, texts: int, n: int) -> Numbers:
    """How many words of each text lie in runs that are left."""
    own = np.zeros(texts, np.int32)
    if len(found.hashes):
        order = np.lexsort((found.place, found.text))
        text, place = found.text[order], found.place[order]
        starts, covered = _covered(text, text, place, n)
        own[text[starts]] = covered
    return own
