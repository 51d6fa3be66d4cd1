"""`--engine-arg`s of vLLM: which change what a sample means, and which have a flag of their own."""

import math
from collections.abc import Mapping
from typing import Any

from grmeval.errors import ConfigError
from grmeval.secret_keys import refuse_secrets

__all__ = ["SPEED_ONLY", "check_arguments", "devices", "number"]

SPEED_ONLY = frozenset(
    {
        "async_scheduling",
        "block_size",
        "cpu_offload_gb",
        "disable_custom_all_reduce",
        "distributed_executor_backend",
        "enable_chunked_prefill",
        "enable_prefix_caching",
        "enforce_eager",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "max_num_batched_tokens",
        "max_num_partial_prefills",
        "max_num_seqs",
        "num_gpu_blocks_override",
        "pipeline_parallel_size",
        "swap_space",
    }
)
"""Engine arguments that change how fast samples come, not what they mean."""

_HAVE_A_FLAG = {
    "data_parallel_size": "--data-parallel",
    "dtype": "--dtype",
    "enable_lora": "--lora",
    "hf_token": "the environment variable HF_TOKEN (a run folder keeps engine arguments)",
    "max_model_len": "--max-model-len",
    "model": "--model",
    "revision": "--revision",
    "seed": "--seed",
    "tensor_parallel_size": "--tensor-parallel",
    "tokenizer": "--model: a folder that holds both",
    "tokenizer_revision": "--revision",
    "trust_remote_code": "--trust-remote-code",
}


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """ConfigError for an engine argument that would go round the run's identity."""
    for name in arguments:
        if name in _HAVE_A_FLAG:
            raise ConfigError(f"--engine-arg {name}: use {_HAVE_A_FLAG[name]}")
    refuse_secrets("--engine-arg ", arguments)


def number(arguments: Mapping[str, Any], name: str, usual: float) -> float:
    """An engine argument that is a number above 0; ConfigError: it is set to something else."""
    given = arguments.get(name, usual)
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
        raise ConfigError(f"--engine-arg {name}={given!r}: expected a number above 0")
    return given


def devices(tensor_parallel: int, arguments: Mapping[str, Any]) -> int:
    """GPUs that hold one copy of a model; 1 where there is none."""
    stages = arguments.get("pipeline_parallel_size", 1)
    return tensor_parallel * (stages if isinstance(stages, int) and stages > 0 else 1)
