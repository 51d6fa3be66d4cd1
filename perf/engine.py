"""What `grmeval run` loses against raw `LLM.generate`: samples/s on the same prompts and parameters.

    python perf/engine.py [--model demo] [--items 8] [--k 8] [--max-tokens 96] [--repeats 5] [--dtype D]

One engine is started once and its prefix cache emptied before every timing. Three raw arms: one request
an order with n samples (balanced orders), one request a sample (balanced), one request a sample
(random orders); beside them grmeval's own loop, run folder and journal included, with balanced and with
random orders. The arms take turns; the ratio is taken round by round and its median printed.
Decoding is unconstrained, so that nearly every judgement runs to the token limit: arms of one round
generate the same number of tokens.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from grmeval.engines.vllm import VllmEngine
from grmeval.items import Sample
from grmeval.runs import Engines, Estimate, Plan, configure, extend, prepare


class Silent:
    """A watcher that notes when sampling begins and ends."""

    began = ended = 0.0

    def loading(self, plan: Plan, is_open: bool) -> None:
        pass

    def begin(self, estimate: Estimate) -> None:
        self.began = time.perf_counter()

    def advance(self, sample: Sample) -> None:
        pass

    def end(self) -> None:
        self.ended = time.perf_counter()


def select(plan: Plan, n: int, count: int) -> Plan:
    """The first items of n responses, by rank."""
    items = [item for item in plan.items() if item.n == n][:count]
    return replace(plan, loaded=replace(plan.loaded, items=tuple(items)))


def raw(engine: Any, plan: Plan, grouped: bool) -> float:
    """Samples/s of one LLM.generate call; `engine` is opened up, since raw is what is measured."""
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
    start = time.perf_counter()
    engine._llm.generate(prompts, parameters, use_tqdm=False)
    return count / (time.perf_counter() - start)


def ours(engine: VllmEngine, plan: Plan) -> float:
    """Samples/s of grmeval's loop, from the first request to the last sample on disk."""
    watcher = Silent()
    with tempfile.TemporaryDirectory() as folder:
        config = plan.config.model_copy(update={"results": Path(folder)})
        extend(replace(plan, config=config), watcher, Engines(lambda seed: engine))
    return len(plan.items()) * plan.config.k / (watcher.ended - watcher.began)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="demo")
    parser.add_argument("--items", type=int, default=8)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", default="bfloat16")
    arguments = parser.parse_args()
    settings = {"bench": "sample", "model": arguments.model, "k": arguments.k}
    settings["dtype"] = arguments.dtype
    settings |= {"structured": False, "max_tokens": arguments.max_tokens}
    balanced = prepare(configure(settings))
    random = prepare(configure(settings | {"orders": "random"}))
    engine = balanced.engine(0)
    assert isinstance(engine, VllmEngine)
    for n, name in ((2, "pairs"), (4, "best-of-4")):
        plain, shuffled = (select(plan, n, arguments.items) for plan in (balanced, random))
        arms: dict[str, Callable[[], float]] = {
            "raw, n samples a request": lambda p=plain: raw(engine, p, True),  # type: ignore[misc]
            "raw, one by one": lambda p=plain: raw(engine, p, False),  # type: ignore[misc]
            "grmeval": lambda p=plain: ours(engine, p),  # type: ignore[misc]
            "raw, one by one, random orders": lambda p=shuffled: raw(engine, p, False),  # type: ignore[misc]
            "grmeval, random orders": lambda p=shuffled: ours(engine, p),  # type: ignore[misc]
        }
        rates: dict[str, list[float]] = {arm: [] for arm in arms}
        for turn in range(arguments.repeats + 1):
            for arm, measure in arms.items():
                engine._llm.reset_prefix_cache()
                rate = measure()
                if turn:  # the first round warms up
                    rates[arm].append(rate)
        print(f"{name}: {len(plain.items())} items, k = {arguments.k}, {arguments.repeats} rounds")
        for arm, found in rates.items():
            print(
                f"  {arm:32} {statistics.median(found):6.2f} samples/s ({min(found):.2f}-{max(found):.2f})"
            )
        for mine, theirs in (
            ("grmeval", "raw, one by one"),
            ("grmeval", "raw, n samples a request"),
            ("grmeval, random orders", "raw, one by one, random orders"),
        ):
            ratios = [a / b for a, b in zip(rates[mine], rates[theirs], strict=True)]
            print(f"  {mine} / {theirs}: median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
