"""The least time that a GPU can take: what must be read at its memory's bandwidth, and computed at its peak.

A step generates one token of every running sample: it reads the weights once, and each sample's KV cache.
Prompts are computed at the peak of the matrix units. Nothing reaches either limit: an engine also moves
activations, attends, samples, waits and is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from grmeval.engines.arguments import number
from grmeval.engines.gpus import Gpu
from grmeval.engines.model_size import ModelSize

__all__ = ["MEMORY_SHARE", "Bound", "Load", "bound_of"]

MEMORY_SHARE = 0.92
"""The part of a GPU's memory that vLLM takes unless told otherwise; with less free it refuses."""

MOST_RUNNING, MOST_RUNNING_LARGE = 256, 1024
"""Samples that vLLM 0.32 runs at once unless told otherwise; the second on GPUs of 70 GiB, but A100s."""

_GIB = 2**30
_LARGE = 70.0


class Load(NamedTuple):
    """Samples, tokens of all their prompts, those of them that are computed, tokens that are generated."""

    samples: int
    prompt_tokens: int
    computed: int
    generated: float


@dataclass(frozen=True)
class Bound:
    """`prefill` and `decode` in seconds of all `devices` together, None where the model does not fit.

    `running`: samples at once. `weights` and `memory` in bytes: what the model takes, what there is for it.
    `by`: what limits the generation.
    """

    gpu: str
    devices: int
    running: int
    prefill: float | None
    decode: float | None
    weights: float
    memory: float
    by: str

    @property
    def seconds(self) -> float | None:
        """Of both, one after the other; None: the model does not fit."""
        return None if self.prefill is None or self.decode is None else self.prefill + self.decode


def bound_of(
    size: ModelSize, gpu: Gpu, devices: int, load: Load, arguments: Mapping[str, Any]
) -> Bound:
    """One copy of a model over `devices` GPUs; `arguments` are the engine's, ConfigError: one is no number.

    Samples of one prompt share its KV in memory, and read it each; a running sample has written half of its
    tokens.
    """
    share = number(arguments, "gpu_memory_utilization", MEMORY_SHARE)
    memory = share * gpu.memory * _GIB * devices
    bandwidth, peak = gpu.bandwidth * 1e9 * devices, gpu.bf16 * 1e12 * devices
    samples = max(load.samples, 1)
    half = load.generated / samples / 2
    held = size.kv * (load.computed / samples + half)
    room = memory - size.weights
    large = gpu.memory >= _LARGE and "A100" not in gpu.title
    most = number(arguments, "max_num_seqs", MOST_RUNNING_LARGE if large else MOST_RUNNING)
    running = int(min(most, samples, room / held if held else samples))
    if running < 1 or room <= 0:
        return Bound(gpu.title, devices, 0, None, None, size.weights, memory, "")
    prefill = 2 * size.body * load.computed / peak
    read = load.generated * size.kv * (load.prompt_tokens / samples + half)
    read += load.generated / running * size.step(running)
    by_bandwidth = read / bandwidth
    by_peak = 2 * (size.body + size.head) * load.generated / peak
    decode = max(by_bandwidth, by_peak)
    by = "memory bandwidth" if decode == by_bandwidth else "FLOPs"
    return Bound(gpu.title, devices, running, prefill, decode, size.weights, memory, by)
