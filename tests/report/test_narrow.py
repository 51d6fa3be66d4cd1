"""Tables on a narrow terminal: columns are left out and names shortened, no number is cut."""

import io
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from grmeval.report.accuracy import accuracy_tables
from grmeval.report.compare import compare_tables
from grmeval.report.curve import curve_tables
from grmeval.report.run_list import Overview, RunLine, overview_table
from grmeval.report.seeds import seeds_tables
from grmeval.report.trend import trend_tables
from grmeval.score import Night, SeedsRow, Trend
from tests.report.test_accuracy import ROW, result
from tests.report.test_compare import GAP, LONG, comparison, scaling

MODELS = [LONG.format(at) for at in (1, 2)]
SEEDS = [
    SeedsRow(
        **{field.name: 0.0001 for field in fields(SeedsRow)}
        | {"group": model, "seeds": (0, 1, 2), "vote": "sum", "metric": "accuracy", "k": 32}
        | {"level": level, "name": "overall" if level == "overall" else "Alignment: Honesty"}
        | {"low": 0.7912, "high": 0.8333, "difference": -0.1034, "items": 20_917, "mean": 0.8123}
        | {"difference_low": -0.1234, "difference_high": -0.1012}  # type: ignore[arg-type]
    )
    for level in ("overall", "section")
    for model in MODELS
]
NIGHT: dict[str, Any] = {field.name: 0.123 for field in fields(Night)} | {
    "written": "2026-11-30T12:30",
    "run_id": "0a1b2c3d4e5f",
    "k": 32,
    "vote": "meta-weighted",
    "level": "overall",
    "name": "overall",
    "metric": "accuracy",
}
LINE: dict[str, Any] = dict.fromkeys(
    (field.name for field in fields(RunLine)), "a-long-name-indeed"
) | {
    "k": 32,
    "limit": 1500,
    "samples": 669_344,
    "items": 20_917,
    "accuracy": 0.8123,
    "accuracy_k": 32,
    "accuracy_limit": 1500,
    "settings": {},
    "spared": 0,
    "written": "2026-11-30T12:30:00",
    "part": "",
}


def tables(width: int) -> Iterator[Table]:
    gaps = [replace(GAP, run=model, q=0.0312, name=model) for model in MODELS]
    yield from compare_tables(comparison(*gaps), width)[0]
    yield from seeds_tables(SEEDS, "RewardBench", width)[0]
    yield from accuracy_tables(result(ROW, replace(ROW, level="subset", name=LONG)), width)[0]
    yield from curve_tables(scaling(3, ("sum", "meta-weighted"), LONG, greedy=True), width)[0]
    nights = [Night(**NIGHT | {"model": model}) for model in MODELS]
    votes = [*nights, replace(nights[0], vote="sum")]
    yield from trend_tables(Trend("nights", tuple(votes), (), {}), width)[0]
    runs = tuple(RunLine(**LINE | {"model": model}) for model in MODELS)
    yield overview_table(Overview(runs, ()), width)[0]


@pytest.mark.parametrize("width", [80, 60, 40])
def test_no_number_of_a_narrow_table_is_cut(width: int) -> None:
    for table in tables(width):
        out = io.StringIO()
        Console(file=out, width=width, force_terminal=False).print(table)
        lines = out.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        for column in table.columns:
            if column.justify == "right":
                for text in (str(column.header), *map(str, column.cells)):
                    assert any(text in line for line in lines), (table.title, column.header)


def test_p_of_seeds_is_kept_and_two_groups_are_told_apart() -> None:
    ends = [replace(row, group=f"deepseek-ai/DeepSeek-GRM-27B {row.group[34]}") for row in SEEDS]
    (table,), (note,) = seeds_tables(ends, "RewardBench", 80)
    assert [str(column.header) for column in table.columns][-1] == "p"
    assert len({str(cell) for cell in table.columns[1].cells}) == 2
    assert "items, seeds" in note
