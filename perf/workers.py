"""What a second process adds: samples/s of two workers of `--data-parallel 2`, over those of one.

    python perf/workers.py [--model demo] [--items 24] [--k 8] [--max-tokens 64] [--rounds 3] [--latency 0.01]

First with the fake engine, which waits so long for each sample; then with vLLM, a worker a core: one worker
with one core against two with one each (on GPUs: one GPU each). Each arm is loaded once, and the arms take
turns; every round has another system message, so that no prefix cache holds its prompts. The time is that
from the first request to the last sample on disk. `--only fake` leaves vLLM out.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from grmeval.engines import Engine
from grmeval.engines.places import Place, places
from grmeval.engines.pool import EnginePool
from grmeval.engines.workers import ProcessWorker, worker_seeds
from grmeval.runs import Engines, Plan, Stopwatch, configure, extend, prepare


def pool(plan: Plan, of: tuple[Place, ...]) -> EnginePool:
    """A worker of the plan's engine in each place, all in processes, however few."""
    seeds = worker_seeds(0, len(of))
    opens = [plan._opens(seed) for seed in seeds]
    return EnginePool([ProcessWorker("worker", p, o) for p, o in zip(of, opens, strict=True)], {})


def rate(settings: dict[str, Any], turn: int, engine: Engine) -> float:
    """Samples/s of one run."""
    watcher = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        more = {"system": f"This is round {turn}.", "results": Path(folder)}
        kept = Engines(lambda seed: engine)  # never closed: it serves the next round
        extend(prepare(configure(settings | more)), watcher, kept)
    return watcher.samples / watcher.seconds


def measure(name: str, settings: dict[str, Any], of: tuple[Place, ...], rounds: int) -> None:
    plan = prepare(configure(settings))
    arms = {"one worker": pool(plan, of[:1]), "two workers": pool(plan, of)}
    rates: dict[str, list[float]] = {arm: [] for arm in arms}
    try:
        for turn in range(rounds + 1):
            for arm, engine in arms.items():
                found = rate(settings, turn, engine)
                if turn:  # the first round warms up
                    rates[arm].append(found)
    finally:
        for engine in arms.values():
            engine.close()
    print(f"{name}: {len(plan.items())} items, k = {settings['k']}, {rounds} rounds")
    for arm, each in rates.items():
        median = statistics.median(each)
        print(f"  {arm:12} {median:7.2f} samples/s ({min(each):.2f}-{max(each):.2f})")
    ratios = [b / a for a, b in zip(*rates.values(), strict=True)]
    print(
        f"  two / one: median {statistics.median(ratios):.3f}, of linear {min(ratios) / 2:.3f}",
        end="",
    )
    print(f"-{max(ratios) / 2:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="demo")
    parser.add_argument("--items", type=int, default=24)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.01)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--seqs", type=int, default=16, help="sequences at once in a worker")
    parser.add_argument("--only", choices=("fake", "vllm"))
    given = parser.parse_args()
    common = {"bench": "sample", "k": given.k, "limit": given.items, "data_parallel": 2}
    if given.only != "vllm":
        fake = common | {"engine": "fake", "engine_args": {"latency": given.latency}}
        name = f"fake engine, {given.latency:g} s a sample"
        measure(name, fake, places(2, 1, "fake"), given.rounds)
    if given.only != "fake":
        real = common | {"model": given.model, "max_tokens": given.max_tokens, "dtype": given.dtype}
        # Few at once in a worker: a batch of the same size, however many workers share the samples.
        real |= {"structured": False}  # nearly all samples run to the token limit
        real |= {"engine_args": {"max_num_seqs": given.seqs}, "max_model_len": 2048}
        of = places(2, 1, "vllm")
        measure(f"vLLM, {given.model}, {of[0].name} and {of[1].name}", real, of, given.rounds)


if __name__ == "__main__":
    main()
