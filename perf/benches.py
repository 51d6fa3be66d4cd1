"""Every benchmark at hand, with the fake engine: seconds and peak memory of loading, running, scoring.

    python perf/benches.py rmb=RMB.tar.xz realmistake=PATH … [--k 8]

A benchmark without a path is read from where `grmeval run` would find it: packaged, or in the hub's cache.

Each step is a process of its own on one core, its start included: `load` reads the rows into items, `run`
also samples and scores, `score` reads the run folder again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAD = """
import sys
from pathlib import Path
from grmeval.benches import load
load(sys.argv[1], Path(sys.argv[2]) if sys.argv[2:] else None)
"""


def measured(words: list[str]) -> tuple[float, float]:
    """(seconds, peak MiB) of a process on one core."""
    started = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        os.sched_setaffinity(child.pid, {min(os.sched_getaffinity(0))})
        assert child.stderr
        said = child.stderr.read().decode()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(words)}: exit {child.returncode}\n{said}")
    return time.perf_counter() - started, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("copies", nargs="+", metavar="BENCH[=PATH]")
    parser.add_argument("--k", type=int, default=8)
    given = parser.parse_args()
    print(f"{'bench':<18}{'load':>16}{'run k=' + str(given.k):>20}{'score':>16}")
    for bench, _, path in (copy.partition("=") for copy in given.copies):
        with tempfile.TemporaryDirectory() as results:
            where = ["--results", results]
            grmeval = [sys.executable, "-m", "grmeval"]
            copy = [str(Path(path).absolute())] if path else []
            data = ["--bench", bench, *(["--data", *copy] if copy else [])]
            fake = ["--engine", "fake", "--k", str(given.k)]
            steps = (
                measured([sys.executable, "-c", LOAD, bench, *copy]),
                measured([*grmeval, "run", *data, *fake, *where]),
                measured([*grmeval, "score", "latest", *where]),
            )
        cells = [f"{seconds:.1f} s {peak:,.0f} MiB" for seconds, peak in steps]
        print(f"{bench:<18}{cells[0]:>16}{cells[1]:>20}{cells[2]:>16}", flush=True)


if __name__ == "__main__":
    main()
