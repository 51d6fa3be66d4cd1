"""What makes an item fit for training, one rule a function; what is drawn is drawn by hashes of the seed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

from grmeval.items import Item
from grmeval.train.reward import singles_out

__all__ = [
    "RULES",
    "characters",
    "conflicting",
    "drawn",
    "first",
    "fitness",
    "joined",
    "signature",
    "verdict",
]

RULES = {
    "unreadable": "a row that is not as its set's TOML says",
    "joined": "a single response that became part of an item with others to its prompt",
    "unlabelled": "no response is labelled",
    "no better": "all responses are equally good: nothing to judge",
    "odd": "a response is empty, or one text is both better and worse",
    "conflict": "the same prompt and responses are labelled otherwise elsewhere: none of them is kept",
    "duplicate": "the same prompt, responses and labels are there already",
    "too long": "prompt and responses have more characters than --max-characters",
    "prompt": "holds a prompt of a benchmark",
    "response": "holds a response of a benchmark (and no prompt)",
    "limit": "beyond --limit",
}
"""Why an item is dropped, in the order in which it is asked."""

_ODD = {"empty_response", "identical_pair", "best_is_also_loser"}
"""Flags of items that say so."""


def fitness(item: Item) -> str | None:
    """The rule by which an item's labels or texts are of no use; None: they are."""
    if item.quality is None:
        return "unlabelled"
    if not singles_out(item.quality):
        return "no better"
    return "odd" if _ODD.intersection(item.flags) else None


def joined(items: Sequence[Item]) -> list[Item]:
    """Single responses to one prompt as one item, under the id of the first; equal texts once.

    A text that is called right and wrong is left out; other items stay as they are.
    """
    prompts = dict[tuple[str, str], list[Item]]()
    for item in items:
        if item.n == 1 and item.quality:
            prompts.setdefault((item.subset, item.cluster), []).append(item)
    found, done = list[Item](), set[tuple[str, str]]()
    for item in items:
        key = (item.subset, item.cluster)
        if item.n > 1 or not item.quality:
            found.append(item)
        elif key not in done:
            done.add(key)
            found.append(_as_one(prompts[key]))
    return found


def _as_one(items: Sequence[Item]) -> Item:
    labels = dict[str, set[int]]()
    for item in items:
        labels.setdefault(item.responses[0], set()).update(item.quality or ())
    clear = {text: min(told) for text, told in labels.items() if len(told) == 1}
    if not clear:
        return replace(items[0], quality=None, pool=None, slot=0)
    flags = tuple(flag for flag in items[0].flags if flag not in _ODD)
    odd = ("empty_response",) if any(not text.strip() for text in clear) else ()
    return replace(
        items[0],
        responses=tuple(clear),
        quality=tuple(clear.values()),
        pool=None,
        slot=0,
        flags=(*flags, *odd),
    )


def signature(item: Item) -> bytes:
    """The same for items with the same conversation and the same responses in any order."""
    return _hash(
        *(part for turn in item.conversation for part in turn), "", *sorted(item.responses)
    )


def verdict(item: Item) -> tuple[int, ...]:
    """The labels in an order that does not depend on that of the responses."""
    return tuple(label for _, label in sorted(zip(item.responses, item.quality or (), strict=True)))


def conflicting(items: Iterable[Item]) -> set[bytes]:
    """The signatures under which items are labelled in more than one way."""
    told = dict[bytes, tuple[int, ...]]()
    return {
        mark
        for mark, labels in ((signature(item), verdict(item)) for item in items)
        if told.setdefault(mark, labels) != labels
    }


def drawn(item: Item, most: int | None, seed: int) -> Item:
    """The item with its responses in an order that the seed draws, and `most` of them at most.

    Of more, as many others are kept as leave room for one good one; good ones fill what is left.
    """
    assert item.quality is not None
    order = sorted(range(item.n), key=lambda i: _rank(seed, item, str(i)))
    if most is not None and item.n > most:
        others = [i for i in order if not item.quality[i]][: most - 1]
        good = [i for i in order if item.quality[i]][: most - len(others)]
        order = [i for i in order if i in (*good, *others)]
    return replace(
        item,
        responses=tuple(item.responses[i] for i in order),
        quality=tuple(item.quality[i] for i in order),
    )


def characters(item: Item) -> int:
    """Of the prompt's turns and of all responses."""
    return sum(len(turn.content) for turn in item.conversation) + sum(map(len, item.responses))


def first(items: Sequence[Item], limit: int, seed: int) -> Iterator[bool]:
    """Of each item whether it is among the `limit` that the seed draws; a smaller limit's are among them."""
    ranks = [_rank(seed, item, "limit") for item in items]
    kept = set(sorted(ranks)[:limit])
    return (rank in kept for rank in ranks)


def _rank(seed: int, item: Item, what: str) -> bytes:
    return _hash(str(seed), item.bench, item.subset, item.id, what)


def _hash(*parts: str) -> bytes:
    made = blake2b(digest_size=16)
    for part in parts:
        text = part.encode("utf-8", "surrogatepass")
        made.update(len(text).to_bytes(8, "big") + text)
    return made.digest()
