"""How a served model is asked: what of a run's configuration an engine over HTTP takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from grmeval.engines.engine import Sampling
from grmeval.errors import ConfigError

__all__ = ["SPEED_ONLY", "PoolingSettings", "ServerSettings", "check_fields"]

SPEED_ONLY = frozenset({"seed"})
"""Fields of a request that do not change what a sample means: `seed=null` sends none."""

_HAVE_A_FLAG = {
    "chat_template_kwargs": "--chat-template-kwargs",
    "guided_regex": "--structured",
    "logprobs": "--judge index-prob",
    "max_completion_tokens": "--max-tokens",
    "max_tokens": "--max-tokens",
    "messages": "--template or --system",
    "model": "--model",
    "n": "--k",
    "response_format": "--structured",
    "structured_outputs": "--structured",
    "temperature": "--temperature",
    "top_p": "--top-p",
}
_OURS = {"stream": "answers are read whole", "tools": "a judge writes text", "stop": "all is read"}


class _Config(Protocol):
    """What of a configuration says how any server is asked."""

    @property
    def base_url(self) -> tuple[str, ...] | None: ...
    @property
    def concurrency(self) -> int | None: ...
    @property
    def chat_template_kwargs(self) -> dict[str, Any]: ...
    @property
    def engine_args(self) -> dict[str, Any]: ...


class _ChatConfig(_Config, Protocol):
    """And one that writes."""

    @property
    def allow_identical(self) -> bool: ...
    @property
    def structured(self) -> bool: ...


@dataclass(frozen=True)
class PoolingSettings:
    """`model`: the name to ask for, "" the only one there is. `fields`: further ones of every request."""

    urls: tuple[str, ...]
    model: str = ""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int | None = None

    @classmethod
    def of(cls, model: str, config: _Config) -> "PoolingSettings":
        """A served head, as a configuration of a run or of a meta RM wants it asked."""
        return cls(
            urls=config.base_url or (),
            model=model,
            chat_template_kwargs=config.chat_template_kwargs,
            fields=config.engine_args,
            concurrency=config.concurrency,
        )


@dataclass(frozen=True)
class ServerSettings:
    """`model`: the name to ask for, "" the only one there is. `fields`: further fields of every request,
    which win; None leaves one out. `structured`: requests have grammars."""

    urls: tuple[str, ...]
    model: str
    sampling: Sampling
    structured: bool = False
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int | None = None
    allow_identical: bool = False

    @classmethod
    def of(cls, model: str, config: _ChatConfig, sampling: Sampling) -> "ServerSettings":
        """A served model, as a configuration of a run wants it asked."""
        return cls(
            urls=config.base_url or (),
            model=model,
            sampling=sampling,
            structured=config.structured,
            chat_template_kwargs=config.chat_template_kwargs,
            fields=config.engine_args,
            concurrency=config.concurrency,
            allow_identical=config.allow_identical,
        )


def check_fields(fields: Mapping[str, Any]) -> None:
    """ConfigError for an `--engine-arg` that would go round the run's identity, or break the client."""
    for name, value in fields.items():
        if name in _HAVE_A_FLAG:
            raise ConfigError(f"--engine-arg {name}: use {_HAVE_A_FLAG[name]}")
        if name in _OURS:
            raise ConfigError(f"--engine-arg {name}: not for a server: {_OURS[name]}")
        if name == "seed" and value is not None:
            raise ConfigError(
                "--engine-arg seed: each request has a seed of its own, from --seed; seed=null sends none"
            )
