"""`meta-score` that is killed, again and again, at any moment, ends as if nothing had happened."""

import signal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from grmeval.store import RewardFile
from tests.helpers import grmeval, running, sampled, until

KILLS = 3


def arguments(results: Path) -> list[object]:
    settings = [
        word for s in ("latency=0.001", "prompt_too_long=0.05") for word in ("--engine-arg", s)
    ]
    return ["meta-score", "latest", "--results", results, "--engine", "fake", *settings]


def rewards(run: Path) -> int:
    return len(RewardFile(run, "fake").done())


def kill_once(run: Path, results: Path, more: int) -> bool:
    """Start it, let it write so many more, and kill it; whether it was still running."""
    seen = rewards(run)
    with running(*arguments(results)) as at_work:
        until(lambda: rewards(run) >= seen + more, at_work)
    return at_work.returncode == -signal.SIGKILL


@pytest.mark.long
def test_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    torn, whole = (sampled(tmp_path / name, k=16).path for name in ("torn", "whole"))
    record = (torn / "run.json").read_bytes()
    kills, seen = 0, 0
    for _ in range(KILLS):
        kills += kill_once(torn, tmp_path / "torn", int(random.integers(1, 150)))
        done = rewards(torn)
        assert done > seen or done == 75 * 16
        seen = done
    assert kills >= 2
    for path in (torn, whole):
        finished = grmeval(*arguments(path.parents[2]))
        assert finished.returncode == 0, finished.stderr
    ours, theirs = (pq.read_table(path / "rewards" / "fake.parquet") for path in (torn, whole))
    assert ours.equals(theirs)
    assert len(ours) == 75 * 16
    assert not list((torn / "rewards").glob("*.jsonl"))
    assert (torn / "run.json").read_bytes() == record
    print(f"{kills} kills; {seen} rewards before the last command")
