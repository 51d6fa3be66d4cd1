"""Which of the runs `grmeval runs` lists, and in which order."""

import re
import time
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter

from grmeval.benches import groups
from grmeval.errors import ConfigError, nearest
from grmeval.report.run_list import Overview, RunLine

__all__ = ["Wanted", "chosen"]

_LAST = re.compile(r"(\d{1,6})([hd])")
_SECONDS = {"h": 3_600, "d": 86_400}

_ORDERS = ("written", "name", "bench", "model", "judge", "accuracy", "samples")
"""Fields of a run's line."""
_LARGEST_FIRST = ("written", "accuracy", "samples")


@dataclass(frozen=True)
class Wanted:
    """What a run must be to be listed; None: anything. `since`: seconds since the epoch."""

    bench: str | None
    model: str | None
    judge: str | None
    finished: bool | None
    since: float | None
    sort: str

    @classmethod
    def read(
        cls,
        bench: str | None,
        model: str | None,
        judge: str | None,
        finished: bool | None,
        since: str | None,
        sort: str,
    ) -> "Wanted":
        """From what stood on the command line; ConfigError names the option."""
        if sort not in _ORDERS:
            raise ConfigError(f"--sort {sort!r}: {nearest(sort, _ORDERS)}")
        return cls(bench, model, judge, finished, None if since is None else _moment(since), sort)

    def fits(self, line: RunLine) -> bool:
        """Whether a run is one of these."""
        return (
            (self.bench is None or line.bench in _benches(self.bench))
            and (self.model is None or self.model.casefold() in line.model.casefold())
            and (self.judge is None or line.judge == self.judge)
            and (self.finished is None or line.finished == self.finished)
            and (
                self.since is None or datetime.fromisoformat(line.written).timestamp() >= self.since
            )
        )


def chosen(found: Overview, wanted: Wanted) -> Overview:
    """The runs that are wanted, in that order; what is not known comes last.

    ConfigError: no run is of this benchmark or judge.
    """
    for flag, word, words in (
        ("--bench", wanted.bench, [line.bench for line in found.runs]),
        ("--judge", wanted.judge, [line.judge for line in found.runs]),
    ):
        names = sorted(set(words))
        if word is not None and word not in names and word not in groups():
            raise ConfigError(f"{flag} {word!r}: no run has it; {nearest(word, names)}")
    order, largest = attrgetter(wanted.sort), wanted.sort in _LARGEST_FIRST
    runs = sorted(filter(wanted.fits, found.runs), key=lambda line: line.written, reverse=True)
    known = [line for line in runs if order(line) is not None]
    unknown = [line for line in runs if order(line) is None]
    return replace(found, runs=(*sorted(known, key=order, reverse=largest), *unknown))


def _benches(name: str) -> tuple[str, ...]:
    group = groups().get(name)
    return group.members if group else (name,)


def _moment(text: str) -> float:
    """Seconds since the epoch, from a day, a day and time, or `12h`, `7d`: so long ago."""
    if last := _LAST.fullmatch(text):
        return time.time() - int(last[1]) * _SECONDS[last[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"--since {text!r}: expected a day such as 2026-11-30, or 12h or 7d for the last hours or days"
        ) from None
