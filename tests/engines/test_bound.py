"""The size of a model by its config, and the least time of a GPU, against numbers by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.engines.bound import Bound, Load, bound_of
from grmeval.engines.gpus import find_gpu, gpu_called, gpus
from grmeval.engines.model_files import Tensors, own_config, stored_tensors
from grmeval.engines.model_size import ModelSize, size_of
from grmeval.engines.models import ModelRef
from grmeval.errors import ConfigError

GEMMA_2_27B = {
    **{"num_hidden_layers": 46, "hidden_size": 4608, "intermediate_size": 36864},
    **{"num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128},
    **{"vocab_size": 256_000, "torch_dtype": "bfloat16", "sliding_window": 4096},
}
DEEPSEEK_V2_LITE = {
    **{"num_hidden_layers": 27, "hidden_size": 2048, "intermediate_size": 10944},
    **{"num_attention_heads": 16, "num_key_value_heads": 16, "vocab_size": 102_400},
    **{"n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6},
    **{"moe_intermediate_size": 1408, "first_k_dense_replace": 1, "q_lora_rank": None},
    **{"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128},
    **{"tie_word_embeddings": False, "torch_dtype": "bfloat16"},
}


def size(config: dict[str, Any], dtype: str = "auto", **arguments: Any) -> ModelSize:
    found = size_of(config, None, dtype, arguments)
    assert found
    return found


def bound(samples: int, prompt: int, new: int, gpu: str = "h200", **arguments: Any) -> Bound:
    """Of Gemma-2-27B, where 32 samples share each prompt."""
    load = Load(samples, samples * prompt, samples * prompt // 32, samples * new)
    return bound_of(size(GEMMA_2_27B), find_gpu(gpu), 1, load, arguments)


def test_a_dense_model_is_as_large_as_its_card_says() -> None:
    found = size(GEMMA_2_27B)
    assert found.weights / 2 == pytest.approx(27.2e9, rel=0.002)
    assert found.kv == 2 * 46 * 16 * 128 * 2
    assert found.head == 256_000 * 4608
    assert found.body + found.head == found.weights / 2
    assert size(GEMMA_2_27B, "float32").weights == 2 * found.weights
    assert size({**GEMMA_2_27B, "torch_dtype": "float32"}).weights == found.weights  # auto
    assert size(GEMMA_2_27B, kv_cache_dtype="fp8").kv == found.kv / 2
    assert found.step(1) == found.step(1000) == found.weights


def test_a_mixture_with_latent_attention_is_as_large_as_its_paper_says() -> None:
    """DeepSeek-V2-Lite: 15.7 billion parameters, of which 2.4 without embeddings for each token."""
    found = size(DEEPSEEK_V2_LITE)
    assert found.weights / 2 == pytest.approx(15.7e9, rel=0.002)
    assert found.body + found.head == pytest.approx(2.45e9, rel=0.01)
    assert found.kv == 27 * (512 + 64) * 2
    # Its embeddings are not its head: a step looks up a row a token.
    assert found.looked_up == pytest.approx(102_400 * 2048 * 2)
    read = found.weights - found.looked_up
    assert found.step(1) == pytest.approx(read - found.experts * (1 - 6 / 64))
    assert found.step(256) == pytest.approx(read, rel=1e-9)
    assert any("6 of 64" in note for note in found.notes)


def test_what_is_stored_is_believed_before_what_is_computed() -> None:
    stored = size_of(GEMMA_2_27B, Tensors(50_000_000_000, 25_000_000_000, False), "auto", {})
    assert stored
    assert stored.weights == 5e10
    packed = GEMMA_2_27B | {"quantization_config": {"bits": 4}}
    few = size_of(packed, Tensors(15_000_000_000, None, False), "auto", {})
    assert few
    assert few.weights == 1.5e10
    assert any("quantised" in note for note in few.notes)
    assert size_of({"model_type": "mamba"}, None, "auto", {}) is None


def test_the_headers_of_a_folder_are_read(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "lm_head.weight": {"dtype": "BF16", "shape": [3, 2], "data_offsets": [0, 12]},
        "model.norm.weight": {"dtype": "F32", "shape": [2], "data_offsets": [12, 20]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(20))
    model = ModelRef(str(tmp_path), None, "m", "sha256:0")
    assert stored_tensors(model) == Tensors(20, 8, True)
    path.write_bytes(b"")
    assert stored_tensors(model) is None
    assert own_config(model) is None
    (tmp_path / "config.json").write_text('{"a": 1, "text_config": {"vocab_size": 5}}')
    assert own_config(model) == {"a": 1, "text_config": {"vocab_size": 5}, "vocab_size": 5}


def test_what_the_hub_keeps_beside_weights_is_read_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    commit = "c" * 40
    folder = tmp_path / "models--o--m" / "snapshots" / commit
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(GEMMA_2_27B))
    model = ModelRef("o/m", commit, "o--m", f"hub:o/m@{commit}")
    assert own_config(model) == GEMMA_2_27B
    assert stored_tensors(model) is None
    index = {"metadata": {"total_size": 12}, "weight_map": {"lm_head.weight": "a.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert stored_tensors(model) == Tensors(12, None, True)
    assert own_config(model._replace(location="o/other")) is None


def test_gemma_27b_on_an_h200_generates_at_most_5500_tokens_a_second() -> None:
    """256 running samples of a 1,500-token prompt, in the middle of judgements of 500 tokens."""
    samples, new = 4096, 500
    found = bound(samples, 1500, new, max_num_seqs=256)
    assert found.running == 256
    step = (46 * 16 * 128 * 2 * 2 * 256 * 1750 + size(GEMMA_2_27B).weights) / 4.8e12
    assert found.decode == pytest.approx(samples * new / (256 / step))
    assert samples * new / (found.decode or 0) == pytest.approx(5500, rel=0.01)
    assert found.by == "memory bandwidth"
    # Prompts: 128 of them, each once, at 989.5 TFLOPS.
    assert found.prefill == pytest.approx(
        2 * size(GEMMA_2_27B).body * 128 * 1500 / 989.5e12, rel=1e-6
    )
    assert found.seconds == (found.prefill or 0) + (found.decode or 0)


def test_as_many_run_at_once_as_there_is_memory_for() -> None:
    room = 0.92 * 141 * 2**30 - size(GEMMA_2_27B).weights
    held = size(GEMMA_2_27B).kv * (1500 / 32 + 250)
    assert bound(100_000, 1500, 500).running == int(room / held) < 1024
    assert bound(8, 1500, 500).running == 8
    assert bound(100_000, 32, 2).running == 1024
    assert bound(100_000, 32, 2, "l40s", gpu_memory_utilization=1.3).running == 256


def test_short_work_of_many_is_bound_by_what_is_computed() -> None:
    found = bound(100_000, 32, 2)
    assert found.by == "FLOPs"
    assert found.decode == pytest.approx(
        2 * (size(GEMMA_2_27B).weights / 2) * 200_000 / 989.5e12, rel=1e-6
    )


def test_gpus_that_share_a_model_add_up() -> None:
    one = bound(4096, 1500, 500, max_num_seqs=256)
    load = Load(4096, 4096 * 1500, 4096 * 1500 // 32, 4096 * 500)
    two = bound_of(size(GEMMA_2_27B), find_gpu("h200"), 2, load, {"max_num_seqs": 256})
    assert (two.devices, two.memory) == (2, 2 * one.memory)
    assert two.seconds == pytest.approx((one.seconds or 0) / 2)


def test_a_model_that_does_not_fit_has_no_hours() -> None:
    found = bound(64, 1500, 500, "a100-40gb")
    assert (found.running, found.seconds) == (0, None)
    assert found.weights > found.memory == 0.92 * 40 * 2**30


def test_nothing_to_generate_is_prompts_alone() -> None:
    load = Load(10, 10_000, 5_000, 0)
    found = bound_of(size(GEMMA_2_27B), find_gpu("h200"), 1, load, {})
    assert (found.decode, found.running) == (0, 10)


def test_gpus_are_found_by_name_or_as_drivers_call_them() -> None:
    assert find_gpu("H100-SXM").bandwidth == 3350
    assert gpu_called("NVIDIA H100 80GB HBM3") == find_gpu("h100-sxm")
    assert find_gpu("NVIDIA A100-SXM4-80GB") == find_gpu("a100-80gb-sxm")
    assert gpu_called("Intel Xeon") is None
    with pytest.raises(ConfigError, match="--gpu 'h100': there are h100-sxm, h100-pcie, h100-nvl;"):
        find_gpu("h100")
    with pytest.raises(
        ConfigError, match=r"--gpu 'rtx-4080': allowed: .*; did you mean 'rtx-4090'"
    ):
        find_gpu("rtx-4080")
    names = [name for gpu in gpus().values() for name in (gpu.title, *gpu.devices)]
    assert len(names) == len(set(names))
    assert all(gpu.source and gpu.bf16 > 10 and gpu.bandwidth > 100 for gpu in gpus().values())
