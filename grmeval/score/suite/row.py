"""A suite's rows: each run's vote of k samples, by benchmark, and the means of groups of benchmarks."""

from collections.abc import Mapping
from dataclasses import dataclass

from grmeval.benches import groups
from grmeval.errors import GrmevalError
from grmeval.runs.suite import Job, Suite, SuiteRow
from grmeval.score.cost import Cost, Prices
from grmeval.score.table import Accuracy, Row, score, together
from grmeval.store import RunFolder

__all__ = ["Made", "make_row"]

EVERY = 2**31 - 1
"""A --limit of all items: whatever a run was asked for last, a suite's numbers are of what the suite asks."""

Jobs = Mapping[tuple[str, str], Job]


@dataclass(frozen=True)
class Made:
    """What of a printed row was made; by benchmark what it took, or why there is no number.

    `rows`: benchmark or group -> "overall" or a section -> its row. `k` and `k_meta` are what was voted: at
    most what the runs have.
    """

    row: SuiteRow
    model: str | None
    k: int
    k_meta: int | None
    rows: Mapping[str, Mapping[str, Row]]
    lacks: Mapping[str, str]
    costs: Mapping[str, Cost]


def make_row(
    suite: Suite, row: SuiteRow, jobs: Jobs, limit: int | None, prices: Prices | None = None
) -> Made:
    """Score one printed row from the run folders that there are; nothing is asked of a model."""
    mine = {bench: job for (run, bench), job in jobs.items() if run == row.run}
    guided = row.vote.startswith("meta")
    lacks, found = dict[str, str](), dict[str, Accuracy]()
    k = min([row.k, *(job.k for job in mine.values() if not job.lacks)])
    model = None
    k_meta = min(row.k_meta, k) if row.k_meta and guided else None
    for bench, job in mine.items():
        why = job.lacks or (job.meta_lacks if guided else None)
        if why or job.path is None or not (job.path / "run.json").exists():
            lacks[bench] = why or "not run yet"
            continue
        try:
            folder = RunFolder(job.path)
            model = model or str(folder.record["config"]["label"])
            found[bench] = score(
                folder,
                k=k,
                limit=limit or EVERY,
                votes=[f"{row.vote}:{job.meta}" if guided and job.meta else row.vote],
                protocol=suite.protocol,
                k_meta=k_meta,
                prices=prices,
            )
        except GrmevalError as error:
            lacks[bench] = str(error)
    results = {**found, **_means(suite, row, found)}
    rows = {bench: _by_name(result) for bench, result in results.items()}
    costs = {bench: cost for bench, result in found.items() for cost in result.cost.values()}
    return Made(row, model, k, k_meta, rows, lacks, costs)


def _by_name(result: Accuracy) -> dict[str, Row]:
    """Its sections, and its overall under that name, however much of it there is."""
    rows = [row for row in result.rows if row.level in ("overall", "section")]
    return {"overall" if row.level == "overall" else row.name: row for row in rows}


def _means(suite: Suite, row: SuiteRow, found: Mapping[str, Accuracy]) -> dict[str, Accuracy]:
    """The mean of each group that the run asks for and that has one of its own."""
    if not found:
        return {}
    known = groups()
    asked = [name for name in suite.runs[row.run].bench if name in known and known[name].mean]
    return {name: together(name, known[name], list(found.values()), "") for name in asked}
