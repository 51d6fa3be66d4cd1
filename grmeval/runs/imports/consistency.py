"""Judgements from elsewhere, taken together: do they fit one another, and the benchmark's items?"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from grmeval.benches import BenchSpec, Loaded, content_hash, count
from grmeval.errors import ConfigError, DataError
from grmeval.items import Item, Key
from grmeval.runs.imports.judgement_file import Judgement

__all__ = ["MISSING_GAME", "Survey"]

MISSING_GAME = "missing_game"
"""Why the game that a file lacks is unread, where a benchmark plays two, one an order (JudgeBench)."""

_CALLED = {"n": "number of responses", "quality": "quality (in the item's response order)"}


@dataclass(slots=True)
class _Seen:
    """What the rows of one item say; `row` is the first of them, `base` the order that sample 0 showed."""

    row: str
    n: int | None = None
    quality: tuple[int, ...] | None = None
    cluster: str | None = None
    group: str | None = None
    js: set[int] = field(default_factory=set)
    base: tuple[int, ...] | None = None


class Survey:
    """Rows are added one by one, then `finish`; DataError names the row that does not fit."""

    def __init__(self, spec: BenchSpec, loaded: Loaded | None) -> None:
        """`loaded`: the benchmark's items, where its rows are at hand."""
        self.samples = 0
        self.rewards: list[tuple[str, str, int, float]] = []
        self._items: dict[Key, _Seen] = {}
        self._spec = spec
        self._loaded = loaded
        self._known = {item.key: item for item in loaded.items} if loaded else {}
        self._pools = _pools(self._known.values())
        self._subset = _only_subset(spec, loaded)
        self._digests: list[bytes] = []
        self._balanced = True
        self._failed_unshown = False
        self.unplayed: list[Judgement] = []

    def singles(self, row: Judgement) -> list[Judgement]:
        """The row; of a whole pool, whose responses are judged one by one, a row for each of them.

        What such a row says besides scores, quality and meta_reward goes with the first response.
        """
        key = self.key(row)
        members = self._pools.get(key)
        if not members or key in self._known:
            return [row]
        if row.n not in (None, len(members)):
            raise DataError(
                f"{row.where}: {_said(key)}: {_CALLED['n']}: {row.n} here, {len(members)} in the rows of "
                f"{self._spec.id}"
            )
        return [_single(row, slot, item.id) for slot, item in enumerate(members)]

    def add(self, row: Judgement) -> None:
        """Take one row, as `singles` gives it."""
        key = self.key(row)
        seen = self._items.get(key)
        if seen is None:
            seen = self._items[key] = self._first(key, row.where)
        self._compare(row, key, seen)
        if row.j in seen.js:
            raise DataError(
                f"{row.where}: {_said(key)} has a judgement j = {row.j} already: "
                "number an item's judgements 0, 1, 2, … in a column j"
            )
        seen.js.add(row.j)
        self._turn(row, seen)
        self.samples += 1
        if row.meta_reward is not None:
            self.rewards.append((*key, row.j, row.meta_reward))
        what = (*key, row.j, row.scores, row.invalid, row.text, row.thinking, row.order)
        more = (row.tokens, row.prompt_tokens, row.meta_reward)
        self._digests.append(hashlib.sha256(json.dumps([*what, *more]).encode("ascii")).digest())

    def _turn(self, row: Judgement, seen: _Seen) -> None:
        """Look whether sample j shows the item's order turned j times, as `--orders balanced` does."""
        if (seen.n or 2) == 1:
            return
        if self._spec.games and row.scores is None and not row.order:
            self._failed_unshown = True  # a game that failed tells nothing of the others' orders
            return
        back = len(row.order) - row.j % max(len(row.order), 1)
        base = row.order[back:] + row.order[:back]
        self._balanced &= bool(base) and seen.base in (None, base)
        seen.base = base

    @property
    def orders(self) -> str:
        """The policy that the rows' orders follow: balanced, or unknown."""
        shown = not self._failed_unshown or any(seen.base for seen in self._items.values())
        return "balanced" if self._balanced and shown else "unknown"

    def key(self, row: Judgement) -> Key:
        """The row's item; where the benchmark has one subset no row needs its name."""
        if subset := row.subset or self._subset:
            return Key(subset, row.id)
        raise DataError(f"{row.where}: no column 'subset', and {self._spec.id} may have several")

    def finish(self) -> None:
        """Check what only all rows together can say, and find the games that nobody played."""
        if self._spec.games and self.orders == "balanced":
            self._find_unplayed()
        for key, seen in self._items.items():
            if len(seen.js) <= max(seen.js):
                gap = next(j for j in range(len(seen.js)) if j not in seen.js)
                raise DataError(
                    f"{seen.row}: {_said(key)} has a judgement j = {max(seen.js)} and none j = {gap}: "
                    "number an item's 0, 1, 2, …, and keep one that failed as a row whose scores are null"
                )
            if not self._loaded and seen.quality is None:
                raise DataError(
                    f"{seen.row}: {_said(key)}: which response is good? The rows of {self._spec.id} are "
                    "not at hand: name a copy (--data PATH), or add a column 'quality', such as [1, 0]"
                )
            if not self._loaded and seen.n == 1 and self._in_pool(key):
                raise DataError(
                    f"{seen.row}: {_said(key)}: one response, of which question? The rows of "
                    f"{self._spec.id} are not at hand: name a copy (--data PATH), or give rows of whole "
                    "questions, one score a response"
                )

    def _find_unplayed(self) -> None:
        """Where a file plays both orders, a pair in one order alone lacks a game: it counts as unread."""
        if not any(len({j % 2 for j in seen.js}) == 2 for seen in self._items.values()):
            return
        for key, seen in self._items.items():
            lacking = {j ^ 1 for j in seen.js} - seen.js
            alone = len(lacking) == len(seen.js) and (seen.n or 2) == 2
            if alone and max(seen.js | lacking) < 2 * len(seen.js):
                self.unplayed += [_unplayed(key, seen, j) for j in sorted(lacking)]
                self.samples += len(lacking)
                seen.js |= lacking

    def _in_pool(self, key: Key) -> bool:
        """Whether the benchmark asks about several responses together, wherever they were judged."""
        return self._spec.sections[self._spec.section_of(key.subset)].rule != "accuracy"

    @property
    def most(self) -> int:
        """The largest number of samples that an item has."""
        return max(len(seen.js) for seen in self._items.values())

    def content_hash(self) -> str:
        """The same for the same judgements, in whatever order and format."""
        return hashlib.sha256(b"".join(sorted(self._digests))).hexdigest()

    def judged(self) -> tuple[Loaded, dict[str, int]]:
        """(the benchmark as far as the file judges it, how many items of each subset it leaves out).

        What has one verdict together stays together: of a pool or a group, all or nothing is left out.
        Without the rows at hand, items are made of what the file says, without texts.
        """
        if self._loaded:
            units = {self._unit(self._known[key]) for key in self._items}
            items = [item for item in self._loaded.items if self._unit(item) in units]
            origin, at_hand = self._loaded.origin, count(self._loaded.items)
        else:
            items = [self._made(key, seen) for key, seen in sorted(self._items.items())]
            origin, at_hand = "labels of the file", count(items)
        judged = count(items)
        whole = {s: max(at_hand[s], self._spec.expected.get(s, 0)) for s in at_hand}
        whole = dict(self._spec.expected) | whole
        left_out = {s: n - judged[s] for s, n in whole.items() if n > judged[s]}
        expected = {s: min(n, judged[s]) for s, n in self._spec.expected.items() if judged[s]}
        spec = self._spec.model_copy(update={"expected": expected})
        return Loaded(spec, tuple(items), content_hash(items), {}, origin), left_out

    def _unit(self, item: Item) -> tuple[str, str, str]:
        """What an item has its verdict with."""
        if item.pool is not None:
            return item.subset, "pool", item.pool
        if item.group is not None:
            return item.subset, "group", item.group
        return item.subset, "item", item.id

    def _made(self, key: Key, seen: _Seen) -> Item:
        return Item(
            bench=self._spec.id,
            subset=key.subset,
            id=key.id,
            conversation=(),
            responses=("",) * (seen.n or 0),
            quality=seen.quality,
            group=seen.group,
            # Which items share a prompt is not known: each is a cluster of its own.
            cluster=seen.cluster or f"{key.subset}/{key.id}",
        )

    def _first(self, key: Key, where: str) -> _Seen:
        if self._loaded:
            if item := self._known.get(key):
                return _Seen(where, item.n, item.quality)
            raise DataError(f"{where}: {_said(key)}: {self._unknown(key)}")
        try:
            self._spec.weight_of(key.subset)
        except ConfigError as error:
            raise DataError(f"{where}: subset: {error}") from None
        return _Seen(where)

    def _unknown(self, key: Key) -> str:
        assert self._loaded
        close = (k for k in self._known if k.subset == key.subset or k.id == key.id)
        names = list(islice(close, 3)) or list(islice(self._known, 3))
        absent = sum(self._loaded.missing.values())
        lacks = f" ({self._loaded.origin} lacks {absent:,} of them)" if absent else ""
        such = ", ".join(_name(k) for k in names)
        return f"{self._spec.id} has no such item{lacks}; its items are such as {such}"

    def _compare(self, row: Judgement, key: Key, seen: _Seen) -> None:
        """Learn what the row adds about its item. What the benchmark says of an item is settled."""
        for name in ("n", "quality", *(() if self._loaded else ("cluster", "group"))):
            new, old = getattr(row, name), getattr(seen, name)
            if new is None or new == old:
                continue
            if old is not None or self._loaded:
                told = f"the rows of {self._spec.id}" if self._loaded else "an earlier row"
                raise DataError(
                    f"{row.where}: {_said(key)}: {_CALLED.get(name, name)}: {_shown(new)} here, "
                    f"{_shown(old)} in {told}"
                )
            setattr(seen, name, new)


