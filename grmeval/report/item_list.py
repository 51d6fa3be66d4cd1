"""The list of `show`: items with their votes, and the first words of their prompts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval.benches import at_hand, find_spec
from grmeval.errors import GrmevalError
from grmeval.items import Item, Key
from grmeval.report.cells import one_line
from grmeval.report.printable import printable
from grmeval.score import ItemList, ItemRow
from grmeval.store import RunFolder, judged_items

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["item_table", "with_prompts"]

CHEAP = 5_000
"""Items of a benchmark whose rows are read again, unless told otherwise, for a look at their prompts."""

WORDS = 100
"""Characters of a prompt."""

NAMES = ("subset", "item")
SHORT = 12
"""Characters that a prompt, or the part of a name on one line, has at least."""

GAP = 1
"""Characters between columns: the box has one."""

MANY = 6
"""Responses whose votes are all listed."""


def with_prompts(
    found: ItemList, folder: RunFolder, texts: bool | None, data: Path | None
) -> ItemList:
    """The list with the first words of what was asked last; the footer says why they are not there.

    `texts`: without being told, those of restricted and of large benchmarks are left out. ConfigError,
    DataError: they are wanted, and cannot be had.
    """
    if texts is False or not found.rows:
        return found
    if texts is None and folder.restricted:
        return _without(found, "restricted benchmark: prompts are shown with --texts")
    if texts is None and len(folder.items()) > CHEAP:
        return _without(
            found, "prompts: --texts reads the benchmark's rows again and shows their beginnings"
        )
    keys = _keys(folder, found.rows)
    try:
        if not (texts or data or _at_hand(folder)):
            return _without(found, "prompts: the rows are not at hand: --texts, --data PATH")
        items = judged_items(folder, dict(keys.values()), data, "--texts")
    except GrmevalError as error:
        if texts:
            raise
        return _without(found, f"no prompts: {str(error).removeprefix('--texts: ')}")
    rows = (
        replace(row, prompt=_first_words(items[keys[row.subset, row.id][0]])) for row in found.rows
    )
    return replace(found, rows=tuple(rows))


def _at_hand(folder: RunFolder) -> bool:
    """Whether the run's rows can be read without a network."""
    asked, bench = folder.record["config"], folder.record["identity"]["bench"]
    return bool(asked.get("data")) or at_hand(*find_spec(asked.get("bench") or bench))


def _without(found: ItemList, why: str) -> ItemList:
    return replace(found, footer=(why, *found.footer))


def _keys(folder: RunFolder, rows: Sequence[ItemRow]) -> dict[tuple[str, str], tuple[Key, str]]:
    """Listed item -> (key, content hash) of a stored one: of a pool that of its first response."""
    wanted = {(row.subset, row.id) for row in rows}
    table = folder.items()
    columns = (table[name].to_pylist() for name in ("subset", "id", "pool", "content_hash"))
    found: dict[tuple[str, str], tuple[Key, str]] = {}
    for subset, name, pool, content in zip(*columns, strict=True):
        listed = subset, name if pool is None else pool
        if listed in wanted:
            found.setdefault(listed, (Key(subset, name), content))
    return found


def _first_words(item: Item) -> str:
    asked = [turn.content for turn in item.conversation if turn.role == "user"]
    return " ".join((asked[-1] if asked else "").split())[:WORDS]


def item_table(found: ItemList, width: int) -> "Table":
    """A table for a terminal so wide: names are folded, never cut; prompts have what is left."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = _columns(found.rows)
    widths = _widths(columns, width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.title, table.title_justify = Text(printable(found.title)), "left"
    for title in columns:
        table.add_column(
            title,
            width=widths[title],
            no_wrap=title not in NAMES,
            overflow="fold" if title in NAMES else "ellipsis",
            justify="right" if title in ("margin", "invalid") else "left",
        )
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, cells))
    return table


def _columns(rows: Sequence[ItemRow]) -> dict[str, list[str]]:
    """Cells by title; a column that says nothing is left out."""
    columns = {
        "subset": [row.subset for row in rows],
        "item": [row.id for row in rows],
        "verdict": [row.outcome or "-" for row in rows],
        "flip": ["" if not row.flip else "won" if row.flip > 0 else "lost" for row in rows],
        "margin": [_signed(row.margin) for row in rows],
        "votes": [_votes(row) for row in rows],
        "invalid": [f"{row.invalid}/{row.samples}" if row.invalid else "" for row in rows],
        "prompt": [row.prompt or "" for row in rows],
    }
    return {
        title: [one_line(cell) for cell in cells] for title, cells in columns.items() if any(cells)
    }


def _widths(columns: Mapping[str, Sequence[str]], width: int) -> dict[str, int]:
    """Each column's: numbers are whole, names share what they and a short prompt leave."""
    from rich.cells import cell_len

    widths = {t: max(map(cell_len, [t, *cells])) for t, cells in columns.items()}
    fixed = sum(wide + GAP for title, wide in widths.items() if title not in (*NAMES, "prompt"))
    room = width - fixed - GAP * (len(NAMES) - 1)
    if "prompt" in widths:
        names = sum(widths[title] for title in NAMES)
        widths["prompt"] = min(widths["prompt"], max(SHORT, room - names - GAP))
        room -= widths["prompt"] + GAP
    longest = next(
        (most for most in range(width, 0, -1) if sum(min(widths[t], most) for t in NAMES) <= room),
        SHORT,
    )
    return widths | {title: min(widths[title], max(longest, SHORT)) for title in NAMES}


def _signed(margin: float) -> str:
    return "-" if math.isnan(margin) else f"{margin:+.4g}" if margin else "0"


def _votes(row: ItemRow) -> str:
    """Each response's total, the best ones with a star; of many the best one's and the best other's."""
    quality = row.quality or (0,) * len(row.votes)
    given = list(zip(row.votes, quality, strict=True))
    if len(given) > MANY:
        highest = [
            max((g for g in given if g[0] is not None and g[1] == best), default=(None, best))
            for best in (1, 0)
        ]
        return " ".join(map(_vote, highest)) + f" of {len(given)}"
    return " ".join(map(_vote, given))


def _vote(given: tuple[float | None, int]) -> str:
    total, best = given
    return ("*" if best else "") + ("-" if total is None else f"{total:.4g}")
