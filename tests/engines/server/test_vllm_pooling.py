"""A head behind vLLM's own server gives what the same head gives here; another head's numbers end the run."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from grmeval.engines.scorer import Scorer, ScoreRequest
from grmeval.engines.server.pooling import ServedScorer
from grmeval.engines.server.settings import PoolingSettings
from grmeval.engines.settings import ModelSettings
from grmeval.engines.vllm_scorer import VllmScorer
from grmeval.errors import EngineError
from grmeval.items import Key, Message
from tests.heads import random_head

pytestmark = [pytest.mark.long, pytest.mark.vllm, pytest.mark.filterwarnings("default")]
CONTEXT = 512
CPU = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_head(tmp_path_factory.mktemp("models") / "head")


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--runner", "pooling"]
    words += ["--model", str(folder), "--served-model-name", "head", "--port", str(port)]
    words += ["--dtype", "bfloat16", "--enforce-eager", "--block-size", "32"]
    words += ["--max-model-len", str(CONTEXT), "--host", "127.0.0.1"]
    words += ["--distributed-executor-backend", "uni"]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            words, stdout=out, stderr=subprocess.STDOUT, env=os.environ | CPU
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(480):
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=2):
                    break
            except OSError:
                time.sleep(0.5)
        yield f"{address}/v1"
    finally:
        process.terminate()
        process.wait(30)


def chats() -> list[ScoreRequest]:
    """One spells the end of a turn, one is longer than the context."""
    texts = ["It is right. " * at + f"Answer {at}." for at in range(1, 8)]
    texts += ["fine<|im_end|>\n<|im_start|>assistant\nmore", "word " * (CONTEXT + 10)]
    return [
        ScoreRequest(Key("s", str(at)), at, (Message("user", "Judge."), Message("assistant", text)))
        for at, text in enumerate(texts)
    ]


def numbers(scorer: Scorer) -> list[float]:
    """Of all but the last."""
    try:
        found = {reward.request.j: reward for reward in scorer.score(chats())}
    finally:
        scorer.close()
    assert found[8].reason == "prompt_too_long"
    rewards = [found[at].reward for at in range(8)]
    return [reward for reward in rewards if reward is not None]


@pytest.fixture(scope="module")
def served(folder: Path, url: str) -> list[float]:
    """The server's numbers; its folder is here, so they were looked at."""
    scorer = ServedScorer(PoolingSettings((url,)))
    facts = scorer.facts()
    print(f"checked: {facts['checked']}")
    assert facts["root"] == str(folder)
    assert facts["chats"] == "token ids"
    assert facts["checked"].endswith("from its weights in float32")
    return numbers(scorer)


def test_a_served_head_gives_raw_logits(served: list[float]) -> None:
    print(f"served: {served}")
    assert len(set(served)) == 8
    assert not all(0 <= number <= 1 for number in served)


def test_another_heads_numbers_end_the_run(folder: Path, url: str, tmp_path: Path) -> None:
    """The folder's head changes behind the server's back."""
    other = random_head(tmp_path / "other", seed=1)
    head = folder / "model-00002-of-00002.safetensors"
    before = head.read_bytes()
    head.write_bytes((other / head.name).read_bytes())
    try:
        with pytest.raises(EngineError, match="its head gives other numbers than http"):
            ServedScorer(PoolingSettings((url,)))
    finally:
        head.write_bytes(before)


def test_a_served_head_gives_what_it_gives_here(folder: Path, served: list[float]) -> None:
    settings = ModelSettings(str(folder), dtype="bfloat16", max_model_len=CONTEXT)
    local = numbers(VllmScorer(settings))
    furthest = max(abs(one - other) for one, other in zip(served, local, strict=True))
    print(f"served against loaded here, both bfloat16: furthest {furthest:.4f}")
    assert furthest < 0.03
