"""`grmeval suite` as a real process: the dry run, a whole run, a kill, and mistakes."""

import csv
import json
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grmeval.store import RunFolder
from tests.benches.test_rewardbench import rows
from tests.engines.server.chat_server import serving
from tests.helpers import child_here, grmeval, journaled, running, until
from tests.runs.suite.test_planner import SUITE, own

GROUP = SUITE.replace('["rewardbench"]', '["grm-overall"]').replace('table = "8"', 'table = "6"')
GROUP = GROUP.replace("27B Greedy", "27B Voting@1").replace("Judge Greedy", "Judge Voting@1")


def made_up(folder: Path) -> Path:
    (folder / "rb").mkdir()
    rows(folder / "rb", {"donotanswer": 20, "hep-python": 20})
    return folder


@pytest.fixture(autouse=True, scope="module")
def children_here() -> Iterator[None]:
    """A suite's runs in this process too; those that are killed or ended below are processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grmeval.cli.suite.run_child", child_here)
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made_up(tmp_path)


def suite(folder: Path, *more: object, text: str = SUITE, **how: Any) -> Any:
    words = ["suite", own(folder, text), "--data", f"rewardbench={folder / 'rb'}"]
    return grmeval(*words, "--results", folder / "results", *more, cwd=folder, **how)


def saved(folder: Path) -> Path:
    """The one set of tables that was written."""
    [found] = (folder / "results/suites/mine/fake").glob("*.json")
    return found


def cells(folder: Path, *more: object, text: str = SUITE, code: int = 0) -> dict[Any, Any]:
    done = suite(folder, "--fake", "--json", *more, text=text)
    assert done.returncode == code, done.stderr
    return {(c["row"], c["column"]): c for c in json.loads(done.stdout)["cells"]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the suite was run once."""
    folder = made_up(tmp_path_factory.mktemp("suite"))
    assert suite(folder, "--fake").returncode == 0
    return folder


def test_numbers_are_those_that_score_gives(finished: Path) -> None:
    folder = finished
    found = {(c["row"], c["column"]): c for c in json.loads(saved(folder).read_text())["cells"]}
    assert {row for row, _ in found} == {
        "DeepSeek-GRM-27B Greedy",
        "DeepSeek-GRM-27B Voting@8",
        "DeepSeek-GRM-27B Voting@8 (MetaRM)",
        "LLM-as-a-Judge Greedy",
    }
    runs = {path.parent for path in (folder / "results/rewardbench").glob("*/*/run.json")}
    assert len(runs) == 3
    sampled = next(path for path in runs if (path / "rewards").exists())
    for vote, row in (("sum", "Voting@8"), ("meta", "Voting@8 (MetaRM)")):
        done = grmeval("score", sampled, "--vote", vote, "--protocol", "paper", "--json")
        said = {line["name"]: line for line in json.loads(done.stdout)["rows"]}
        for column in ("Safety", "Reasoning"):
            cell = found[f"DeepSeek-GRM-27B {row}", column]
            for name in ("value", "low", "high", "items"):
                assert cell[name] == said[column][name]
            assert cell["whole"] is False  # 20 of hundreds
        cell = found[f"DeepSeek-GRM-27B {row}", "RB"]
        assert cell["value"] == said["overall (2 of 4 sections)"]["value"]
        assert (cell["whole"], cell["k"], cell["printed"]) == (
            False,
            8,
            {"sum": "87.7", "meta": "89.8"}[vote],
        )
    # A benchmark of which no row is here has no number, and is no mistake.
    assert found["DeepSeek-GRM-27B Greedy", "Chat"]["value"] is None


