"""How far runs of the same items agree: their parsed scores beside those of the first run.

    python perf/agree.py RUN RUN... [--least 0.95] [--list 20] [--results results]
    python perf/agree.py --small

RUN: a run folder, a run-id or a name. Meant for greedy runs in float32, one engine beside another. Compared
are the samples (subset, id, j) that the first run holds: an item agrees where each of them has the same
scores in both, or no scores for the same reason. Those that do not are listed with what each run says.
Exit code 1 where fewer than `--least` of the items agree with the first run's; a sample that is missing,
or was shown in another order of responses, is one that disagrees. `--small`: of runs made here, by the fake
engine.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from grmeval.errors import GrmevalError
from grmeval.report.progress import ConsoleProgress
from grmeval.report.signs import Signs
from grmeval.runs import configure, extend, prepare
from grmeval.store import RunFolder, SampleKey, find_run, sample_batches

WATCHER = ConsoleProgress(Console(stderr=True), Signs())
COLUMNS = ["subset", "id", "j", "order", "scores", "invalid", "tokens"]


def said(run: Path) -> tuple[dict[SampleKey, tuple[list[int], str]], int]:
    """(of each sample the order it was shown in, and its scores or why there are none; tokens written)."""
    found, tokens = {}, 0
    for batch in sample_batches(RunFolder(run), COLUMNS, 8192):
        for row in batch.to_pylist():
            key = SampleKey(row["subset"], row["id"], row["j"])
            found[key] = (
                row["order"],
                row["invalid"] if row["scores"] is None else str(row["scores"]),
            )
            tokens += row["tokens"]
    return found, tokens


def compare(first: Path, other: Path, most: int) -> float:
    """The share of items that agree, printed with those that do not, up to `most` of them."""
    (ours, written), (theirs, others) = said(first), said(other)
    differ: dict[tuple[str, str], list[str]] = {}
    for key, (order, scores) in sorted(ours.items()):
        differ.setdefault(key[:2], [])
        where, what = theirs.get(key, (order, "missing"))
        if where != order:
            what = f"shown in order {where}, not {order}"
        if what != scores:
            differ[key[:2]].append(f"sample {key.j}: {scores} | {what}")
    apart = {item: lines for item, lines in differ.items() if lines}
    share = 1 - len(apart) / len(differ) if differ else 0.0
    print(
        f"{other.name} beside {first.name}: {len(differ) - len(apart)} of {len(differ)} items agree "
        f"({share:.1%}); {len(ours)} samples, {sum(map(len, apart.values()))} differ; "
        f"tokens written {written:,} | {others:,}"
    )
    for item, lines in list(apart.items())[:most]:
        print(f"  {'/'.join(item)}: {'; '.join(lines)}")
    if len(apart) > most:
        print(f"  and {len(apart) - most} more items (--list {len(apart)})")
    return share


def made(results: Path) -> list[Path]:
    """Two runs of the fake engine that say the same, and one that says something else."""
    settings = {"bench": "sample", "engine": "fake", "k": 2, "limit": 20, "results": results}
    asked = [{"chars": 100}, {"chars": 300}, {"accuracy": 0.5}]
    plans = [prepare(configure(settings | {"engine_args": each})) for each in asked]
    return [extend(plan, WATCHER).path for plan in plans]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--least", type=float, default=0.95)
    parser.add_argument("--list", type=int, default=20, metavar="N")
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    if given.small:
        with tempfile.TemporaryDirectory() as folder:
            first, same, unlike = made(Path(folder))
            if compare(first, same, 5) < 1 or compare(first, unlike, 5) == 1:
                sys.exit("runs that agree, or that do not, are not told apart")
        return
    if len(given.runs) < 2:
        parser.error("two runs at least")
    try:
        first, *others = (find_run(run, given.results) for run in given.runs)
        shares = [compare(first, other, given.list) for other in others]
    except GrmevalError as error:
        sys.exit(f"error: {error}")
    if min(shares) < given.least:
        sys.exit(f"fewer than {given.least:.0%} of the items agree")


if __name__ == "__main__":
    main()
