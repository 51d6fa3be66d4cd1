"""The nightly gate: has a run become worse than its baseline by more than a margin?"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

import numpy as np

from grmeval.errors import Incomplete
from grmeval.measure import Contrast, decide, decide_sections
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.nightly.baseline import Baseline, refuse_unfinished
from grmeval.score.nightly.noise import advise, noise_by_baseline, sample_noise
from grmeval.score.nightly.settings import check_allowed, settings, unlike_settings
from grmeval.score.nightly.silence import silences, surely_more
from grmeval.score.table import footer
from grmeval.score.verdicts import (
    NAN,
    Frame,
    Part,
    column,
    contents,
    digests,
    formed,
    judge_run,
    unlike_metrics,
    unlike_subsets,
)
from grmeval.store import RunFolder

__all__ = ["Absolute", "Check", "Gated", "gate"]

WORST = ("broken", "regressed", "inconclusive", "passed", "improved")
"""Verdicts, the worst first: that of a gate is the worst of its checks."""


class Absolute(NamedTuple):
    """Limits that need no baseline; None: not asked for. Rates in [0, 1] of judgements, or of votes.

    `undecided` and `invalid` are then held to the baseline's: see `MORE_SILENCE`.
    """

    invalid: float | None = None
    truncated: float | None = None
    tokens: float | None = None
    undecided: float | None = None


NO_LIMITS = Absolute()

TOKENS = "tokens per judgement"
_SILENT = {"unread": "invalid judgements", "undecided": "undecided votes"}

_SAME = 1e-12
"""A limit in percent becomes a share by a rounded division."""

MORE_SILENCE = 0.05
"""How far above the baseline's the share of unreadable judgements, or of undecided votes, may surely be."""

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


@dataclass(frozen=True)
class Gated:
    """All that a gate's reports print. `verdict`: broken, regressed, inconclusive, passed or improved."""

    title: str
    verdict: str
    checks: tuple[Check, ...]
    advice: tuple[str, ...]
    footer: tuple[str, ...]
    about: dict[str, Any]
    more_samples: bool | None = None
    """Whether more samples of this run could decide what is inconclusive; None: not known, or not asked."""


def gate(
    folder: RunFolder,
    baseline: Baseline,
    *,
    max_drop: float = 0.01,
    max_drop_section: float | None = None,
    absolute: Absolute = NO_LIMITS,
    alpha: float = 0.05,
    looks: int = 1,
    allow: Collection[str] = (),
) -> Gated:
    """Compare a run with a baseline at the baseline's k, vote, rules and items.

    Margins are shares (0.01 = one point). A run with more samples is read by subsets of k. `looks`: how
    often this may be asked of one night; each look has alpha / looks. Other rows, another metric, judge,
    template or setting (but for those that `allow` names), missing samples or nothing to compare:
    "broken", never a pass. ConfigError: `allow` names no setting.
    """
    check_allowed(allow)
    about = baseline.about
    asked = {"max_drop": max_drop, "max_drop_section": max_drop_section, "alpha": alpha}
    facts: dict[str, Any] = {
        "run_id": folder.path.name,
        "model": str(folder.record["config"]["label"]),
        "baseline": baseline.source,
        "baseline_run_id": about.run_id,
        "k": about.k,
        "samples": 0,
        "limit": about.limit,
        "vote": about.vote,
        "ties": about.ties,
        "on_invalid": about.on_invalid,
        **asked,
        "looks": looks,
        "absolute": absolute._asdict(),
    }
    title = f"{about.title} · {facts['model']} · k={about.k}"
    if trouble := _unlike(folder, baseline):
        broken = Check("data", "the same rows", "broken", trouble)
        return Gated(title, "broken", (broken,), (), (), facts)
    run = read_run(folder, about.k, about.limit, k_meta=about.k_meta)
    try:
        refuse_unfinished(run, about.k, about.vote)
    except Incomplete as error:
        broken = Check("data", "all samples", "broken", str(error))
        return Gated(title, "broken", (broken,), (), (), facts)
    facts["samples"] = int(run.depth.min())
    changed = unlike_settings(settings(run, about.vote), about.settings)
    allowed = {name: said for name, said in changed.items() if name in allow}
    facts["changed"] = allowed
    if trouble := "; ".join(said for name, said in changed.items() if name not in allow):
        broken = Check("data", "the same settings", "broken", trouble + _to_allow(changed, allow))
        return Gated(title, "broken", (broken,), (), (), facts)
    night = _Night(run, baseline, alpha / looks)
    if trouble := night.trouble():
        broken = Check("data", "the same verdicts", "broken", trouble)
        return Gated(title, "broken", (broken,), (), (), facts)
    said = f"{len(run.n):,} items of the baseline, {about.k} samples each"
    checks = [Check("data", "the same rows", "passed", said), *night.overall(max_drop)]
    if max_drop_section is not None:
        checks += night.sections(max_drop_section)
    checks += [*night.silence(absolute, max_drop), *_absolute(run, absolute)]
    found = {check.verdict for check in checks if check.kind != "data"}
    return Gated(
        title,
        next(verdict for verdict in WORST if verdict in found),
        tuple(checks),
        tuple(night.advised),
        (
            *night.notes(looks),
            *(f"allowed to change: {said}" for said in allowed.values()),
        ),
        facts,
        night.more_samples if found & {"inconclusive"} else None,
    )


