"""Tables of a diagnosis: what is shown where there is much, how numbers are written."""

from math import nan
from pathlib import Path

import pytest

from grmeval.report.diagnose import diagnosis_json, diagnosis_tables, write_diagnosis
from grmeval.score.diagnosis import Diagnosis, Finding, Part


def row(part: str, kind: str, name: str, measure: str, unit: str, *values: float) -> Finding:
    value, low, high = (*values, nan, nan)[:3]
    return Finding(part, kind, name, measure, unit, value, low, high, nan, 5, 4, 9)


def of(*parts: Part) -> Diagnosis:
    about = {"run_id": "r", "vote": "sum", "k": 2}
    return Diagnosis("title", ("in short",), parts, ("foot",), about, {})


def shown(part: Part) -> tuple[list[str], list[list[str]], list[str]]:
    """(column titles, lines, sentences) of a part's table."""
    ((_, table, notes),) = diagnosis_tables(of(part))
    assert table
    cells = [[str(cell) for cell in column._cells] for column in table.columns]
    return [str(c.header) for c in table.columns], [*map(list, zip(*cells, strict=True))], notes


@pytest.mark.parametrize(
    ("unit", "values", "value", "interval"),
    [
        ("share", (0.5, 0.25, 0.75), "50.0 %", "25.0-75.0"),
        ("points", (0.031, 0.01, 0.052), "+3.1", "1.0 to 5.2"),
        ("points", (-0.2, -0.3, 0.1), "-20.0", "-30.0 to 10.0"),
        ("r", (-0.5, -0.75, 0.25), "-0.50", "-0.75 to 0.25"),
        ("gap", (2.0, 1.5, 2.5), "+2.00", "1.50 to 2.50"),
        ("score", (5.125, 5.0, 5.25), "5.12", "5.00-5.25"),
        ("share", (0.5,), "50.0 %", ""),
        ("r", (-0.001, -0.004, 0.25), "+0.00", "0.00 to 0.25"),
        ("count", (1234.0,), "1,234", ""),
    ],
)
def test_a_number_and_its_interval(
    unit: str, values: tuple[float, ...], value: str, interval: str
) -> None:
    part = Part("length", "t", (), (row("length", "pairs", "n", "m", unit, *values),), ("s",))
    titles, lines, notes = shown(part)
    assert titles == ["", "", "95 %", "items"]
    assert lines == [["pairs, m, n", value, interval, "5"]]
    assert notes == ["s"]


def output(subsets: int) -> Part:
    names = [("overall", "all"), ("section", "A"), *(("subset", f"s{i}") for i in range(subsets))]
    rows = [row("output", kind, name, "invalid", "share", 0.1, 0.0, 0.2) for kind, name in names]
    return Part("output", "t", ("invalid",), tuple(rows), ())


def test_of_many_subsets_only_the_sections_are_shown() -> None:
    titles, lines, _ = shown(output(24))
    assert titles == ["", "inv %"]
    assert [line[0] for line in lines] == ["all", *(f"s{i}" for i in range(24))][:24]
    _, lines, notes = shown(output(25))
    assert [line[0] for line in lines] == ["all", "A"]
    assert notes == ["subsets are in --json"]


def test_rows_beyond_a_screen_are_counted() -> None:
    rows = tuple(row("length", "pairs", f"n{i}", "m", "share", 0.5) for i in range(30))
    _, lines, notes = shown(Part("length", "t", (), rows, (), ("why",)))
    assert len(lines) == 24
    assert notes == ["not shown: why", "left out here, in --json: 6 rows"]


def test_without_numbers_there_are_files_and_no_figure(tmp_path: Path) -> None:
    found = of(Part("calibration", "t", ("agree",), (), (), ("why",)))
    names = [path.name for path in write_diagnosis(tmp_path, found)]
    assert names == ["diagnose.csv", "diagnose.md", "diagnose.json"]
    assert (tmp_path / "diagnose.csv").read_text() == ""
    assert "- not shown: why" in (tmp_path / "diagnose.md").read_text()
    assert (tmp_path / "diagnose.md").read_text().startswith("# title\n\n- in short\n")
    ((title, table, notes),) = diagnosis_tables(found)
    assert (title, table, notes) == ("t", None, ["not shown: why"])


def test_what_is_not_there_is_null() -> None:
    found = of(Part("length", "t", (), (row("length", "", "n", "m", "share", 0.5),), ()))
    assert '"low": null' in diagnosis_json(found)
    assert "NaN" not in diagnosis_json(found)
