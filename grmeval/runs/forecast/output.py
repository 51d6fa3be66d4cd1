"""How long judgements will be: by the samples of runs that are there."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.engines.models import UNSEEN
from grmeval.errors import GrmevalError
from grmeval.runs.plan import Plan
from grmeval.store import RunFolder, all_runs, run_id, sample_batches

__all__ = ["MEASURED_FROM", "Expected", "expected_output"]

MEASURED_FROM = 16
"""Samples that a run needs to be believed."""

_LENGTH = ("temperature", "top_p", "structured", "system", "chat_template_kwargs", "engine_args")
"""Settings beside judge and model that change how much is written."""


class Expected(NamedTuple):
    """`tokens` a judgement has on average, by `samples` of `run`; `like`: what that run is to this one.

    `cut`: the share of them that ended at that run's own, lower --max-tokens.
    """

    tokens: float
    samples: int
    run: Path
    like: str
    cut: float = 0.0


def expected_output(plan: Plan, but: Path | None = None) -> Expected | None:
    """By the run below --results that is most like the plan's; None: no run of its judge is there.

    The run itself, else one of the same model, with the same settings, on the same benchmark, in this order;
    of several the one with most samples. `but`: a run that is not looked at.
    """
    found = []
    for path in all_runs(plan.config.results):
        if but is not None and path.resolve() == but.resolve():
            continue
        with contextlib.suppress(GrmevalError, KeyError, TypeError):
            folder = RunFolder(path)
            made = folder.record.get("totals", {}).get("samples", 0)
            if likeness := _likeness(plan, folder.record):
                found.append((likeness, made, folder))
    for likeness, _, folder in sorted(found, key=lambda each: each[:2], reverse=True):
        with contextlib.suppress(GrmevalError):
            tokens, samples, cut = _written(folder, plan.config.max_tokens)
            if samples >= MEASURED_FROM:
                like = _said(likeness, folder.record)
                return Expected(tokens / samples, samples, folder.path, like, cut / samples)
    return None


class _Likeness(NamedTuple):
    itself: bool
    model: bool
    settings: bool
    bench: bool


def _likeness(plan: Plan, record: Mapping[str, Any]) -> _Likeness | None:
    """None: another judge, or one of the two is simulated."""
    mine, theirs = plan.identity, record["identity"]
    fake = "fake" in (mine["engine"], theirs["engine"]) and mine["engine"] != theirs["engine"]
    if fake or theirs["judge"] != mine["judge"]:
        return None
    named = record["config"].get("model")
    return _Likeness(
        itself=run_id(mine) == run_id(theirs),
        model=theirs["model"] == mine["model"]
        # A model that cannot be looked up is known by its name alone.
        or (plan.model == UNSEEN and named is not None and named == plan.config.model),
        settings=all(mine.get(name) == theirs.get(name) for name in _LENGTH),
        bench=theirs["bench"] == mine["bench"],
    )


def _said(likeness: _Likeness, record: Mapping[str, Any]) -> str:
    if likeness.itself:
        return "this run"
    own = ["same judge"]
    own += ["same model" if likeness.model else f"ANOTHER model, {record['config']['label']}"]
    own += [] if likeness.settings else ["other sampling settings"]
    own += [] if likeness.bench else [f"benchmark {record['identity']['bench']}"]
    return ", ".join(own)


def _written(folder: RunFolder, most: int) -> tuple[int, int, int]:
    """(tokens, samples, samples cut below `most`) of what was generated, each sample up to `most` tokens."""
    tokens = samples = cut = 0
    lower = int(folder.record["identity"].get("max_tokens", most)) < most
    for batch in sample_batches(folder, ["tokens", "finish"], 65_536):
        for wrote, finish in zip(*(column.to_pylist() for column in batch), strict=True):
            if finish in ("stop", "length"):
                samples += 1
                tokens += min(wrote, most)
                cut += lower and finish == "length"
    return tokens, samples, cut
