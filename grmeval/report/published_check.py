"""Whether printed numbers add up: means of the parts printed with them, and differences of rows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from grmeval.benches import find_spec, groups
from grmeval.report.published import Number, PaperTable, index, paper_tables, select

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "TOLERANCE",
    "Check",
    "Difference",
    "arithmetic_json",
    "arithmetic_lines",
    "arithmetic_table",
    "base_row",
    "check_published",
    "printed_differences",
    "printed_means",
    "recompute",
]

TOLERANCE = {"mean": Decimal("0.05"), "difference": Decimal("0.1")}
"""How far a printed number may be from what its parts come to, and still agree: a mean by its own rounding
(that of its parts may add as much again: no printed mean needs it), a difference by that of both numbers."""

_Cells = Mapping[tuple[str, str], Decimal]
"""Row and column -> number."""

_SETTING = re.compile(r" (?:Greedy|Voting@\d+)(?: \(.*\))?$")


class Difference(NamedTuple):
    """What a column of differences is of, and the setting of the same system that it is over."""

    of: str
    over: str


class Check(NamedTuple):
    """A printed number that follows from others of its table, and what these come to, in its units.

    `kind`: mean or difference; `off` is stated - recomputed; `parts` are the numbers by name, a mean's
    by column, a difference's by row; `flag` says what is in doubt, and is empty where nothing is.
    """

    table: str
    row: str
    column: str
    kind: str
    stated: Decimal
    recomputed: Decimal
    off: Decimal
    parts: dict[str, Decimal]
    flag: str

    @property
    def agrees(self) -> bool:
        """Whether it is as far as TOLERANCE at most."""
        return abs(self.off) <= TOLERANCE[self.kind]


def printed_means() -> dict[str, dict[str, Decimal]]:
    """Column of an overall -> the columns that it is the mean of, and their weights.

    As the benchmarks' TOMLs form it of their sections, and a group's of its members; only of those whose
    every part has a column.
    """
    found = {}
    for bench, columns in index()["benches"].items():
        weights = _weights(bench)
        if weights and {"overall", *weights} <= columns.keys():
            found[columns["overall"]] = {columns[name]: w for name, w in weights.items()}
    return found


def _weights(bench: str) -> dict[str, Decimal]:
    """What an overall is the mean of; empty where it is no mean."""
    if group := groups().get(bench):
        return dict.fromkeys(group.members, Decimal(1)) if group.mean else {}
    spec, _ = find_spec(bench)
    if spec.overall != "mean":
        return {}
    return {section.name: Decimal(str(section.weight)) for section in spec.sections}


def printed_differences() -> dict[str, Difference]:
    """Column -> what it is the difference of."""
    return {column: Difference(**said) for column, said in index()["differences"].items()}


def base_row(row: str, said: Difference) -> str:
    """The row that a difference printed in `row` is over: the same system under another setting."""
    return f"{_SETTING.sub('', row)} {said.over}"


def recompute(
    tables: Sequence[PaperTable],
    means: Mapping[str, Mapping[str, Decimal]],
    differences: Mapping[str, Difference],
) -> list[Check]:
    """Every number of `tables` whose parts are printed in its table, recomputed in decimals.

    `means` as of `printed_means`, `differences` as of `printed_differences`. A difference printed without
    a sign is a distance.
    """
    found: list[Check] = []
    for table in tables:
        cells = {(n.row, n.column): Decimal(n.value) for n in table.numbers}
        for number in table.numbers:
            if number.column in means:
                found += _mean(number, cells, means[number.column])
            elif number.column in differences:
                found += _difference(number, cells, differences[number.column])
    return found


def _mean(number: Number, cells: _Cells, weights: Mapping[str, Decimal]) -> Iterator[Check]:
    parts = {c: cells[number.row, c] for c in weights if (number.row, c) in cells}
    if parts.keys() == weights.keys():
        total = sum((weights[column] * part for column, part in parts.items()), Decimal())
        yield _check(number, "mean", total / sum(weights.values()), parts)


def _difference(number: Number, cells: _Cells, said: Difference) -> Iterator[Check]:
    rows = (number.row, base_row(number.row, said))
    parts = {row: cells[row, said.of] for row in rows if (row, said.of) in cells}
    if len(parts) == len(rows):
        gain = parts[rows[0]] - parts[rows[1]]
        signed = number.value.startswith(("+", "-"))
        yield _check(number, "difference", gain if signed else abs(gain), parts)


def _check(number: Number, kind: str, value: Decimal, parts: dict[str, Decimal]) -> Check:
    stated = Decimal(number.value)
    return Check(
        table=number.table,
        row=number.row,
        column=number.column,
        kind=kind,
        stated=stated,
        recomputed=value,
        off=stated - value,
        parts=parts,
        flag=number.flag,
    )


def check_published(table: str | None = None, row: str | None = None) -> list[Check]:
    """Of the published tables, or of the table and rows that `select` takes."""
    asked = {(n.table, n.row) for each in select(table, row) for n in each.numbers}
    found = recompute(paper_tables(), printed_means(), printed_differences())
    return [check for check in found if (check.table, check.row) in asked]


def arithmetic_json(checks: Sequence[Check]) -> str:
    """All of them as JSON."""
    lines = [
        check._asdict()
        | {"parts": {name: float(part) for name, part in check.parts.items()}}
        | {name: float(getattr(check, name)) for name in ("stated", "recomputed", "off")}
        | {"tolerance": float(TOLERANCE[check.kind]), "agrees": check.agrees}
        for check in checks
    ]
    return json.dumps(lines, indent=1) + "\n"


def arithmetic_lines(checks: Sequence[Check]) -> list[str]:
    """How many agree, a line a kind."""
    lines = []
    for kind, tolerance in TOLERANCE.items():
        if mine := [check for check in checks if check.kind == kind]:
            agree = sum(check.agrees for check in mine)
            lines.append(f"{agree} of {len(mine)} printed {kind}s recompute within {tolerance}")
    return lines or ["no number here is a mean or a difference of others printed with it"]


def arithmetic_table(checks: Sequence[Check]) -> "Table":
    """Those that do not agree, each with its parts and what is in doubt, for 80 columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    shown.add_column("table", no_wrap=True)
    shown.add_column("row, and its parts", overflow="fold")
    shown.add_column("column", no_wrap=True)
    for title in ("printed", "recomputed", "off"):
        shown.add_column(title, justify="right", no_wrap=True)
    for check in checks:
        if not check.agrees:
            parts = ", ".join(f"{name} {part}" for name, part in check.parts.items())
            what = Text("\n".join(filter(None, (check.row, parts, check.flag))))
            value, off = (round(d, 3).normalize() for d in (check.recomputed, check.off))
            numbers = (f"{check.stated}", f"{value:f}", f"{off:+f}")
            shown.add_row(check.table, what, check.column, *numbers)
    return shown
