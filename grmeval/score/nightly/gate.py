"""The nightly gate: has a run become worse than its baseline by more than a margin?"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from grmeval.errors import Incomplete
from grmeval.score.arrays import read_run
from grmeval.score.nightly.baseline import Baseline
from grmeval.score.nightly.limits import Absolute, limit_checks
from grmeval.score.nightly.make_baseline import at_fixed_k
from grmeval.score.nightly.night import Check, NightBeside
from grmeval.score.nightly.settings import check_allowed, settings, unlike_settings
from grmeval.score.verdicts import digests, formed, unlike_metrics, unlike_subsets
from grmeval.store import RunFolder, judged_rows

__all__ = ["Absolute", "Check", "Gated", "gate"]

WORST = ("broken", "regressed", "inconclusive", "passed", "improved")
"""Verdicts, the worst first: that of a gate is the worst of its checks."""

NO_LIMITS = Absolute()


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

    def broken(name: str, why: str) -> Gated:
        return Gated(title, "broken", (Check("data", name, "broken", why),), (), (), facts)

    if trouble := _unlike(folder, baseline):
        return broken("the same rows", trouble)
    run = read_run(folder, about.k, about.limit, k_meta=about.k_meta)
    try:
        run = at_fixed_k(run, about.k, about.vote)
    except Incomplete as error:
        return broken("all samples", str(error))
    facts["samples"] = int(run.depth.min())
    changed = unlike_settings(settings(run, about.vote), about.settings)
    allowed = {name: said for name, said in changed.items() if name in allow}
    facts["changed"] = allowed
    if trouble := "; ".join(said for name, said in changed.items() if name not in allow):
        return broken("the same settings", trouble + _to_allow(changed, allow))
    night = NightBeside(run, baseline, alpha / looks)
    if trouble := night.trouble():
        return broken("the same verdicts", trouble)
    said = f"{len(run.n):,} items of the baseline, {about.k} samples each"
    checks = [Check("data", "the same rows", "passed", said), *night.overall(max_drop)]
    if max_drop_section is not None:
        checks += night.sections(max_drop_section)
    checks += limit_checks(night, absolute, max_drop)
    found = {check.verdict for check in checks if check.kind != "data"}
    return Gated(
        title,
        next(verdict for verdict in WORST if verdict in found),
        tuple(checks),
        night.advised,
        (*night.notes(looks), *(f"allowed to change: {said}" for said in allowed.values())),
        facts,
        night.more_samples if found & {"inconclusive"} else None,
    )


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
    return "; ".join(unlike_subsets(digests(judged_rows(folder, about.limit)), baseline.rows))