def _unplayed(key: Key, seen: _Seen, j: int) -> Judgement:
    """The game of a pair that the file lacks."""
    base = seen.base or ()
    return Judgement(
        where=seen.row,
        n=2,
        subset=key.subset,
        id=key.id,
        j=j,
        scores=None,
        invalid=MISSING_GAME,
        text="",
        thinking="",
        order=base[::-1] if j % 2 else base,
        tokens=0,
        prompt_tokens=0,
        meta_reward=None,
        quality=None,
        cluster=None,
        group=None,
    )


def _pools(items: Iterable[Item]) -> dict[Key, list[Item]]:
    """The single responses of each pool, in the order of its row."""
    found: dict[Key, list[Item]] = {}
    for item in items:
        if item.pool is not None:
            found.setdefault(Key(item.subset, item.pool), []).append(item)
    return {key: sorted(members, key=lambda item: item.slot) for key, members in found.items()}


def _single(row: Judgement, slot: int, name: str) -> Judgement:
    """What a row about a pool says of one response."""
    score = row.scores[slot] if row.scores else None
    said = row if slot == 0 else row._replace(text="", thinking="", tokens=0, prompt_tokens=0)
    return said._replace(
        n=1,
        id=name,
        scores=None if score is None else (score,),
        invalid=row.invalid or "no_score" if score is None else None,
        order=(),
        quality=row.quality and (row.quality[slot],),
    )


def _only_subset(spec: BenchSpec, loaded: Loaded | None) -> str | None:
    """The subset of all items, where there is only one."""
    if loaded:
        subsets = {item.subset for item in loaded.items}
    else:
        subsets = set(spec.expected) or {table.subset_name or "" for table in spec.tables}
    return (subsets.pop() or None) if len(subsets) == 1 else None


def _name(key: Key) -> str:
    name = f"{key.subset}/{key.id}"
    return repr(name if len(name) <= 200 else name[:200] + "…")


def _said(key: Key) -> str:
    return f"item {_name(key)}"


def _shown(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else repr(value)
