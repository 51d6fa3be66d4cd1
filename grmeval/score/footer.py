"""The whole story under a number: rule, missing rows, odd rows, invalids, identity, launches."""

from typing import Any

import numpy as np

from grmeval.score.arrays import RunArrays
from grmeval.score.rules import Rules

__all__ = ["footer", "provenance"]


def footer(run: RunArrays, rules: Rules, k: int, limit: int | None, exact: bool) -> tuple[str, ...]:
    """Sentences for the foot of a table at k samples an item."""
    spec = run.record["spec"]
    lines = [f"overall: {spec['metric']}", str(rules)]
    if limit is not None:
        lines.append(f"--limit {limit}: a stratified part of the items")
    if spec["missing"]:
        absent = sum(spec["missing"].values())
        names = ", ".join(list(spec["missing"])[:3]) + (" …" if len(spec["missing"]) > 3 else "")
        total = sum(spec["expected"].values())
        lines.append(f"incomplete data: {absent:,} of {total:,} items are not at hand ({names})")
    if run.most > k:
        how = "exact" if exact else "exact where countable, else Monte Carlo"
        lines.append(f"k={k} from up to {run.most} stored samples: mean over subsets, {how}")
    lines += _counts(run)
    lines.append(f"run {run.path.name}: {provenance(run.record, run.launches)}")
    return tuple(lines)


def _counts(run: RunArrays) -> list[str]:
    samples, invalid = int(run.samples.sum()), int(run.invalid.sum())
    lines = []
    if invalid:
        kinds = ", ".join(f"{name} {int(counts.sum()):,}" for name, counts in run.reasons.items())
        lines.append(f"invalid judgements: {invalid:,} of {samples:,} ({kinds})")
    other = {form: count for form, count in run.forms.items() if form != "boxed"}
    if other:
        lines.append(
            "read by fallback: " + ", ".join(f"{f} {c:,}" for f, c in sorted(other.items()))
        )
    if run.flagged.any():
        lines.append(f"odd rows kept in the denominator: {int(np.sum(run.flagged)):,}")
    return lines


def provenance(record: dict[str, Any], used: tuple[str, ...]) -> str:
    """Identity and launches in one line; mixed launches are said."""
    identity = record["identity"]
    launches = [launch for launch in record["launches"] if launch["name"] in used]
    engines = sorted({_engine(launch) for launch in launches})
    parts = [
        f"data {identity['data'][:8]}",
        f"model {identity['model'].removeprefix('sha256:')[:12]}",
        f"T={identity['temperature']:g}, top-p {identity['top_p']:g}, {identity['orders']} orders",
        f"seed {identity['seed']}",
        " + ".join(engines) or "no samples",
    ]
    if len(launches) > 1:
        mixed = " of unlike engines" if len(engines) > 1 else ""
        parts.append(f"{len(launches)} launches{mixed}")
    return "; ".join(parts)


def _engine(launch: dict[str, Any]) -> str:
    facts = launch.get("engine") or {}
    name = facts.get("engine", "engine unknown")
    return " ".join(str(part) for part in (name, facts.get("vllm"), facts.get("device")) if part)
