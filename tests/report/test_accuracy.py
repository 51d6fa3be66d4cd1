"""Tables: nothing that is not there becomes a number, hostile names stay text, files are whole."""

import csv
import io
import json
import math
from dataclasses import fields, replace
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

from grmeval.errors import ConfigError
from grmeval.files import write_text
from grmeval.report.accuracy import accuracy_tables, write_accuracy
from grmeval.report.curve import curve_tables
from grmeval.score import Accuracy, CurveRow, Row, Scaling

NAN = math.nan
ROW = Row(
    vote="sum",
    level="overall",
    name="overall",
    k=8,
    metric="accuracy",
    value=0.125,
    low=0.1,
    high=0.2,
    error=0.01,
    method="wilson",
    items=1200,
    clusters=1000,
    expected=1200,
    tied=2.0,
    silent=0.0,
    samples=9600,
    invalid=96,
    reasons={"truncated": 0, "no_score": 96},
    missing=0,
    auc=None,
)
EMPTY = replace(
    ROW, level="section", name="a|b", value=NAN, low=NAN, high=NAN, error=NAN, items=0, samples=0
)


def result(*rows: Row) -> Accuracy:
    about = {"run_id": "0a1b", "limit": None, "ties": "half", "on_invalid": "half"}
    return Accuracy(
        "title", rows, ("the [bold]rule[/bold]",), 0, about, {}, pa.table({"subset": ["x"]})
    )


def printed(table: object) -> str:
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(table)
    return out.getvalue()


def test_a_row_without_items_shows_no_number(tmp_path: Path) -> None:
    (table,), notes = accuracy_tables(result(ROW, EMPTY))
    lines = printed(table).splitlines()
    assert any(
        "12.5" in line and "10.0-20.0" in line and "1,200" in line and "1.0" in line
        for line in lines
    )
    assert any(line.split()[:4] == ["a|b", "-", "-", "0/1,200"] for line in lines)
    assert notes == ["the [bold]rule[/bold]"]
    write_accuracy(tmp_path, result(ROW, EMPTY))
    rows = list(csv.DictReader((tmp_path / "accuracy.csv").read_text().splitlines()))
    assert rows[0]["reasons.no_score"] == "96"
    assert (rows[1]["value"], rows[0]["auc"], float(rows[0]["value"])) == ("", "", 0.125)
    content = json.loads((tmp_path / "accuracy.json").read_text())
    assert (content["rows"][1]["value"], content["notes"]) == (None, ["the [bold]rule[/bold]"])
    assert "| a\\|b | - | - | 0/1,200 |" in (tmp_path / "accuracy.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accuracy.csv",
        "accuracy.json",
        "accuracy.md",
        "verdicts.parquet",
    ]


def test_columns_appear_where_they_say_something() -> None:
    (plain,), _ = accuracy_tables(result(ROW))
    assert [str(column.header) for column in plain.columns] == [
        "",
        "acc %",
        "95 %",
        "items",
        "tied",
        "inv %",
        "cut %",
    ]
    full = replace(ROW, reasons={"prompt_too_long": 3}, missing=2, auc=0.5)
    (more,), _ = accuracy_tables(result(full))
    assert {"long %", "missing", "AUC"} <= {str(column.header) for column in more.columns}


def test_several_votes_are_several_tables_that_fit_80_columns() -> None:
    long = replace(ROW, level="subset", name="a-subset-with-a-name-that-is-long", items=20_000)
    majority = [replace(row, vote="majority") for row in (ROW, long)]
    tables, _ = accuracy_tables(result(ROW, long, *majority))
    assert [str(table.title) for table in tables] == ["title · vote sum", "title · vote majority"]
    for table in tables:
        lines = printed(table).splitlines()
        assert max(map(len, lines)) <= 80
        assert not any("…" in line.replace("a-subset", "")[40:] for line in lines)


def test_many_subsets_stay_in_the_file() -> None:
    subsets = [replace(ROW, level="subset", name=f"s{i}") for i in range(60)]
    (table,), notes = accuracy_tables(result(ROW, *subsets))
    assert table.row_count == 1
    assert notes[-1] == "60 subsets are in --json"


@pytest.mark.parametrize(("gain", "shown"), [(0.031, "+3.1"), (-1e-9, "+0.0"), (NAN, "-")])
def test_gains_are_signed(gain: float, shown: str) -> None:
    numbers = dict.fromkeys((field.name for field in fields(CurveRow)), NAN)
    point = {"run": "run", "run_id": "1", "vote": "sum", "level": "overall", "name": "overall"}
    about = {"metric": "accuracy", "k": 4, "items": 9, "clusters": 9, "subsets": "exact"}
    row = CurveRow(**numbers | point | about | {"value": 0.5, "gain": gain})  # type: ignore[arg-type]
    (table,), _ = curve_tables(Scaling("title", (row,), (), (), {}, {}))
    assert f" {shown} " in printed(table)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigError, match="is a folder; name a file to write"):
        write_text(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_name_forges_no_row_and_no_tag(tmp_path: Path) -> None:
    hostile = replace(ROW, level="section", name="a\n overall 99.9\x1b[2J<img src=x onerror=y>|b")
    (table,), _ = accuracy_tables(result(ROW, hostile))
    assert len([line for line in printed(table).splitlines() if "99.9" in line]) <= 1
    assert "\x1b" not in printed(table)
    write_accuracy(tmp_path, result(ROW, hostile))
    text = (tmp_path / "accuracy.md").read_text("utf-8")
    assert "<img" not in text
    assert "\x1b" not in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 4


def test_published_rows_that_do_not_fit_stand_in_a_table_of_their_own() -> None:
    run = {"identity": {"bench": "rewardbench"}}
    names = ["DeepSeek-GRM-27B Voting@32", "DeepSeek-GRM-27B Voting@8"]
    whole = replace(result(ROW), run=run)
    (wide,), notes = accuracy_tables(whole, 100, names)
    assert "88.5" in printed(wide)
    assert "87.7" in printed(wide)
    own, more = accuracy_tables(whole, 60, names)[0]
    assert "88.5" not in printed(own)
    assert ("88.5" in printed(more), "87.7" in printed(more), "12.5" in printed(more)) == (
        True,
    ) * 3
    assert [note[:3] for note in notes if note.startswith("[")] == ["[1]", "[2]"]
