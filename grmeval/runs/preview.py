"""The prompt of an item as a judge would send it: no model, no run folder."""

from collections.abc import Sequence
from typing import NamedTuple

from grmeval.benches import load
from grmeval.config import RunConfig
from grmeval.errors import ConfigError
from grmeval.items import Item, Key, Message
from grmeval.judges import make_judge
from grmeval.runs.derived import critiques_of
from grmeval.runs.limit import limit_ranks
from grmeval.runs.orders import response_order
from grmeval.store import find_item

__all__ = ["Preview", "preview"]


class Preview(NamedTuple):
    """`order[slot]` is the index of the response shown in that slot for sample `j`."""

    bench: str
    key: Key
    j: int
    order: tuple[int, ...]
    messages: tuple[Message, ...]
    chats: tuple[tuple[Message, ...], ...] | None = None
    """What a head reads instead, a number each; None: text is generated."""
    withheld: str | None = None
    """Why the critiques are not in `chats`; None: nothing is left out."""


def preview(config: RunConfig, item: str | None = None, j: int = 0, texts: bool = False) -> Preview:
    """The messages of sample `j` of an item: `id` or `subset/id`; None: the first that --limit takes.

    `texts`: with the critiques of a restricted benchmark, which may quote its examples.
    Of the configuration: bench, data, layout, judge, principles, critiques, template, system, orders, seeds.
    """
    critiques = critiques_of(config, j + 1)
    judge = make_judge(
        config.judge,
        config.template,
        config.system,
        principles=config.principles,
        critiques=critiques,
    )
    loaded = load(config.bench, config.data, config.layout)
    if item is None:
        ranks = limit_ranks(loaded.items, loaded.spec.section_of, config.limit_seed)
        chosen = loaded.items[ranks.index(0)]
    else:
        chosen = _named(item, loaded.items)
    order = response_order(config.orders, config.seed, chosen.key, chosen.n, j)
    messages = judge.messages(chosen, order)
    if critiques:
        critiques.check(loaded, config.layout)
        critiques.only({chosen.key})
        if lacks := judge.lacks(chosen):
            raise ConfigError(f"--j {j}: such items {lacks}")
    chats, why = judge.chats(chosen, order, j), None
    if critiques and critiques.restricted and chats and not texts:
        why = "restricted benchmark: critiques are shown with --texts"
        chats = tuple((*asked, critique._replace(content="")) for *asked, critique in chats)
    return Preview(config.bench, chosen.key, j, order, messages, chats, why)


def _named(text: str, items: Sequence[Item]) -> Item:
    key = find_item(text, [item.key for item in items])
    return next(item for item in items if item.key == key)
