"""A run that is killed, again and again, at any moment, ends as if nothing had happened."""

import signal
from pathlib import Path

import numpy as np
import pytest

from grmeval.store import RunFolder
from tests.helpers import grmeval, journaled, rows, running, until

SAMPLES = 75 * 48


def arguments(results: Path, seed: int) -> list[object]:
    failing = ["no_score=0.02", "truncated=0.02", "chars=3000", "latency=0.0004"]
    options = [word for setting in failing for word in ("--engine-arg", setting)]
    return ["run", "--engine", "fake", "--k", 48, "--seed", seed, "--results", results, *options]


def kill_once(results: Path, seed: int, moment: str, lines: int) -> bool:
    """Start the run and kill it at a moment; whether it was still there."""

    def reached() -> bool:
        if moment == "writing":
            return journaled(results) >= lines
        return any(results.glob(f"*/*/*/{moment}"))

    with running(*arguments(results, seed)) as at_work:
        until(reached, at_work)
    return at_work.returncode == -signal.SIGKILL


MOMENTS = (
    "run.json",
    "writing",
    "samples.parquet.tmp",
    "journal",
    "writing",
    "samples.parquet.tmp",
)
"""A file's being there, or so many lines of the journal."""


@pytest.mark.parametrize(
    ("most", "folds"),
    [(3, 1), pytest.param(50, 12, marks=pytest.mark.long)],
    ids=["a few kills", "fifty kills"],
)
def test_kills_lose_nothing_and_repeat_nothing(most: int, folds: int, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    kills = dict.fromkeys(MOMENTS, 0)
    seed = 0
    while sum(kills.values()) < most:
        seed += 1
        torn, whole = tmp_path / f"torn{seed}", tmp_path / f"whole{seed}"
        seen: set[object] = set()
        for moment in MOMENTS[:most]:
            lines = int(random.integers(1, SAMPLES))
            was_there = kill_once(torn, seed, moment, lines)
            kills[moment] += was_there
            for record in torn.glob("*/*/*/run.json"):
                done = set(RunFolder(record.parent).done())
                assert seen <= done
                seen = set(done)
            if not was_there:
                break
        for results in (torn, whole):
            finished = grmeval(*arguments(results, seed))
            assert finished.returncode == 0, finished.stderr
        ours, theirs = (next(results.glob("*/*/*")) for results in (torn, whole))
        assert rows(ours) == rows(theirs)
        assert len({(r["subset"], r["id"], r["j"]) for r in rows(ours)}) == SAMPLES
        assert len(rows(ours)) == SAMPLES
        assert (ours / "accuracy.csv").read_bytes() == (theirs / "accuracy.csv").read_bytes()
        assert not list((ours / "journal").iterdir())
    print(kills)
    assert kills["samples.parquet.tmp"] >= folds
