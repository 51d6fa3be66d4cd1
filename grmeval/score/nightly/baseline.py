"""Baselines: what a run earned, item by item, in a small sorted text file that a gate can pair with."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grmeval.errors import ConfigError, nearest
from grmeval.files import write_text
from grmeval.measure import ON_INVALID, TIES, TIES_WEIGHTS, VOTES
from grmeval.score.verdicts import (
    TERMS,
    Column,
    Rules,
    UnitKey,
)

__all__ = ["About", "Baseline", "Figure", "known_or_none", "read_baseline", "write_baseline"]

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


def known_or_none(value: float) -> float | None:
    """A number as a file holds it: a NaN is null."""
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
        [*key, known_or_none(c), known_or_none(w)]
        for key, c, w in zip(baseline.units, *columns, strict=True)
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
