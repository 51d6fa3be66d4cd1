"""Baselines: what a run earned, item by item, in a small sorted text file that a gate can pair with."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grmeval.errors import ConfigError, Incomplete, nearest
from grmeval.files import write_text
from grmeval.measure import ON_INVALID, TIES, TIES_WEIGHTS, VOTES
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.nightly.noise import sample_noise
from grmeval.score.nightly.settings import settings
from grmeval.score.nightly.silence import silences
from grmeval.score.verdicts import (
    TERMS,
    Column,
    Frame,
    Rules,
    UnitKey,
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

__all__ = ["Baseline", "baseline_of", "read_baseline", "write_baseline"]

FORMAT = 2


_MOST_SAMPLES = 100_000
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    """A NaN or an infinity is no number here."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class About(_Strict):
    """Which run a baseline is of, and how it was made and scored.

    `samples` an item are stored, `k` of them vote. `settings`: see there. `noise`:
    variance of the accuracy that a redraw of the samples makes; None: not known. `metric`: see `formed`.
    """

    bench: str
    title: str
    layout: str
    run_id: str
    model: str
    written: str
    grmeval: str
    k: int = Field(ge=1, le=_MOST_SAMPLES)
    samples: int = Field(ge=1, le=_MOST_SAMPLES)
    limit: int | None = Field(ge=1, lt=2**31)
    vote: str
    k_meta: int | None = Field(default=None, ge=1, le=_MOST_SAMPLES)
    ties: str
    on_invalid: str
    judgements: int = Field(ge=1, lt=2**63)
    invalid: int = Field(ge=0, lt=2**63)
    truncated: int = Field(ge=0, lt=2**63)
    tokens: int = Field(ge=0, lt=2**63)
    noise: float | None = Field(ge=0, le=1)
    settings: dict[str, Any]
    metric: dict[str, Any]


Upper = tuple[Share, Share]


class Figure(_Strict):
    """A number of the run's table: accuracies in [0, 1] with their 95 % limits.

    `unread` and `undecided`: see `Silence`, each with its upper limit, one-sided at 5 %; None in views.
    """

    level: str
    name: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    items: int
    unread: Upper | None = None
    undecided: Upper | None = None


class _File(_Strict):
    grmeval_baseline: int
    about: About
    figures: list[Figure]
    rows: dict[str, tuple[Annotated[int, Field(ge=1, lt=2**63)], str]]
    credits: list[tuple[str, str, str, float | None, Share]]


_ROUNDING = 1e-9
_TERMS = sum(TIES_WEIGHTS)
_REACH = {term: (-_TERMS if term == TERMS[-1] else 0.0, _TERMS) for term in TERMS}
"""What a term of Ties can earn; anything else from 0 to 1."""


@dataclass(frozen=True)
class Baseline:
    """A run as a gate compares with it: `units` [U] and what each earned; `rows` are `digests`.

    `notes`: what is to be said when it is written, and is not in the file.
    """

    source: str
    about: About
    figures: tuple[Figure, ...]
    rows: dict[str, list[Any]]
    units: tuple[UnitKey, ...]
    column: Column = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def rules(self) -> Rules:
        """The rules that its credits follow."""
        return Rules(self.about.ties, self.about.on_invalid, "the baseline's")


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
        value, low, high = map(_known, (found.value, found.low, found.high))
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


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def write_baseline(baseline: Baseline, path: Path) -> None:
    """One unit a line, sorted, without dates of its own: the same run gives the same bytes."""
    credit, weight = baseline.column
    if credit.ndim == 2 and len(credit) > 1:
        about = baseline.about
        raise ConfigError(
            f"{baseline.source}: a baseline of ROC-AUC keeps the vote over all samples: --k {about.samples}"
        )
    credit = np.atleast_2d(credit)[0]
    columns = credit.tolist(), weight.tolist()
    units = sorted(
        [*key, _known(c), _known(w)] for key, c, w in zip(baseline.units, *columns, strict=True)
    )
    head = {
        "grmeval_baseline": FORMAT,
        "about": baseline.about.model_dump(),
        "figures": [figure.model_dump() for figure in baseline.figures],
        "rows": baseline.rows,
    }
    lines = ",\n  ".join(json.dumps(unit) for unit in units)
    text = json.dumps(head, indent=1)[:-2] + f',\n "credits": [\n  {lines}\n ]\n}}\n'
    write_text(path, text)


def read_baseline(path: Path) -> Baseline:
    """ConfigError names the file and the field that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        known = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no baseline: it cannot be read: {error}") from None
    version = known.get("grmeval_baseline") if isinstance(known, dict) else None
    if version != FORMAT:
        raise ConfigError(
            f"{path}: no baseline of this grmeval (grmeval_baseline: {version!r}, expected "
            f"{FORMAT}, which holds how the judge was asked); `grmeval baseline RUN --to FILE` writes one"
        )
    try:
        found = _File.model_validate(known)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ConfigError(f"{path}: damaged: {where}: {error.errors()[0]['msg']}") from None
    if trouble := _trouble(found):
        raise ConfigError(f"{path}: damaged: {trouble}")
    units = tuple((subset, name, term) for subset, name, term, _, _ in found.credits)
    credit = np.array([np.nan if c is None else c for *_, c, _ in found.credits])
    weight = np.array([w for *_, w in found.credits])
    rows = {subset: list(row) for subset, row in found.rows.items()}
    return Baseline(
        str(path), found.about, tuple(found.figures), rows, units, Column(credit, weight)
    )


def _trouble(found: _File) -> str:
    """What in a file cannot be; empty where all of it can."""
    about = found.about
    for name, allowed in (("vote", VOTES), ("ties", TIES), ("on_invalid", ON_INVALID)):
        given = getattr(about, name)
        if given.partition(":")[0] not in allowed:  # a vote may name its meta model
            return f"about.{name} {given!r}: {nearest(given, allowed)}"
    if about.samples < about.k:
        return f"about.samples {about.samples}: fewer than k = {about.k}"
    if max(about.invalid, about.truncated) > about.judgements:
        return "about.invalid, about.truncated: more than about.judgements"
    if not found.credits or len({tuple(row[:3]) for row in found.credits}) < len(found.credits):
        return "credits: no unit, or one unit twice"
    ranked = any(figure.metric == "roc-auc" for figure in found.figures)
    for subset, name, term, credit, weight in found.credits:
        if about.on_invalid != "drop" and credit is not None and weight != 1:
            return f"credits: {subset}/{name}: a weight of {weight:g}, but nothing is dropped"
        low, high = _REACH.get(term, (0.0, 1.0))
        if credit is not None and not ranked and not low - _ROUNDING <= credit <= high + _ROUNDING:
            return f"credits: {subset}/{name}: {credit:g} lies outside {low:g} to {high:g}"
    return ""
