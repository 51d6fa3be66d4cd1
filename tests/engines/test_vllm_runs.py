"""The real engine through the command line: runs that are extended, killed, out of memory, adapted.

Each long one loads a model of its own and closes it, which ends whatever else vLLM holds in this process:
so this file comes after those that share one.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from grmeval.engines import Sampling
from grmeval.engines.models import resolve
from grmeval.engines.settings import ModelSettings
from grmeval.engines.vllm import VllmEngine
from grmeval.runs.forecast import forecast_of_run
from grmeval.store import RunFolder, SampleKey, latest
from tests.engines.conftest import CONTEXT, SMALL, Commanded
from tests.engines.test_vllm import answers, ask
from tests.helpers import ENVIRONMENT, command, grmeval, rows, until_there_are

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]
KILLS = int(os.environ.get("GRMEVAL_VLLM_KILLS", "1"))


@pytest.mark.long
def test_the_seed_of_a_launch_decides_its_texts(few: Path) -> None:
    texts = []
    for seed in (5, 5, 6):
        settings = ModelSettings(str(few), dtype="float32", max_model_len=256)
        engine = VllmEngine(settings, Sampling(1.0, 1.0, 16), seed=seed)
        texts.append(
            [done.text for done in answers(engine, ask("Tell a story.", js=(0, 1))).values()]
        )
        engine.close()
    assert texts[0] == texts[1] != texts[2]


def test_run_extend_and_rerun_through_the_command_line(
    commanded: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, _, results, engine = commanded
    assert "4 samples of 2 items" in commanded.done.stderr
    folder = RunFolder(latest(results))
    prompts, totals = forecast_of_run(folder).prompts, folder.record["totals"]
    assert (prompts.tokens, prompts.cached) == (totals["prompt_tokens"], totals["cached_tokens"])
    before = rows(folder.path)
    assert all(row["invalid"] in (None, "truncated") for row in before)
    assert any(row["scores"] for row in before)

    def loaded_again(settings: ModelSettings, sampling: Sampling, **how: Any) -> VllmEngine:
        assert (settings.dtype, settings.max_model_len) == ("float32", CONTEXT)
        engine._sampling = sampling
        return engine

    monkeypatch.setattr("grmeval.engines.vllm.VllmEngine", loaded_again)
    monkeypatch.setattr(engine, "close", lambda: None)
    second = grmeval("run", *words, "--k", 4)
    assert "4 samples of 2 items (4 are there)" in second.stderr, second.stderr
    after = rows(latest(results))
    assert [row for row in after if row["j"] < 2] == before
    third = grmeval("run", *words, "--k", 4)
    assert (third.returncode, "loading" in third.stderr) == (0, False)
    assert third.stdout == second.stdout
    launches = RunFolder(latest(results)).record["launches"]
    assert [launch["samples"] for launch in launches] == [4, 4]
    assert {launch["engine"]["engine"] for launch in launches} == {"vllm"}


def adapter(folder: Path) -> Path:
    """A random LoRA adapter of rank 8 over the packaged model's query and value projections."""
    import torch
    from safetensors.torch import save_file

    base = Path(resolve("demo", None).location)
    config = json.loads((base / "config.json").read_text("utf-8"))
    width, rank = config["hidden_size"], 8
    out = {"q_proj": width, "v_proj": config["num_key_value_heads"] * config["head_dim"]}
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for layer in range(config["num_hidden_layers"]):
        for module, size in out.items():
            name = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            for part, shape in (("lora_A", (rank, width)), ("lora_B", (size, rank))):
                weights[f"{name}.{part}.weight"] = torch.randn(shape, generator=generator) * 0.1
    folder.mkdir()
    save_file(weights, folder / "adapter_model.safetensors")
    facts = {"peft_type": "LORA", "r": rank, "lora_alpha": 16, "target_modules": list(out)}
    (folder / "adapter_config.json").write_text(json.dumps(facts | {"bias": "none"}), "utf-8")
    return folder


