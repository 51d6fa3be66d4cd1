"""A suite's jobs for people: what each would ask, and why some cannot be done."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from grmeval.report.cells import count
from grmeval.report.printable import printable
from grmeval.runs.suite import Job, Work

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["dry_table", "lacking_lines"]

MOST_NAMED = 4
"""Runs that a line names."""


def dry_table(jobs: Sequence[Job]) -> tuple["Table", list[str]]:
    """What each job would ask: items, judgements, tokens, GPU-hours; in words the totals and what lacks."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("run", "benchmark"):
        shown.add_column(title, no_wrap=True, overflow="fold")
    for title in ("items", "samples", "prompt\ntokens", "generated\ntokens", "GPU\nhours"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("", overflow="fold")
    for job in (job for job in jobs if not job.lacks):
        work = job.work
        cells = ["", "", "", "", ""]
        if work:
            prompts = "?" if work.prompt_tokens is None else count(work.prompt_tokens)
            hours = f"{work.seconds / 3600:.2f}"
            cells = [count(work.items), count(work.samples), prompts, count(work.tokens), hours]
        shown.add_row(*map(Text, (job.run, job.bench, *cells, printable(_state(job)))))
    totals = _totals([job.work for job in jobs if job.work])
    return shown, [*totals, *(f"not run: {line}" for line in lacking_lines(jobs))]


def lacking_lines(jobs: Iterable[Job]) -> Iterator[str]:
    """A line a reason: the runs that lack it, with the benchmark where only one does."""
    found: dict[str, dict[str, list[str]]] = {}
    of: dict[str, set[str]] = {}
    for job in jobs:
        of.setdefault(job.run, set()).add(job.bench)
        for why, what in ((job.lacks, job.run), (job.meta_lacks, f"meta votes of {job.run}")):
            if why:
                found.setdefault(why, {}).setdefault(what, []).append(job.bench)
    for why, runs in found.items():
        benches = {bench for asked in runs.values() for bench in asked}
        whole = all(set(asked) == of[name.rpartition(" ")[2]] for name, asked in runs.items())
        on = "" if whole else f" on {', '.join(sorted(benches))}"
        names = list(runs) if len(runs) <= MOST_NAMED else [f"{len(runs)} runs"]
        yield f"{', '.join(names)}{on}: {why}"


def _state(job: Job) -> str:
    if job.waits:
        return "after its critiques"
    assert job.work is not None
    if job.work.done:
        return "done"
    if job.work.prompt_tokens is None:
        return "to fetch"
    return "measured" if job.work.measured else "assumed"


def _totals(works: Sequence[Work]) -> Iterator[str]:
    hours = sum(work.seconds for work in works) / 3600
    generated = sum(work.tokens for work in works)
    prompts = sum(work.prompt_tokens or 0 for work in works)
    samples = sum(work.samples for work in works)
    yield (
        f"still to ask: {samples:,} judgements, about {prompts:,} prompt tokens and {generated:,} "
        f"generated ones, {hours:.1f} GPU-hours"
    )
    if any(work.prompt_tokens is None for work in works):
        yield "to fetch: rows that are not here; their prompts (?) are in no total, and cost GPU-hours too"
