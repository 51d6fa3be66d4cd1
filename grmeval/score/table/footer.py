"""The whole story under a number: rule, missing rows, odd rows, invalids, identity, launches."""

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

import numpy as np

from grmeval.benches import Filter, holds
from grmeval.judges import JUDGES
from grmeval.score.arrays import RunArrays
from grmeval.score.verdicts import Rules, alike_scales
from grmeval.store import IMPORT, PANEL, limit_seed, origin

__all__ = ["about", "footer", "provenance"]


_UNASKED = ("prompt_too_long", "engine_error")
"""Reasons that are no fault of the text."""

_PLAIN = ("boxed", "head", "imported")
"""Forms of scores that were read as they were meant."""


def footer(
    run: RunArrays,
    rules: Rules,
    k: int,
    limit: int | None,
    exact: bool,
    present: Sequence[int],
    votes: Sequence[str] = (),
) -> tuple[str, ...]:
    """Sentences for the foot of a table of `votes` at k samples an item.

    `present`: sections with a verdict.
    """
    spec = run.record["spec"]
    lines = [f"overall: {spec['metric']}", str(rules)]
    if run.spec.games and not run.played_in_games:
        lines.append(f"{_no_games(run)}: one vote over all samples, NOT the official two games")
    if run.limited:
        chosen = limit_seed(run.record["identity"])
        by = f" (--limit-seed {chosen})" if chosen else ""
        lines.append(f"--limit {limit}: a stratified part of the items{by}")
    if spec["missing"]:
        absent = sum(spec["missing"].values())
        total, names = sum(spec["expected"].values()), _first_names(spec["missing"])
        lines.append(f"incomplete data: {absent:,} of {total:,} items are not at hand ({names})")
    lines += _left_out(run)
    if unlabelled := int((~run.labelled).sum()):
        lines.append(
            f"rows without a label (or with one for all responses alike): {unlabelled:,} of "
            f"{len(run.n):,}; no accuracy, their votes and ranks are in verdicts.parquet"
        )
    if len(present) < len(spec["sections"]) and run.labelled.any():
        absent = [s["name"] for i, s in enumerate(spec["sections"]) if i not in present]
        lines.append(f"overall is INCOMPLETE: no verdict in {', '.join(absent)}")
    lines += _lacking(run, present)
    lines += _stopped(run, k, votes)
    if short := int(max((run.missing(k, vote) > 0).sum() for vote in votes or ("",))):
        lines.append(f"unfinished: {short:,} items have fewer than {k} samples and no verdict here")
    if (most := int(run.depth.max(initial=0))) > k and not run.stopped.any():
        how = "exact" if exact else "exact where countable, else Monte Carlo"
        lines.append(f"k={k} from up to {most} stored samples: mean over subsets, {how}")
    lines += [*_reparsed(run), *run.damaged]
    lines += _counts(run)
    for vote in votes:
        lines += _meta(run, vote, k)
    lines.append(f"run {run.path.name}: {provenance(run.record, run.launches)}")
    return tuple(lines)


def _stopped(run: RunArrays, k: int, votes: Sequence[str]) -> list[str]:
    """Of an adaptive run: how many samples its items took, and what their verdicts are."""
    if not run.stopped.any():
        return []
    lines = []
    for vote in votes:
        made = run.needed(k, vote)
        other = [each for each in run.decided if run.reach(vote).min() < k <= run.reach(each).min()]
        if early := int((made < k).sum()):
            each = run.width * run.tokens / np.maximum(run.samples, 1)
            tokens = (
                f" and about {spared:,.0f} tokens" if (spared := ((k - made) * each).sum()) else ""
            )
            lines.append(
                f"adaptive: k ≤ {k}, mean {made.mean():.1f}; {early:,} of {len(made):,} items stopped early, "
                f"{len(made) - early:,} take all {k}; {100 * (1 - made.mean() / k):.0f} % of samples{tokens} "
                "not asked"
            )
        if other:
            lines.append(
                f"items stopped under the vote {', '.join(other)}: {vote} has no verdict on them"
            )
    lines.append(
        f"each item by one plain vote of its first samples, at most {k}: no mean over subsets"
    )
    return list(dict.fromkeys(lines))


