"""What `grmeval run` loses against raw `LLM.generate`: samples/s on the same prompts and parameters.

    python perf/engine.py [--model demo] [--items 8] [--k 8] [--max-tokens 96] [--repeats 5] [--dtype D]
        [--responses 2 4]

One engine is started once and its prefix cache emptied before every timing. Three raw arms: one request
an order with n samples (balanced orders), one request a sample (balanced), one request a sample
(random orders); beside them grmeval's own loop, run folder and journal included, with balanced orders, with
--stop-at-score, and with random orders. The arms take turns, another first in each round. A ratio is taken
round by round, against the best raw arm of the round; printed are its median and its range. `outside`: the
share of the seconds that were not spent in vLLM's own steps. These and the tokens they put through the model
are counted, so that a busy machine shows as much as an idle one whether an arm makes the engine work more.
Decoding is unconstrained, so that nearly every judgement runs to the token limit: arms of one round
generate the same number of tokens.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.engines.vllm import VllmEngine
from grmeval.runs import Engines, Plan, Stopwatch, configure, extend, prepare


def select(plan: Plan, n: int, count: int) -> Plan:
    """The first items of n responses, by rank."""
    items = [item for item in plan.items() if item.n == n][:count]
    return replace(plan, loaded=replace(plan.loaded, items=tuple(items)))


class Rate(NamedTuple):
    """Samples/s; the share of the seconds that were not spent in vLLM's steps; what these had to do."""

    samples: float
    outside: float
    steps: int
    tokens: int


@dataclass
class Steps:
    """vLLM's steps of one arm: their number, their seconds, and the tokens put through the model."""

    count: int = 0
    seconds: float = 0.0
    tokens: int = 0

    def rate(self, samples: int, wall: float) -> Rate:
        return Rate(samples / wall, 1 - self.seconds / wall, self.count, self.tokens)


@contextlib.contextmanager
def in_steps(engine: Any) -> Iterator[Steps]:
    """Notes each of vLLM's steps meanwhile."""
    found, step = Steps(), engine._engine.step
    scheduler = engine._engine.engine_core.engine_core.scheduler
    schedule = scheduler.schedule

    def timed() -> Any:
        start = time.perf_counter()
        try:
            return step()
        finally:
            found.seconds += time.perf_counter() - start
            found.count += 1

    def counted(*given: Any, **named: Any) -> Any:
        planned = schedule(*given, **named)
        found.tokens += planned.total_num_scheduled_tokens
        return planned

    engine._engine.step, scheduler.schedule = timed, counted
    try:
        yield found
    finally:
        engine._engine.step, scheduler.schedule = step, schedule


def raw(engine: Any, plan: Plan, grouped: bool) -> Rate:
    """Of one LLM.generate call; `engine` is opened up, since raw is what is measured."""
    from vllm import SamplingParams
    from vllm.inputs import TokensPrompt
    from vllm.sampling_params import StructuredOutputsParams

    prompts, parameters, count = [], [], 0
    for request in plan.requests(plan.missing(set())):
        ids = TokensPrompt(prompt_token_ids=engine.encode(request.messages))
        common = {
            "temperature": plan.config.temperature,
            "top_p": plan.config.top_p,
            "max_tokens": plan.config.max_tokens,
        }
        for n in [len(request.js)] if grouped else [1] * len(request.js):
            grammar = StructuredOutputsParams(regex=request.grammar) if request.grammar else None
            prompts.append(ids)
            parameters.append(SamplingParams(n=n, structured_outputs=grammar, **common))
            count += n
    with in_steps(engine) as steps:
        start = time.perf_counter()
        engine._llm.generate(prompts, parameters, use_tqdm=False)
        wall = time.perf_counter() - start
    return steps.rate(count, wall)


def ours(engine: Any, plan: Plan) -> Rate:
    """Of grmeval's loop, from the first request to the last sample on disk."""
    watcher = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, in_steps(engine) as steps:
        config = plan.config.model_copy(update={"results": Path(folder)})
        extend(replace(plan, config=config), watcher, Engines(lambda seed: engine))
    return steps.rate(watcher.samples, watcher.seconds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="demo")
    parser.add_argument("--items", type=int, default=8)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--responses", type=int, nargs="*", default=[2, 4], help="of an item")
    arguments = parser.parse_args()
    settings = {"bench": "sample", "model": arguments.model, "k": arguments.k}
    settings["dtype"] = arguments.dtype
    settings |= {"structured": False, "max_tokens": arguments.max_tokens}
    asked: tuple[dict[str, Any], ...] = ({}, {"stop_at_score": True}, {"orders": "random"})
    plans = [prepare(configure(settings | more)) for more in asked]
    engine = plans[0].engine(0)
    assert isinstance(engine, VllmEngine)
    for n in arguments.responses:
        chosen = [select(plan, n, arguments.items) for plan in plans]
        print(
            f"{n} responses: {arguments.items} items, k = {arguments.k}, {arguments.repeats} rounds",
            flush=True,
        )
        show(rounds(engine, chosen, arguments.repeats))


def rounds(engine: Any, plans: list[Plan], repeats: int) -> dict[str, list[Rate]]:
    """Each arm's rates, after a first round that warms up; plans: as always, stopping, random orders."""
    plain, stopping, shuffled = plans
    arms: dict[str, Callable[[], Rate]] = {
        "raw, n samples a request": lambda: raw(engine, plain, True),
        "raw, one by one": lambda: raw(engine, plain, False),
        "grmeval": lambda: ours(engine, plain),
        "grmeval --stop-at-score": lambda: ours(engine, stopping),
        "raw, one by one, random orders": lambda: raw(engine, shuffled, False),
        "grmeval, random orders": lambda: ours(engine, shuffled),
    }
    rates: dict[str, list[Rate]] = {arm: [] for arm in arms}
    names = list(arms)
    for turn in range(repeats + 1):
        for arm in names[turn % len(names) :] + names[: turn % len(names)]:
            engine._llm.reset_prefix_cache()
            rate = arms[arm]()
            if turn:
                rates[arm].append(rate)
    return rates


def show(rates: dict[str, list[Rate]]) -> None:
    """Each arm, and grmeval's beside the raw ones."""
    for arm, found in rates.items():
        speed, outside, steps, tokens = zip(*found, strict=True)
        print(
            f"  {arm:32} {spread(speed, '6.2f')} samples/s, outside {statistics.median(outside):.2%}, "
            f"{statistics.median(steps):,.0f} steps of {statistics.median(tokens):,.0f} tokens"
        )
    grouped, single = rates["raw, n samples a request"], rates["raw, one by one"]
    best = [max(pair) for pair in zip(grouped, single, strict=True)]
    shuffled = rates["raw, one by one, random orders"]
    for mine, against, theirs in (
        ("grmeval", "the best raw arm", best),
        ("grmeval --stop-at-score", "the best raw arm", best),
        ("grmeval", "raw, n samples a request", grouped),
        ("grmeval", "raw, one by one", single),
        ("grmeval, random orders", "raw, random orders", shuffled),
    ):
        ratios = [a.samples / b.samples for a, b in zip(rates[mine], theirs, strict=True)]
        print(f"  {mine} / {against}: {spread(ratios, '.3f')}")


def spread(values: Sequence[float], form: str) -> str:
    """Median (smallest to largest)."""
    return f"{statistics.median(values):{form}} ({min(values):.3g}-{max(values):.3g})"


if __name__ == "__main__":
    main()
