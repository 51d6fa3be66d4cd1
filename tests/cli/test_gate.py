"""A nightly on the command line: real processes, exit codes, JUnit, GitHub's files."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from grmeval.store import all_runs
from tests.helpers import acted_on, grmeval

ITEMS, K, MARGIN = 200, 4, 13
"""Two equal nights differ by 3.7 points (one standard error): with 3.5 of them 97 in 100 pass."""

JUDGE = {"accuracy": 0.75, "spread": 0.3}
NIGHTS: dict[str, tuple[int, dict[str, float], int]] = {
    # seed, the fake's settings, exit code of `run`
    "old": (0, JUDGE, 0),
    "equal": (1, JUDGE, 0),
    "worse": (2, JUDGE | {"accuracy": 0.4}, 0),
    "better": (3, JUDGE | {"accuracy": 1.0}, 0),
    "broken": (4, JUDGE | {"die_after": 330}, 3),
    "silent": (5, JUDGE | {"truncated": 0.2}, 0),
}


def rows(folder: Path, count: int = ITEMS) -> Path:
    path = folder / "rows.jsonl"
    known = (
        {"id": f"q{at}", "subset": "ab"[at % 2], "prompt": f"{at}?", "chosen": "c", "rejected": "d"}
        for at in range(count)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in known))
    return path


def judge(folder: Path, bench: Path, night: str, *more: object) -> None:
    seed, settings, code = NIGHTS[night]
    words: list[object] = ["run", "--bench", bench, "--engine", "fake", "--k", K, "--seed", seed]
    for name, value in settings.items():
        words += ["--engine-arg", f"{name}={value}"]
    done = grmeval(*words, "--results", folder / night, *more)
    assert done.returncode == code, done.stderr


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder a night, and the baseline of the first."""
    folder = tmp_path_factory.mktemp("nights")
    bench = rows(folder)
    for night in NIGHTS:
        judge(folder, bench, night)
    done = grmeval("baseline", "latest", "--results", folder / "old", "--to", folder / "base.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return folder


def asked(folder: Path, night: str, *more: object) -> list[object]:
    words = ["gate", "latest", "--results", folder / night, "--baseline", folder / "base.json"]
    return [*words, *(() if "--max-drop" in more else ("--max-drop", MARGIN)), *more]


def gate(folder: Path, night: str, *more: object) -> subprocess.CompletedProcess[str]:
    return grmeval(*asked(folder, night, *more))


@pytest.mark.parametrize(
    ("night", "more", "code", "verdict", "counts"),
    [
        ("equal", (), 0, "passed", (2, 0, 0)),
        ("better", (), 0, "improved", (2, 0, 0)),
        ("worse", (), 5, "regressed", (2, 1, 0)),
        ("broken", (), 3, "broken", (1, 0, 1)),
        ("equal", ("--max-drop", "0.1"), 4, "inconclusive", (2, 0, 1)),
        ("equal", ("--max-drop-section", "20"), 0, "passed", (3, 0, 0)),
        ("silent", ("--max-drop", "50", "--max-truncated", "5"), 5, "regressed", (4, 2, 0)),
        ("silent", ("--max-drop", "50"), 5, "regressed", (3, 1, 0)),
        ("silent", ("--max-drop", "50", "--max-invalid", "50"), 0, "passed", (3, 0, 0)),
        ("equal", ("--max-tokens", "1"), 5, "regressed", (3, 1, 0)),
    ],
)
def test_every_night_has_its_exit_code_and_junit(
    nights: Path, tmp_path: Path, night: str, more: Any, code: int, verdict: str, counts: Any
) -> None:
    junit = tmp_path / "gate.xml"
    done = gate(nights, night, *more, "--junit", junit)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.startswith(verdict.upper())
    (suite,) = JUnitXml.fromfile(str(junit))
    assert (suite.tests, suite.failures, suite.errors) == counts
    told = json.loads(grmeval(*asked(nights, night, *more, "--json")).stdout)
    assert told["verdict"] == verdict
    assert len(told["checks"]) == counts[0]


def test_a_run_may_be_the_baseline(nights: Path) -> None:
    (old,) = all_runs(nights / "old")
    words = ["gate", "latest", "--results", nights / "worse", "--baseline", old]
    done = grmeval(*words, "--max-drop", MARGIN)
    assert done.returncode == 5
    (worse,) = all_runs(nights / "worse")
    of_run, of_file = done.stdout.splitlines(), gate(nights, "worse").stdout.splitlines()
    (at,) = (at for at, line in enumerate(of_run) if "its items" in line)
    show, flips = of_run[at : at + 2]
    assert show == f"its items: grmeval show {worse} --wrong"
    assert flips == f"what it lost: grmeval compare {old} {worse} --flips"
    for line in (show, flips):  # what is said works
        assert grmeval(*line.partition(": grmeval ")[2].split()).returncode == 0
    assert f"compare BASELINE-RUN {worse} --flips; it reads runs, not base" in of_file.pop(at + 1)
    del of_run[at + 1]
    assert of_run == of_file
    silent = gate(nights, "silent", "--max-drop", 50).stdout
    assert "--invalid\n" in silent
    assert "--flips" not in silent
    refused = grmeval("compare", nights / "base.json", worse)
    assert refused.returncode == 2
    assert "base.json: a file, and a run is a folder; a baseline file is for" in refused.stderr
    (broken,) = all_runs(nights / "broken")
    done = grmeval("gate", old, "--baseline", broken, "--max-drop", 99)
    assert done.returncode == 3
    assert "have fewer than 4 samples" in done.stderr


def test_an_empty_folder_is_no_pass(nights: Path, tmp_path: Path) -> None:
    base = ("--baseline", nights / "base.json", "--max-drop", 99)
    for words in (("latest", "--results", tmp_path), (tmp_path,)):
        done = grmeval("gate", *words, *base)
        assert done.returncode == 2
        assert "no run" in done.stderr
    (tmp_path / "run.json").write_text("")
    assert grmeval("gate", tmp_path, *base).returncode == 3


def test_a_part_of_the_items_is_no_pass(nights: Path, tmp_path: Path) -> None:
    judge(tmp_path, nights / "rows.jsonl", "equal", "--limit", 160)
    words = ["gate", "latest", "--results", tmp_path / "equal"]
    done = grmeval(*words, "--baseline", nights / "base.json", "--max-drop", 99)
    assert done.returncode == 3
    assert "40 of 200 items have fewer than 4 samples" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--alpha", "0"), "--alpha 0: expected a number from 1e-06 to below 0.5"),
        (("--alpha", "0.5"), "--alpha 0.5: expected"),
        (("--alpha", "nan"), "--alpha nan: expected"),
        (("--max-drop", "-1"), "Invalid value for '--max-drop'"),
        (("--max-drop", "nan"), "Invalid value for '--max-drop'"),
        (("--max-drop", "101"), "Invalid value for '--max-drop'"),
        (("--max-drop-section", "-0.1"), "Invalid value for '--max-drop-section'"),
        (("--max-invalid", "nan"), "Invalid value for '--max-invalid'"),
        (("--max-truncated", "101"), "Invalid value for '--max-truncated'"),
        (("--max-tokens", "inf"), "Invalid value for '--max-tokens'"),
        (("--max-tokens", "nan"), "Invalid value for '--max-tokens'"),
        (("--extend", "0"), "Invalid value for '--extend'"),
        (("--vote", "majority"), "holds sum"),
        (("--k", "2"), "--k 2: the baseline"),
        (
            ("--allow-change", "temprature"),
            "did you mean 'temperature'",
        ),
        (
            ("--baseline", "nowhere.json"),
            "--baseline nowhere.json: no such file; `grmeval baseline",
        ),
        (("--baseline", "nowhere"), "RUN 'nowhere': no path"),
    ],
)
def test_mistakes_are_no_pass(nights: Path, words: Any, message: str) -> None:
    done = grmeval(*asked(nights, "equal", *words))
    assert done.returncode == 2, done.stderr
    assert message in " ".join(done.stderr.split())


