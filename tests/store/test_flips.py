"""A bit that flips on disk is never a silently different number: `score` says the same, or names the file."""

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from grmeval.items import Sample
from grmeval.store import JournalWriter, LineWriter
from tests.helpers import grmeval, sampled

FILES = {
    "samples.parquet": "folded",
    "items.parquet": "folded",
    "rewards/m.parquet": "folded",
    "rewards/m.json": "folded",
    "run.json": "folded",
    "journal/0000.jsonl": "journaled",
    "rewards/m.jsonl": "journaled",
}
"""What is flipped, and in which of two runs."""

FAILING = {"no_score": 0.1, "truncated": 0.1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small run with rewards, and the same with all of it in journals."""
    folded = sampled(tmp_path_factory.mktemp("runs"), k=2, limit=16, engine_args=FAILING).path
    meta = ("--meta-model", "m", "--name", "m", "--engine", "fake")
    found = grmeval("meta-score", folded, *meta)
    assert found.returncode == 0, found.stderr
    journaled = folded.parent / "journaled"
    shutil.copytree(folded, journaled)
    with JournalWriter(journaled / "journal" / "0000.jsonl") as journal:
        for row in pq.read_table(journaled / "samples.parquet").to_pylist():
            journal.write(Sample(**row))
    with LineWriter(journaled / "rewards" / "m.jsonl") as rewards:
        for row in pq.read_table(journaled / "rewards" / "m.parquet").to_pylist():
            rewards.write_row(row)
    for name in ("samples.parquet", "rewards/m.parquet"):
        (journaled / name).unlink()
    return {"folded": folded, "journaled": journaled}


def scored(run: Path) -> tuple[int, str, str]:
    """Exit code, the table, what was said."""
    found = grmeval("score", run, "--vote", "sum", "--vote", "meta", "--json")
    return found.returncode, found.stdout, found.stderr


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "flips",
    [8, pytest.param(int(os.environ.get("FLIPS", "100")), marks=pytest.mark.long)],
    ids=["a few", "a thousand"],
)
def test_a_flipped_bit_is_said_or_changes_nothing(
    runs: dict[str, Path], name: str, flips: int
) -> None:
    run = runs[FILES[name]]
    path = run / name
    whole = path.read_bytes()
    code, table, said = scored(run)
    assert (code, "meta" in table) == (0, True), said
    random = np.random.default_rng([flips, *name.encode()])
    outcomes: Counter[str] = Counter()
    try:
        for bit in random.choice(8 * len(whole), flips, replace=8 * len(whole) < flips).tolist():
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            code, found, said = scored(run)
            if (code, found) == (0, table):
                outcomes["the same"] += 1
                continue
            named = name in said or f"rewards/{path.name}" in said
            assert code in (2, 3), (bit, code, said)
            assert named, (bit, code, said)
            assert "Traceback" not in said
            outcomes[f"exit {code}"] += 1
    finally:
        path.write_bytes(whole)
    print(f"{name}: {len(whole):,} bytes, {flips:,} flips: {dict(outcomes)}")
    assert sum(outcomes.values()) == flips
