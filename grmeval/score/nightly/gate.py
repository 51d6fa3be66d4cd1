"""The nightly gate: has a run become worse than its baseline by more than a margin?"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from grmeval.errors import Incomplete
from grmeval.measure import Contrast, advice, decide, decide_sections, vote_noise
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.nightly.baseline import Baseline, refuse_unfinished
from grmeval.score.table import footer
from grmeval.score.verdicts import (
    NAN,
    Frame,
    Part,
    ballot,
    column,
    contents,
    digests,
    judge_run,
    unlike_subsets,
)
from grmeval.store import RunFolder

__all__ = ["Absolute", "Check", "Gated", "gate"]

WORST = ("broken", "regressed", "inconclusive", "passed", "improved")
"""Verdicts, the worst first: that of a gate is the worst of its checks."""


class Absolute(NamedTuple):
    """Limits that need no baseline; None: not asked for. Rates in [0, 1] of judgements."""

    invalid: float | None = None
    truncated: float | None = None
    tokens: float | None = None


NO_LIMITS = Absolute()

TOKENS = "tokens per judgement"

_SAME = 1e-12
"""A limit in percent becomes a share by a rounded division."""

MOST_TIMES = 100
"""Beyond this many times the items or samples, advice is no use."""


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


def gate(
    folder: RunFolder,
    baseline: Baseline,
    *,
    max_drop: float = 0.01,
    max_drop_section: float | None = None,
    absolute: Absolute = NO_LIMITS,
    alpha: float = 0.05,
    looks: int = 1,
) -> Gated:
    """Compare a run with a baseline at the baseline's k, vote, rules and items.

    Margins are shares (0.01 = one point). A run with more samples is read by subsets of k. `looks`: how
    often this may be asked of one night; each look has alpha / looks. Other rows, missing samples or
    nothing to compare: "broken", never a pass.
    """
    about = baseline.about
    asked = {"max_drop": max_drop, "max_drop_section": max_drop_section, "alpha": alpha}
    facts = {
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
        refuse_unfinished(run, about.k)
    except Incomplete as error:
        broken = Check("data", "all samples", "broken", str(error))
        return Gated(title, "broken", (broken,), (), (), facts)
    facts["samples"] = int(run.depth.min())
    night = _Night(run, baseline, alpha / looks)
    if trouble := night.trouble():
        broken = Check("data", "the same verdicts", "broken", trouble)
        return Gated(title, "broken", (broken,), (), (), facts)
    said = f"{len(run.n):,} items of the baseline, {about.k} samples each"
    checks = [Check("data", "the same rows", "passed", said), *night.overall(max_drop)]
    if max_drop_section is not None:
        checks += night.sections(max_drop_section)
    checks += _absolute(run, absolute)
    found = {check.verdict for check in checks if check.kind != "data"}
    return Gated(
        title,
        next(verdict for verdict in WORST if verdict in found),
        tuple(checks),
        tuple(night.advised),
        tuple(night.notes(looks)),
        facts,
    )


def _unlike(folder: RunFolder, baseline: Baseline) -> str:
    """Why the run and the baseline did not judge the same; empty where they did."""
    about, identity = baseline.about, folder.record["identity"]
    for name, mine, theirs in (
        ("benchmark", identity["bench"], about.bench),
        ("layout", identity.get("layout", "list"), about.layout),
    ):
        if mine != theirs:
            return f"{name} {mine} here, {theirs} in the baseline"
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
        self.advised: list[str] = []

    def trouble(self) -> str:
        """Why the two cannot be paired although their rows are the same; empty where they can."""
        places = self.frame.places(self.units)
        lost, unknown = int((places < 0).sum()), len(self.units) - int((places >= 0).sum())
        if lost or unknown:
            return (
                f"the baseline's file is not whole: it lacks {lost:,} verdicts of these rows, and has "
                f"{unknown:,} of others"
            )
        if self.frame.verdicts.ranked:
            return ""  # whoever is dropped is in neither number
        if apart := int((np.isnan(self.old.credit) != np.isnan(self.new.credit)).sum()):
            return f"{apart:,} verdicts are there only in the run, or only in the baseline"
        return self._silenced()

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
            self.advised += list(self._advice(found, margin))

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

    def _advice(self, found: Contrast, margin: float) -> Iterator[str]:
        k, there = int(self.run.depth.min()), self.about.samples
        noise = 2 * _sample_noise(self.run, self.about.vote, self.about.k) / found.error**2
        # An AUC is no mean over items, and a baseline of more or fewer samples is not as noisy.
        known = isfinite(noise) and not self.frame.verdicts.ranked and k == there
        share = min(1.0, noise) if known else 0.0
        wanted = advice(found.value, found.error, margin, self.alpha, share, k)
        if isfinite(wanted.items) and wanted.items <= MOST_TIMES:
            yield f"about {wanted.items:.2g} times as many items would decide, 4 times in 5"
        if wanted.k is not None and wanted.k <= MOST_TIMES * k:
            yield f"so would about {wanted.k} samples an item, in both runs (k={self.about.k} from them)"
        elif wanted.k is None and known:
            yield f"more samples alone would not: they make {100 * share:.0f} % of the error's square"
        if k > there:
            yield f"a baseline of as many samples would be quieter: it has {there} an item, this run {k}"
        elif k < there:
            yield f"the baseline has {there} samples an item, this run {k}: more would help (--extend)"

    def notes(self, looks: int) -> Iterator[str]:
        about = self.about
        each = f", {looks} looks at {100 * self.alpha:g} % each" if looks > 1 else ""
        yield (
            f"paired with {about.model} (run {about.run_id}, {about.written}); one-sided limits at "
            f"{100 * self.alpha:g} %{each}"
        )
        yield from (f"left out: {what}" for what in self.frame.lacking([self.old, self.new]))
        exact = bool(self.frame.verdicts.exact.all())
        present = self.frame.verdicts.sections(self.run, 0)
        yield from footer(self.run, self.rules, about.k, about.limit, exact, present, [about.vote])


def _sample_noise(run: RunArrays, vote: str, k: int) -> float:
    """Variance of the accuracy that a redraw of all samples makes, about: items of equal weight.

    Where k is all there is: of one vote of half as many, which for credits of 0 and 1 is p (1 - p), and
    E[U (1 - U)] = p (1 - p) - var U for the mean U over subsets. NaN: no item has a sample to spare.
    """
    found = []
    for block in run.blocks:
        known = run.labelled[block.items]
        if not known.any():
            continue
        name, extra = ballot(run, block, vote)
        some = (block.drawn[known].sum(axis=1) > k).any()
        noise = vote_noise(
            name,
            block.scores[known],
            block.valid[known],
            block.drawn[known],
            block.best[known],
            k if some else max(1, k // 2),
            balanced=run.balanced and not block.pooled,
            judges=run.judges,
            threshold=run.spec.threshold,
            rng=np.random.default_rng([int(run.record["identity"]["seed"]), 7]),
            extra=extra.at(known),
        )
        one = 0.0 if some else noise.credit * (1 - noise.credit)
        found.append(noise.variance + one)
    variance = np.concatenate(found)
    told = variance[np.isfinite(variance)]
    return max(0.0, float(told.mean())) / len(variance) if len(told) else NAN


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
    for name, limit, count, scale, unit in (
        ("invalid judgements", limits.invalid, int(run.invalid.sum()), 100, " %"),
        ("truncated judgements", limits.truncated, truncated, 100, " %"),
        (TOKENS, limits.tokens, int(run.tokens.sum()), 1, ""),
    ):
        if limit is None:
            continue
        value = count / samples
        verdict = "regressed" if value > limit * (1 + _SAME) else "passed"
        said = f"{scale * value:.4g}{unit}, at most {scale * limit:g}{unit} allowed"
        if name == TOKENS and not count:
            verdict, said = "broken", "the run does not say how many tokens its judgements took"
        yield Check("absolute", name, verdict, said, value=value, limit=limit)
