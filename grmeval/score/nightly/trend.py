"""The history of a benchmark: one row a night, from run folders and baseline files."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grmeval.errors import ConfigError, Incomplete, nearest
from grmeval.score.arrays import read_run
from grmeval.score.nightly.baseline import Baseline, read_baseline
from grmeval.score.nightly.make_baseline import baseline_of
from grmeval.score.nightly.settings import unlike_settings
from grmeval.score.verdicts import NAN, Frame, digests, judge_run
from grmeval.store import TRASH, RunFolder, judged_rows, record_of

__all__ = ["Night", "Trend", "trend"]

_HEAD = 64


@dataclass(frozen=True)
class Night:
    """One number of one night, and its paired change since the night before.

    Shares in [0, 1]; `change` is NaN for the first night, and where the nights have other rows, another
    k, vote or rule, or no run folder with the same rows is there to say how the items are weighed.
    """

    written: str
    run_id: str
    model: str
    k: int
    vote: str
    level: str
    name: str
    metric: str
    value: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float
    items: int
    invalid: float
    truncated: float
    tokens: float
    source: str


@dataclass(frozen=True)
class Trend:
    """All that a history prints, the oldest night first."""

    title: str
    rows: tuple[Night, ...]
    footer: tuple[str, ...]
    about: dict[str, Any]


def trend(
    place: Path, *, bench: str | None = None, k: int | None = None, vote: str | None = None
) -> Trend:
    """The nights of one benchmark below a folder, at one k: by default the smallest that was asked for.

    `k` and `vote` are of runs; a file has its own, and is left out where its run is there. Unfinished
    runs are left out, and named. ConfigError: nothing there, or several benchmarks.
    """
    notes: list[str] = []
    folders, files = _sources(place)
    benches = {folder.record["identity"]["bench"] for folder in folders}
    benches |= {file.about.bench for file in files}
    bench = _chosen(place, bench, benches)
    mine = [folder for folder in folders if folder.record["identity"]["bench"] == bench]
    nights = [file for file in files if file.about.bench == bench]
    asked = [record_of(folder).k for folder in mine]
    k = k or min([*asked, *(night.about.k for night in nights)])
    finished = list(_finished(mine, k, vote, notes))
    there = {_night(night) for _, night in finished}
    nights = [night for night in nights if _night(night) not in there]
    nights += [night for _, night in finished]
    if not nights:
        raise ConfigError(f"{place}: no finished run of {bench}: {'; '.join(notes)}")
    nights.sort(key=lambda night: (night.about.written, night.about.run_id))
    frames = _Frames([folder for folder, _ in finished])
    rows: list[Night] = []
    before: Baseline | None = None
    for night in nights:
        rows += _rows(night, before, frames)
        if before:
            others = unlike_settings(
                night.about.settings, before.about.settings, "the night before"
            )
            notes += [f"{night.about.run_id[:6]}: {what}" for what in others.values()]
        before = night
    return Trend(
        title=f"{nights[-1].about.title} · {len(nights)} night{'s' * (len(nights) > 1)}",
        rows=tuple(rows),
        footer=("change: paired with the night before, same rows and rules", *notes),
        about={"bench": bench},
    )


def _sources(place: Path) -> tuple[list[RunFolder], list[Baseline]]:
    """Every run folder and every baseline file below a folder."""
    if not place.is_dir():
        raise ConfigError(f"{place}: not a folder")
    records = _below(place, "run.json")
    inside = {path.parent for path in records}
    files = [
        path
        for path in _below(place, "*.json")
        if not path.name.startswith(".")  # such as one that is being written
        and not inside & set(path.parents)
        and "grmeval_baseline" in _beginning(path)
    ]
    return [RunFolder(path.parent) for path in records], [read_baseline(path) for path in files]


def _below(place: Path, pattern: str) -> list[Path]:
    """The files of this name below a folder, less what `grmeval clean` put away."""
    return sorted(
        path for path in place.rglob(pattern) if TRASH not in path.relative_to(place).parts
    )


def _beginning(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_HEAD)


def _chosen(place: Path, bench: str | None, benches: set[str]) -> str:
    names = sorted(benches)
    if not names:
        raise ConfigError(f"{place}: no run folder and no baseline below it")
    if bench is None and len(names) > 1:
        raise ConfigError(f"{place}: several benchmarks; say --bench: {', '.join(names)}")
    if bench not in (None, *names):
        raise ConfigError(f"--bench {bench!r}: {nearest(str(bench), names)}")
    return bench or names[0]


def _finished(
    folders: Sequence[RunFolder], k: int, vote: str | None, notes: list[str]
) -> Iterator[tuple[RunFolder, Baseline]]:
    for folder in folders:
        try:
            yield folder, baseline_of(folder, k=k, vote=vote)
        except Incomplete as error:
            notes.append(f"left out: {error}")


def _night(night: Baseline) -> tuple[Any, ...]:
    """What a run folder and a file of it have in common."""
    about = night.about
    return about.run_id, about.k, about.vote, about.limit, *night.rules


class _Frames:
    """How the items of each data are weighed: of the first run that has them."""

    def __init__(self, folders: Sequence[RunFolder]) -> None:
        self.folders = folders
        self.known: dict[str, Frame] = {}

    def of(self, night: Baseline) -> Frame | None:
        """The frame of a night's rows, where a run with the same rows is there."""
        key = json.dumps([night.rows, night.about.k, night.about.vote, *night.rules])
        if key not in self.known:
            for folder in self.folders:
                if digests(judged_rows(folder, night.about.limit)) == night.rows:
                    run = read_run(folder, night.about.k, night.about.limit)
                    verdicts = judge_run(run, night.about.vote, [night.about.k], night.rules)
                    self.known[key] = Frame(run, verdicts)
                    break
        return self.known.get(key)


def _rows(night: Baseline, before: Baseline | None, frames: _Frames) -> Iterator[Night]:
    about = night.about
    changes = _changes(night, before, frames) if before else {}
    for figure in night.figures:
        found = changes.get((figure.level, figure.name), (NAN, NAN, NAN))
        value, low, high = (
            NAN if number is None else number for number in (figure.value, figure.low, figure.high)
        )
        yield Night(
            written=about.written,
            run_id=about.run_id,
            model=about.model,
            k=about.k,
            vote=about.vote,
            level=figure.level,
            name=figure.name,
            metric=figure.metric,
            value=value,
            low=low,
            high=high,
            change=found[0],
            change_low=found[1],
            change_high=found[2],
            items=figure.items,
            invalid=about.invalid / max(about.judgements, 1),
            truncated=about.truncated / max(about.judgements, 1),
            tokens=about.tokens / max(about.judgements, 1),
            source=night.source,
        )


def _changes(
    night: Baseline, before: Baseline, frames: _Frames
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """(level, name) -> (change, low, high) since the night before."""
    alike = ("k", "vote", "ties", "on_invalid", "layout")
    if night.rows != before.rows or any(
        getattr(night.about, name) != getattr(before.about, name) for name in alike
    ):
        return {}
    frame = frames.of(night)
    if frame is None:
        return {}
    columns = [each.column.at(frame.places(each.units)) for each in (before, night)]
    found = {}
    for part in frame.parts():
        made = frame.panel(columns, part.units, part.level).contrast((-1, 1))
        found[part.level, part.name] = made.value, made.low, made.high
    return found