def _left_out(run: RunArrays) -> list[str]:
    """That an import judges some items alone, where others are of what the table is about."""
    only, spec = Filter.of(run.record.get("only", {})), run.spec
    left_out = {
        subset: count
        for subset, count in (run.record["spec"].get("left_out") or {}).items()
        if any(holds(section.subsets, subset) for section in spec.sections)
        and only.keeps(spec, subset)
    }
    if not left_out:
        return []
    return [
        f"partial import: {'a member' if run.judges > 1 else 'the file'} judges nothing of "
        f"{sum(left_out.values()):,} items of the {'part' if only else 'benchmark'}, which are no part of "
        f"this run ({_first_names(left_out)})"
    ]


def _first_names(subsets: Collection[str]) -> str:
    return ", ".join(islice(subsets, 3)) + (" …" if len(subsets) > 3 else "")


def _reparsed(run: RunArrays) -> list[str]:
    if run.reparsed is None:
        return []
    lines = [f"texts read again by this parser: {run.reparsed:,} readings differ"]
    if run.quotable:
        lines.append(
            "read without the responses, which are not at hand: a quote may be taken as a score"
        )
    return lines


def _no_games(run: RunArrays) -> str:
    if run.judges > 1:
        return "several judges"
    orders = run.record["identity"]["orders"]  # balanced: the layout is single
    return "responses judged apart" if orders == "balanced" else f"{orders} orders"


def _lacking(run: RunArrays, present: Sequence[int]) -> list[str]:
    """Sections whose number is that of some of the subsets they weigh."""
    lines = []
    there = set(run.subset[run.labelled & (run.depth > 0)].tolist())
    for number in present:
        section = run.spec.sections[number]
        absent = [subset for subset in section.weights if subset not in there]
        if absent and len(absent) < len(section.weights):
            of = f"{len(section.weights) - len(absent)} of {len(section.weights)} subsets"
            names = _first_names(absent)
            lines.append(f"{section.name} is INCOMPLETE: {of}, no verdict in {names}")
    return lines


def _counts(run: RunArrays) -> list[str]:
    samples, invalid = int(run.samples.sum()), int(run.invalid.sum())
    lines = []
    if invalid:
        counts = sorted((-int(counts.sum()), name) for name, counts in run.reasons.items())
        kinds = ", ".join(f"{name} {-count:,}" for count, name in counts if count)
        lines.append(f"invalid judgements: {invalid:,} of {samples:,} ({kinds})")
    if alone := _alone(run):
        lines.append(
            f"single scores missing beside others: {alone:,} (a response's total is its mean x k)"
        )
    unread = sum(int(c.sum()) for reason, c in run.reasons.items() if reason not in _UNASKED)
    if origin(run.record["identity"]).asked and 2 * unread > samples:
        lines.append("most judgements are invalid: try --structured, or a larger --max-tokens")
    other = {form: count for form, count in run.forms.items() if form not in _PLAIN}
    if other:
        lines.append(
            "read by fallback: " + ", ".join(f"{f} {c:,}" for f, c in sorted(other.items()))
        )
    if run.flagged.any():
        odd = int(np.sum(run.flagged))
        lines.append(
            f"odd rows kept in the denominator: {odd:,} (flags in `grmeval export RUN --what items`)"
        )
    return lines


