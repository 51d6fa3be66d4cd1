"""`export`: what comes out is what is stored, for any text; a file is whole or not there."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grmeval.errors import StoreError
from grmeval.formulas import unguarded
from grmeval.items import Key, Sample
from grmeval.report.accuracy import write_accuracy
from grmeval.report.export import export as write
from grmeval.score import score
from grmeval.store import JournalWriter, RunFolder, all_runs, sample_batches
from tests.helpers import ENVIRONMENT, ask, command, grmeval, left_early, sampled

TEXTS = (
    "=1+1",
    "nul \x00 in it",
    "\n\nlines\r\nand \r alone\n",
    'quotes " "" \' and, commas; \\" \\n',
    "\u202ebidi\u2066 \u2028 \u200f \x85 \x1b[31m \x7f",
    "",
    " spaces \t ",
    "漢字 é 😀 NA null nan -",
)
LABELS = ("section", "n", "quality", "group", "cluster", "flags")


def judgement(key: Key, j: int, launch: str, text: str, thinking: str) -> Sample:
    """One in eight could not be read; a score has all the digits that a double has."""
    readable = j % 8 > 0
    return Sample(
        subset=key.subset,
        id=key.id,
        j=j,
        order=(1, 0),
        scores=(0.1 + 0.2, 10.0) if readable else None,
        invalid=None if readable else "no_score",
        form="boxed" if readable else None,
        finish="stop",
        prompt_tokens=3,
        cached_tokens=1,
        tokens=4,
        parser=1,
        launch=launch,
        thinking=thinking,
        text=text,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Every text of TEXTS once folded and once in a journal; scored, so that there are verdicts."""
    results = tmp_path_factory.mktemp("export")
    run = sampled(results, k=2, limit=10)
    write_accuracy(run.path, score(run))
    key = Key("facts-pairs", "facts-pair-01")
    for launch, thought in (("0007", False), ("0008", True)):
        with JournalWriter(run.path / "journal" / f"{launch}.jsonl") as journal:
            for at, text in enumerate(TEXTS):
                j = 100 + at + len(TEXTS) * thought
                journal.write(judgement(key, j, launch, text, text if thought else ""))
        if not thought:
            run.fold(None)
    with (run.path / "journal" / "0008.jsonl").open("ab") as torn:
        torn.write(b'{"subset": "facts-')
    return run


def stored(folder: RunFolder) -> list[dict[str, Any]]:
    """Every sample with its item's labels, by hand."""
    record = folder.record
    items = {(row["subset"], row["id"]): row for row in folder.items().to_pylist()}
    rows = pq.read_table(folder.path / "samples.parquet").to_pylist()
    for line in (folder.path / "journal" / "0008.jsonl").read_bytes().split(b"\n")[:-1]:
        row = json.loads(line) | {"launch": "0008"}
        del row["crc"]
        rows.append(row)
    found = []
    for row in rows:
        item = items[(row["subset"], row["id"])]
        section = {"section": record["spec"]["sections"][item["section"]]["name"]}
        labels = {name: item[name] for name in LABELS} | section
        found.append({"bench": "sample"} | labels | row)
    return found