def _key(level: str, name: str) -> tuple[str, str | None]:
    """A figure's; the name of the whole tells how much of it there is."""
    return level, None if level == "overall" else name


def _to_allow(changed: Collection[str], allow: Collection[str]) -> str:
    flags = " ".join(f"--allow-change {name}" for name in changed if name not in allow)
    return f"; a night of other settings says nothing of the model: {flags}, if it is meant"


def _unlike(folder: RunFolder, baseline: Baseline) -> str:
    """Why the run and the baseline did not judge the same; empty where they did."""
    about, identity = baseline.about, folder.record["identity"]
    for name, mine, theirs in (
        ("benchmark", identity["bench"], about.bench),
        ("layout", identity.get("layout", "list"), about.layout),
    ):
        if mine != theirs:
            return f"{name} {mine} here, {theirs} in the baseline"
    if others := unlike_metrics(formed(folder), about.metric):
        return f"the benchmark's {', '.join(others)} changed since the baseline: another number"
    return "; ".join(unlike_subsets(digests(contents(folder, about.limit)), baseline.rows))


class _Night:
    """A run beside its baseline."""

    def __init__(self, run: RunArrays, baseline: Baseline, alpha: float) -> None:
        self.run, self.about, self.alpha = run, baseline.about, alpha
        self.rules, self.units = baseline.rules, baseline.units
        verdicts = judge_run(run, baseline.about.vote, [baseline.about.k], self.rules)
        self.frame = Frame(run, verdicts)
        places = self.frame.places(baseline.units)
        self.new = column(run, verdicts, 0)
        self.old = baseline.column.at(places)
        self.figures = {_key(each.level, each.name): each for each in baseline.figures}
        self.advised: tuple[str, ...] = ()
        self.more_samples: bool | None = None

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
            figure = self.figures.get(_key(part.level, part.name))
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
        for part, _ in silences(self.frame, self.rules, 0.9):
            figure = self.figures.get(_key(part.level, part.name))
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

    def silence(self, absolute: Absolute, margin: float) -> Iterator[Check]:
        """Whether the night, or a section of it, surely says less than the baseline did.

        Whatever its rules pay for silence. What nobody asked for is told where it is so. Under `drop` no
        more votes may be gone than points: what is dropped costs nothing.
        """
        drops = self.rules.on_invalid == "drop"
        allowed = {"unread": MORE_SILENCE, "undecided": MORE_SILENCE}
        if drops:
            allowed["undecided"] = min(MORE_SILENCE, margin)
        limits = {"unread": absolute.invalid, "undecided": absolute.undecided}
        parts = len(list(silences(self.frame, self.rules, 0.9)))
        for part, found in silences(self.frame, self.rules, 1 - 2 * self.alpha / parts):
            then = self.figures.get(_key(part.level, part.name))
            for kind, now in found._asdict().items():
                before = getattr(then, kind, None)
                if limits[kind] is not None or before is None or isnan(now.value):
                    continue
                if surely_more(now, before, allowed[kind]):
                    name = _SILENT[kind] + (f" of {part.name}" if part.level == "section" else "")
                    limit = before[0] + allowed[kind]
                    said = (
                        f"{100 * now.value:.4g} %, surely more than the baseline's "
                        f"{100 * before[0]:.4g} % and {100 * allowed[kind]:g}"
                    )
                    yield Check("absolute", name, "regressed", said, value=now.value, limit=limit)
            if part.level == "overall" and absolute.undecided is not None:
                yield _limited(_SILENT["undecided"], found.undecided.value, absolute.undecided)

    def notes(self, looks: int) -> Iterator[str]:
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


def _absolute(run: RunArrays, limits: Absolute) -> Iterator[Check]:
    samples = int(run.samples.sum())
    truncated = int(sum(int(c.sum()) for r, c in run.reasons.items() if r == "truncated"))
    for name, limit, count in (
        (_SILENT["unread"], limits.invalid, int(run.invalid.sum())),
        ("truncated judgements", limits.truncated, truncated),
        (TOKENS, limits.tokens, int(run.tokens.sum())),
    ):
        if limit is not None:
            yield _limited(name, count / samples, limit)


def _limited(name: str, value: float, limit: float) -> Check:
    """A share, or tokens a judgement, against what was asked for."""
    scale, unit = (1, "") if name == TOKENS else (100, " %")
    verdict = "regressed" if value > limit * (1 + _SAME) else "passed"
    said = f"{scale * value:.4g}{unit}, at most {scale * limit:g}{unit} allowed"
    if name == TOKENS and not value:
        verdict, said = "broken", "the run does not say how many tokens its judgements took"
    return Check("absolute", name, verdict, said, value=value, limit=limit)
