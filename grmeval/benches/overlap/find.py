"""Which rows hold texts of benchmarks, whole or in part (n-grams of words); prompts and responses apart.

Names of items and counts come out of here, never a text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.benches.overlap.index import BATCH, Hits, Index, Seen, find, make_index
from grmeval.benches.overlap.words import hashed
from grmeval.items import Item

__all__ = ["NGRAM", "THRESHOLD", "Example", "Found", "Overlap", "Overlaps"]

NGRAM = 13
"""Words: what GPT-3's authors (arXiv 2005.14165, appendix C) and many after them took."""
THRESHOLD = 0.4
"""Of a benchmark's text: a half of it is found, whatever stands around, if that half has NGRAM words."""
EXAMPLES = 20
"""Pairs that are named for each benchmark and kind."""

Kind = Literal["prompt", "response"]
KINDS: tuple[Kind, ...] = ("prompt", "response")


class Example(NamedTuple):
    """A row, an item of the benchmark whose text it holds, and how much of that text."""

    row: str
    item: str
    share: float


@dataclass(frozen=True)
class Overlap:
    """What of one kind of a benchmark's texts rows hold.

    `texts`: different ones that were compared; `exact` and `near` of them are in rows whole, or only in part;
    `rows_exact`, `rows_near`: the rows that hold at least one whole, or only parts.
    """

    bench: str
    kind: Kind
    texts: int
    exact: int
    near: int
    rows_exact: int
    rows_near: int
    examples: tuple[Example, ...]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"examples": [each._asdict() for each in self.examples]}


@dataclass(frozen=True)
class Found:
    """Overlaps by benchmark and kind; for each row [I], whether it holds one's prompt, one's response."""

    overlaps: tuple[Overlap, ...]
    prompt: NDArray[np.bool_]
    response: NDArray[np.bool_]


class Overlaps:
    """Benchmarks whose texts are looked for; of each only hashes are kept.

    `n`: words of a run; `threshold`: the least share of a text that counts. Prompts of fewer than n words
    are compared whole, responses of fewer are not: "Yes." is nobody's.
    """

    def __init__(self, n: int = NGRAM, threshold: float = THRESHOLD) -> None:
        self.n, self.threshold = n, threshold
        self._indexes = dict[tuple[str, Kind], Index]()
        self._seen = Seen()

    def add(self, bench: str, items: Sequence[Item]) -> None:
        """Look for this benchmark's texts too."""
        prompts = ((_name(item), _prompt(item)) for item in items)
        responses = ((_name(item), text) for item in items for text in item.responses)
        self._indexes[bench, "prompt"] = make_index(prompts, self.n)
        self._indexes[bench, "response"] = make_index(responses, self.n, least=self.n)
        for kind in KINDS:
            self._seen.add(self._indexes[bench, kind].grams.hashes)

    def find(self, items: Sequence[Item]) -> Found:
        """Which of these rows' texts, prompts or responses, hold any of those."""
        counted = {
            key: _Counted(key[0], key[1], index, len(items)) for key, index in self._indexes.items()
        }
        names = [_name(item) for item in items]
        for batch in _batches(_texts(items)):
            asked = self._seen.likely(hashed([text for _, text in batch], self.n))
            rows = np.array([row for row, _ in batch])
            for key, index in self._indexes.items():
                hits = find(index, asked, self.n, self.threshold)
                counted[key].add(hits, rows[hits.asked], names)
        held = {kind: np.zeros(len(items), np.bool_) for kind in KINDS}
        for each in counted.values():
            held[each.kind] |= each.row_exact | each.row_near
        return Found(tuple(each.overlap() for each in counted.values()), **held)


class _Counted:
    """What was found of one benchmark and kind so far."""

    def __init__(self, bench: str, kind: Kind, index: Index, rows: int) -> None:
        self.bench, self.kind, self.index = bench, kind, index
        self.row_exact, self.row_near = np.zeros((2, rows), np.bool_)
        self.text_exact, self.text_near = np.zeros((2, len(index.names)), np.bool_)
        self.examples = dict[tuple[str, str], float]()

    def add(self, hits: Hits, rows: NDArray[np.int64], names: Sequence[str]) -> None:
        exact = hits.exact
        self.row_exact[rows[exact]] = self.text_exact[hits.text[exact]] = True
        self.row_near[rows[~exact]] = self.text_near[hits.text[~exact]] = True
        for row, text, share in zip(rows, hits.text, hits.share, strict=True):
            if len(self.examples) == EXAMPLES:
                return
            self.examples.setdefault((names[row], self.index.names[text]), float(share))

    def overlap(self) -> Overlap:
        return Overlap(
            self.bench,
            self.kind,
            len(self.index.names),
            int(self.text_exact.sum()),
            int((self.text_near & ~self.text_exact).sum()),
            int(self.row_exact.sum()),
            int((self.row_near & ~self.row_exact).sum()),
            tuple(Example(*names, round(share, 3)) for names, share in self.examples.items()),
        )


def _name(item: Item) -> str:
    return f"{item.subset}/{item.id}"


def _prompt(item: Item) -> str:
    """What was asked; what the system was told is often the same for all."""
    return "\n".join(turn.content for turn in item.conversation if turn.role != "system")


def _texts(items: Iterable[Item]) -> Iterator[tuple[int, str]]:
    for row, item in enumerate(items):
        yield row, _prompt(item)
        for response in item.responses:
            yield row, response


def _batches(texts: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    while batch := list(islice(texts, BATCH)):
        yield batch
