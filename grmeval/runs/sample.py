"""The loop: requests out, completions in, each judgement on disk before anyone hears of it."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from grmeval.engines import BATCH
from grmeval.engines.arguments import devices
from grmeval.errors import ConfigError
from grmeval.items import Completion, Item, Known, Message, Request, Sample
from grmeval.judges import Judge
from grmeval.runs.adaptive import Asking
from grmeval.runs.open_engine import Engines
from grmeval.runs.plan import Plan
from grmeval.runs.stopping import Rule
from grmeval.store import RunFolder, StopWriter, commit, memory, mend_stops, now
from grmeval.unicode import whole

__all__ = ["Estimate", "Progress", "estimate", "extend", "make_sample"]

ESTIMATE_FROM = 64


@dataclass(frozen=True)
class Estimate:
    """What is about to be asked: distinct prompts, samples, and tokens (upper bound of generated)."""

    items: int
    prompts: int
    samples: int
    have: int
    prompt_tokens: int
    max_new_tokens: int
    at_most: bool = False
    """Items may stop before."""


class Progress(Protocol):
    """Who watches a launch; the command line draws it."""

    def loading(self, plan: Plan, is_open: bool) -> None:
        """A launch begins: its engine is about to be loaded, or is there already."""
        ...

    def begin(self, estimate: Estimate) -> None:
        """The first request is about to be made."""
        ...

    def advance(self, sample: Sample) -> None:
        """A sample is on disk."""
        ...

    def end(self) -> None:
        """No more samples come, for whatever reason."""
        ...


def extend(plan: Plan, progress: Progress, engines: Engines | None = None) -> RunFolder:
    """Bring a run to the k and the items that the plan asks for, sampling exactly what is missing.

    Whatever ends this (a kill, Ctrl-C, a dead engine), the next call goes on from there. Where
    nothing is missing no model is loaded, nor where answers come in batch files. `engines` keeps the
    engine for further plans; without it the engine is closed at the end of the launch.
    """
    folder = plan.folder()
    shard = plan.config.shard
    with folder.writer(shard), StopWriter(folder.path, shard) as stops:
        folder.fold(shard)
        done = folder.done()
        mend_stops(folder, done, shard)
        asking: Asking | _Everything
        if plan.config.adaptive:
            asking = Asking(plan, Rule.of(plan), folder, stops)
        else:
            asking = _Everything(plan, plan.missing(done))
        have = len(done)
        del done  # a million keys are of no use while the engine runs
        folder.update(**plan.asked())
        if plan.config.engine != BATCH and asking.begin_round():
            with contextlib.nullcontext(engines) if engines else Engines() as kept:
                _launch(plan, folder, asking, have, progress, kept)
            folder.fold(shard)
    return folder


class _Everything:
    """All that is missing, in one round: what `Asking` is where nothing stops early."""

    def __init__(self, plan: Plan, missing: list[tuple[Item, tuple[int, ...]]]) -> None:
        self._plan, self._missing, self._left = plan, missing, bool(missing)

    def missing(self) -> list[tuple[Item, tuple[int, ...]]]:
        """Items and samples."""
        return self._missing

    def begin_round(self) -> bool:
        """See Asking."""
        return self._left

    def __iter__(self) -> Iterator[Request]:
        return self._plan.requests(self._missing)

    def take(self, sample: Sample) -> None:
        """See Asking; it changes nothing."""

    def end_round(self) -> None:
        """See Asking."""
        self._left = False

    def facts(self) -> dict[str, Any]:
        """See Asking."""
        return {}


def make_sample(judge: Judge, completion: Completion, launch: str) -> Sample:
    """A completion, read by the judge's parser, its scores mapped back to the item's response order."""
    request, reads = completion.request, judge.needs.critiques
    text = whole(completion.text)
    known = Known(completion.thinking or None, completion.lead, request.responses)
    reading = judge.read(text, len(request.order), completion.finish, known)
    scores = None
    if reading.scores is not None:
        by_slot = dict(zip(request.order, reading.scores, strict=True))
        scores = tuple(by_slot[i] for i in range(len(by_slot)))
    return Sample(
        subset=request.key.subset,
        id=request.key.id,
        j=completion.j,
        order=request.order,
        scores=scores,
        invalid=reading.invalid,
        form=reading.form,
        finish=completion.finish,
        prompt_tokens=completion.prompt_tokens + request.spent.prompt_tokens,
        cached_tokens=completion.cached_tokens + request.spent.cached_tokens,
        tokens=completion.tokens + request.spent.tokens,
        parser=judge.parser,
        launch=launch,
        thinking=reading.thinking,
        text=reading.text,
        weight=None if scores is None else completion.weight,
        critic_prompt_tokens=request.spent.prompt_tokens if reads else None,
        critic_cached_tokens=request.spent.cached_tokens if reads else None,
        logprob=completion.logprob,
    )


def _launch(
    plan: Plan,
    folder: RunFolder,
    asking: "Asking | _Everything",
    have: int,
    progress: Progress,
    engines: Engines,
) -> None:
    started = time.perf_counter()

    def seed(name: str, taken: set[int]) -> int:
        return engines.seed(plan.config.seed, name, taken)

    config = plan.config
    gpus = devices(config.tensor_parallel, config.engine_args) * plan.copies
    facts = {"commit": commit(), "data": plan.loaded.origin, "devices": gpus} | asking.facts()
    with (
        folder.launch(plan.config.shard, seed, facts) as launch,
        contextlib.ExitStack() as watched,
    ):
        watched.callback(progress.end)
        progress.loading(plan, engines.is_open(launch.engine_seed))
        engine = engines.open(plan, launch.engine_seed)
        loaded = round(time.perf_counter() - started, 3)
        # Known now, and not lost if this process is killed.
        folder.describe_launch(launch.name, engine=engine.facts(), load_seconds=loaded)
        tally = _Tally()
        try:
            progress.begin(estimate(plan, asking.missing(), have, engine.prompt_tokens))
            while asking.begin_round():
                for completion in engine.generate(asking):
                    sample = make_sample(plan.judge, completion, launch.name)
                    launch.journal.write(sample)
                    progress.advance(sample)
                    tally.count(completion)
                    asking.take(sample)
                asking.end_round()
        except BaseException:
            with contextlib.suppress(Exception):  # what ended the launch is the news
                told = tally.facts() | asking.facts()
                folder.describe_launch(launch.name, engine=engine.facts(), **told)
            raise
        else:  # who of several died is known by now
            told = tally.facts() | asking.facts()
            folder.describe_launch(launch.name, engine=engine.facts(), **told)


class _Tally:
    """What a launch came to, for its record."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._samples = self._tokens = self._prompt_tokens = 0

    def count(self, completion: Completion) -> None:
        self._samples += 1
        self._tokens += completion.tokens
        self._prompt_tokens += completion.prompt_tokens

    def facts(self) -> dict[str, Any]:
        return {
            "ended": now(),
            "sample_seconds": round(time.perf_counter() - self._began, 3),
            "samples": self._samples,
            "tokens": self._tokens,
            "prompt_tokens": self._prompt_tokens,
            "memory_mib": memory(),
        }


