"""`import scores` on the command line: a run that every other command can read."""

import gzip
import json
import lzma
import re
import subprocess
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import DataError
from grmeval.runs.imports.file_rows import read_file
from grmeval.store import all_runs
from tests.helpers import ask, grmeval, sampled


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """(results folder, an export of a run in it, that run's accuracy as JSON)."""
    results = tmp_path_factory.mktemp("import") / "results"
    folder = sampled(results, k=4, engine_args={"no_score": 0.1, "truncated": 0.1})
    file = results.parent / "x.jsonl"
    ask("export", folder.path, "--to", file)
    table = json.loads(ask("score", folder.path, "--json"))
    ask("import", "scores", file, "--bench", "sample", "--model", "org/judge", "--results", results)
    return results, file, table


def imported(results: Path) -> Path:
    (found,) = (run for run in all_runs(results) if run.parent.name == "org--judge")
    return found


def test_an_export_comes_back_as_the_same_table(exported: tuple[Path, Path, Any]) -> None:
    results, _, table = exported
    again = json.loads(ask("score", imported(results), "--json"))
    assert again["rows"] == table["rows"]
    assert again["rows"][0]["invalid"] > 0


def test_the_table_is_printed_and_saved_and_the_folder_named(
    exported: tuple[Path, Path, Any], tmp_path: Path
) -> None:
    _, file, table = exported
    words = ("import", "scores", file, "--bench", "sample", "--model", "m", "--results", tmp_path)
    found = grmeval(*words)
    assert found.returncode == 0, found.stderr
    (folder,) = all_runs(tmp_path)
    assert f"{folder}: 300 judgements imported" in found.stderr
    assert "grmeval sample · m · k=4" in found.stdout
    assert "judge m; file " in found.stdout
    saved = json.loads((folder / "accuracy.json").read_text())
    assert saved["rows"] == table["rows"]
    assert (folder / "verdicts.parquet").exists()
    again = grmeval(*words, "--json")
    assert again.returncode == 0, again.stderr
    assert f"{folder}: these judgements are there already" in again.stderr
    assert json.loads(again.stdout)["rows"] == table["rows"]


def test_every_command_reads_an_imported_run(
    exported: tuple[Path, Path, Any], tmp_path: Path
) -> None:
    results, _, _ = exported
    folder = imported(results)
    assert '"engine": "import"' in ask("show", folder, "--json")
    assert "imported" in ask("show", folder, "--item", "facts-pair-01", "--texts")
    assert "org--judge" in ask("runs", "--results", results)
    assert json.loads(ask("scale-curve", folder, "--json"))["rows"]
    assert ask("export", folder, "--what", "items").count("\n") == 75
    ask("export", folder, "--to", tmp_path / "y.jsonl")
    twice = ask(
        *("import", "scores", tmp_path / "y.jsonl", "--bench", "sample"),
        *("--model", "org/judge", "--results", results, "--json"),
    )
    assert json.loads(twice)["about"]["run_id"] == folder.name
    assert "no text is read again" in ask("score", folder, "--reparse", code=2)


