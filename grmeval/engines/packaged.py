"""The demo model: a GGUF that a Python package carries -> a transformers folder in the user's cache.

SmolLM2 is a Llama: the names below are that family's. The conversion needs neither a network nor
transformers, and its weights are bit-identical to what transformers' own GGUF loader gives. A LoRA adapter is
merged into them, since vLLM's CPU build serves one six times slower than weights of which it is a part.
"""

import json
import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from grmeval import resources
from grmeval.engines.models import fingerprint
from grmeval.errors import EngineError

__all__ = ["converted", "merge"]

CONVERTER = 1
"""Version of the conversion below: a change of it makes the folder anew."""

_TENSORS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_BLOCK = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}

_DOWN = ".lora_A.weight"
_OTHER_KINDS = ("use_dora", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "modules_to_save")
"""Settings of an adapter that would have to be merged in another way."""


def converted(package: str, adapter: Path | None = None) -> Path:
    """The model folder made from a package's GGUF, `adapter` merged in; made once, whole or not at all.

    EngineError: the package, or what the conversion needs, is not there; no adapter that can be merged.
    """
    try:
        made_from = version(package)
    except PackageNotFoundError:
        raise EngineError(
            f"the demo model's package {package} is not installed: in a checkout `make install`, then "
            "`source .venv/bin/activate`, brings it and vLLM"
        ) from None
    name = f"{package}-{made_from}-bf16-v{CONVERTER}"
    if adapter:
        name += f"+{adapter.name}-{fingerprint(adapter)[:12]}"
    folder = resources.cache_folder() / name
    if folder.is_dir():
        return folder
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        _convert(_gguf(package), temporary, adapter)
        temporary.rename(folder)
    except ModuleNotFoundError as error:
        raise EngineError(f"the demo model needs the package {error.name}: make install") from None
    except OSError as error:
        if not folder.is_dir():  # another process may have been faster
            raise EngineError(
                f"the demo model cannot be put into {folder.parent}: {error}"
            ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _gguf(package: str) -> Path:
    # The package is found, never imported: its own imports need llama.cpp.
    spec = find_spec(package.replace("-", "_"))
    places = (spec.submodule_search_locations or []) if spec else []
    files = [file for place in places for file in Path(place).glob("*.gguf")]
    if not files:
        raise EngineError(f"the package {package} holds no .gguf file; install it again")
    return files[0]


def _convert(source: Path, target: Path, adapter: Path | None) -> None:
    import numpy as np
    import torch
    from gguf import GGUFReader, dequantize
    from safetensors.torch import save_file

    reader = GGUFReader(str(source))
    heads = {"attn_q": _value(reader, "llama.attention.head_count")}
    heads["attn_k"] = _value(reader, "llama.attention.head_count_kv")
    weights = {}
    for tensor in reader.tensors:
        values = np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        weight = torch.from_numpy(values).reshape([int(x) for x in tensor.shape.tolist()[::-1]])
        name = tensor.name.removesuffix(".weight")
        if name.startswith("blk."):
            _, layer, part = name.split(".", 2)
            if part in heads:
                # GGUF interleaves the two halves of each head for its own rotary embedding.
                shape = (heads[part], weight.shape[0] // heads[part] // 2, 2, *weight.shape[1:])
                weight = weight.reshape(shape).swapaxes(2, 1).reshape(weight.shape)
            name = f"model.layers.{layer}.{_BLOCK[part]}"
        else:
            name = _TENSORS[name]
        weights[f"{name}.weight"] = weight.to(torch.bfloat16).contiguous()
    if adapter:
        merge(weights, adapter)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    _write_config(reader, target, tied="lm_head.weight" not in weights)
    _write_tokenizer(reader, target)


def merge(weights: dict[str, Any], adapter: Path) -> None:
    """Add a LoRA adapter (PEFT's files) to the weights that it is for: W + alpha / r * B A, in float32.

    EngineError: it is none, it is of another kind, or it is for a weight that is not there.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        said = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
        found = load_file(adapter / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise EngineError(f"{adapter}: no LoRA adapter can be read there: {error}") from None
    if said.get("peft_type") != "LORA" or any(said.get(name) for name in _OTHER_KINDS):
        raise EngineError(f"{adapter}: not a plain LoRA adapter ({', '.join(_OTHER_KINDS)})")
    scale = said["lora_alpha"] / (said["r"] ** 0.5 if said.get("use_rslora") else said["r"])
    for name, down in found.items():
        if not name.endswith(_DOWN):
            continue
        target = name.removeprefix("base_model.model.").removesuffix(_DOWN) + ".weight"
        if target not in weights:
            raise EngineError(f"{adapter}: it is for a weight that this model has not: {target}")
        up = found[name.removesuffix(_DOWN) + ".lora_B.weight"]
        change = scale * (up.float() @ down.float())
        weights[target] = (weights[target].float() + change).to(weights[target].dtype).contiguous()


def _write_config(reader: Any, target: Path, tied: bool) -> None:
    width, heads = (
        _value(reader, f"llama.{x}") for x in ("embedding_length", "attention.head_count")
    )
    special = {
        "bos_token_id": _value(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _value(reader, "tokenizer.ggml.eos_token_id"),
        "pad_token_id": _value(reader, "tokenizer.ggml.padding_token_id"),
    }
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": _value(reader, "llama.feed_forward_length"),
        "num_hidden_layers": _value(reader, "llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": _value(reader, "llama.attention.head_count_kv"),
        "head_dim": width // heads,
        "vocab_size": _value(reader, "llama.vocab_size"),
        "max_position_embeddings": _value(reader, "llama.context_length"),
        "rms_norm_eps": 1e-5,
        "rope_theta": _value(reader, "llama.rope.freq_base"),
        "hidden_act": "silu",
        "tie_word_embeddings": tied,
        "attention_bias": False,
        "mlp_bias": False,
        "dtype": "bfloat16",
        **special,
    }
    (target / "config.json").write_text(json.dumps(config, indent=1))
    (target / "generation_config.json").write_text(json.dumps(special))


def _write_tokenizer(reader: Any, target: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = _value(reader, "tokenizer.ggml.tokens")
    control = [
        t
        for t, kind in zip(tokens, _value(reader, "tokenizer.ggml.token_type"), strict=True)
        if kind == 3
    ]
    merges = [tuple(merge.split(" ", 1)) for merge in _value(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in control])
    tokenizer.save(str(target / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": _value(reader, "llama.context_length"),
        "bos_token": tokens[_value(reader, "tokenizer.ggml.bos_token_id")],
        "eos_token": tokens[_value(reader, "tokenizer.ggml.eos_token_id")],
        "pad_token": tokens[_value(reader, "tokenizer.ggml.padding_token_id")],
        "unk_token": tokens[0],
        "clean_up_tokenization_spaces": False,
        "chat_template": _value(reader, "tokenizer.chat_template"),
    }
    (target / "tokenizer_config.json").write_text(json.dumps(settings))


def _value(reader: Any, key: str) -> Any:
    return reader.fields[key].contents()
