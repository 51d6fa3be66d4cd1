"""What everything around the engine costs: 100,000 samples of 2 kB, fake engine without latency.

    python perf/harness.py [--samples 100000] [--chars 2000]

Order, request, parse, journal, fold and score of 3,125 pairs at k = 32, as one `grmeval run` process on
one core; prints its seconds of CPU and its peak memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

K = 32
WORDS = "a grader reads both answers and says which of them serves the user better and why "


def rows(count: int) -> list[dict[str, object]]:
    """Pairs in RMB's columns, with prompts and responses of a usual length."""
    return [
        {
            "pair_uid": str(i),
            "conversation_input": [{"role": "user", "content": f"Question {i // 5}: {WORDS * 3}"}],
            "chosen": {"answer": f"{i} {WORDS * 8}"},
            "reject": {"answer": f"{i} {WORDS * 7}"},
        }
        for i in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--chars", type=int, default=1_900)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "RMB_dataset" / "Pairwise_set" / "Helpfulness"
        data.mkdir(parents=True)
        (data / "perf.json").write_text(json.dumps(rows(arguments.samples // K)))
        command = [
            sys.executable,
            "-m",
            "grmeval",
            "run",
            "--bench",
            "rmb",
            "--data",
            folder,
            "--engine",
            "fake",
        ]
        command += [
            "--k",
            str(K),
            "--engine-arg",
            f"chars={arguments.chars}",
            "--results",
            f"{folder}/results",
        ]
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        stored = next(Path(folder).glob("results/*/*/*/samples.parquet")).stat().st_size
    count = arguments.samples // K * K
    cpu = used.ru_utime + used.ru_stime
    print(
        f"{count:,} samples: {cpu:.1f} s of CPU ({1e6 * cpu / count:.0f} us a sample), {wall:.1f} s wall"
    )
    print(f"peak {used.ru_maxrss / 1024:.0f} MiB; samples.parquet {stored / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