def from_csv(path: Path, like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cells read back as what they were; an empty one is null, or the empty text."""
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    back = []
    for row, wanted in zip(cells, like, strict=True):
        assert row.keys() == wanted.keys()
        kinds = {n: type(v) for n, v in wanted.items()}
        back.append(
            {
                n: unguarded(v)
                if kinds[n] is str
                else None
                if kinds[n] is type(None) and not v
                else json.loads(v)
                for n, v in row.items()
            }
        )
    return back


def from_jsonl(path: Path, like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def from_parquet(path: Path, like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


Back = Callable[[Path, list[dict[str, Any]]], list[dict[str, Any]]]
FORMATS = [("csv", from_csv), ("jsonl", from_jsonl), ("parquet", from_parquet)]


@pytest.mark.parametrize(("ending", "back"), FORMATS)
def test_what_is_exported_is_what_is_stored(
    folder: RunFolder, tmp_path: Path, ending: str, back: Back
) -> None:
    wanted = stored(folder)
    assert [row["text"] for row in wanted][-len(TEXTS) :] == list(TEXTS)
    path = tmp_path / f"out.{ending}"
    assert write(folder, "samples", path) == len(wanted) == 20 + 2 * len(TEXTS)
    assert back(path, wanted) == wanted
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("ending", "back"), FORMATS)
def test_items_and_verdicts(folder: RunFolder, tmp_path: Path, ending: str, back: Back) -> None:
    items = [
        {"bench": "sample"}
        | row
        | {"section": folder.record["spec"]["sections"][row["section"]]["name"]}
        for row in folder.items().to_pylist()
    ]
    write(folder, "items", tmp_path / f"items.{ending}")
    assert back(tmp_path / f"items.{ending}", items) == items
    verdicts = pq.read_table(folder.path / "verdicts.parquet").to_pylist()
    write(folder, "verdicts", tmp_path / f"verdicts.{ending}")
    assert back(tmp_path / f"verdicts.{ending}", verdicts) == verdicts


@pytest.mark.parametrize("size", [1, 3, 4096])
def test_batches_of_any_size_are_the_same_rows(folder: RunFolder, size: int) -> None:
    rows = [
        row
        for batch in sample_batches(folder, ["j", "text"], size)
        for row in batch.to_pylist()
        if batch.num_rows <= size
    ]
    assert rows == [{"j": row["j"], "text": row["text"]} for row in stored(folder)]


def test_without_to_it_is_json_lines(folder: RunFolder) -> None:
    found = subprocess.run(
        command("export", folder.path.name, "--results", folder.path.parents[2]),
        capture_output=True,
        text=True,
        env=ENVIRONMENT | {"COLUMNS": "80", "NO_COLOR": "1"},
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.isascii()
    assert [json.loads(line) for line in found.stdout.splitlines()] == stored(folder)


def test_what_a_spreadsheet_would_run_has_an_apostrophe_unless_told_otherwise(
    folder: RunFolder, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    words = ["export", folder.path, "--to", path]
    ask(*words)
    assert '"\'=1+1"' in path.read_text("utf-8")
    ask(*words, "--as-stored")
    text = path.read_text("utf-8")
    assert '"=1+1"' in text
    assert "'=" not in text
    for more in ([], ["--to", tmp_path / "out.jsonl"]):
        said = ask("export", folder.path, *more, "--as-stored", code=2)
        assert "--as-stored: only CSV is written otherwise" in said


@pytest.mark.long
def test_a_reader_that_leaves_early_is_no_bug(folder: RunFolder) -> None:
    words = " ".join(command("export", folder.path))
    found = subprocess.run(
        ["bash", "-c", f"{words} | head -c 100; echo ${{PIPESTATUS[0]}} >&2"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    # What fits into the pipe before `head` leaves is no error either.
    assert found.stderr in ("141\n", "0\n")
    assert left_early("export", folder.path) == 141


def test_no_texts(folder: RunFolder, tmp_path: Path) -> None:
    ask("export", folder.path, "--no-texts", "--to", tmp_path / "out.parquet")
    wanted = [
        {name: value for name, value in row.items() if name not in ("text", "thinking")}
        for row in stored(folder)
    ]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == wanted


def test_the_command_says_how_many(folder: RunFolder, tmp_path: Path) -> None:
    found = grmeval("export", folder.path, "--to", f"{tmp_path}/new/out.csv")
    assert (found.returncode, found.stdout) == (0, "")
    assert "36 rows written to" in found.stderr
    assert (tmp_path / "new" / "out.csv").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--to", "out.xlsx"], 2, "the ending says the format: .csv, .jsonl, .parquet"),
        (["--to", "out"], 2, ".csv, .jsonl, .parquet"),
        (["--what", "sample"], 2, "did you mean 'samples'?"),
        (["--to", "/dev/null/out.csv"], 3, "/dev/null/out.csv: cannot be written"),
    ],
)
def test_mistakes_of_export(folder: RunFolder, words: list[str], code: int, message: str) -> None:
    assert message in ask("export", folder.path, *words, code=code)


def test_an_unknown_run(tmp_path: Path) -> None:
    assert "not a run folder" in ask("export", "/nowhere", code=2)
    assert "has no runs" in ask("export", "abcd", "--results", tmp_path, code=2)


def test_the_files_of_a_run_are_not_overwritten(folder: RunFolder) -> None:
    for name in ("samples.parquet", "journal/new.jsonl"):
        before = (folder.path / "samples.parquet").read_bytes()
        found = ask("export", folder.path, "--to", folder.path / name, code=2)
        assert "is a run's folder; put the file elsewhere" in found
        assert (folder.path / "samples.parquet").read_bytes() == before
    assert len(all_runs(folder.path.parents[2])) == 1


def test_verdicts_that_are_not_there(folder: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "run")
    (tmp_path / "run" / "verdicts.parquet").unlink()
    found = ask("export", tmp_path / "run", "--what", "verdicts", code=2)
    assert "grmeval score" in found
    assert "--save" in found


def test_damage_leaves_no_half_of_a_file(folder: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "run")
    samples = tmp_path / "run" / "samples.parquet"
    content = bytearray(samples.read_bytes())
    content[8:-2000] = b"\xff" * len(content[8:-2000])
    samples.write_bytes(content)
    (tmp_path / "out").mkdir()
    for ending, _ in FORMATS:
        with pytest.raises(StoreError, match="damaged"):
            write(RunFolder(tmp_path / "run"), "samples", tmp_path / "out" / f"out.{ending}")
    assert not list((tmp_path / "out").iterdir())


def test_a_run_without_samples_has_a_header(folder: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "run")
    (tmp_path / "run" / "samples.parquet").unlink()
    shutil.rmtree(tmp_path / "run" / "journal")
    run = RunFolder(tmp_path / "run")
    for ending, _ in FORMATS:
        assert write(run, "samples", tmp_path / f"out.{ending}") == 0
    columns = list(stored(folder)[0])
    assert pq.read_table(tmp_path / "out.parquet").column_names[0] == columns[0] == "bench"
    assert set(next(csv.reader([(tmp_path / "out.csv").read_text()]))) == set(columns)
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_a_fold_meanwhile_takes_nothing_away(folder: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "run")
    run, wanted = RunFolder(tmp_path / "run"), [row["text"] for row in stored(folder)]
    batches = sample_batches(run, ["text"], 5)
    first = next(batches)
    run.fold(None)  # would wait for a reader that holds the lock
    assert not run.journals()
    rest = [text for batch in batches for text in batch["text"].to_pylist()]
    assert [*first["text"].to_pylist(), *rest] == wanted
