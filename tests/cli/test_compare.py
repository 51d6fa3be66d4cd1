"""`compare` and `scale-curve` as real processes: tables, files, refusals that leave nothing behind."""

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from grmeval.store import RunFolder
from tests.helpers import grmeval, sampled

Runs = tuple[RunFolder, RunFolder, RunFolder]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Runs of 4 and 2 samples and a greedy one."""
    results = tmp_path_factory.mktemp("compare") / "r"
    better = {"accuracy": 0.9, "truncated": 0.05}
    return (
        sampled(results, k=4),
        sampled(results, k=2, engine_args=better),
        sampled(results, k=1, temperature=0.0),
    )


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def narrow(*words: object) -> subprocess.CompletedProcess[str]:
    return grmeval(*words, env={"COLUMNS": "80"})


def test_a_comparison_is_printed_written_and_machine_read(runs: Runs, tmp_path: Path) -> None:
    one, other, _ = runs
    before = files(one.path.parent)
    words = ("compare", one.path, other.path, "--flips", "--bootstrap", 200)
    shown = narrow(*words, "--to", tmp_path / "night-1.2")
    assert shown.returncode == 0, shown.stderr
    tables, _ = shown.stdout.split("points would be found")
    assert max(map(len, tables.splitlines()[:-1])) <= 80
    assert "flipped in fake" in shown.stdout
    assert {path.name for path in tmp_path.iterdir()} == {
        f"night-1.2{e}" for e in (".csv", ".md", ".json")
    }
    assert f"written to {tmp_path}: night-1.2.csv" in shown.stderr
    assert files(one.path.parent) == before  # a comparison belongs to no run
    machine = grmeval(*words, "--json")
    assert (machine.returncode, machine.stderr) == (0, "")
    read = json.loads(machine.stdout, parse_constant=pytest.fail)
    assert json.loads((tmp_path / "night-1.2.json").read_text()) == read
    top = read["rows"][0]
    assert top["difference"] == pytest.approx(top["value"] - top["first"])
    rows = list(csv.DictReader((tmp_path / "night-1.2.csv").read_text().splitlines()))
    assert [float(row["first"]) for row in rows] == [row["first"] for row in read["rows"]]
    assert {row["run_id"] for row in rows} == {other.path.name}
    assert {row["first_run"] for row in rows} == {one.path.name}


def test_an_ending_chooses_one_format(runs: Runs, tmp_path: Path) -> None:
    found = grmeval("compare", *(run.path for run in runs), "--to", tmp_path / "all.csv", "--k", 1)
    assert found.returncode == 0, found.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"all.csv"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "two or more different runs"),
        (("SAME",), "two or more different runs"),
        (("LAYOUT",), "layout list and layout pairs; "),
        (("OTHER", "--k", 8), "--k 8: "),
        (("OTHER", "--vote", "summ"), "did you mean 'sum'"),
        (("zzzz",), "no path, no run-id"),
    ],
)
def test_what_cannot_be_compared(
    runs: Runs, tmp_path: Path, words: tuple[Any, ...], message: str
) -> None:
    one, other, _ = runs
    named = {"SAME": one.path, "OTHER": other.path}
    if "LAYOUT" in words:
        named["LAYOUT"] = sampled(tmp_path / "r", k=2, layout="pairs").path
    told = [named.get(word, word) for word in words]
    found = grmeval(
        "compare", one.path, *told, "--to", tmp_path / "to" / "x", "--results", tmp_path
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert message in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "to").exists()


def test_runs_of_other_items_are_refused(runs: Runs, tmp_path: Path) -> None:
    """A limit takes the first of a limit seed's order: another one has other items."""
    folders = [sampled(tmp_path / "r", k=1, limit=20, limit_seed=seed) for seed in (0, 1)]
    before = files(tmp_path)
    for name in ("compare", "scale-curve"):
        found = grmeval(name, *(folder.path for folder in folders), "--results", tmp_path / "r")
        assert (found.returncode, found.stdout) == (2, "")
        assert "did not judge the same rows: " in found.stderr
        assert "rows only in the second (" in found.stderr
    # More than the run has is not a difference of rows: they wait for their samples.
    found = grmeval("compare", runs[0].path, folders[0].path, "--limit", 30)
    assert (found.returncode, "some items have no sample yet" in found.stderr) == (3, True)
    assert files(tmp_path) == before


def test_curves_of_several_runs_lie_beside_the_runs(runs: Runs) -> None:
    one, other, greedy = runs
    results = one.path.parents[2]
    words = ("scale-curve", one.path, other.path.name, one.path.name, "--results", results)
    shown = narrow(*words, "--greedy", greedy.path, "--bootstrap", 200, "--save")
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.split("points a doubling")[0].splitlines()[:-1])) <= 80
    stem = results / "scaling" / f"{one.path.name}-{other.path.name}"  # the first is named twice
    assert {path.name for path in stem.parent.iterdir()} == {
        stem.name + end for end in (".csv", ".md", ".json", ".svg", ".png")
    }
    assert f"{stem.name}.svg, {stem.name}.png" in shown.stderr
    rows = list(csv.DictReader(Path(f"{stem}.csv").read_text().splitlines()))
    assert {row["run_id"] for row in rows} == {one.path.name, other.path.name}
    assert all(row["over_greedy"] for row in rows)
    machine = grmeval(*words, "--json", "--first-k")
    read = json.loads(machine.stdout, parse_constant=pytest.fail)
    assert read["notes"][0] == "vote@k: of the first k samples alone"
    assert len(read["run"]) == 2


def test_a_curve_of_one_run_lies_in_its_folder(runs: Runs) -> None:
    one = runs[0]
    found = grmeval("scale-curve", one.path, "--ks", "1,4", "--vote", "sum", "--save")
    assert found.returncode == 0, found.stderr
    head = (one.path / "scaling.csv").read_text().splitlines()[0]
    assert head.startswith("run,run_id,vote,level,name,metric,k,value,low,high,error,gain,")
    for words in (("--ks", ",,"), ("--ks", "0"), ("--ks", "8"), ("--greedy", one.path)):
        found = grmeval("scale-curve", one.path, *words)
        assert (found.returncode, found.stdout, "Traceback" in found.stderr) == (2, "", False)


@pytest.mark.long
def test_many_runs_have_a_name_that_a_disk_takes(tmp_path: Path) -> None:
    many = [sampled(tmp_path, k=1, limit=2, engine_args={"accuracy": at / 50}) for at in range(25)]
    found = grmeval("scale-curve", *(run.path for run in many), "--results", tmp_path, "--json")
    assert found.returncode == 0, found.stderr
    assert len(json.loads(found.stdout)["run"]) == 25
    assert len(list((tmp_path / "scaling").iterdir())) == 5