def test_a_baseline_cannot_be_written_everywhere(nights: Path, tmp_path: Path) -> None:
    words = ("baseline", "latest", "--results")
    (tmp_path / "file").write_text("")
    done = grmeval(*words, nights / "old", "--to", tmp_path / "file" / "base.json")
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    done = grmeval(*words, nights / "old", "--to", tmp_path / "new" / "base.json")
    assert done.returncode == 0
    assert (tmp_path / "new" / "base.json").read_bytes() == (nights / "base.json").read_bytes()
    done = grmeval(*words, nights / "broken", "--to", tmp_path / "new" / "base.json")
    assert done.returncode == 3
    assert (tmp_path / "new" / "base.json").read_bytes() == (nights / "base.json").read_bytes()


def test_a_baseline_says_what_it_holds_and_what_it_replaces(nights: Path, tmp_path: Path) -> None:
    file = tmp_path / "base.json"

    def written(night: str, *more: object) -> str:
        words = ("baseline", "latest", "--results", nights / night, "--to", file, *more)
        return grmeval(*words).stderr.splitlines()[-1]

    (old,) = all_runs(nights / "old")
    first = written("old", "--k", 2)
    table = json.loads(grmeval("score", old, "--k", 2, "--vote", "sum", "--json").stdout)
    (overall,) = (row for row in table["rows"] if row["level"] == "overall")
    value, low, high = (f"{100 * overall[name]:.1f}" for name in ("value", "low", "high"))
    assert first == (
        f"{value} [{low}, {high}], sum, k=2 of 4 samples, {ITEMS} items, of run {old.name}"
    )
    assert written("old", "--k", 2) == first
    assert written("worse").endswith(f"; replaces {first}")
    file.write_text("{}")
    assert written("old").endswith("; replaces a file that was no baseline of this grmeval")


