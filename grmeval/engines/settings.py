"""How a model is loaded, whatever is asked of it: what engines, scorers and configurations share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from grmeval.engines.models import ModelRef

__all__ = ["ModelSettings"]


class _Config(Protocol):
    """What of a configuration says how a model is loaded."""

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


@dataclass(frozen=True)
class ModelSettings:
    """A folder or a hub id, and how it is loaded; `max_model_len` None: the model's own context.

    `arguments`: settings of the engine's own, which win.
    """

    model: str
    revision: str | None = None
    dtype: str = "auto"
    max_model_len: int | None = None
    tensor_parallel: int = 1
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    trust_remote_code: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelRef, config: _Config) -> "ModelSettings":
        """A model, as a configuration of a run or of a meta RM wants it loaded."""
        return cls(
            model=model.location,
            revision=model.revision,
            dtype=config.dtype,
            max_model_len=config.max_model_len,
            tensor_parallel=config.tensor_parallel,
            chat_template_kwargs=config.chat_template_kwargs,
            trust_remote_code=config.trust_remote_code,
            arguments=config.engine_args,
        )
