"""Loads the head that a configuration names: a meta RM, or the model of a judge that has no voice."""

from typing import Any, Protocol

from grmeval.engines.models import ModelRef
from grmeval.engines.scorer import Scorer

__all__ = ["load_scorer"]


class _Settings(Protocol):
    """What of a configuration a head's engine needs."""

    @property
    def dtype(self) -> str: ...
    @property
    def max_model_len(self) -> int | None: ...
    @property
    def tensor_parallel(self) -> int: ...
    @property
    def chat_template_kwargs(self) -> dict[str, Any]: ...
    @property
    def trust_remote_code(self) -> bool: ...
    @property
    def engine_args(self) -> dict[str, Any]: ...


def load_scorer(model: ModelRef, config: _Settings) -> Scorer:
    """Through vLLM's pooling runner."""
    from grmeval.engines.vllm_scorer import VllmScorer

    return VllmScorer(
        model.location,
        model.revision,
        dtype=config.dtype,
        max_model_len=config.max_model_len,
        tensor_parallel=config.tensor_parallel,
        chat_template_kwargs=config.chat_template_kwargs,
        trust_remote_code=config.trust_remote_code,
        arguments=config.engine_args,
    )
