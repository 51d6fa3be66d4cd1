"""`--data-parallel` with real processes: whoever is killed, nothing is lost or doubled, none left behind."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from grmeval.benches import load
from grmeval.cli.meta_score import in_a_fresh_process
from grmeval.engines.fake import FakeEngine
from grmeval.engines.places import HERE, Place, in_words, places
from grmeval.engines.pool import EnginePool
from grmeval.engines.workers import ProcessWorker, worker_seeds
from grmeval.errors import ConfigError, EngineError
from grmeval.judges import make_judge
from grmeval.runs import configure
from grmeval.store import RunFolder, latest, reward_rows
from tests.helpers import ask, grmeval, journaled, rows, running, sampled, until

TWO = ("--data-parallel", 2)
SLOW = ("--engine", "fake", "--k", 8, "--engine-arg", "latency=0.01")
SAMPLES = 75 * 8


def children(started: "subprocess.Popen[str]") -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(started.pid).children(recursive=True)
    return found


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def at_work(results: Path, started: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Both workers, in the middle of their work."""
    assert until(lambda: journaled(results) > 40, started)
    found = children(started)
    assert len(found) == 2
    return found


def whole(results: Path) -> list[dict[str, Any]]:
    """All samples, each once."""
    found = rows(latest(results))
    assert len({(r["subset"], r["id"], r["j"]) for r in found}) == len(found) == SAMPLES
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """What one process makes of the same settings."""
    return sampled(tmp_path_factory.mktemp("alone"), k=8)


def test_two_processes_make_the_run_that_one_makes(tmp_path: Path, alone: RunFolder) -> None:
    done = grmeval("run", "--engine", "fake", "--k", 8, *TWO, "--results", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "loading engine fake: fake, in 2 processes …" in done.stderr
    folder = RunFolder(latest(tmp_path))
    assert folder.path.name == alone.path.name
    assert whole(tmp_path) == rows(alone.path)
    (launch,) = folder.record["launches"]
    seeds = launch["engine"].pop("seeds").split(", ")
    assert launch["engine"] == {"engine": "fake", "workers": "2"}
    assert [*map(int, seeds)] == worker_seeds(launch["engine_seed"], 2)
    assert len({*seeds, str(launch["engine_seed"])}) == 3
    assert launch["devices"] == 2
    # Other launches' workers draw otherwise; the same launch's draw the same.
    assert not set(worker_seeds(1, 8)) & set(worker_seeds(2, 8))
    assert (
        "no model is loaded"
        in grmeval("run", "--engine", "fake", "--k", 8, *TWO, "--results", tmp_path).stderr
    )


def test_one_that_is_killed_is_done_without(tmp_path: Path, alone: RunFolder) -> None:
    with running("run", *SLOW, *TWO, "--results", tmp_path) as started:
        at_work(tmp_path, started)[0].kill()
        _, said = started.communicate(timeout=60)
    assert started.returncode == 0, said
    assert "killed by SIGKILL" in said
    assert "unanswered samples go to the others" in said
    assert whole(tmp_path) == rows(alone.path)
    (launch,) = RunFolder(latest(tmp_path)).record["launches"]
    assert launch["engine"]["died"].startswith("process ")
    assert launch["samples"] == SAMPLES


@pytest.mark.long
def test_all_killed_is_an_error_and_the_same_command_goes_on(
    tmp_path: Path, alone: RunFolder
) -> None:
    words = ("run", *SLOW, *TWO, "--results", tmp_path)
    with running(*words) as started:
        for each in at_work(tmp_path, started):
            each.kill()
        _, said = started.communicate(timeout=60)
    assert started.returncode == 3
    assert "died: killed by SIGKILL, as the system does where memory is short" in said
    assert "what is finished is kept: run the same command again" in said
    assert "Traceback" not in said
    there = len(RunFolder(latest(tmp_path)).done())
    assert 40 < there < SAMPLES
    rest = grmeval("run", "--engine", "fake", "--k", 8, *TWO, "--results", tmp_path)
    assert f"{SAMPLES - there:,} samples of" in rest.stderr
    assert whole(tmp_path) == rows(alone.path)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        *(pytest.param(n, marks=pytest.mark.long) for n in (signal.SIGTERM, signal.SIGINT)),
    ],
)
def test_no_process_outlives_the_command(
    number: signal.Signals, tmp_path: Path, alone: RunFolder
) -> None:
    with running("run", *SLOW, *TWO, "--results", tmp_path) as started:
        workers = at_work(tmp_path, started)
        started.send_signal(number)
        _, said = started.communicate(timeout=60)
    assert started.returncode == (-number if number == signal.SIGKILL else 130), said
    assert until(lambda: gone(workers))
    if number == signal.SIGKILL:
        again = grmeval("run", "--engine", "fake", "--k", 8, *TWO, "--results", tmp_path)
        assert again.returncode == 0, again.stderr
        assert whole(tmp_path) == rows(alone.path)


@pytest.mark.long
def test_they_end_while_they_load_too(tmp_path: Path) -> None:
    with running("run", *SLOW, *TWO, "--results", tmp_path) as started:
        assert until(lambda: len(children(started)) == 2, started)
        workers = children(started)
        started.kill()
    assert until(lambda: gone(workers))


def test_a_judge_whose_pick_has_a_probability(tmp_path: Path) -> None:
    for where, more in (("one", ()), ("two", TWO)):
        words = ("--bench", "sample", "--subset", "*-pairs", "--judge", "index-prob", "--k", 2)
        done = grmeval("run", "--engine", "fake", *words, *more, "--results", tmp_path / where)
        assert done.returncode == 0, done.stderr
    one, two = (rows(latest(tmp_path / where)) for where in ("one", "two"))
    assert one == two
    assert all(row["weight"] is not None for row in two)


