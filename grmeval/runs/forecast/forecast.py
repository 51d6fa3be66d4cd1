"""What a launch would take: counted where it can be, expected of runs that are there, bounded by a GPU."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grmeval.config import RunConfig
from grmeval.engines import BATCH
from grmeval.engines.arguments import devices, number
from grmeval.engines.bound import Bound, Load, bound_of
from grmeval.engines.gpus import Gpu
from grmeval.engines.model_files import encoder, own_config, stored_tensors
from grmeval.engines.model_size import size_of
from grmeval.engines.models import UNSEEN
from grmeval.engines.prefix import CPU_BLOCK, GPU_BLOCK
from grmeval.engines.server.found_out import MOST_CHOICES
from grmeval.engines.settings import ModelSettings
from grmeval.engines.vllm_model import LONGEST_CONTEXT, is_cpu_build
from grmeval.runs.forecast.output import Expected, expected_output
from grmeval.runs.forecast.prompts import Missing, Prompts, Reader, count_prompts
from grmeval.runs.make_plan import again, recorded_model
from grmeval.runs.plan import Plan
from grmeval.runs.stopping import still_missing
from grmeval.store import RunFolder, SampleKey, record_of

__all__ = ["Forecast", "forecast", "forecast_of_run"]

Watch = Callable[[int], None]


@dataclass(frozen=True)
class Forecast:
    """One benchmark of one plan. `have`: samples that are there, and are not asked again.

    `generated` goes by `expected`; where that is None it is the most there can be, by --max-tokens. `bound`
    None: of no GPU, or nothing is known of the model. `copies` of the model work side by side.
    """

    plan: Plan
    have: int
    prompts: Prompts
    expected: Expected | None
    generated: int
    bound: Bound | None
    copies: int
    notes: tuple[str, ...]


def forecast(plan: Plan, gpu: Gpu | None = None, watch: Watch = lambda done: None) -> Forecast:
    """What the plan's missing samples would take; nothing is written, and no weights are read.

    `watch` hears how many prompts have been counted. ConfigError: the model's chat template refuses one.
    """
    there = plan.model != UNSEEN and (plan.path / "run.json").exists()
    folder = RunFolder(plan.path) if there else None
    done = folder.done() if folder else set()
    have = len(plan.items()) * plan.config.k - sum(len(js) for _, js in plan.missing(done))
    return _forecast(plan, still_missing(plan, folder, done), have, gpu, watch)


def forecast_of_run(
    folder: RunFolder, gpu: Gpu | None = None, watch: Watch = lambda done: None
) -> Forecast:
    """What one launch of the samples that a run has should have taken; how long they are, other runs say.

    ConfigError: nothing here can ask the run's judge, or its command would make another run by now.
    """
    elsewhere = folder.record["identity"].get("engine") in _ELSEWHERE
    model = recorded_model(folder) if elsewhere else None
    plan, done = again(folder, record_of(folder).k, model), folder.done()
    found = [
        (item, tuple(j for j in js if SampleKey(*item.key, j) in done))
        for item, js in plan.missing(())
    ]
    return _forecast(plan, [each for each in found if each[1]], 0, gpu, watch, but=folder.path)


_ELSEWHERE = frozenset({"fake", "server", BATCH})
"""Engines whose model is not here to be looked into."""


def _forecast(
    plan: Plan, missing: Missing, have: int, gpu: Gpu | None, watch: Watch, but: Path | None = None
) -> Forecast:
    config, notes = plan.config, list[str]()
    if config.adaptive:
        notes.append(
            f"--adaptive: k={config.k} is the most; items that are decided take fewer samples"
        )
    unseen = plan.model == UNSEEN or config.engine in _ELSEWHERE
    model = None if unseen else own_config(plan.model)
    reader = _reader(plan, model, gpu)
    prompts = count_prompts(plan, missing, reader, watch)
    expected = None if plan.judge.head else expected_output(plan, but)
    each = 0 if plan.judge.head else expected.tokens if expected else config.max_tokens
    copies = _copies(config)
    if config.engine == "server" and not plan.judge.head:
        notes.append(
            f"a prompt counts once a request, of up to {MOST_CHOICES} samples; where the server gives one a "
            "request, once a sample"
        )
    bound = None
    if config.engine != "fake" and gpu:
        generated = each * prompts.asked / copies
        load = Load(
            round(prompts.asked / copies),
            round(prompts.tokens / copies),
            round(prompts.computed / copies),
            generated,
        )
        bound, said = _bound(plan, model, gpu, load, prompts.longest)
        notes += said
    return Forecast(
        plan, have, prompts, expected, round(each * prompts.asked), bound, copies, tuple(notes)
    )


def _reader(plan: Plan, model: Mapping[str, Any] | None, gpu: Gpu | None) -> Reader:
    """How the plan's engine reads; of what is elsewhere characters are counted, and no cache is known."""
    config = plan.config
    if config.engine in _ELSEWHERE:
        return Reader(None, None, None, MOST_CHOICES if config.engine == "server" else 1)
    unseen = plan.model == UNSEEN
    encode = None if unseen else encoder(ModelSettings.of(plan.model, config))
    context = config.max_model_len
    if not context and model and isinstance(longest := model.get("max_position_embeddings"), int):
        context = min(longest, LONGEST_CONTEXT)
    room = None if context is None else context - (0 if plan.judge.head else config.max_tokens)
    usual = CPU_BLOCK if gpu is None and is_cpu_build() else GPU_BLOCK
    block = int(number(config.engine_args, "block_size", usual))
    caches = config.engine_args.get("enable_prefix_caching", True)
    return Reader(encode, room, block if caches else None)


def _copies(config: RunConfig) -> int:
    """Engines side by side, as far as their number was said."""
    given = (config.data_parallel, config.replicas)
    return math.prod(each for each in given if isinstance(each, int))


def _bound(
    plan: Plan, model: Mapping[str, Any] | None, gpu: Gpu, load: Load, longest: int
) -> tuple[Bound | None, list[str]]:
    config = plan.config
    if model is None:
        return None, ["no bound: the model's config.json is not at hand"]
    size = size_of(model, stored_tensors(plan.model), config.dtype, config.engine_args)
    if size is None:
        return None, ["no bound: the model's config.json does not say how large its parts are"]
    gpus = devices(config.tensor_parallel, config.engine_args)
    notes = list(size.notes)
    if size.window and longest + config.max_tokens > size.window:
        notes.append(
            f"attention in a window of {size.window:,} tokens is taken as attention to all"
        )
    return bound_of(size, gpu, gpus, load, config.engine_args), notes
