"""A million stored samples: seconds and peak memory of `grmeval score`, imports stated apart.

    python perf/score.py [--samples 1000000] [--n 2] [--chars 100] [--score="--vote majority" …]

The run folder is made in a temporary directory: `grmeval run` judges the pairs (or best-of-n lists) once
with the fake engine, and its samples.parquet is replaced by k = 32 samples an item written as one Arrow
table: random scores of 1 to 10, one sample in 25 invalid, distinct texts. Beside it, over the same file:
a process that only imports what scoring does, and a Python loop over the rows of the columns it reads.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from grmeval.parquet import parquet_writer, read_parquet
from grmeval.store import SAMPLES, RunFolder, sample_schema

K = 32
WORDS = "a grader reads both answers and says which of them serves the user better and why "
GRMEVAL = [sys.executable, "-m", "grmeval"]
IMPORTS = """
import pandas, pyarrow.compute, pyarrow.parquet, rich.table, scipy.special
import grmeval.cli, grmeval.report.accuracy, grmeval.score
"""
LOOP = """
import sys
from pathlib import Path
from grmeval.store.samples import read_rows
for row in read_rows(Path(sys.argv[1]), ["subset", "id", "j", "scores", "invalid", "launch", "form"]):
    pass
"""


class Used(NamedTuple):
    """What a process took."""

    wall: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:5.2f} s wall, {self.cpu:5.2f} s of CPU, peak {self.peak:,.0f} MiB"


def measured(words: list[str]) -> Used:
    """A process on at most two cores."""
    started = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        os.sched_setaffinity(child.pid, sorted(os.sched_getaffinity(0))[:2])
        assert child.stderr
        said = child.stderr.read().decode()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(words)}: exit {child.returncode}\n{said}")
    wall = time.perf_counter() - started
    return Used(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def rows(count: int, n: int) -> list[dict[str, Any]]:
    """Pairs or best-of-n lists in RMB's columns."""

    def row(i: int) -> dict[str, Any]:
        best, *others = ({"answer": f"{i}.{at} {WORDS}"} for at in range(n))
        asked = {"conversation_input": [{"role": "user", "content": f"Question {i // 5}"}]}
        if n == 2:
            return asked | {"pair_uid": str(i), "chosen": best, "reject": others[0]}
        return asked | {"bon_uid": str(i), "bon_best": best, "loser_list": others}

    return [row(i) for i in range(count)]


def make_run(folder: Path, items: int, n: int, chars: int) -> Path:
    """The path of a finished run of items x K samples."""
    data = folder / "RMB_dataset" / ("Pairwise_set" if n == 2 else "BoN_set") / "Helpfulness"
    data.mkdir(parents=True)
    (data / "perf.json").write_text(json.dumps(rows(items, n)))
    results = folder / "results"
    asked = ["--bench", "rmb", "--data", str(folder), "--engine", "fake", "--k", "1"]
    run = [*GRMEVAL, "run", *asked, "--results", str(results)]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path = next(results.glob("*/*/*/run.json")).parent
    written = samples(read_parquet(path / "items.parquet", ["subset", "id"]), n, chars)
    with parquet_writer(path / SAMPLES, written.schema) as writer:
        writer.write_table(written, row_group_size=8192)
    RunFolder(path).update(asked={"k": K, "limit": None})
    return path


def samples(items: Any, n: int, chars: int) -> Any:
    """K samples of each item, by item and j: an Arrow table of `sample_schema`, null in any other column."""
    rng = np.random.default_rng(0)
    size = len(items) * K
    item, j = np.divmod(np.arange(size), K)
    invalid = rng.random(size) < 0.04
    lists = np.arange(size + 1, dtype=np.int32) * n
    order = (np.arange(n) + j[:, None]) % n
    kinds = np.array(["no_score", "truncated"])[rng.integers(2, size=size)]
    columns: dict[str, Any] = {
        "subset": items["subset"].take(pa.array(item)),
        "id": items["id"].take(pa.array(item)),
        "j": j,
        "order": pa.ListArray.from_arrays(lists, order.ravel().astype(np.int16)),
        "scores": pa.ListArray.from_arrays(
            lists, rng.integers(1, 11, size=size * n).astype(np.float64), mask=pa.array(invalid)
        ),
        "invalid": pa.array(kinds, mask=~invalid),
        "form": pa.array(np.full(size, "boxed"), mask=invalid),
        "finish": np.where(invalid & (kinds == "truncated"), "length", "stop"),
        "prompt_tokens": np.full(size, 400),
        "cached_tokens": np.zeros(size, dtype=np.int32),
        "tokens": rng.integers(50, 150, size=size),
        "parser": np.ones(size, dtype=np.int16),
        "launch": np.full(size, "0000"),
        "thinking": pa.nulls(size),
        "text": [f"{at}: {WORDS * (chars // len(WORDS) + 1)}"[:chars] for at in range(size)],
    }
    schema = sample_schema()
    rest = {name: pa.nulls(size) for name in schema.names if name not in columns}
    return pa.table({name: (columns | rest)[name] for name in schema.names}).cast(schema)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--n", type=int, default=2, help="responses an item")
    parser.add_argument("--chars", type=int, default=100)
    parser.add_argument("--score", default="", help="more options of grmeval score")
    parser.add_argument("--keep", type=Path, help="make the folder here, and leave it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # In another process: what is started here counts the peak memory of its parent as its own.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            where = given.keep or Path(folder)
            path = pool.submit(make_run, where, given.samples // K, given.n, given.chars).result()
        mib = (path / SAMPLES).stat().st_size / 2**20
        print(f"{given.samples // K * K:,} samples of {given.n} responses, {mib:,.0f} MiB")
        words = ["score", str(path), *shlex.split(given.score)]
        scored = measured([*GRMEVAL, *words])
        imports = measured([sys.executable, "-c", IMPORTS])
        loop = measured([sys.executable, "-c", LOOP, str(path)])
        print(f"grmeval score RUN {given.score}: {scored}")
        print(f"its imports alone: {imports}")
        print(f"grmeval --help: {measured([*GRMEVAL, '--help'])}")
        print(f"a Python loop over the rows, doing nothing: {loop}")
        print(f"score less imports / loop: {(scored.cpu - imports.cpu) / loop.cpu:.2f} of its CPU")


if __name__ == "__main__":
    main()
