"""A finished run -> its baseline, at a fixed number of samples."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from grmeval.errors import Incomplete
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.nightly.baseline import About, Baseline, Figure, known_or_none
from grmeval.score.nightly.noise import sample_noise
from grmeval.score.nightly.settings import settings
from grmeval.score.nightly.silence import silences
from grmeval.score.verdicts import (
    Column,
    Frame,
    Rules,
    Verdicts,
    check_votes,
    column,
    digests,
    formed,
    judge_run,
    unit_keys,
    unrewarded,
    usual_vote,
)
from grmeval.store import RunFolder, judged_rows, origin, record_of

__all__ = ["at_fixed_k", "baseline_of"]


def baseline_of(
    folder: RunFolder,
    *,
    k: int | None = None,
    limit: int | None = None,
    vote: str | None = None,
    protocol: str = "official",
    ties: str | None = None,
    on_invalid: str | None = None,
    k_meta: int | None = None,
) -> Baseline:
    """A finished run at k samples an item (default: its record's). Incomplete: samples are missing."""
    before = record_of(folder)
    k, limit = k or before.k, limit or before.limit
    rules = Rules.choose(folder.record["spec"], protocol, ties, on_invalid)
    vote = vote or usual_vote(folder.record["identity"])
    check_votes([vote], k_meta)
    run = read_run(folder, k, limit, k_meta=k_meta)
    (vote,) = check_votes([vote])
    run = at_fixed_k(run, k, vote)
    verdicts = judge_run(run, vote, [k], rules)
    credit, weight = column(run, verdicts, 0)
    return Baseline(
        source=str(folder.path),
        about=_about(folder, run, verdicts, vote, rules, k, limit),
        figures=tuple(_figures(run, verdicts, rules)),
        rows=digests(judged_rows(folder, limit)),
        units=tuple(unit_keys(run, verdicts)),
        column=Column(credit, np.nan_to_num(weight)),
        notes=tuple(_unlike_depths(run)),
    )


def _unlike_depths(run: RunArrays) -> Iterator[str]:
    """That items hold unlike numbers of samples, as after a part of them was extended."""
    counts = Counter(sorted(run.depth.tolist()))  # of two as usual, the fewer samples
    (usual, _), *others = counts.most_common()
    if others:
        told = ", ".join(
            f"{items:,} of {len(run.n):,} items hold {samples:,} samples"
            for samples, items in sorted(others, reverse=True)
        )
        yield f"{told}, the others {usual:,}"


def at_fixed_k(run: RunArrays, k: int, vote: str) -> RunArrays:
    """The run as a night counts it; where items stopped later than k, its first k samples alone.

    Incomplete unless every item has k samples, and its meta rewards where the vote counts those: a part of
    a run is no baseline, and passes no gate.
    """
    if not len(run.n) or not run.labelled.any():
        raise Incomplete(f"{run.path}: it has no items with labels")
    if run.stopped.any():
        if (run.needed(k, vote) < k).any():
            raise Incomplete(
                f"{run.path}: {int(run.stopped.sum()):,} of {len(run.n):,} items stopped early "
                "(--adaptive), and nights are compared at a fixed number of samples: all items have "
                f"--k {int(run.depth.min())}; `grmeval run … --k {k}` without --adaptive draws the rest"
            )
        run = replace(run.first(k), decided={})
    if short := int((run.depth < k).sum()):
        raise Incomplete(
            f"{run.path}: {short:,} of {len(run.n):,} items have fewer than {k} samples; "
            f"{origin(run.record['identity']).grows}"
        )
    for model, lacking, readable in unrewarded(run, vote):
        raise Incomplete(
            f"{run.path}: {lacking:,} of {readable:,} readable judgements were not shown "
            f"to the meta RM {model}; `grmeval meta-score` asks for them"
        )
    return run


def _figures(run: RunArrays, verdicts: Verdicts, rules: Rules) -> Iterator[Figure]:
    frame = Frame(run, verdicts)
    silent = {(part.level, part.name): found for part, found in silences(frame, rules, 0.9)}
    for level, name, units in frame.parts():
        found = verdicts.estimate(run, 0, units, level)
        value, low, high = map(known_or_none, (found.value, found.low, found.high))
        metric = verdicts.metric(run, units)
        shares = silent.get((level, name), ())
        unread, undecided = [(each.value, each.high) for each in shares] or (None, None)
        yield Figure(
            level=level,
            name=name,
            metric=metric,
            value=value,
            low=low,
            high=high,
            items=found.items,
            unread=unread,
            undecided=undecided,
        )


def _about(
    folder: RunFolder,
    run: RunArrays,
    verdicts: Verdicts,
    vote: str,
    rules: Rules,
    k: int,
    limit: int | None,
) -> About:
    record = folder.record
    launches = record["launches"]
    noise = sample_noise(run, verdicts, vote, k)
    return About(
        bench=record["identity"]["bench"],
        title=_title(record["spec"]),
        layout=record["identity"].get("layout", "list"),
        run_id=folder.path.name,
        model=str(record["config"]["label"]),
        written=max(
            (str(launch.get("ended") or launch["started"]) for launch in launches), default=""
        ),
        grmeval=str(launches[-1]["grmeval"]) if launches else "",
        k=k,
        samples=int(run.depth.min()),
        limit=limit,
        vote=vote,
        k_meta=run.k_meta,
        ties=rules.ties,
        on_invalid=rules.on_invalid,
        judgements=int(run.samples.sum()),
        invalid=int(run.invalid.sum()),
        truncated=int(sum(run.reasons.get("truncated", np.zeros(1)))),
        tokens=int(run.tokens.sum()),
        noise=None if np.isnan(noise) else noise,
        settings=settings(run, vote),
        metric=formed(folder),
    )


def _title(spec: Mapping[str, Any]) -> str:
    """The benchmark's, and how many items an import that judges a part of it leaves out."""
    left_out = sum((spec.get("left_out") or {}).values())
    part = f" (partial import: {left_out:,} items left out)" if left_out else ""
    return f"{spec['title']}{part}"