@pytest.mark.long
def test_two_benchmarks_share_a_model_and_an_adapter_changes_it(tmp_path: Path) -> None:
    row = {"prompt": "2 + 2?", "responses": ["4", "5"]}
    (tmp_path / "own.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    benches = ("--bench", "sample", "--bench", tmp_path / "own.jsonl", "--model", "demo")
    words = (*benches, "--greedy", "--dtype", "float32")
    small = ("--limit", 1, "--max-tokens", 96, "--results", tmp_path / "r")
    plain = grmeval("run", *words, *small)
    assert plain.returncode == 0, plain.stderr
    loaded = [line for line in plain.stderr.splitlines() if line.startswith("loading engine")]
    assert len([line for line in loaded if not line.endswith("so far")]) == 1
    changed = grmeval("run", *words, "--lora", adapter(tmp_path / "my-adapter"), *small)
    assert changed.returncode == 0, changed.stderr
    texts = [
        [row["text"] for row in rows(path.parent)]
        for path in sorted(tmp_path.glob("r/sample/*/*/run.json"))
    ]
    assert [len(each) for each in texts] == [1, 1]
    assert texts[0] != texts[1]
    labels = {path.parents[1].name for path in tmp_path.glob("r/*/*/*/run.json")}
    assert labels == {"demo", "demo+my-adapter"}


@pytest.mark.long
def test_too_little_memory_says_what_to_lower(tmp_path: Path) -> None:
    greedy = {"VLLM_CPU_KVCACHE_SPACE": "1000000"}  # GiB, for the CPU build
    cache = ("--engine-arg", f"kv_cache_memory_bytes={10**15}")  # for the GPU's
    found = grmeval("run", *SMALL, *cache, "--results", tmp_path, env=greedy)
    assert found.returncode == 3, found.stderr
    assert "If memory is short: lower --max-model-len" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.long
def test_killed_runs_of_the_real_engine_lose_nothing(tmp_path: Path) -> None:
    arguments = ["run", *SMALL, "--k", 4, "--results", tmp_path]
    random = np.random.default_rng(3)
    kept: dict[SampleKey, Any] = {}
    for _ in range(KILLS):
        with (tmp_path / "said").open("w") as said:
            at_work = subprocess.Popen(
                command(*arguments), stdout=said, stderr=said, env=ENVIRONMENT
            )
        wanted = len(kept) + int(random.integers(1, 6))
        until_there_are(wanted, lambda: _stored(tmp_path), at_work)
        at_work.kill()
        at_work.wait()
        folder = RunFolder(latest(tmp_path))
        assert set(kept) <= folder.done()
        kept = dict.fromkeys(folder.done())
        assert len(kept) > 0
    journaled = _texts(latest(tmp_path))
    last = grmeval(*arguments)
    assert last.returncode == 0, last.stderr
    final = rows(latest(tmp_path))
    assert sorted((r["subset"], r["id"], r["j"]) for r in final) == [
        (r["subset"], r["id"], r["j"]) for r in final
    ]
    assert len(final) == 8
    by_key = {(r["subset"], r["id"], r["j"]): r["text"] for r in final}
    assert all(by_key[key] == text for key, text in journaled.items())
    fake = grmeval(
        *("run", "--bench", "sample", "--engine", "fake"),
        *("--limit", 2, "--k", 4, "--results", tmp_path / "f"),
    )
    assert fake.returncode == 0, fake.stderr
    assert [r["order"] for r in rows(latest(tmp_path / "f"))] == [r["order"] for r in final]


def _stored(results: Path) -> int:
    found = [RunFolder(path.parent) for path in results.glob("*/*/*/run.json")]
    return len(found[0].done()) if found else 0


def _texts(folder: Path) -> dict[tuple[str, str, int], str]:
    found = {}
    for journal in folder.glob("journal/*.jsonl"):
        for line in journal.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                row = json.loads(line)
                found[row["subset"], row["id"], row["j"]] = row["text"]
    if (folder / "samples.parquet").exists():
        for row in pq.read_table(folder / "samples.parquet").to_pylist():
            found.setdefault((row["subset"], row["id"], row["j"]), row["text"])
    return found
