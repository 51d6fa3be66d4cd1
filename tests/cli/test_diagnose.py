"""`diagnose` as a process: tables, files, figure, exit codes."""

import csv
import json
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.helpers import grmeval, left_early, sampled

FILES = ("diagnose.csv", "diagnose.md", "diagnose.json", "reliability.svg", "reliability.png")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    faults = {"order_bias": 2, "no_score": 0.05, "truncated": 0.03}
    return sampled(tmp_path_factory.mktemp("runs"), k=8, engine_args=faults).path


def test_its_tables_fit_and_its_files_are_there(judged: Path) -> None:
    found = grmeval("diagnose", judged, "--all")
    assert found.returncode == 0, found.stderr
    assert f"written to {judged}: {', '.join(FILES)}" in found.stderr
    titles = ("position", "reversal", "length", "self-agreement", "scores", "calibration")
    for title in (*titles, "variance", "regret", "output"):
        assert f"\n{title}: " in found.stdout
    assert "the first slot is favoured" in found.stdout
    assert "nan" not in found.stdout.lower().split()
    drawn = [line for line in found.stdout.splitlines() if line.startswith(" ")]
    assert max(map(len, drawn)) <= 80
    assert not [line for line in drawn if "…" in line]
    for name in FILES:
        assert (judged / name).stat().st_size > 0


def test_it_begins_with_a_summary_and_ends_there(judged: Path) -> None:
    short, whole = grmeval("diagnose", judged), grmeval("diagnose", judged, "--all")
    lines = short.stdout.splitlines()
    assert len(lines) <= 12
    assert lines[1].endswith(" of 10 numbers looked at; false discovery rate 5 % over all 10")
    assert lines[2].startswith("position: the first slot is favoured: ")
    assert whole.stdout.startswith(short.stdout + "\nposition: does it matter")
    page = (judged / "diagnose.md").read_text()
    assert page.index(lines[1]) < page.index("## position")


def test_the_files_hold_the_same_numbers(judged: Path) -> None:
    found = grmeval("diagnose", judged, "--json")
    assert found.returncode == 0, found.stderr
    content = json.loads(found.stdout)
    assert content == json.loads((judged / "diagnose.json").read_text())
    about = {"run_id": judged.name, "limit": None, "vote": "sum", "k": 8}
    assert content["about"] == about | {"looked_at": 10, "rate": 0.05}
    assert len(content["summary"]) < 12
    lines = [row for part in content["parts"] for row in part["rows"]]
    table = list(csv.DictReader((judged / "diagnose.csv").read_text().splitlines()))
    assert len(table) == len(lines) > 100
    for line, cells in zip(lines, table, strict=True):
        assert float(cells["value"]) == line["value"]
        for name in ("low", "p", "q", "detectable"):
            assert cells[name] == ("" if line[name] is None else str(line[name]))
        assert (cells["kind"], cells["name"]) == (line["kind"], line["name"])
    page = (judged / "diagnose.md").read_text()
    for part in content["parts"]:
        assert f"## {part['title']}" in page
    assert page.count("\n|:--|") == sum(bool(part["rows"]) for part in content["parts"])


def test_the_figure_is_drawn_the_same_each_time(judged: Path) -> None:
    grmeval("diagnose", judged)
    first = [(judged / name).read_bytes() for name in FILES[3:]]
    grmeval("diagnose", judged)
    assert [(judged / name).read_bytes() for name in FILES[3:]] == first
    assert ElementTree.fromstring(first[0]).tag.endswith("svg")
    width, height = struct.unpack(">II", first[1][16:24])
    assert (width, height) == (840, 840)


def test_what_cannot_be_done_is_said(judged: Path, tmp_path: Path) -> None:
    for words, message in (
        (("diagnose", judged, "--k", 9), "this run has up to 8 samples an item"),
        (("diagnose", judged, "--vote", "best"), "--vote 'best': allowed: sum, mean, majority"),
        (("diagnose", "--results", tmp_path), "no run with samples in it"),
        (("diagnose", tmp_path), "not a run folder"),
    ):
        found = grmeval(*words)
        assert found.returncode == 2
        assert message in " ".join(found.stderr.split())
        assert not found.stdout


def test_no_vote_no_figure(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "a", "prompt": "p", "responses": ["x", "y"]}\n')
    folder = sampled(tmp_path / "r", bench=str(rows), k=2).path
    (folder / "reliability.svg").write_text("of an earlier diagnosis")
    found = grmeval("diagnose", folder, "--all")
    assert found.returncode == 0, found.stderr
    assert "not shown: no vote of 2 readable samples on a labelled item" in found.stdout
    assert not (folder / "reliability.svg").exists()
    assert "reliability" not in found.stderr


def test_names_of_a_data_set_forge_no_row(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    hostile = "a | b\\u001b[31m\\n<b>"
    rows.write_text(
        f'{{"id": "a", "subset": "{hostile}", "prompt": "p", "responses": ["x", "yy"], '
        '"quality": [1, 0]}\n'
    )
    folder = sampled(tmp_path / "r", bench=str(rows), k=2).path
    found = grmeval("diagnose", folder)
    assert found.returncode == 0, found.stderr
    page = (folder / "diagnose.md").read_text()
    assert "a \\| b\\\\x1b\\[31m\\\\n&lt;b&gt;" in page
    assert "\x1b" not in found.stdout + page


@pytest.mark.long
def test_a_reader_that_leaves_early_is_no_bug(judged: Path) -> None:
    assert left_early("diagnose", judged) == 141


def test_help_names_it() -> None:
    assert "Diagnose a judge" in grmeval("--help").stdout
    found = grmeval("diagnose", "--help")
    for flag in ("--k", "--limit", "--vote", "--all", "--results", "--json"):
        assert flag in found.stdout