def _meta(run: RunArrays, word: str, k: int) -> list[str]:
    """How a vote by meta reward counts, and how many of the judgements it counts have none."""
    vote, _, model = word.partition(":")
    if vote not in ("meta", "meta-weighted"):
        return []
    model = model or next((name for block in run.blocks for name in block.rewards), "")
    lines, counted, lacking = [], 0, 0
    if vote == "meta":
        how = "max(1, k // 2)" if run.k_meta is None else f"at most {run.k_meta}"
        kept = max(1, k // 2) if run.k_meta is None else min(run.k_meta, k)
        lines.append(
            f"{word}: sum of the k_meta samples of highest meta reward ({model}); k_meta: {how}, "
            f"{kept} at k={k}"
        )
    for block in run.blocks:
        valid = block.valid[:, :k]
        reward = block.rewards.get(model)
        counted += int(valid.sum())
        lacking += int((valid if reward is None else valid & np.isnan(reward[:, :k])).sum())
    if lacking:
        what = "come after all others" if vote == "meta" else "do not vote"
        lines.append(
            f"{word}: {lacking:,} of {counted:,} readable judgements have no meta reward of {model} and "
            f"{what}"
        )
    return lines


def _alone(run: RunArrays) -> int:
    """Scores that are missing in samples where another response has one."""
    blocks = [block for block in run.blocks if not block.pooled]
    return sum(int(np.isnan(block.scores[block.valid]).sum()) for block in blocks)


def about(run: RunArrays, rules: Rules, limit: int | None) -> dict[str, Any]:
    """What every row of a table has in common: the run, how much of it, which part, the rules."""
    return {
        "run_id": run.path.name,
        "limit": limit,
        "ties": rules.ties,
        "on_invalid": rules.on_invalid,
        **({} if run.k_meta is None else {"k_meta": run.k_meta}),
        **({"only": run.record["only"]} if "only" in run.record else {}),
    }


def provenance(record: dict[str, Any], used: tuple[str, ...]) -> str:
    """Identity and launches in one line; mixed launches are said."""
    identity = record["identity"]
    launches = [launch for launch in record["launches"] if launch["name"] in used]
    engines = sorted({_engine(launch) for launch in launches})
    parts = [
        f"data {identity['data'][:8]}",
        *_JUDGED.get(str(identity.get("engine")), _asked)(record),
        " + ".join(engines) or "no samples",
    ]
    if commits := sorted({str(launch["commit"]) for launch in launches if launch.get("commit")}):
        parts.append(f"grmeval {' + '.join(commits)}")
    if len(launches) > 1:
        mixed = " of unlike engines" if len(engines) > 1 else ""
        parts.append(f"{len(launches)} launches{mixed}")
    return "; ".join(parts)


def _imported(record: dict[str, Any]) -> list[str]:
    """Who judged, and where that was read."""
    identity = record["identity"]
    return [
        f"judge {identity['model']}",
        f"file {identity['file'][:8]}",
        f"{identity['orders']} orders",
    ]


def _asked(record: dict[str, Any]) -> list[str]:
    """Who judged, and how it was asked."""
    identity = record["identity"]
    settings = [f"{name}={value}" for name, value in identity.get("engine_args", {}).items()]
    judge = identity["judge"]
    head = judge["name"] in JUDGES and JUDGES[judge["name"]].head
    felt = ("lora",) if head else ("structured", "stop_at_score", "system", "lora")
    settings += [name.replace("_", " ") for name in felt if identity.get(name)]
    drawn = "" if head else f"T={identity['temperature']:g}, top-p {identity['top_p']:g}, "
    return [
        *([f"judge {judge['name']}"] if judge["name"] != "pointwise" else []),
        f"model {_model(identity['model'])}",
        *([f"template {judge['template'][:8]}"] if "template" in judge else []),
        *([f"principles {judge['principles'][:8]}"] if "principles" in judge else []),
        *([f"critiques {judge['critiques']}"] if "critiques" in judge else []),
        f"{drawn}{identity['orders']} orders",
        f"seed {identity['seed']}",
        *([", ".join(settings)] if settings else []),
    ]


def _model(identity: str) -> str:
    """A hash's first letters; what a server calls a model is its name."""
    if identity.startswith("served:"):
        return identity.removeprefix("served:")
    return identity.removeprefix("sha256:")[:12]


def _panel(record: dict[str, Any]) -> list[str]:
    """Which runs judged together, and whether their scores can be added."""
    members = [f"{member['label']} {member['run']}" for member in record["config"]["members"]]
    unlike = [] if alike_scales(record["identity"]) else ["scores on unlike scales"]
    return [f"panel of {', '.join(members)}", *unlike, f"{record['identity']['orders']} orders"]


_JUDGED = {IMPORT: _imported, PANEL: _panel}
"""How a run that was not asked for is told."""


def _engine(launch: dict[str, Any]) -> str:
    facts = launch.get("engine") or {}
    name = facts.get("engine", "engine unknown")
    return " ".join(
        str(part)
        for part in (name, facts.get("model"), facts.get("vllm"), facts.get("device"))
        if part
    )