def without_last(less: int, file: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The import of all but the last rows of a file."""
    lines = file.read_text().splitlines(keepends=True)
    (folder / "part.jsonl").write_text("".join(lines[:-less]))
    words = ("--bench", "sample", "--model", "m", "--results", folder)
    return grmeval("import", "scores", folder / "part.jsonl", *words)


def test_items_without_a_row_are_said_once_and_are_no_part(
    exported: tuple[Path, Path, Any], tmp_path: Path
) -> None:
    found = without_last(4, exported[1], tmp_path)
    assert found.returncode == 0, found.stderr
    said = "partial import: the file judges nothing of 1 items of the benchmark"
    assert (found.stdout + found.stderr).count(said) == 1
    assert "missing" not in found.stdout
    (folder,) = all_runs(tmp_path)
    whole = imported(exported[0])
    for command in (["score", folder], ["scale-curve", folder], ["compare", folder, whole]):
        assert said in ask(*command)
    assert "74 rows that every run judged" in ask("compare", folder, whole)


def test_what_is_left_out_is_said_of_the_part_that_is_shown(
    exported: tuple[Path, Path, Any], tmp_path: Path
) -> None:
    assert without_last(4, exported[1], tmp_path).returncode == 0
    lines = exported[1].read_text().splitlines()
    gone = json.loads(lines[-1])["subset"]
    (folder,) = all_runs(tmp_path)
    others = sorted({json.loads(line)["subset"] for line in lines} - {gone})
    assert "nothing of 1 items of the part" in ask("score", folder, "--subset", gone)
    assert "partial import" not in ask("score", folder, "--subset", others[0])
    ask("baseline", folder, "--to", tmp_path / "b.json")
    title = json.loads((tmp_path / "b.json").read_text())["about"]["title"]
    assert title.endswith(" (partial import: 1 items left out)")
    assert "partial import" in ask("trend", tmp_path)


def test_an_item_with_fewer_samples_than_others_is_unfinished(
    exported: tuple[Path, Path, Any], tmp_path: Path
) -> None:
    found = without_last(2, exported[1], tmp_path)
    assert "unfinished: 1 items have fewer than 4 samples" in found.stdout
    (folder,) = all_runs(tmp_path)
    assert "2 samples of this k are missing; the imported file" in ask("score", folder, code=3)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_every_format_of_an_export_comes_back(
    exported: tuple[Path, Path, Any], tmp_path: Path, ending: str
) -> None:
    """Texts with quotes, commas and line ends in them are what they were."""
    results, _, table = exported
    folder = imported(results)
    ask("export", folder, "--to", tmp_path / f"y{ending}")
    words = ("--bench", "sample", "--model", "org/judge", "--results", results, "--json")
    again = json.loads(ask("import", "scores", tmp_path / f"y{ending}", *words))
    assert (again["rows"], again["about"]["run_id"]) == (table["rows"], folder.name)


def test_texts_need_the_rows(tmp_path: Path) -> None:
    text = 'id = "own"\ntitle = "Own"\ntables = [{files = "*", shape = "neutral"}]\nsource = {}\n'
    (tmp_path / "own.toml").write_text(text)
    row = {"subset": "s", "id": 1, "j": 0, "scores": [2, 1], "quality": [1, 0]}
    (tmp_path / "s.jsonl").write_text(json.dumps(row))
    words = ("--bench", tmp_path / "own.toml", "--model", "m", "--results", tmp_path)
    ask("import", "scores", tmp_path / "s.jsonl", *words)
    (folder,) = all_runs(tmp_path)
    assert "in which order this text saw the responses is not known" in ask(
        "show", folder, "--item", "s/1"
    )
    assert "it has no texts" in ask("show", folder, "--item", "s/1", "--texts", code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.jsonl", "--bench", "sample"], "Missing option '--model'"),
        (["x.jsonl", "--model", "m"], "Missing option '--bench'"),
        (["x.jsonl", "--model", "m", "--bench", "smaple"], "did you mean 'sample'?"),
        (["x.jsonl", "--model", "m", "--bench", "all"], "a file is of one benchmark"),
        (["none.jsonl", "--model", "m", "--bench", "sample"], "cannot be read: No such file"),
        (["x.xls", "--model", "m", "--bench", "sample"], "the ending says the format: .jsonl"),
        (["x.jsonl", "--model", "m", "--bench", "sample", "--data", "/no"], "no such file or"),
        (["bad.jsonl", "--model", "m", "--bench", "sample"], "bad.jsonl, line 1: not JSON"),
    ],
)
def test_mistakes_have_a_message_and_leave_nothing(
    exported: tuple[Path, Path, Any], tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "x.jsonl").write_bytes(exported[1].read_bytes())
    (tmp_path / "bad.jsonl").write_text("{\n")
    file, *more = words
    found = ask("import", "scores", tmp_path / file, *more, "--results", tmp_path / "r", code=2)
    assert message in found
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl.xz", "jsonl", "csv", "csv.gz"])
def test_a_file_that_unpacks_without_end_is_refused_on_the_way(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"x.{ending}"
    pack: Any = {".gz": gzip.compress, ".xz": lzma.compress}.get(file.suffix, bytes)
    words = (
        "import",
        "scores",
        file,
        "--bench",
        "sample",
        "--model",
        "m",
        "--results",
        tmp_path / "r",
    )
    monkeypatch.setattr("grmeval.runs.imports.file_rows.MOST_LINE", 2**20)
    monkeypatch.setattr("grmeval.runs.imports.file_rows.MOST_UNPACKED", 2**21)
    too_large = f"{file}, line {{}}: too large: at most a line of 1,048,576 bytes"
    file.write_bytes(pack(b" " * 2**22))
    assert too_large.format(1) in ask(*words, code=2)
    assert not (tmp_path / "r").exists()
    file.write_bytes(pack((b" " * 1023 + b"\n") * 2**12))
    with pytest.raises(DataError, match=re.escape(too_large.format(2049))):
        deque(read_file(file), maxlen=0)


def test_a_guard_is_taken_off_unless_the_cells_are_as_stored(tmp_path: Path) -> None:
    texts = ["'=SUM(A1)", "=SUM(A1)", "''-1", "plain", "'quoted'"]
    rows = [
        {
            "id": f"i{at}",
            "subset": "donotanswer",
            "j": 0,
            "scores": [1, 0],
            "quality": [1, 0],
            "text": text,
        }
        for at, text in enumerate(texts)
    ]
    file = tmp_path / "given.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    words = ("--bench", "rewardbench", "--model")

    def texts_of(results: Path, name: str, *given: Any) -> list[str]:
        ask("import", "scores", *given, *words, name, "--results", results)
        (found,) = all_runs(results)
        shown = ask("export", found)
        told = {row["id"]: row["text"] for row in map(json.loads, shown.splitlines())}
        return [told[f"i{at}"] for at in range(len(texts))]

    assert texts_of(tmp_path / "a", "m", file) == texts
    (run,) = all_runs(tmp_path / "a")
    for name, more in (("guarded", []), ("stored", ["--as-stored"])):
        path = tmp_path / f"{name}.csv"
        ask("export", run, "--to", path, *more)
        assert texts_of(tmp_path / name, "m", path, *more) == texts
    said = ask("import", "scores", file, *words, "m", "--as-stored", code=2)
    assert "--as-stored: only CSV is read otherwise" in said
