"""What online RL is asked: groups of rollouts, each an item in a response order of its own.

The G rollouts of a group share one prompt, since GRPO compares them with one another: so an order is drawn
anew for each group, and an item that comes again comes in another order as often as chance has it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from grmeval.items import Item
from grmeval.judges import Judge
from grmeval.runs import ranking_hash, response_order

__all__ = ["Group", "groups_of", "grpo_rows"]


class Group(NamedTuple):
    """The item number `item` of a training set, shown in `order` (slot -> index of the response)."""

    item: int
    order: tuple[int, ...]


def groups_of(items: Sequence[Item], seed: int, count: int) -> Iterator[Group]:
    """The first `count` groups of a training: pass after pass over all items, each pass shuffled anew.

    A pure function of (seed, pass, item): the same on every machine, and from any group on.
    ValueError: no items.
    """
    if not items:
        raise ValueError("no items to train on")
    at, drawn = 0, 0
    while drawn < count:
        for number in _shuffled(items, seed, at)[: count - drawn]:
            item = items[number]
            yield Group(number, response_order("random", seed, item.key, item.n, at))
        drawn, at = drawn + len(items), at + 1


def _shuffled(items: Sequence[Item], seed: int, at: int) -> list[int]:
    def rank(number: int) -> bytes:
        key = items[number].key
        return ranking_hash(f"pass\0{seed}\0{at}\0{key.subset}\0{key.id}")

    return sorted(range(len(items)), key=rank)


def grpo_rows(
    items: Sequence[Item], judge: Judge, seed: int = 0, count: int | None = None
) -> list[dict[str, Any]]:
    """Rows for a GRPOTrainer of your own, one a group (None: each item once), in the order to be trained in.

    `prompt`: the judge's chat. `quality` [n], `responses` [n]: labels and texts in the order shown, which
    `grpo_reward` reads. `subset`, `id`, `order`: whose they are.
    """
    wanted = len(items) if count is None else count
    return [row_of(items[g.item], g.order, judge) for g in groups_of(items, seed, wanted)]


def row_of(item: Item, order: Sequence[int], judge: Judge) -> dict[str, Any]:
    """One row of `grpo_rows`. ValueError: the item has no labels."""
    if item.quality is None:
        raise ValueError(f"{item.subset}/{item.id} has no labels")
    return {
        "prompt": [message._asdict() for message in judge.messages(item, order)],
        "quality": [item.quality[i] for i in order],
        "responses": [item.responses[i] for i in order],
        "subset": item.subset,
        "id": item.id,
        "order": list(order),
    }
