"""`grmeval meta-score` and `run --meta-model` as processes: what they say, and what they leave."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import StoreError
from grmeval.store import RewardFile, RunFolder, latest
from tests.helpers import grmeval, running, sampled, until
from tests.runs.meta.test_score import scored

FAKE = ("--engine", "fake")
RUN = ("run", *FAKE, "--k", 4, "--meta-model", "judge-of-judges", "--meta-engine-arg", "auc=0.9")


def record(results: Path, name: str = "judge-of-judges") -> dict[str, Any]:
    path = latest(results) / "rewards" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_a_run_is_scored_and_voted_on(tmp_path: Path) -> None:
    sampled(tmp_path, k=4)
    asked = ("meta-score", "latest", "--results", tmp_path, *FAKE)
    first = grmeval(*asked, "--meta-model", "one", "--engine-arg", "auc=0.9")
    assert first.returncode == 0, first.stderr
    assert "300 judgements asked of one; " in first.stdout
    assert "meta rewards of 300 judgements" in first.stderr
    again = grmeval(*asked, "--meta-model", "one", "--engine-arg", "auc=0.9", "--json")
    (found,) = json.loads(again.stdout)
    assert (found["had"], found["new"], found["name"]) == (300, 0, "one")
    assert "loading" not in again.stderr
    other = grmeval(*asked, "--meta-model", "one", "--name", "two", "--engine-arg", "auc=0.6")
    assert other.returncode == 0, other.stderr
    votes = ("--vote", "sum", "--vote", "meta:one", "--vote", "meta:two", "--k-meta", 1)
    table = grmeval("score", "latest", "--results", tmp_path, *votes)
    assert table.returncode == 0, table.stderr
    assert "meta:two: sum of the k_meta samples of highest meta reward (two)" in table.stdout
    shown = json.loads(grmeval("show", "latest", "--results", tmp_path, "--json").stdout)
    assert set(shown["rewards"]) == {"one", "two"}
    assert shown["rewards"]["one"]["launches"][0]["samples"] == 300
    assert "meta rewards one" in grmeval("show", "latest", "--results", tmp_path).stdout


def test_one_command_samples_scores_and_votes(tmp_path: Path) -> None:
    found = grmeval(*RUN, "--results", tmp_path, "--json")
    assert found.returncode == 0, found.stderr
    table = json.loads(found.stdout)  # nothing of the meta RM's process is in it
    assert {row["vote"] for row in table["rows"]} == {"sum", "meta:judge-of-judges"}
    gained = {row["vote"]: row["value"] for row in table["rows"] if row["level"] == "overall"}
    assert gained["meta:judge-of-judges"] > gained["sum"]
    (launch,) = record(tmp_path)["launches"]
    assert launch["samples"] == 300
    # Of each process its own peak, and the first is this one: whatever tests loaded before is its.
    run = json.loads((latest(tmp_path) / "run.json").read_text("utf-8"))
    for memory in (launch["memory_mib"], run["launches"][0]["memory_mib"]):
        assert 0 < memory["held"] <= memory["peak"]
    assert launch["memory_mib"]["peak"] < 2000
    assert found.stderr.count("peak memory") == 2
    assert found.stderr.index("the engine is closed") < found.stderr.index("loading meta RM")


@pytest.mark.usefixtures("children_here")
def test_further_votes_and_a_larger_k_are_the_same_command(tmp_path: Path) -> None:
    assert grmeval(*RUN, "--results", tmp_path).returncode == 0
    more = grmeval(*RUN, "--k", 6, "--vote", "meta", "--k-meta", 2, "--results", tmp_path)
    assert more.returncode == 0, more.stderr
    assert [each["samples"] for each in record(tmp_path)["launches"]] == [300, 150]
    assert "k_meta: at most 2, 2 at k=6" in more.stdout


@pytest.mark.long
def test_a_command_that_is_killed_leaves_no_writer_and_goes_on(tmp_path: Path) -> None:
    slow = (*RUN, "--meta-engine-arg", "latency=0.01", "--results", tmp_path)

    def done() -> int:
        runs = [path.parent for path in tmp_path.glob("*/*/*/run.json")]
        return len(RewardFile(runs[0], "judge-of-judges").done()) if runs else 0

    with running(*slow) as at_work:
        assert until(lambda: done() >= 20, at_work)
    assert at_work.returncode == -9
    run = RunFolder(latest(tmp_path))

    def free() -> bool:
        with contextlib.suppress(StoreError), RewardFile(run.path, "judge-of-judges").writer():
            return True
        return False

    assert until(free)  # the meta RM's process ends with its parent
    last = done()
    assert 20 <= last < 300
    found = grmeval(*RUN, "--results", tmp_path)
    assert found.returncode == 0, found.stderr
    assert "no model is loaded" in found.stderr
    launches = record(tmp_path)["launches"]
    assert len(launches) == 2
    assert launches[1]["samples"] == 300 - last


@pytest.mark.usefixtures("children_here")
def test_a_dead_meta_rm_is_infrastructure(tmp_path: Path) -> None:
    dying = ("--meta-engine-arg", "die_after=50", "--results", tmp_path)
    found = grmeval(*RUN, *dying)
    assert found.returncode == 3
    assert "the fake meta RM died after 50 rewards" in found.stderr
    assert "the meta RM did not finish (exit code 3, see above)" in found.stderr
    assert grmeval(*RUN, "--results", tmp_path).returncode == 0
    assert [each["samples"] for each in record(tmp_path)["launches"]] == [50, 250]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--model", "deepseek-grm-27b-meta"), "a model with a head that gives one number"),
        (("run", *FAKE, "--vote", "meta"), "--vote meta: which meta RM?"),
        (("run", *FAKE, "--k-meta", 2), "--k-meta 2: it is of --vote meta"),
        (
            ("run", *FAKE, "--meta-model", "m", "--shard", "1/2"),
            "score the whole run when all shards",
        ),
        (("run", *FAKE, "--meta-model", "m", "--meta-template", "no.jinja"), "cannot be read"),
        (("run", *FAKE, "--meta-model", "m", "--meta-engine-arg", "auk=1"), "no such setting"),
        (("run", *FAKE, "--meta-model", "m", "--vote", "summ"), "--vote 'summ'"),
        (
            ("run", *FAKE, "--meta-engine-arg", "auc=0.9"),
            "--meta-engine-arg {'auc': 0.9}: of which",
        ),
        (("meta-score", "latest"), "no run with samples"),
    ],
)
def test_mistakes_are_said_before_anything_is_sampled(
    tmp_path: Path, words: tuple[object, ...], said: str
) -> None:
    found = grmeval(*words, "--results", tmp_path)
    assert found.returncode == 2
    assert said in found.stderr
    assert not list(tmp_path.glob("*/*/*/run.json"))


def test_other_mistakes(tmp_path: Path) -> None:
    sampled(tmp_path, k=1)
    for words, said in (
        ((), "which meta RM"),
        (("--meta-model", "deepseek-grm-16b"), "a model that writes"),
        (("--meta-model", "demp"), "presets allowed: deepseek-grm-27b-meta"),
        ((*FAKE, "--engine-arg", "auc=2"), "--engine-arg auc"),
    ):
        found = grmeval("meta-score", "latest", "--results", tmp_path, *words)
        assert found.returncode == 2, found.stderr
        assert said in found.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--meta-model", "m", "--vote", "meta:typo"), "which meta model? meta:NAME; allowed: m"),
        (("--vote", "borda"), "--vote borda: it compares responses"),
    ],
)
def test_votes_that_cannot_be_counted_cost_nothing(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    found = grmeval("run", "--engine", "fake", "--k", 1, "--results", tmp_path, *words)
    assert (found.returncode, said in found.stderr) == (2, True), found.stderr
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.usefixtures("children_here")
def test_the_plain_vote_is_told_although_the_meta_rm_dies(tmp_path: Path) -> None:
    words = ("--meta-model", "m", "--meta-engine-arg", "die_after=3")
    found = grmeval(
        "run", "--engine", "fake", "--k", 2, "--limit", 8, "--results", tmp_path, *words
    )
    assert found.returncode == 3, found.stderr
    assert "the meta RM did not finish" in found.stderr
    assert "overall" in found.stdout


def test_a_run_of_pools_has_no_judgement_to_score(tmp_path: Path) -> None:
    made = ("run", "--engine", "fake", "--layout", "single", "--k", 1, "--results", tmp_path)
    assert grmeval(*made).returncode == 0
    found = grmeval(
        "meta-score", "latest", "--meta-model", "m", "--engine", "fake", "--results", tmp_path
    )
    assert (found.returncode, "judged one by one" in found.stderr) == (2, True), found.stderr


def test_a_merge_says_that_rewards_stay_behind(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = sampled(tmp_path / name, k=1)
    scored(folder, name="m")
    into = next((tmp_path / "a").glob("*/*/*/run.json")).parent
    found = grmeval("merge", into, folder.path)
    assert found.returncode == 0, found.stderr
    assert f"{folder.path}: rewards of m stay there" in found.stdout