def test_a_meta_rm_in_two_processes_gives_the_same_rewards(alone: RunFolder) -> None:
    for name, more in (("one", ()), ("two", TWO)):
        ask("meta-score", alone.path, "--engine", "fake", "--name", name, *more)
    one, two = (
        sorted(zip(*(table[column].to_pylist() for column in table.column_names), strict=True))
        for table in (
            reward_rows(alone.path, name, ["subset", "id", "j", "reward"])
            for name in ("one", "two")
        )
    )
    assert len(one) == SAMPLES
    assert one == two


def test_the_meta_rm_of_a_run_has_as_many(
    alone: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[object]] = []
    monkeypatch.setattr("grmeval.cli.meta_score.run_child", lambda words: started.append(words))
    settings = {"bench": "sample", "engine": "fake", "meta_model": "m", "data_parallel": "auto"}
    in_a_fresh_process([alone.path], configure(settings))
    (words,) = started
    assert words[words.index("--data-parallel") + 1] == "auto"


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Four GPUs, by what a scheduler calls them, and a vLLM that uses them."""
    monkeypatch.setattr("grmeval.engines.vllm_model.is_cpu_build", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5, GPU-8f2a, 7")
    return monkeypatch


def test_each_process_has_gpus_of_its_own(gpus: pytest.MonkeyPatch) -> None:
    def named(asked: Any, each: int) -> list[str]:
        return [p.environment["CUDA_VISIBLE_DEVICES"] for p in places(asked, each, "vllm")]

    assert named("auto", 1) == ["4", "5", "GPU-8f2a", "7"]
    assert named("auto", 2) == named(2, 2) == ["4,5", "GPU-8f2a,7"]
    assert named(3, 1) == ["4", "5", "GPU-8f2a"]
    found = places(2, 2, "vllm")
    assert in_words(2, found) == ", in 2 processes (GPU 4, 5; GPU GPU-8f2a, 7)"
    with pytest.raises(ConfigError, match=r"--data-parallel 3: .* takes 6 GPUs, and 4 can be seen"):
        places(3, 2, "vllm")
    assert places(1, 8, "vllm") == places("auto", 4, "vllm") == places("auto", 8, "vllm") == HERE
    gpus.setenv("CUDA_VISIBLE_DEVICES", "")
    assert places("auto", 1, "vllm") == HERE


def test_without_a_gpu_each_process_has_cores_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grmeval.engines.vllm_model.is_cpu_build", lambda: True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 2, 3, 6, 7})
    two = places(2, 1, "vllm")
    assert [(p.name, p.cores) for p in two] == [("cores 1-2", (1, 2)), ("cores 3, 6, 7", (3, 6, 7))]
    assert [p.environment["OMP_NUM_THREADS"] for p in two] == ["2", "3"]
    with pytest.raises(ConfigError, match=r"--data-parallel 6: .* a core of its own, .* are 5"):
        places(6, 1, "vllm")
    assert places("auto", 1, "vllm") == places("auto", 1, "fake") == HERE
    assert "in one process (--data-parallel auto" in in_words("auto", HERE)
    assert in_words(1, HERE) == ""
    assert len(places(6, 1, "fake")) == 6  # which needs none


def test_a_process_keeps_to_its_place_and_says_why_it_could_not_start() -> None:
    core = min(os.sched_getaffinity(0))
    place = Place("core", {"OMP_NUM_THREADS": "1", "GRMEVAL_TEST": "here"}, (core,))
    items, write = load("sample").items, make_judge("pointwise").write
    pool = EnginePool([ProcessWorker("a", place, partial(FakeEngine, items, write, 0, {}))], {})
    (seat,) = pool._seats
    assert isinstance(seat.worker, ProcessWorker)
    assert seat.worker._process
    found = psutil.Process(seat.worker._process.pid)
    assert found.cpu_affinity() == [core]
    assert found.environ()["GRMEVAL_TEST"] == "here"
    pool.close()
    assert gone([found])
    wrong = partial(FakeEngine, items, write, 0, {"acuracy": 1})
    with pytest.raises(ConfigError, match=r"--engine-arg acuracy: (?s:.*) did you mean 'accuracy'"):
        EnginePool([ProcessWorker("a", Place(), wrong)], {})
    ends = partial(os._exit, 7)
    with pytest.raises(EngineError, match=r"^a could not be loaded: ended with exit code 7\n"):
        EnginePool([ProcessWorker("a", Place(), ends)], {})
    writes = partial(os.system, "echo the last words; kill -SEGV $PPID")
    with pytest.raises(EngineError, match=r"killed by SIGSEGV\n  the last words\n"):
        EnginePool([ProcessWorker("a", Place(), writes)], {})


@pytest.mark.parametrize("word", ["0", "-1", "all", "1.5"])
def test_what_is_no_number_of_processes(word: str, alone: RunFolder) -> None:
    for command in (("run",), ("meta-score", alone.path)):
        said = ask(*command, "--engine", "fake", f"--data-parallel={word}", code=2)
        assert (
            f"--data-parallel: expected a number of processes, at least 1, or auto (given: '{word}')"
            in said
        )


def test_a_suite_hands_it_on() -> None:
    said = ask("suite", "deepseek-grm", "--fake", "--dry-run", "--set", "data_parallel=2")
    commands = [line for line in said.splitlines() if line.startswith("grmeval run")]
    assert commands
    assert all("--data-parallel 2" in line for line in commands)