def test_the_table_has_what_was_printed_above_ours(finished: Path) -> None:
    """The same command again: it asks for nothing twice, and prints the tables."""
    done = suite(finished, "--fake")
    assert done.returncode == 0, done.stderr
    assert "samples of" not in done.stderr
    lines = done.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if "GRM-27B Greedy" in line or "94.1" in line)
    assert lines[at].split()[-5:] == ["94.1", "78.3", "88.0", "83.8", "86.0"]
    assert lines[at + 1].split()[-1].startswith("~")  # two sections of four
    assert "k=1" in lines[at + 1]
    assert "rewardbench: 40 of 2,985 items" in done.stdout
    table = saved(finished)
    assert sorted(path.suffix for path in table.parent.iterdir()) == [".csv", ".json", ".md"]
    with table.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        assert "94.1" in {line["printed"] for line in csv.DictReader(file)}
    page = table.with_suffix(".md").read_text("utf-8")
    assert page.count("| printed |") == 4
    assert "| k=8 | " in page


@pytest.mark.long
def test_what_a_run_was_asked_for_since_changes_no_number(finished: Path) -> None:
    before = json.loads(saved(finished).read_text("utf-8"))["cells"]
    done = suite(finished, "--fake", "--dry-run")
    for line in (line for line in done.stdout.splitlines() if line.startswith("grmeval run ")):
        words = [*line.split()[1:], "--limit", 4, "--k", 1]
        assert grmeval(*words, cwd=finished).returncode == 0
    assert suite(finished, "--fake").returncode == 0
    assert json.loads(saved(finished).read_text("utf-8"))["cells"] == before


@pytest.mark.long
def test_gains_are_over_the_same_systems_one_sample(folder: Path) -> None:
    found = cells(folder, text=GROUP, code=3)  # the hub is out of reach
    one = found["DeepSeek-GRM-27B Voting@1", "Overall"]
    for row in ("Voting@8", "Voting@8 (MetaRM)"):
        more = found[f"DeepSeek-GRM-27B {row}", "Overall"]
        gain = found[f"DeepSeek-GRM-27B {row}", "Overall vs Voting@1"]
        assert gain["value"] == pytest.approx(more["value"] - one["value"])
        assert more["whole"] is False  # one benchmark of four
    assert found["DeepSeek-GRM-27B Voting@1", "PPE Pref"]["lacks"].startswith("no rows: ")


def test_a_dry_run_writes_nothing_and_prints_commands_that_work(folder: Path) -> None:
    done = suite(folder, "--fake", "--dry-run", "--limit", 4)
    assert done.returncode == 0, done.stderr
    assert not (folder / "results").exists()
    lines = [line for line in done.stdout.splitlines() if line.startswith("grmeval run ")]
    assert len(lines) == 3
    for line in lines:
        assert grmeval(*line.split()[1:], cwd=folder).returncode == 0
    done = suite(folder, "--fake", "--dry-run", "--limit", 4)
    assert "still to ask: 0 judgements" in done.stdout


@pytest.mark.long
def test_a_killed_suite_goes_on_and_leaves_no_writer_behind(folder: Path) -> None:
    slow = SUITE.replace("k = 8, max", "k = 8, engine_args = { latency = 0.05, window = 8 }, max")
    words = ["suite", own(folder, slow), "--data", f"rewardbench={folder / 'rb'}", "--fake"]
    words += ["--results", folder / "results", "--json", "--limit", 10]
    with running(*words, cwd=folder) as at_work:
        assert until(lambda: journaled(folder / "results"), at_work)
    own(folder, slow.replace("latency = 0.05", "latency = 0.0"))
    done = grmeval(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "other").mkdir()
    words[words.index(folder / "results")] = folder / "other/results"
    whole = grmeval(*words, cwd=folder)
    assert json.loads(done.stdout)["cells"] == json.loads(whole.stdout)["cells"]


def test_a_run_that_fails_does_not_stop_the_others(folder: Path) -> None:
    dies = SUITE.replace("max_tokens = 80", "engine_args = { die_after = 9 }")
    done = suite(folder, "--fake", text=dies)
    assert done.returncode == 3
    assert "not finished: sampled (exit code 3); the same command goes on" in done.stderr
    assert "Table 8" in done.stdout
    found = {c["row"]: c for c in json.loads(saved(folder).read_text())["cells"]}
    assert found["LLM-as-a-Judge Greedy"]["value"] is not None
    half = [c for c in found.values() if c["run"] == "sampled"]
    assert half
    assert not any(c["whole"] for c in half)


