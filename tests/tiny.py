"""A llama of two layers with random weights and the packaged tokenizer: what trains in seconds."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grmeval.engines.models import resolve

__all__ = ["chat_row", "tiny_llama", "write_rows"]

WIDTH, LAYERS, HEADS, KV_HEADS = 32, 2, 4, 2


def tiny_llama(folder: Path, seed: int = 0, width: int = WIDTH, heads: int = HEADS) -> Path:
    """Make the model folder; the same weights for the same seed.

    vLLM takes heads of 32 numbers and more on a CPU: a width of 64 with 2 heads, say.
    """
    from safetensors.numpy import save_file

    base = Path(resolve("demo", None).location)
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).symlink_to(base / name)
    known = json.loads((base / "config.json").read_text("utf-8"))
    config = known | {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": heads,
        "num_key_value_heads": KV_HEADS,
        "tie_word_embeddings": True,
    }
    config.pop("head_dim", None)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    random = np.random.default_rng(seed)
    tensors = {
        name: np.ones(shape, np.float32)
        if "norm" in name
        else (random.normal(size=shape) / 8).astype(np.float32)
        for name, shape in _shapes(int(known["vocab_size"]), width, width // heads * KV_HEADS)
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _shapes(vocabulary: int, width: int, kv: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "model.embed_tokens.weight", (vocabulary, width)
    yield "model.norm.weight", (width,)
    for at in range(LAYERS):
        layer = f"model.layers.{at}"
        yield f"{layer}.input_layernorm.weight", (width,)
        yield f"{layer}.post_attention_layernorm.weight", (width,)
        for name, rows in (("q", width), ("k", kv), ("v", kv), ("o", width)):
            yield f"{layer}.self_attn.{name}_proj.weight", (rows, width)
        for name in ("gate", "up"):
            yield f"{layer}.mlp.{name}_proj.weight", (2 * width, width)
        yield f"{layer}.mlp.down_proj.weight", (width, 2 * width)


def chat_row(question: str, answer: str) -> dict[str, Any]:
    """One row to learn."""
    return {
        "prompt": [{"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": answer}],
        "provenance": {"rule": "kept"},
    }


def write_rows(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """A folder as `spct select` leaves one."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "train.jsonl").write_text(text, "utf-8")
    return folder
