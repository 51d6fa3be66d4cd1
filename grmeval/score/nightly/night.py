"""A night beside its baseline: whether the two can be paired, and how they differ."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grmeval.measure import Contrast, decide, decide_sections
from grmeval.score.arrays import RunArrays
from grmeval.score.nightly.baseline import Baseline, Figure
from grmeval.score.nightly.noise import advise, noise_by_baseline, sample_noise
from grmeval.score.nightly.silence import judged_parts
from grmeval.score.table import footer
from grmeval.score.verdicts import NAN, Frame, Part, column, judge_run

__all__ = ["Check", "NightBeside"]

_FOLLOWS = 1e-6
"""A figure of a baseline is what its credits give, within rounding."""


@dataclass(frozen=True)
class Check:
    """One question that the gate asked. Accuracies and their differences in [-1, 1], NaN where there is none.

    kind: data, overall, section or absolute. `low` and `high` are one-sided limits of the difference, each
    at alpha; `limit`: the largest drop (overall, section), or the largest value (absolute).
    """

    kind: str
    name: str
    verdict: str
    said: str
    baseline: float = NAN
    value: float = NAN
    difference: float = NAN
    low: float = NAN
    high: float = NAN
    limit: float = NAN


class NightBeside:
    """A run beside its baseline."""

    def __init__(self, run: RunArrays, baseline: Baseline, alpha: float) -> None:
        self.run, self.about, self.alpha = run, baseline.about, alpha
        self.rules, self.units = baseline.rules, baseline.units
        verdicts = judge_run(run, baseline.about.vote, [baseline.about.k], self.rules)
        self.frame = Frame(run, verdicts)
        places = self.frame.places(baseline.units)
        self.new = column(run, verdicts, 0)
        self.old = baseline.column.at(places)
        self._figures = {_key(each.level, each.name): each for each in baseline.figures}
        self.advised: tuple[str, ...] = ()
        self.more_samples: bool | None = None

    def figure(self, part: Part) -> Figure | None:
        """What the baseline's file says of a part."""
        return self._figures.get(_key(part.level, part.name))

    def trouble(self) -> str:
        """Why the two cannot be paired although their rows are the same; empty where they can."""
        places = self.frame.places(self.units)
        lost, unknown = int((places < 0).sum()), len(self.units) - int((places >= 0).sum())
        if lost or unknown:
            return (
                f"the baseline's file is not whole: it lacks {lost:,} verdicts of these rows, and has "
                f"{unknown:,} of others"
            )
        if self.frame.verdicts.ranked:  # whoever is dropped is in neither number
            return self._unfounded() or self._untold()
        if apart := int((np.isnan(self.old.credit) != np.isnan(self.new.credit)).sum()):
            return f"{apart:,} verdicts are there only in the run, or only in the baseline"
        return self._unfounded() or self._untold() or self._silenced()

    def _unfounded(self) -> str:
        """A figure of the baseline that its credits do not give; views may have come since."""
        for part in self.frame.parts():
            figure = self.figure(part)
            if figure is None and part.level == "view":
                continue
            told = figure.value if figure else None
            found = float(self.frame.panel([self.old], part.units, part.level).values[0])
            if not np.isclose(NAN if told is None else told, found, 0, _FOLLOWS, equal_nan=True):
                return (
                    f"the baseline's file is damaged: {part.name} is {told} in its figures, and "
                    f"{found:.9g} by its credits"
                )
        return ""

    def _untold(self) -> str:
        """A part of which the baseline does not say how much was silent; empty where it says it of all."""
        for part in judged_parts(self.frame):
            figure = self.figure(part)
            if figure is None or figure.unread is None or figure.undecided is None:
                return f"the baseline's file does not say of {part.name} how much of it was silent"
        return ""

    def _silenced(self) -> str:
        """Parts of the number that one of the two has nothing of: every item of them was dropped."""
        part, known = self.frame.verdicts.part, ~np.isnan(self.new.credit)
        heavy = [np.bincount(part[known], each.weight[known]) > 0 for each in (self.old, self.new)]
        first = [int(np.flatnonzero(part == at)[0]) for at in np.flatnonzero(heavy[0] != heavy[1])]
        names = dict.fromkeys(self.run.subset[self.frame.verdicts.first[first]].tolist())
        return (
            f"no readable judgement, so nothing to compare, in {', '.join(names)}" if names else ""
        )

    def _contrast(self, part: Part) -> tuple[Contrast, float, float]:
        """(new - baseline, the baseline's number, the new one)."""
        made = self.frame.panel([self.old, self.new], part.units, part.level)
        found = made.contrast((-1, 1), level=1 - 2 * self.alpha)
        return found, float(made.values[0]), float(made.values[1])

    def overall(self, margin: float) -> Iterator[Check]:
        """The whole against its margin; what is inconclusive is advised on."""
        part = next(self.frame.parts())
        found, old, new = self._contrast(part)
        if not found.items:
            yield Check("overall", part.name, "broken", "nothing to compare")
            return
        verdict = decide(found, margin, self.alpha)
        yield _check("overall", part.name, verdict, found, old, new, margin)
        if verdict == "inconclusive":
            self._advise(found, margin)

    def sections(self, margin: float) -> Iterator[Check]:
        """Every section against one margin."""
        parts = [part for part in self.frame.parts() if part.level == "section"]
        compared = [(part, *self._contrast(part)) for part in parts]
        compared = [each for each in compared if each[1].items]
        if not compared:
            yield Check("section", "sections", "broken", "nothing to compare in any of them")
            return
        contrasts = [found for _, found, _, _ in compared]
        verdicts = decide_sections(contrasts, [margin] * len(contrasts), self.alpha).sections
        for (part, found, old, new), verdict in zip(compared, verdicts, strict=True):
            yield _check("section", part.name, verdict, found, old, new, margin)

    def _advise(self, found: Contrast, margin: float) -> None:
        stored, about = int(self.run.depth.min()), self.about
        verdicts = self.frame.verdicts
        if stored == about.k < about.samples and about.noise is not None:
            noise = noise_by_baseline(verdicts, self.run, self.old.credit, about.noise)
        else:
            noise = sample_noise(self.run, verdicts, about.vote, about.k)
        self.advised, self.more_samples = advise(
            found, margin, self.alpha, stored, noise, about.noise
        )

    def notes(self, looks: int) -> Iterator[str]:
        """What stands below the table."""
        about = self.about
        each = f", {looks} looks at {100 * self.alpha:g} % each" if looks > 1 else ""
        yield (
            f"paired with {about.model} (run {about.run_id}, {about.written}); one-sided limits at "
            f"{100 * self.alpha:g} %{each}"
        )
        if self.run.path.name == about.run_id:
            yield "this run IS the baseline's: nothing was judged anew"
        yield from (f"left out: {what}" for what in self.frame.lacking([self.old, self.new]))
        exact = bool(self.frame.verdicts.exact.all())
        present = self.frame.verdicts.sections(self.run, 0)
        yield from footer(self.run, self.rules, about.k, about.limit, exact, present, [about.vote])


def _check(
    kind: str, name: str, verdict: str, found: Contrast, old: float, new: float, margin: float
) -> Check:
    low, high = 100 * found.low, 100 * found.high
    moved = f"{100 * found.value:+.1f} points [{low:+.1f}, {high:+.1f}]"
    drop = f"a drop of {100 * margin:g}"
    said = {
        "regressed": f"worse: {moved} is below {drop}",
        "inconclusive": f"cannot tell: {moved} holds {drop}",
        "passed": f"{moved} excludes {drop}",
        "improved": f"better: {moved}",
    }[verdict]
    numbers = (old, new, found.value, found.low, found.high, margin)
    return Check(kind, name, verdict, said, *numbers)


def _key(level: str, name: str) -> tuple[str, str | None]:
    """A figure's; the name of the whole tells how much of it there is."""
    return level, None if level == "overall" else name