# ------------------------------------------------------------------ more samples


def test_an_inconclusive_night_is_extended_once(tmp_path: Path) -> None:
    """Items are alike, so that all noise is that of samples; the baseline is quiet, the night is not."""
    items = 300
    bench = rows(tmp_path, items)

    def run(seed: int, k: int) -> Path:
        words = ["run", "--bench", bench, "--engine", "fake", "--k", k, "--seed", seed]
        done = grmeval(*words, "--results", tmp_path / f"{seed}")
        assert done.returncode == 0, done.stderr
        (found,) = all_runs(tmp_path / f"{seed}")
        return found

    old, new = run(0, 32), run(1, 2)
    grmeval("baseline", old, "--k", 2, "--to", tmp_path / "base.json")
    words = ("gate", new, "--baseline", tmp_path / "base.json", "--max-drop", 3)
    assert grmeval(*words).returncode == 4
    extended = grmeval(*words, "--extend", 32, "--json")
    assert f"{30 * items:,} samples of {items} items" in extended.stderr
    told = json.loads(extended.stdout)
    assert (told["about"]["k"], told["about"]["samples"], told["about"]["looks"]) == (2, 32, 2)
    assert told["verdict"] == "passed"
    assert extended.returncode == 0
    record = json.loads((new / "run.json").read_text())
    assert sum(launch["samples"] for launch in record["launches"]) == items * 32
    assert [launch["samples"] for launch in record["launches"]] == [items * 2, items * 30]
    # Asked again nothing is sampled, and a smaller number takes nothing away.
    for more in (32, 4):
        again = grmeval(*words, "--extend", more, "--json")
        assert json.loads(again.stdout)["checks"] == told["checks"]
        after = json.loads((new / "run.json").read_text())
        assert (after["asked"], after["launches"]) == (record["asked"], record["launches"])


def test_a_night_that_is_decided_is_not_extended(nights: Path) -> None:
    for night, code in (("worse", 5), ("better", 0), ("broken", 3)):
        (folder,) = all_runs(nights / night)
        before = (folder / "run.json").read_bytes()
        done = gate(nights, night, "--extend", 8)
        assert done.returncode == code
        assert (folder / "run.json").read_bytes() == before
        # Each look has half of alpha, whether or not there was a second.
        assert ("2 looks at 2.5 % each" in done.stdout) == (night != "broken")


