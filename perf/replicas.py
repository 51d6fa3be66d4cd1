"""Two ways to put the engine on a Ray cluster: actors of ours, and ray.data.llm, on the same prompts.

    python perf/replicas.py [--model demo] [--items 4] [--k 8] [--max-tokens 96] [--replicas 1 2] [--dtype D]

Each arm is a process of its own with a Ray of its own: seconds from its start to the first sample that is
there, to the last, and to its end, so that loading counts. Decoding is unconstrained, and both arms write
up to the token limit. One row of ray.data.llm is one sample: it knows no n. Needs the extra `ray`; without it
this says so and ends well.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from grmeval.items import Sample
from grmeval.runs import Estimate, Plan, configure, extend, prepare

CORES = os.cpu_count() or 1


class Clock:
    """A watcher that notes when samples come."""

    def __init__(self) -> None:
        self.began, self.times = time.perf_counter(), list[float]()

    def loading(self, plan: Plan, is_open: bool) -> None:
        pass

    def begin(self, estimate: Estimate) -> None:
        pass

    def advance(self, sample: Sample | None = None) -> None:
        self.times.append(time.perf_counter() - self.began)

    def end(self) -> None:
        pass


def actors(settings: dict[str, Any], replicas: int, clock: Clock) -> None:
    """`grmeval run --engine ray`."""
    with tempfile.TemporaryDirectory() as folder:
        more = {"engine": "ray", "replicas": replicas, "results": Path(folder)}
        extend(prepare(configure(settings | more)), clock)


def data(settings: dict[str, Any], replicas: int, clock: Clock) -> None:
    """ray.data.llm: its processor around vLLM, with the settings that vLLM has here."""
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    plan = prepare(configure(settings))
    chats = [
        [message._asdict() for message in request.messages]
        for request in plan.requests(plan.missing(set()))
        for _ in request.js
    ]
    ray.init(num_cpus=4 * replicas + 4, include_dashboard=False, log_to_driver=False)
    environment = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "2"}
    environment |= {"OMP_NUM_THREADS": str(max(1, CORES // replicas)), "HF_HUB_OFFLINE": "1"}
    engine: dict[str, Any] = {"dtype": plan.config.dtype}
    engine |= {"max_model_len": plan.config.max_model_len}
    engine |= {"enforce_eager": True, "block_size": 32, "distributed_executor_backend": "mp"}
    processor = build_processor(
        vLLMEngineProcessorConfig(
            model_source=plan.model.location,
            engine_kwargs=engine,
            runtime_env={"env_vars": environment},
            placement_group_config={"bundles": [{"CPU": 1}]},
            log_engine_metrics=False,
            concurrency=replicas,
            batch_size=8,
        ),
        preprocess=lambda row: {
            "messages": row["chat"],
            "sampling_params": {
                "temperature": plan.config.temperature,
                "top_p": plan.config.top_p,
                "max_tokens": plan.config.max_tokens,
            },
        },
        postprocess=lambda row: {"text": row["generated_text"]},
    )
    rows = ray.data.from_items([{"chat": chat} for chat in chats]).repartition(2 * replicas)
    for _ in processor(rows).iter_rows():
        clock.advance()


ARMS: dict[str, Callable[[dict[str, Any], int, Clock], None]] = {"actors": actors, "data": data}
NAMES = {"actors": "actors (grmeval)", "data": "ray.data.llm"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="demo")
    parser.add_argument("--items", type=int, default=4)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--replicas", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--arms", nargs="*", default=[*ARMS], choices=ARMS)
    parser.add_argument("--here", action="store_true", help="one arm, in this process")
    given = parser.parse_args()
    if find_spec("ray") is None:
        print("Ray is not installed (the extra `ray`): nothing measured")
        return
    settings = {"bench": "sample", "model": given.model, "k": given.k, "limit": given.items}
    settings |= {"dtype": given.dtype, "max_tokens": given.max_tokens, "max_model_len": 2048}
    settings["structured"] = False  # neither way is held to a format
    if given.here:
        clock = Clock()
        ARMS[given.arms[0]](settings, given.replicas[0], clock)
        samples, first, last = len(clock.times), clock.times[0], clock.times[-1]
        end = time.perf_counter() - clock.began
        print(
            f"| {NAMES[given.arms[0]]} | {given.replicas[0]} | {samples} | {first:.0f} s | {last:.0f} s | "
            f"{end:.0f} s |"
        )
        return
    print("| | replicas | samples | first there after | last after | ended after |")
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for replicas in given.replicas:
        for arm in given.arms:
            words = [
                sys.executable,
                *sys.argv,
                "--here",
                "--arms",
                arm,
                "--replicas",
                str(replicas),
            ]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr[-2000:])
            print(done.stdout.strip().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
