"""A run that is killed, again and again, at any moment, ends as if nothing had happened."""

import subprocess
import time
from pathlib import Path

import numpy as np

from grmeval.store import RunFolder
from tests.helpers import ENVIRONMENT, command, grmeval, rows

KILLS = 50


def arguments(results: Path, seed: int) -> list[object]:
    failing = ["no_score=0.02", "truncated=0.02", "chars=3000", "latency=0.0004"]
    options = [word for setting in failing for word in ("--engine-arg", setting)]
    return ["run", "--engine", "fake", "--k", 48, "--seed", seed, "--results", results, *options]


def kill_once(results: Path, seed: int, wait: float, in_fold: bool) -> tuple[bool, bool]:
    """Start the run and kill it; (was it still running, was it folding)."""
    process = subprocess.Popen(
        command(*arguments(results, seed)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    end = time.monotonic() + (10 if in_fold else wait)
    folding = False
    while process.poll() is None and time.monotonic() < end and not (in_fold and folding):
        folding = any(results.glob("*/*/*/samples.parquet.tmp"))
        time.sleep(0.001)
    running = process.poll() is None
    process.kill()
    process.wait()
    return running, folding


def test_fifty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    kills = folds = seed = 0
    while kills < KILLS:
        seed += 1
        torn, whole = tmp_path / f"torn{seed}", tmp_path / f"whole{seed}"
        seen: set[object] = set()
        for attempt in range(12):
            running, folding = kill_once(
                torn, seed, random.uniform(0.4, 2.2), in_fold=attempt % 2 == 1
            )
            kills, folds = kills + running, folds + folding
            for record in torn.glob("*/*/*/run.json"):
                done = set(RunFolder(record.parent).done())
                assert seen <= done
                seen = set(done)
            if not running:
                break
        for results in (torn, whole):
            finished = grmeval(*arguments(results, seed))
            assert finished.returncode == 0, finished.stderr
        ours, theirs = (next(results.glob("*/*/*")) for results in (torn, whole))
        assert rows(ours) == rows(theirs)
        assert (
            len({(r["subset"], r["id"], r["j"]) for r in rows(ours)}) == len(rows(ours)) == 75 * 48
        )
        assert (ours / "accuracy.csv").read_bytes() == (theirs / "accuracy.csv").read_bytes()
        assert not list((ours / "journal").iterdir())
    print(f"{kills} kills, {folds} of them in a fold")
    assert folds >= 5
