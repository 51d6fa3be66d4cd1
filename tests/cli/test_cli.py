"""The command line: exit code, message, output."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grmeval.store import latest
from tests.helpers import ENVIRONMENT, grmeval, left_early, process, unchecked

FAKE = ("run", "--engine", "fake", "--limit", 10, "--k", 2)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--bench", "smaple"], 2, "did you mean 'sample'?"),
        (["run", "--bench", "rmb", "--engine", "fake"], 2, "needs a copy of its rows: --data PATH"),
        (
            ["run", "--bench", "rmb", "--engine", "fake", "--data", "/nowhere"],
            2,
            "no such file or folder",
        ),
        (
            ["run", "--engine", "fake", "--k", "0"],
            2,
            "--k: input should be greater than or equal to 1",
        ),
        (["run", "--engine", "fake", "--k", "x"], 2, "Invalid value for '--k'"),
        (["run", "--engine", "fake", "--engine-arg", "acuracy=1"], 2, "did you mean 'accuracy'?"),
        (["run", "--engine", "fake", "--engine-arg", "accuracy"], 2, "expected key=value"),
        (["run", "--engine", "fake", "--vote", "best"], 2, "allows sum, mean, median, majority"),
        (
            ["run", "--engine", "fake", "--ties", "shar"],
            2,
            "--ties 'shar': allowed: official, wrong, share, half, random; did you mean 'share'?",
        ),
        (["run", "--engine", "fake", "--shard", "3/2"], 2, "expected i/n with 1 <= i <= n"),
        (
            ["run", "--engine", "fake", "--greedy", "--k", "5"],
            2,
            "some items have 1 distinct prompts",
        ),
        (
            ["run", "--engine", "fake", "--greedy", "--temperature", "1"],
            2,
            "--greedy is temperature 0",
        ),
        (["run", "--engine", "fake", "--template", "/nowhere"], 2, "--template /nowhere"),
        (["run", "--engine", "fake", "--chat-template-kwargs", "[1]"], 2, "expected a JSON object"),
        (["run", "--model", "no-such-model"], 2, "presets allowed:"),
        (["run", "--engine", "fake", "--no-such-flag"], 2, "No such option"),
        (["score", "/nowhere"], 2, "not a run folder"),
        (["scale-curve", "--results", "/nowhere"], 2, "no run with samples in it"),
        (["run", "--engine", "fake", "--model", "demo"], 2, "it has no model; drop 'demo'"),
        (["run", "--model", "demo", "--revision", "v2"], 2, "demo is no hub model; drop it"),
        (["run", "--model", "demo", "--engine-arg", "seed=3"], 2, "--engine-arg seed: use --seed"),
        (["run", "--model", "demo", "--max-tokens", "20"], 2, "--structured with --max-tokens 20"),
        (
            ["run", "--model", "demo", "--stop-at-score"],
            2,
            "--stop-at-score with --structured: the format ends at the scores already",
        ),
        (["scale-curve", "--ks", "1,x"], 2, "expected whole numbers"),
    ],
)
def test_mistakes_have_a_message_and_a_code(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    results = [] if arguments[0] == "score" else ["--results", str(tmp_path)]
    found = grmeval(*arguments, *(results if "--results" not in arguments else []))
    assert message in " ".join(found.stderr.split()), found.stderr
    assert found.returncode == code
    assert "Traceback" not in found.stderr + found.stdout
    assert not list(tmp_path.iterdir())


def test_run_writes_its_tables_and_prints_them(tmp_path: Path) -> None:
    found = process(*FAKE, "--results", tmp_path, "--vote", "sum", "--vote", "majority")
    assert found.returncode == 0, found.stderr
    assert max(map(len, found.stdout.splitlines()[:8])) <= 100
    folder = latest(tmp_path)
    rows = list(csv.DictReader((folder / "accuracy.csv").read_text().splitlines()))
    assert {row["vote"] for row in rows} == {"sum", "majority"}
    assert {row["level"] for row in rows} == {"overall", "section", "subset"}
    content = json.loads((folder / "accuracy.json").read_text())
    assert content["rows"][0]["items"] == 10
    assert content["rows"][0]["value"] == pytest.approx(float(rows[0]["value"]))
    assert (folder / "accuracy.md").read_text().startswith("# grmeval sample")
    assert (folder / "verdicts.parquet").exists()


def test_json_is_all_that_is_on_standard_output(tmp_path: Path) -> None:
    for arguments in (
        (*FAKE, "--json", "--results", tmp_path),
        ("score", None, "--json", "--vote", "majority"),
        ("scale-curve", "--json", "--results", tmp_path),
    ):
        words = [latest(tmp_path) if word is None else word for word in arguments]
        found = grmeval(*words)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["rows"]


def test_scoring_again_leaves_the_runs_own_tables(tmp_path: Path) -> None:
    grmeval(*FAKE, "--results", tmp_path)
    folder = latest(tmp_path)
    before = (folder / "accuracy.csv").read_bytes()
    shown = grmeval("score", folder, "--vote", "majority", "--ties", "share")
    assert "not the official rule" in shown.stdout
    assert (folder / "accuracy.csv").read_bytes() == before
    saved = grmeval("score", folder, "--vote", "majority", "--ties", "share", "--save")
    assert "written to" in saved.stderr
    assert (folder / "accuracy.csv").read_bytes() != before


def test_a_reader_that_leaves_early_is_no_bug(tmp_path: Path) -> None:
    grmeval(*FAKE, "--results", tmp_path)
    assert left_early("score", latest(tmp_path)) == 141


def test_an_empty_run_hides_no_other(tmp_path: Path) -> None:
    grmeval(*FAKE, "--results", tmp_path)
    good = latest(tmp_path)
    grmeval(*FAKE, "--results", tmp_path, "--seed", 9, "--engine-arg", "die_after=1")
    for journal in tmp_path.glob("*/*/*/journal/*.jsonl"):
        journal.write_bytes(b"")
    assert latest(tmp_path) == good
    again = grmeval(*FAKE, "--results", tmp_path)
    assert "every sample is there, no model is loaded" in again.stderr


def test_the_curve_has_its_files_and_figures(tmp_path: Path) -> None:
    grmeval(*FAKE, "--results", tmp_path)
    found = grmeval("scale-curve", "--results", tmp_path, "--ks", "1,2")
    assert found.returncode == 0, found.stderr
    folder = latest(tmp_path)
    rows = list(csv.DictReader((folder / "scaling.csv").read_text().splitlines()))
    assert {(row["vote"], row["k"]) for row in rows} == {
        (v, k) for v in ("sum", "majority") for k in "12"
    }
    assert (folder / "scaling.svg").read_text().lstrip().startswith("<?xml")
    assert (folder / "scaling.png").read_bytes().startswith(b"\x89PNG")
    too_far = grmeval("scale-curve", "--results", tmp_path, "--ks", "1,64")
    assert (too_far.returncode, "1 to 2 samples an item" in too_far.stderr) == (2, True)


def test_votes_are_checked_wherever_they_are_given(tmp_path: Path) -> None:
    grmeval(*FAKE, "--results", tmp_path)
    for words in (("score", latest(tmp_path)), ("scale-curve", latest(tmp_path))):
        found = grmeval(*words, "--vote", "sums")
        assert (found.returncode, "did you mean 'sum'?" in found.stderr) == (2, True)
    twice = grmeval("score", latest(tmp_path), "--vote", "sum", "--vote", "sum", "--json")
    assert [row["level"] for row in json.loads(twice.stdout)["rows"]].count("overall") == 1


def test_a_run_killed_before_its_first_sample_is_no_bug(tmp_path: Path) -> None:
    grmeval(*FAKE, "--results", tmp_path, "--engine-arg", "die_after=1")
    folder = latest(tmp_path)
    for journal in folder.glob("journal/*"):
        journal.write_bytes(b"")
    found = grmeval("score", folder)
    assert (found.returncode, "20 samples of this k are missing" in found.stderr) == (3, True)
    found = grmeval("scale-curve", folder)
    assert (found.returncode, "some items have no sample yet" in found.stderr) == (3, True)


def test_a_larger_k_than_was_sampled_is_incomplete(tmp_path: Path) -> None:
    grmeval(*FAKE, "--results", tmp_path)
    found = grmeval("score", latest(tmp_path), "--k", 3)
    assert found.returncode == 3
    assert "10 samples of this k are missing" in found.stderr


def test_a_bug_is_a_message_and_debug_a_traceback(tmp_path: Path) -> None:
    grmeval(*FAKE, "--results", tmp_path)
    record = unchecked(latest(tmp_path) / "run.json")
    record.write_text(record.read_text().replace('"metric"', '"matrix"'))
    found = process("score", latest(tmp_path))
    assert (found.returncode, "bug in grmeval" in found.stderr) == (1, True)
    assert "Traceback" not in found.stderr
    assert "Traceback" in process("--debug", "score", latest(tmp_path)).stderr


def test_version_and_help() -> None:
    assert grmeval("--version").stdout.startswith("grmeval 0.")
    helped = grmeval("run", "--help")
    assert helped.returncode == 0
    for flag in ("--bench", "--k", "--limit", "--orders", "--engine-arg", "--tensor-parallel"):
        assert flag in helped.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("grmeval s", ["suite", "score", "scale-curve", "show", "spct"]),
        ("grmeval run --model d", ["deepseek-grm-16b", "deepseek-grm-27b", "demo"]),
        ("grmeval run --bench rm", ["rm-bench", "rmb"]),
        ("grmeval score --ties s", ["share"]),
    ],
)
def test_the_shell_completes(typed: str, offered: list[str]) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    words["_GRMEVAL_COMPLETE"] = "complete_bash"
    found = grmeval(env=words)
    assert found.stdout.split() == offered, found.stderr
    if typed == "grmeval run --bench rm":  # by the program itself, as a shell does
        script = Path(sys.executable).with_name("grmeval")
        asked = subprocess.run(
            [script], capture_output=True, text=True, env=ENVIRONMENT | words, check=False
        )
        assert asked.stdout == found.stdout


@pytest.fixture(scope="module")
def two_votes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("two-votes")
    grmeval(*FAKE, "--results", results, "--vote", "sum", "--vote", "majority")
    return results


@pytest.mark.parametrize(
    "words", [["score", "latest"], ["scale-curve"], ["runs"], ["benches"], ["show", "latest"]]
)
def test_tables_fit_80_columns_without_colour(two_votes: Path, words: list[str]) -> None:
    where = [] if words == ["benches"] else ["--results", str(two_votes)]
    piped = grmeval(*words, *where, env={"COLUMNS": "80"})
    assert piped.returncode == 0, piped.stderr
    assert "\x1b" not in piped.stdout
    rules = [at for at, line in enumerate(piped.stdout.splitlines()) if "──────" in line]
    assert rules or words[0] == "show"
    lines = piped.stdout.splitlines()
    table = [line for line in lines if "  " in line.strip() and not line.startswith("run ")]
    assert max(len(line.rstrip()) for line in table) <= 80
    shown = grmeval(*words, *where, env={"COLUMNS": "80", "NO_COLOR": "1", "FORCE_COLOR": "1"})
    assert re.search("\x1b\\[[\\d;]*[34]\\d", shown.stdout) is None
