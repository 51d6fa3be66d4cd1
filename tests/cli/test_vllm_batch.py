"""vLLM's own batch runner eats a requests file, and its answers are the run's samples."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grmeval.engines.models import resolve
from grmeval.store import RunFolder, all_runs
from tests.helpers import ask, grmeval, sampled

pytestmark = [pytest.mark.long, pytest.mark.vllm, pytest.mark.filterwarnings("default")]
CPU = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}


def test_vllm_reads_every_field_of_a_request(tmp_path: Path) -> None:
    """By its own protocol, without an engine: what is unknown there would be an extra."""
    from vllm.entrypoints.launchers.run_batch import BatchRequestInput

    run = sampled(tmp_path, k=1, limit=3, judge="index-prob", subset=["facts-pairs"])
    words = ("--structured", "--chat-template-kwargs", '{"a": 1}', "--limit", 3, "--k", 1)
    batch = ("--engine", "batch", "--model", "m", "--judge", "index-prob", "--bench", "sample")
    results = tmp_path / "batch"
    more = ("--results", results, "--subset", "facts-pairs")
    assert grmeval("run", *words, *batch, *more).returncode == 3
    (folder,) = all_runs(results)
    for path, count in ((folder, 3), (run.path, 3)):
        lines = ask("export", path, "--what", "requests", "--k", 2).splitlines()
        assert len(lines) >= count
        for line in lines:
            request = BatchRequestInput.model_validate_json(line)
            assert not request.model_extra
            assert not request.body.model_extra
            assert request.body.seed is not None
    assert request.body.logprobs is True


def test_vllm_run_batch_answers_a_requests_file(tmp_path: Path) -> None:
    words = ("--bench", "sample", "--limit", 3, "--k", 2, "--max-tokens", 128, "--structured")
    served = ("--engine", "batch", "--model", "demo-135m", "--results", tmp_path)
    assert grmeval("run", *words, *served).returncode == 3
    (folder,) = all_runs(tmp_path)
    requests, answers = tmp_path / "requests.jsonl", tmp_path / "answers.jsonl"
    ask("export", folder, "--what", "requests", "--to", requests)
    command = [sys.executable, "-W", "ignore", "-m", "vllm.entrypoints.openai.run_batch"]
    command += ["-i", str(requests), "-o", str(answers), "--served-model-name", "demo-135m"]
    command += ["--model", resolve("demo", None).location, "--dtype", "float32"]
    command += ["--enforce-eager", "--block-size", "32", "--max-model-len", "2048"]
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096"]
    command += ["--generation-config", "vllm", "--distributed-executor-backend", "uni"]
    done = subprocess.run(
        command, env=os.environ | CPU, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "6 answers imported" in grmeval("import", "answers", answers, "--into", folder).stderr
    rows = pq.read_table(folder / "samples.parquet").to_pylist()
    assert len(rows) == 6
    assert all(row["prompt_tokens"] > 0 and row["tokens"] > 0 for row in rows)
    readable = [row for row in rows if row["finish"] == "stop"]
    assert readable
    assert all(row["scores"] for row in readable)  # held to the format
    (launch,) = RunFolder(folder).record["launches"]
    assert launch["engine"] == {"engine": "batch", "model": "demo-135m"}