def estimate(
    plan: Plan,
    missing: list[tuple[Item, tuple[int, ...]]],
    have: int,
    prompt_tokens: Callable[[tuple[Message, ...]], int],
) -> Estimate:
    """What `missing` takes; prompt tokens are extrapolated from a few requests, spread evenly over it."""
    samples = sum(len(js) for _, js in missing)
    spread = missing[:: max(1, len(missing) // ESTIMATE_FROM)]
    lengths = [_length(request, prompt_tokens) for request in _first_of_each(plan, spread)]
    prompts = sum(min(len(js), item.n) for item, js in missing)
    if plan.config.orders == "random" or plan.judge.head:
        prompts = samples
    mean = sum(lengths) / len(lengths)
    return Estimate(
        len(missing),
        prompts,
        samples,
        have,
        round(mean * prompts),
        0 if plan.judge.head else samples * plan.config.max_tokens,
        plan.config.adaptive,
    )


def _length(request: Request, prompt_tokens: Callable[[tuple[Message, ...]], int]) -> int:
    try:
        return sum(map(prompt_tokens, request.prompts))
    except ConfigError as error:
        raise ConfigError(f"{'/'.join(request.key)}: {error}") from error


def _first_of_each(plan: Plan, items: list[tuple[Item, tuple[int, ...]]]) -> Iterable[Request]:
    for item, js in items:
        yield from islice(plan.requests([(item, js[:1])]), 1)
