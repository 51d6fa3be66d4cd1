"""`runs`, `label` and `clean`: finding runs among many, naming them, putting them away."""

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from grmeval.files import is_left_behind
from grmeval.score import trend
from grmeval.store import RunFolder, all_runs, find_run, name_of
from tests.helpers import ask, grmeval, process, sampled

FAKE = ("run", "--engine", "fake", "--limit", 3, "--k", 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs of two judges, one that died, one without a sample."""
    results = tmp_path_factory.mktemp("runs") / "r"
    sampled(results, k=2, limit=3)
    sampled(results, k=1, limit=4, judge="index")
    for seed, dies in ((5, 2), (6, 1)):
        grmeval(*FAKE, "--seed", seed, "--engine-arg", f"die_after={dies}", "--results", results)
    for journal in all_runs(results)[0].glob("journal/*.jsonl"):
        journal.write_bytes(b"")
    return results


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "r")


def listed(results: Path, *words: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ask("runs", "--json", "--results", results, *words))[
        "runs"
    ]
    return found


# ---------------------------------------------------------------------- runs


def test_runs_are_filtered_and_sorted(results: Path) -> None:
    every = listed(results)
    assert len(every) == 4
    assert {line["judge"] for line in listed(results, "--judge", "index")} == {"index"}
    assert [line["samples"] for line in listed(results, "--unfinished", "--sort", "samples")] == [
        2,
        0,
    ]
    assert len(listed(results, "--finished")) == 2
    assert len(listed(results, "--model", "FAK", "--bench", "sample", "--since", "2h")) == 4
    assert listed(results, "--since", "2999-01-01") == listed(results, "--model", "gpt") == []
    by_judge = [line["judge"] for line in listed(results, "--sort", "judge")]
    assert by_judge == sorted(by_judge)
    assert "none of the 4 runs fits" in grmeval("runs", "--model", "x", "--results", results).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--bench", "smaple"), "--bench 'smaple': no run has it; allowed: sample; did you mean"),
        (("--judge", "indx"), "did you mean 'index'?"),
        (("--sort", "size"), "--sort 'size': allowed: written, name, bench"),
        (("--since", "soon"), "--since 'soon': expected a day such as 2026-11-30, or 12h or 7d"),
    ],
)
def test_a_filter_that_cannot_be_meant(results: Path, words: tuple[str, ...], said: str) -> None:
    assert said in ask("runs", "--results", results, *words, code=2)


# ---------------------------------------------------------------------- names


def test_a_name_stands_wherever_a_run_is_asked_for(results: Path) -> None:
    run = all_runs(results)[-1]
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    ask("label", run.name, "before-sft", "--results", results)
    assert find_run("before-sft", results) == run
    assert run.name in ask("score", "before-sft", "--results", results)
    assert {line["name"] for line in listed(results)} == {None, "before-sft"}
    assert "before-sft" in ask("runs", "--results", results)
    kept = {path: path.read_bytes() for path in before}
    assert {p for p in kept if kept[p] != before[p] and p.parent.name != "locks"} == set()
    assert RunFolder(run).record["identity"]  # its checksum holds
    ask("label", "before-sft", "renamed", "--results", results)
    assert name_of(run) == "renamed"
    ask("label", "renamed", "--results", results)
    assert name_of(run) is None


def test_run_names_its_run_once(tmp_path: Path) -> None:
    words, rows = (*FAKE, "--results", tmp_path / "r"), tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "2 + 2?", "responses": ["4", "5"]}\n')
    assert grmeval(*words, "--name", "night-1").returncode == 0
    assert grmeval(*words, "--name", "night-1", "--k", 3).returncode == 0  # the same run, extended
    assert name_of(find_run("night-1", tmp_path / "r")) == "night-1"
    assert "`grmeval label night-1 night-2` renames it" in ask(*words, "--name", "night-2", code=2)
    other = (*words, "--seed", 1)
    assert "has it; take another" in ask(*other, "--name", "night-1", code=2)
    assert "of one run; 2 benchmarks are asked for" in ask(
        *words, "--bench", "sample", "--bench", rows, "--name", "x", code=2
    )
    assert len(all_runs(tmp_path / "r")) == 1


@pytest.mark.parametrize("name", ["", "two words", "../up", "a" * 65, "-x"])
def test_a_name_is_one_word(results: Path, name: str) -> None:
    run = all_runs(results)[0].name
    assert "one word" in ask("label", "--results", results, "--", run, name, code=2)


@pytest.mark.parametrize(
    ("name", "said"),
    [("latest", "reads like"), ("beef", "a run-id (4 to 12 of digits and a-f)"), ("fake", "model")],
)
def test_a_name_means_one_thing(results: Path, name: str, said: str) -> None:
    assert said in ask("label", all_runs(results)[0].name, name, "--results", results, code=2)


def test_a_copied_name_is_told_with_both_runs(results: Path) -> None:
    one, other, *_ = all_runs(results)
    for run in (one, other):
        (run / "name").write_text("twin\n")
    said = ask("show", "twin", "--results", results, code=2)
    assert "several runs are meant" in said
    assert one.name in said
    assert other.name in said


# ---------------------------------------------------------------------- the run that is not named


def test_latest_is_the_run_where_none_is_named(results: Path, tmp_path: Path) -> None:
    where = ("--results", results)
    run = find_run("latest", results)
    assert run.name in ask("show", *where)
    for words in (
        ("export", "--to", tmp_path / "samples.csv"),
        ("baseline", "--to", tmp_path / "b.json"),
        ("gate", "--baseline", "latest"),
    ):
        assert f"latest run: {run}" in grmeval(*words, *where).stderr, words


# ---------------------------------------------------------------------- clean


def test_clean_moves_what_holds_nothing_and_says_how_to_restore(results: Path) -> None:
    empty, died, *finished = all_runs(results)
    leftover = finished[0] / left_by(999_999_999)
    mine = finished[0] / left_by(os.getpid())
    for path in (leftover, mine):
        path.write_text("half")
    assert is_left_behind(leftover)
    done = grmeval("clean", "--yes", "--results", results)
    assert done.returncode == 0, done.stderr
    assert f"{empty}  no sample" in done.stdout
    assert all_runs(results) == [died, *finished]
    assert (leftover.exists(), mine.exists()) == (False, True)
    (restore,) = (
        line for line in done.stderr.splitlines() if line.startswith("mv ") and empty.name in line
    )
    _, there, back = shlex.split(restore)
    assert (Path(there) / "run.json").exists()
    shutil.move(there, back)
    assert all_runs(results) == [empty, died, *finished]


def left_by(process: int) -> str:
    """The name of a temporary file of a process of this machine."""
    from grmeval import files

    return f"{files._temporaries()}{process}-accuracy.csv"


def test_unfinished_and_named_runs_go_only_when_asked(results: Path) -> None:
    empty, died, kept, named = all_runs(results)
    ask("clean", named.name, "--yes", "--results", results)
    assert all_runs(results) == [empty, died, kept]
    found = ask("clean", "--unfinished", "--yes", "--results", results)
    assert f"{died}  unfinished: 2 of 6 samples" in found
    assert all_runs(results) == [kept]
    assert len(list(results.glob(".trash/*/*/*/*/run.json"))) == 3
    assert len(trend(results).rows) > 0  # a trend sees none of the trash
    assert {row.run_id for row in trend(results).rows} == {kept.name}
    assert "nothing to put away" in grmeval("clean", "--results", results).stderr


def test_an_adaptive_run_whose_items_have_all_stopped_is_finished(tmp_path: Path) -> None:
    run = sampled(tmp_path, k=16, limit=10, adaptive=True)
    [line] = listed(tmp_path, "--finished")
    assert (line["samples"] + line["spared"], line["k"]) == (160, 16)
    assert f"{line['samples']} (k ≤ 16)" in ask("runs", "--results", tmp_path)
    assert "nothing to put away" in grmeval("clean", "--unfinished", "--results", tmp_path).stderr
    sampled(tmp_path, k=16, limit=20, adaptive=True, engine_args={"die_after": 0})
    for path in (run.path / "stopped").iterdir():
        path.unlink()
    assert len(listed(tmp_path, "--unfinished")) == 1


def test_nothing_moves_before_a_yes(results: Path) -> None:
    before = all_runs(results)
    asked = process("clean", "--results", results)  # nobody is there to answer
    assert (asked.returncode, "--yes moves without asking" in asked.stderr) == (2, True)
    assert all_runs(results) == before
    assert "--unfinished is of all runs" in ask("clean", "x", "--unfinished", code=2)


def test_a_run_that_is_being_written_is_left_alone(results: Path) -> None:
    empty, died, *_ = all_runs(results)
    with RunFolder(died).writer(None):
        done = grmeval("clean", "--unfinished", "--yes", "--results", results)
        assert f"left alone: {died}: being written by process {os.getpid()}" in done.stderr
        assert f"being written by process {os.getpid()}" in ask(
            "clean", died.name, "--yes", "--results", results, code=3
        )
    assert died in all_runs(results)
    assert empty not in all_runs(results)
