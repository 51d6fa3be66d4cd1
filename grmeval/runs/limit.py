"""The stratified order that `--limit N` takes the first N of: a pure function of the items and its seed."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from grmeval.items import Item
from grmeval.runs.orders import ranking_hash

__all__ = ["limit_ranks"]

_Group = tuple[int, str, str, str]
"""Section, whether an item (i), a pool (p) or a group (g), subset, its name."""


def limit_ranks(items: Sequence[Item], section: Callable[[str], int], seed: int) -> list[int]:
    """Each item's place in the order that `--limit N` takes a prefix of (rank < N).

    Groups and pools (an item without one counts as one) are shuffled by seed inside each section and
    sorted by (rank + 1/2) / section size, so every prefix keeps the sections' shares and 64 is inside 128.
    """
    members: dict[_Group, list[int]] = defaultdict(list)
    for at, item in enumerate(items):
        kind, name = ("i", item.id) if item.pool is None else ("p", item.pool)
        if item.group is not None:
            kind, name = "g", item.group
        members[(section(item.subset), kind, item.subset, name)].append(at)
    sections: dict[int, list[_Group]] = defaultdict(list)
    for group in members:
        sections[group[0]].append(group)
    places = []
    for number, groups in sections.items():
        groups.sort(
            key=lambda group: (ranking_hash("\0".join(("limit", str(seed), *group[1:]))), group)
        )
        places += [((rank + 0.5) / len(groups), number, group) for rank, group in enumerate(groups)]
    ranks = [0] * len(items)
    for rank, (_, _, group) in enumerate(sorted(places)):
        for at in members[group]:
            ranks[at] = rank
    return ranks