@pytest.mark.long
def test_a_part_replaces_no_whole(folder: Path) -> None:
    assert suite(folder, "--fake").returncode == 0
    whole = saved(folder)
    text = whole.read_text("utf-8")
    assert suite(folder, "--fake", "--limit", 4, "--k", 2).returncode == 0
    assert whole.read_text("utf-8") == text
    assert len(list(whole.parent.glob("*.json"))) == 2


def test_settings_of_a_file_and_of_flags_are_put_together_as_run_does(folder: Path) -> None:
    (folder / "grmeval.toml").write_text("engine_args = { accuracy = 0.9 }\n")
    done = suite(folder, "--fake", "--set", 'engine_args={"ties": 0.1}', "--limit", 4, "--k", 1)
    assert done.returncode == 0, done.stderr
    cells = json.loads(saved(folder).read_text("utf-8"))["cells"]
    assert all(cell["lacks"] is None for cell in cells if cell["column"] == "RB")


def test_a_suite_may_ask_served_models(folder: Path) -> None:
    with serving() as served:
        words = ("--model", "judge", "--set", "engine=server", "--set", f"base_url={served.url}")
        done = suite(folder, *words, "--dry-run")
        assert done.returncode == 0, done.stderr
        command = next(line for line in done.stdout.splitlines() if "--engine server" in line)
        assert f"--base-url {served.url}" in command
        made = grmeval(*shlex.split(command)[1:], "--limit", 2, "--k", 1, cwd=folder)
    assert made.returncode == 0, made.stderr


def test_who_names_no_model_is_told_which_there_are(folder: Path) -> None:
    done = suite(folder)
    assert done.returncode == 2
    assert "nothing can be run here" in done.stderr
    assert "--model grm=NAME names the GRM" in done.stderr


@pytest.mark.long
def test_a_suite_that_is_ended_waits_for_its_child(folder: Path) -> None:
    slow = SUITE.replace(
        'orders = "random"', 'orders = "random", engine_args = { latency = 0.5, window = 1 }'
    )
    words = ["suite", own(folder, slow), "--data", f"rewardbench={folder / 'rb'}", "--fake"]
    with running(*words, "--results", folder / "results", cwd=folder) as at_work:
        assert until(lambda: list(folder.glob("results/*/*/*/journal/*")), at_work)
        at_work.send_signal(signal.SIGTERM)
        assert at_work.wait() == 130
    [run] = folder.glob("results/*/*/*/run.json")
    done = grmeval("score", run.parent)  # nobody writes there any more
    assert "held by" not in done.stderr
    with RunFolder(run.parent).writer(None):
        pass


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ["--model", "rft=x"],
            "--model rft=x: expected NAME or ROLE=NAME; allowed: grm, meta, other",
        ),
        (["--model", "other="], "--model other=: expected NAME or ROLE=NAME"),
        (["--table", "9"], "--table '9': allowed: 8"),
        (["--set", "judge=index"], "--set judge: a suite says that itself"),
        (["--set", "maxtokens=3"], "did you mean 'max_tokens'"),
        (["--data", "rm=x"], "--data rm=x"),
        (["--set", "max_tokens=abc"], "error: greedy on rewardbench: --max-tokens: "),
        (["--k", "0"], "greater than or equal to 1"),
    ],
)
def test_mistakes(folder: Path, more: list[str], said: str) -> None:
    done = suite(folder, "--fake", *more)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert not (folder / "results").exists()


def test_a_settings_file_may_not_change_what_the_suite_says(folder: Path) -> None:
    (folder / "grmeval.toml").write_text('judge = "index"\n')
    done = suite(folder, "--fake")
    assert done.returncode == 2
    assert "grmeval.toml: judge: a suite says that itself" in done.stderr
    (folder / "grmeval.toml").write_text('max_tokens = 30\nbench = "rmb"\nmodel = "demo"\n')
    done = suite(folder, "--fake", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("--max-tokens 30") == 2  # the suite's own stays