def test_a_run_that_cannot_be_made_again_is_not_extended(nights: Path, tmp_path: Path) -> None:
    judged = tmp_path / "judged.jsonl"
    (equal,) = all_runs(nights / "equal")
    done = grmeval("export", equal, "--to", judged)
    assert done.returncode == 0, done.stderr
    words = ["import", "scores", judged, "--bench", nights / "rows.jsonl", "--model", "org/judge"]
    done = grmeval(*words, "--results", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    words = ["gate", "latest", "--results", tmp_path / "r", "--baseline", nights / "base.json"]
    done = grmeval(*words, "--max-drop", MARGIN)
    assert done.returncode == 3
    assert "engine import here, fake in the baseline" in done.stdout
    for name in re.findall(r"--allow-change (\w+)", done.stdout):
        words += ["--allow-change", name]
    done = grmeval(*words, "--max-drop", 0.1, "--extend", 8)
    told, said = done.stderr.splitlines()
    assert told.startswith("latest run: ")
    assert (done.returncode, said) == (
        4,
        "not extended: more samples of this run would not decide",
    )
    # Of sections nobody says what more samples would do: they are asked for.
    done = grmeval(*words, "--max-drop", 99, "--max-drop-section", 0.1, "--extend", 8)
    assert done.returncode == 2
    assert "nothing here can ask its judge: the imported file" in " ".join(done.stderr.split())
    assert grmeval(*words, "--max-drop", MARGIN, "--extend", 8).returncode == 0


# ------------------------------------------------------------------ GitHub


def on_github(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return grmeval(*words, env={"GITHUB_ACTIONS": "true"} | variables)


def test_the_summary_is_appended_to(nights: Path, tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    for night in ("worse", "equal"):
        gate_words = ["gate", "latest", "--results", nights / night, "--max-drop", MARGIN]
        on_github(*gate_words, "--baseline", nights / "base.json", GITHUB_STEP_SUMMARY=str(page))
    text = page.read_text()
    assert text.startswith("before\n## ✗ regressed: rows.jsonl")
    assert text.count("## ") == 2
    assert "## ✓ passed: rows.jsonl" in text


@pytest.mark.parametrize(("night", "code"), [("worse", 5), ("equal", 0)])
def test_a_page_that_cannot_be_written_changes_no_verdict(
    nights: Path, tmp_path: Path, night: str, code: int
) -> None:
    words = ["gate", "latest", "--results", nights / night, "--max-drop", MARGIN]
    words += ["--baseline", nights / "base.json", "--junit", tmp_path / "gate.xml"]
    done = on_github(*words, GITHUB_STEP_SUMMARY=str(tmp_path))
    assert done.returncode == code
    assert "no summary" in done.stderr
    assert ("REGRESSED" in done.stdout) == (code == 5)
    assert (tmp_path / "gate.xml").exists()


@pytest.mark.parametrize(("night", "code"), [("worse", 5), ("equal", 3)])
def test_junit_that_cannot_be_written_is_no_pass(
    nights: Path, tmp_path: Path, night: str, code: int
) -> None:
    (tmp_path / "file").write_text("")
    done = gate(nights, night, "--junit", tmp_path / "file" / "gate.xml")
    assert done.returncode == code
    assert "cannot be written" in done.stderr
    assert done.stdout.startswith("REGRESSED" if code == 5 else "PASSED")


TOML = """
id = "mine"
title = "::error::title"
metric = "mean of two"
[source]
packaged = "rows.jsonl"
[[tables]]
files = "*.jsonl"
shape = "neutral"
subset = "subset"
[[sections]]
name = "::stop-commands::x"
subsets = ["a"]
[[sections]]
name = "b%0A::error::forged,title=x"
subsets = ["b"]
"""


def test_names_of_sections_command_nothing(tmp_path: Path) -> None:
    known = [
        {"id": f"{at}", "subset": "ab"[at % 2], "prompt": f"{at}?", "responses": ["c", "d"]}
        for at in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps(row | {"quality": [1, 0]}) + "\n" for row in known)
    )
    bench = tmp_path / "mine.toml"
    bench.write_text(TOML)
    for night in ("better", "worse"):
        judge(tmp_path, bench, night)
    (old,), (new,) = all_runs(tmp_path / "better"), all_runs(tmp_path / "worse")
    done = on_github("gate", new, "--baseline", old, "--max-drop", 1, "--max-drop-section", 1)
    assert done.returncode in (4, 5)
    assert ":\\u003astop-commands:\\u003ax" in done.stdout
    found = acted_on(done.stdout)
    assert len(found) == 3
    for line in found:
        assert re.fullmatch(r"::(error|warning) title=grmeval gate%3A [^:,]*::.*", line)
    assert acted_on(done.stderr) == []
    quiet = on_github("gate", new, "--baseline", old, "--max-drop", 1, "--json")
    assert json.loads(quiet.stdout)["verdict"] in ("regressed", "inconclusive")
    assert len(acted_on(quiet.stderr)) == 1


# ------------------------------------------------------------------ trend


def test_trend_writes_its_table_and_figure(nights: Path, tmp_path: Path) -> None:
    done = grmeval("trend", nights, "--to", tmp_path / "trend")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rows.jsonl · 5 nights")
    assert "left out: " in done.stdout
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"trend.{ending}" for ending in ("csv", "json", "md", "png", "svg")]
    found = json.loads(grmeval("trend", nights, "--json", "--to", tmp_path / "trend").stdout)
    assert len([row for row in found["rows"] if row["level"] == "overall"]) == 5
    nothing = grmeval("trend", tmp_path)
    assert nothing.returncode == 2
    assert "no run folder and no baseline below it" in nothing.stderr
