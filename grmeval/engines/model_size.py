"""What a model's config.json says of its size: bytes of weights and of KV cache, work for a token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grmeval.engines.model_files import Tensors

__all__ = ["ModelSize", "size_of"]

_BYTES = {"float32": 4, "float": 4, "float16": 2, "half": 2, "bfloat16": 2}
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


@dataclass(frozen=True)
class ModelSize:
    """`body` and `head`: numbers that a token is multiplied with, in the layers (of experts those that it is
    sent to) and, where it is generated, in the last projection. `weights`: bytes that are held in memory,
    `experts` those of them that lie in routed experts, of which a token takes the share `routed`. `kv`: bytes
    of the KV cache a token. `looked_up`: bytes of weights of which a token needs one row (input embeddings
    that are no head too). `window`: tokens that some layers look back, which is not counted. `notes`: what is
    taken for something simpler.
    """

    body: float
    head: float
    weights: float
    experts: float
    routed: float
    kv: float
    looked_up: float = 0.0
    window: int | None = None
    notes: tuple[str, ...] = ()

    def step(self, running: float) -> float:
        """Bytes of weights that a step reads for so many tokens: of the experts those that any is sent to."""
        unread = self.looked_up + self.experts * (1 - self.routed) ** running
        return float(self.weights - unread)


def size_of(
    config: Mapping[str, Any], tensors: Tensors | None, dtype: str, arguments: Mapping[str, Any]
) -> ModelSize | None:
    """By config.json and, where they are at hand, the sizes of the stored tensors; `dtype` is --dtype,
    `arguments` are the engine's. None: it is no transformer that this understands.
    """
    try:
        return _size(_Shape(config), tensors, dtype, arguments)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


class _Shape:
    """Numbers in the parts of a model, as its config gives them; KeyError: it does not."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.layers = int(config["num_hidden_layers"])
        self.width = int(config["hidden_size"])
        self.heads = int(config["num_attention_heads"])
        self.kv_heads = int(config.get("num_key_value_heads") or self.heads)
        self.head = int(config.get("head_dim") or self.width // self.heads)
        self.vocabulary = self.width * int(config["vocab_size"])
        self.latent = int(config.get("kv_lora_rank") or 0)
        self.experts = int(next((config[name] for name in _EXPERTS if config.get(name)), 0))
        self.taken = int(config["num_experts_per_tok"]) if self.experts else 0
        dense = int(config.get("first_k_dense_replace") or 0)
        self.expert_layers = self.layers - dense if self.experts else 0

    def attention(self) -> int:
        """Of one layer: the four projections; with latent attention (MLA) those of its ranks."""
        if not self.latent:
            return 2 * self.width * self.head * (self.heads + self.kv_heads)
        c, rope = self.config, int(self.config["qk_rope_head_dim"])
        query, value = int(c["qk_nope_head_dim"]) + rope, int(c["v_head_dim"])
        rank = int(c.get("q_lora_rank") or 0)
        asks = rank * (self.width + self.heads * query) if rank else self.width * self.heads * query
        known = self.latent * self.heads * (query - rope + value)
        return asks + self.width * (self.latent + rope) + known + self.heads * value * self.width

    def expert(self) -> int:
        """Of one expert: gate, up and down."""
        inner = self.config.get("moe_intermediate_size") or self.config["intermediate_size"]
        return 3 * self.width * int(inner)

    def always(self) -> int:
        """Of all layers, what every token meets."""
        mlp = 3 * self.width * int(self.config["intermediate_size"])
        shared = int(self.config.get("n_shared_experts") or 0) * self.expert()
        if self.experts and (inner := self.config.get("shared_expert_intermediate_size")):
            shared = 3 * self.width * int(inner)
        dense = self.layers - self.expert_layers
        router = self.width * self.experts
        return self.layers * self.attention() + dense * mlp + self.expert_layers * (shared + router)

    def routed(self) -> int:
        """In all experts of all layers."""
        return self.expert_layers * self.experts * self.expert()

    def remembers(self) -> int:
        """Numbers in the KV cache of a token; layers of linear attention keep none that grow."""
        kinds: Sequence[str] = self.config.get("layer_types") or ()
        layers = self.layers - sum("linear" in kind for kind in kinds)
        if self.latent:
            return layers * (self.latent + int(self.config["qk_rope_head_dim"]))
        return 2 * layers * self.kv_heads * self.head


def _size(
    shape: _Shape, tensors: Tensors | None, dtype: str, arguments: Mapping[str, Any]
) -> ModelSize:
    config = shape.config
    stored = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    # vLLM's `auto` loads float32 in sixteen bits.
    width = _BYTES[dtype] if dtype != "auto" else min(_BYTES.get(stored, 2), 2)
    tied = bool(config.get("tie_word_embeddings", True))
    if tensors and tensors.lm_head is not None:
        tied = not tensors.lm_head
    count = shape.always() + shape.routed() + shape.vocabulary * (1 if tied else 2)
    notes = list(_notes(shape, arguments))
    compressed = bool(config.get("quantization_config"))
    if tensors is None:
        notes.append("weights: computed from config.json")
        weights = float(count * width)
    elif compressed:
        weights = float(tensors.size)
    else:
        weights = float((tensors.numbers or tensors.size / _BYTES.get(stored, 2)) * width)
    if compressed:
        notes.append("quantised weights: FLOPs as those of bf16")
        if tensors is None:
            notes.append("their bytes are not known, and are taken as those of its dtype")
    routed = shape.taken / shape.experts if shape.experts else 0.0
    cache = 1 if str(arguments.get("kv_cache_dtype", "")).startswith("fp8") else width
    return ModelSize(
        body=shape.always() + routed * shape.routed(),
        head=shape.vocabulary,
        weights=weights,
        experts=weights * shape.routed() / count,
        routed=routed,
        kv=float(shape.remembers() * cache),
        looked_up=0.0 if tied else weights * shape.vocabulary / count,
        window=config.get("sliding_window") if config.get("use_sliding_window", True) else None,
        notes=tuple(notes),
    )


def _notes(shape: _Shape, arguments: Mapping[str, Any]) -> list[str]:
    config, found = shape.config, list[str]()
    if shape.experts:
        found.append(
            f"mixture of experts: {shape.taken} of {shape.experts} a token; a step reads those that any of "
            "its tokens is sent to, as if sent at random"
        )
    if shape.latent:
        found.append("latent attention (MLA): its KV cache is held once on each GPU")
    if "linear_attention" in (config.get("layer_types") or ()):
        found.append("linear attention: its state is not counted")
    if arguments.get("quantization"):
        found.append(
            f"quantization={arguments['quantization']}: weights counted as they are stored"
        )
    return found
