"""What a request over HTTP costs the client, beside the openai client; and what a run loses behind a server.

    python perf/server.py [--requests 4000] [--in-flight 1 64 512] [--memory 100000]
    python perf/server.py --vllm http://localhost:8000/v1 --tokenizer FOLDER [--prompts 128] [--at-once 64]

The first answers at once, from a process of its own: what is left is the client. Prompts have 3 kB. CPU is of
the client's process alone, seconds are of the wall. `plain openai client`: AsyncOpenAI, one task a request,
behind a semaphore. Memory is how much a process grows over so many requests, each arm in its own (the slow
one has a tenth of them).

The second takes turns: `vllm bench serve`, then `--engine server` one sample a request, then as it is, with
`n` samples a request. Prompts, number in flight and tokens of a text are the same; ratios are taken round by
round and their medians printed. The server should have no prefix cache (--no-enable-prefix-caching), else
the first arm warms it for the others.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from grmeval.engines import Sampling
from grmeval.engines.server.engine import ServerEngine
from grmeval.engines.server.settings import ServerSettings
from grmeval.items import Key, Message, Request
from grmeval.runs import Engines, Plan, Stopwatch, configure, extend, prepare

PROMPT = "a grader reads both answers and says which of them serves the user better and why " * 36
TEXT = "Analysis: the first is better.\nScores: \\boxed{8, 3}"
ANSWER = {
    "model": "instant",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 750, "completion_tokens": 20, "total_tokens": 770},
    "id": "c",
    "created": 0,
    "object": "chat.completion",
}


class Instant(asyncio.Protocol):
    """As little of HTTP as the clients need: whatever is asked, the same answer, at once."""

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._held) < end + 4 + size:
                return
            self._held = self._held[end + 4 + size :]
            self._transport.write(MODELS if head.startswith(b"get") else REPLY)


def _http(content: Any) -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


REPLY, MODELS = _http(ANSWER), _http({"data": [{"id": "instant"}]})


def serve(port: Any) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(
            Instant, "127.0.0.1", 0, backlog=2048
        )
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def requests(count: int) -> Iterator[Request]:
    """One sample of each, made as it is wanted."""
    for at in range(count):
        yield Request(Key("s", str(at)), (0, 1), (0,), (Message("user", f"{at} {PROMPT}"),))


def ours(url: str, count: int, at_once: int) -> int:
    settings = ServerSettings(
        (url,), "instant", Sampling(0.5, 1.0, 64), concurrency=at_once, allow_identical=True
    )
    engine = ServerEngine(settings, seed=1)
    done = sum(1 for _ in engine.generate(requests(count)))
    engine.close()
    return done


def plain(url: str, count: int, at_once: int) -> int:
    import openai

    async def main() -> int:
        slots = asyncio.Semaphore(at_once)
        async with openai.AsyncOpenAI(base_url=url, api_key="none", timeout=60) as client:

            async def one(request: Request) -> str | None:
                async with slots:
                    chat: Any = [message._asdict() for message in request.messages]
                    found = await client.chat.completions.create(
                        model="instant", messages=chat, temperature=0.5, max_tokens=64
                    )
                    return found.choices[0].message.content

            return len(await asyncio.gather(*map(one, requests(count))))

    return asyncio.run(main())


ARMS: dict[str, Callable[[str, int, int], int]] = {
    "grmeval": ours,
    "plain openai client": plain,
}


def measured(arm: str, url: str, count: int, at_once: int, told: Any) -> None:
    """In a process of its own: (samples/s, ms of CPU a request, MiB grown)."""
    run = ARMS[arm]
    run(url, 64, min(at_once, 64))  # imports and first connections
    grown, cpu, began = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        time.process_time(),
        time.perf_counter(),
    )
    assert run(url, count, at_once) == count
    seconds = time.perf_counter() - began
    used = time.process_time() - cpu
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown
    told.send((count / seconds, 1000 * used / count, grown / 1024))


def in_a_process(arm: str, url: str, count: int, at_once: int) -> tuple[float, float, float]:
    context = get_context("spawn")
    mine, theirs = context.Pipe()
    child = context.Process(target=measured, args=(arm, url, count, at_once, theirs))
    child.start()
    found: tuple[float, float, float] = mine.recv()
    child.join()
    return found


def client_cost(given: argparse.Namespace) -> None:
    context = get_context("spawn")
    mine, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{mine.recv()}/v1"
    try:
        print(f"{given.requests:,} requests of {len(PROMPT) / 1000:.1f} kB, answered at once")
        for at_once in given.in_flight:
            rates = {}
            for arm in ARMS:
                rate, cpu, _ = in_a_process(arm, url, given.requests, at_once)
                rates[arm] = rate
                print(
                    f"  {at_once:4} in flight  {arm:20} {rate:7.0f} samples/s  {cpu:6.2f} ms of CPU a request"
                )
            print(
                f"  {at_once:4} in flight  ratio {rates['grmeval'] / rates['plain openai client']:.1f}"
            )
        for arm, count in (("grmeval", given.memory), ("plain openai client", given.memory // 10)):
            _, _, grown = in_a_process(arm, url, count, 512)
            print(f"  {count:,} requests, 512 in flight: {arm} grows by {grown:.0f} MiB")
    finally:
        server.kill()


def through(plan: Plan, folder: Path, seed: int, n: int | None) -> float:
    """Samples/s of a run, from the first request to the last sample on disk; `n`: samples a request."""
    watcher = Stopwatch()
    config = plan.config.model_copy(update={"results": folder})
    engine = plan.engine(seed)
    assert isinstance(engine, ServerEngine)
    if n:
        engine._habits.n = n
    with Engines(lambda _: engine) as engines:
        extend(replace(plan, config=config), watcher, engines)
    return len(plan.items()) * plan.config.k / watcher.seconds


def behind_vllm(given: argparse.Namespace) -> None:
    settings = {"engine": "server", "base_url": (given.vllm,), "bench": "sample", "k": given.k}
    settings |= {"max_tokens": given.max_tokens, "concurrency": given.at_once}
    settings |= {"limit": max(1, given.prompts // given.k), "engine_args": {"ignore_eos": True}}
    one, several = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        prompts = Path(folder) / "prompts.jsonl"
        plan = prepare(configure(settings))
        asked = [r for r in plan.requests(plan.missing(set())) for _ in r.js]
        rows = ({"prompt": r.messages[0].content} for r in asked)
        prompts.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        print(f"{len(asked)} samples of {given.max_tokens} tokens, {given.at_once} in flight")
        for turn in range(given.repeats):
            theirs = bench_serve(given, plan.model.location, prompts, len(asked))
            by_one = through(plan, Path(folder) / f"{turn}a", 2 * turn, 1)
            by_n = through(plan, Path(folder) / f"{turn}b", 2 * turn + 1, None)
            one.append(by_one / theirs)
            several.append(by_n / theirs)
            print(
                f"  vllm bench serve {theirs:.2f}, grmeval one by one {by_one:.2f}, with n {by_n:.2f}"
            )
    print(f"  grmeval one by one / vllm bench serve: median {statistics.median(one):.3f}")
    print(f"  grmeval with n / vllm bench serve: median {statistics.median(several):.3f}")


BENCH = (  # `vllm bench serve`, whose own command asks for a package named vllm, which the CPU build is not
    "from vllm.benchmarks.serve import add_cli_args, main\n"
    "from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
    "parser = FlexibleArgumentParser()\nadd_cli_args(parser)\nmain(parser.parse_args())"
)


def bench_serve(given: argparse.Namespace, model: str, prompts: Path, count: int) -> float:
    words = {
        "--backend": "openai-chat",
        "--base-url": given.vllm.removesuffix("/v1"),
        "--endpoint": "/v1/chat/completions",
        "--model": given.tokenizer,
        "--served-model-name": model,
        "--dataset-name": "custom",
        "--dataset-path": str(prompts),
        "--custom-output-len": str(given.max_tokens),
        "--num-prompts": str(count),
        "--max-concurrency": str(given.at_once),
        "--temperature": "0.5",
        "--result-dir": str(prompts.parent),
        "--result-filename": "bench.json",
    }
    command = [sys.executable, "-c", BENCH]
    command += [word for pair in words.items() for word in pair]
    command += [
        "--ignore-eos",
        "--save-result",
        "--disable-tqdm",
        "--skip-chat-template",
        "--disable-shuffle",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = json.loads((prompts.parent / "bench.json").read_text("utf-8"))
    assert found["completed"] == count, found
    return float(found["request_throughput"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, nargs="*", default=[1, 64, 512])
    parser.add_argument("--memory", type=int, default=100_000)
    parser.add_argument("--vllm", help="address of a vLLM server to be measured behind")
    parser.add_argument("--tokenizer", help="of the bench client: the model's folder or hub id")
    parser.add_argument(
        "--prompts", type=int, default=128, help="samples, as the bench client counts"
    )
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    if given.vllm:
        behind_vllm(given)
    else:
        client_cost(given)


if __name__ == "__main__":
    main()
