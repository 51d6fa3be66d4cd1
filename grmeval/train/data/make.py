"""Sources become training items: joined, cleaned, drawn, held against benchmarks; every drop is counted."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from grmeval.benches import Loaded
from grmeval.benches.overlap import NGRAM, THRESHOLD, Overlap, Overlaps
from grmeval.items import Item
from grmeval.train.data import rules
from grmeval.train.data.sources import Read

__all__ = ["MAX_CHARACTERS", "Made", "Settings", "make"]

MAX_CHARACTERS = 32_000
"""Some 8,000 tokens of English."""


@dataclass(frozen=True)
class Settings:
    """`limits`: items kept of a source, by its name. The rest is as `grmeval spct data --help` says."""

    seed: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)
    max_characters: int = MAX_CHARACTERS
    ngram: int = NGRAM
    threshold: float = THRESHOLD


@dataclass(frozen=True)
class Counts:
    """What became of one source's rows: `dropped` by rule, the rest is `kept`."""

    name: str
    rows: int
    dropped: Mapping[str, int]
    kept: int


@dataclass(frozen=True)
class Made:
    """The items, each under `source/subset` and its own id, and how they came about."""

    items: tuple[Item, ...]
    counts: tuple[Counts, ...]
    overlaps: tuple[Overlap, ...]


def make(
    sources: Sequence[Read], against: Iterator[tuple[str, Loaded]], settings: Settings
) -> Made:
    """Training items of all sources; of what is in several, that of the first is kept.

    `against`: benchmarks, one in memory at a time.
    """
    pool = _Pool(sources)
    pool.drop(rules.fitness)
    conflicts = rules.conflicting(pool.items)
    pool.drop(lambda item: "conflict" if rules.signature(item) in conflicts else None)
    seen = set[bytes]()

    def again(item: Item) -> str | None:
        mark, many = rules.signature(item), len(seen)
        seen.add(mark)
        return "duplicate" if len(seen) == many else None

    pool.drop(again)
    pool.draw(settings.seed)
    long = settings.max_characters
    pool.drop(lambda item: "too long" if rules.characters(item) > long else None)
    overlaps = _overlaps(pool, against, settings)
    pool.limit(settings)
    return Made(tuple(pool.items), pool.counts(), overlaps)


class _Pool:
    """The items that are left, each with the number of its source, and what was dropped of each source."""

    def __init__(self, sources: Sequence[Read]) -> None:
        self.sources = sources
        self.items, self.origin = list[Item](), list[int]()
        self.dropped = [Counter[str]() for _ in sources]
        for number, source in enumerate(sources):
            items: Sequence[Item] = source.loaded.items
            self.dropped[number]["unreadable"] = len(source.unreadable)
            if source.spec.together:
                items = rules.joined(items)
                self.dropped[number]["joined"] = len(source.loaded.items) - len(items)
            self.items += [_renamed(item, source.spec.id) for item in items]
            self.origin += [number] * len(items)

    def drop(self, rule: Callable[[Item], str | None]) -> None:
        """Leave out the items of which a rule gives a name."""
        self.keep(map(rule, self.items))

    def keep(self, reasons: Iterator[str | None]) -> None:
        """Leave out each item for which there is a reason."""
        left = list[tuple[Item, int]]()
        for item, number, reason in zip(self.items, self.origin, reasons, strict=True):
            if reason:
                self.dropped[number][reason] += 1
            else:
                left.append((item, number))
        self.items, self.origin = [item for item, _ in left], [number for _, number in left]

    def draw(self, seed: int) -> None:
        """Put responses into the orders of a seed, and no more of them than each source wants."""
        most = [source.spec.responses for source in self.sources]
        pairs = zip(self.items, self.origin, strict=True)
        self.items = [rules.drawn(item, most[number], seed) for item, number in pairs]

    def limit(self, settings: Settings) -> None:
        """Keep so many of each source as are wanted."""
        for number, source in enumerate(self.sources):
            limit = settings.limits.get(source.name)
            if limit is None:
                continue
            mine = [each for each, of in zip(self.items, self.origin, strict=True) if of == number]
            among = rules.first(mine, limit, settings.seed)
            self.keep(None if of != number or next(among) else "limit" for of in list(self.origin))

    def counts(self) -> tuple[Counts, ...]:
        """By source."""
        kept = Counter(self.origin)
        return tuple(
            Counts(source.name, kept[number] + dropped.total(), dict(dropped), kept[number])
            for number, (source, dropped) in enumerate(zip(self.sources, self.dropped, strict=True))
        )


def _renamed(item: Item, source: str) -> Item:
    """Under the name of its source: subsets of several may be called alike."""
    subset = source if item.subset == source else f"{source}/{item.subset}"
    return replace(item, bench=source, subset=subset, pool=None, slot=0, group=None)


def _overlaps(
    pool: _Pool, against: Iterator[tuple[str, Loaded]], settings: Settings
) -> tuple[Overlap, ...]:
    """Drop what holds texts of the benchmarks."""
    wanted = Overlaps(settings.ngram, settings.threshold)
    for name, loaded in against:
        wanted.add(name, loaded.items)
    found = wanted.find(pool.items)
    held = zip(found.prompt, found.response, strict=True)
    pool.keep("prompt" if prompt else "response" if response else None for prompt, response in held)
    return found.overlaps
