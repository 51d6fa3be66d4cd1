"""Columns of a table, and which of them there is room for: names get shorter, numbers never do."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from grmeval.report.cells import one_line
from grmeval.report.names import least_room

__all__ = ["Column", "fits", "fitting", "room_for", "width_of"]

_STUMP = 8
"""Characters of a name where there is no room for more."""


class Column(NamedTuple):
    """A column: its title, a row's cell, and whether it holds names, which may be shortened.

    `spare`: where a table is too wide, the columns with the highest number go first; 0: never.
    """

    title: str
    cell: Callable[[Any], str]
    left: bool = False
    spare: int = 0


def fits(columns: Sequence[Column], rows: Sequence[Any], width: int | None) -> bool:
    """Whether a table has room for its numbers and for what tells its names apart."""
    if width is None:
        return True
    return sum(_least(column, rows) for column in columns) + _gaps(columns) <= width


def fitting(
    columns: Sequence[Column], rows: Sequence[Any], width: int | None
) -> tuple[list[Column], list[str]]:
    """(the columns that there is room for, a note that says which were left out, if any).

    Spare ones go first, then, where numbers would be cut however short the names are, those on the right.
    """
    found, gone = list(columns), list[str]()
    for spare in sorted({column.spare for column in columns} - {0}, reverse=True):
        if not fits(found, rows, width):
            gone += [column.title for column in found if column.spare == spare]
            found = [column for column in found if column.spare != spare]
    while width and sum(_fewest(found, rows)) + _gaps(found) > width:
        numbers = [at for at, column in enumerate(found) if not column.left]
        if len(numbers) < 2:
            break
        gone.append(found.pop(numbers[-1]).title)
    if not gone:
        return found, []
    return found, [f"left out at {width} columns: {', '.join(gone)} (COLUMNS=160 shows them)"]


def room_for(columns: Sequence[Column], rows: Sequence[Any], width: int) -> list[int]:
    """Characters for each column: names get as many as there are, no less than tell them apart.

    Where even that is too much they get less, since a number is never cut.
    """
    widths = [width_of(column, rows) for column in columns]
    found = widths
    for least in ([_least(column, rows) for column in columns], _fewest(columns, rows)):
        for most in range(max(widths, default=0), 0, -1):
            found = [
                max(few, min(wide, most)) if column.left else wide
                for column, wide, few in zip(columns, widths, least, strict=True)
            ]
            if sum(found) + _gaps(columns) <= width:
                return found
    return found


def width_of(column: Column, rows: Sequence[Any]) -> int:
    """Characters that a column takes."""
    return max([len(column.title), *map(len, _texts(column, rows))])


def _least(column: Column, rows: Sequence[Any]) -> int:
    """Characters that a column needs: of numbers all, of names those that tell them apart."""
    if not column.left:
        return width_of(column, rows)
    return max(len(column.title), least_room(_texts(column, rows)))


def _fewest(columns: Sequence[Column], rows: Sequence[Any]) -> list[int]:
    """Characters without which nothing is left of a column."""
    return [
        min(wide, max(len(column.title), _STUMP)) if column.left else wide
        for column, wide in zip(columns, (width_of(each, rows) for each in columns), strict=True)
    ]


def _gaps(columns: Sequence[Column]) -> int:
    return 2 * len(columns)


def _texts(column: Column, rows: Sequence[Any]) -> list[str]:
    return [one_line(column.cell(row)) for row in rows]
