"""Which meta RM is asked, and how: settings -> its model, its prompt, its identity."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from grmeval.config import RunConfig, processes
from grmeval.engines.arguments import SPEED_ONLY, check_arguments, devices
from grmeval.engines.models import ModelRef, check_kind, read_preset, resolve, slug
from grmeval.engines.places import Place, places
from grmeval.engines.ray import OnRay, scorer_on_ray
from grmeval.engines.scorer import LOGPROB, Scorer
from grmeval.engines.server.address import base_url
from grmeval.engines.server.served import served_model
from grmeval.engines.server.settings import check_fields
from grmeval.engines.settings import ModelSettings
from grmeval.engines.workers import scorer_of
from grmeval.errors import ConfigError, nearest
from grmeval.judges import MetaPrompt
from grmeval.runs.configuration import with_replicas
from grmeval.runs.meta.logprob import StoredLogprobs
from grmeval.secret_keys import refuse_secrets

__all__ = ["MetaConfig", "MetaPlan", "configure_meta", "meta_of", "prepare_meta"]


class MetaConfig(BaseModel):
    """A meta RM and how it is asked. All changes what a reward means, but its name and where it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    model: str | None = None
    name: str | None = None
    template: Path | None = None
    engine: Literal["vllm", "ray", "server", "fake"] = "vllm"
    base_url: tuple[str, ...] | None = None
    model_tag: str | None = None
    concurrency: int | None = Field(None, ge=1)
    engine_args: dict[str, Any] = {}
    revision: str | None = None
    trust_remote_code: bool = False
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] = "auto"
    max_model_len: int | None = Field(None, ge=16)
    chat_template_kwargs: dict[str, Any] = {}
    seed: int = Field(0, ge=0)
    tensor_parallel: int = Field(1, ge=1)
    data_parallel: int | Literal["auto"] = 1

    replicas: int | None = Field(None, ge=1, le=4096)
    ray_address: str | None = None

    @property
    def of_samples(self) -> bool:
        """Whether no model is asked: the rewards are the samples' own log-probabilities."""
        return self.model == LOGPROB

    @field_validator("data_parallel", mode="before")
    @classmethod
    def _processes(cls, value: Any) -> Any:
        return processes(value)


@dataclass(frozen=True)
class MetaPlan:
    """Everything a launch needs, before anything is loaded; `name`: that of the rewards' files."""

    config: MetaConfig
    name: str
    model: ModelRef
    prompt: MetaPrompt
    identity: Mapping[str, Any]

    @property
    def places(self) -> tuple[Place, ...]:
        """Of the processes that hold the model: one, or those of --data-parallel. ConfigError: too many."""
        gpus = devices(self.config.tensor_parallel, self.config.engine_args)
        return places(self.config.data_parallel, gpus, self.config.engine)

    def scorer(self) -> Scorer:
        """Load the model."""
        config = self.config
        if config.of_samples:
            return StoredLogprobs()
        if config.replicas is None:
            return scorer_of(self.places, self._opens())
        settings = None if config.engine == "fake" else ModelSettings.of(self.model, config)
        return scorer_on_ray(OnRay(config.ray_address, config.replicas, settings), self._opens())

    @property
    def copies(self) -> int:
        """How many copies of the model answer."""
        return self.config.replicas or len(self.places)

    def _opens(self) -> Callable[[], Scorer]:
        config = self.config
        if config.engine == "fake":
            from grmeval.engines.fake_meta import FakeScorer

            return partial(FakeScorer, config.seed, config.engine_args)
        if config.engine == "server":
            from grmeval.engines.server.pooling import ServedScorer
            from grmeval.engines.server.settings import PoolingSettings

            return partial(ServedScorer, PoolingSettings.of(self.model.location, config))
        from grmeval.engines.vllm_scorer import VllmScorer

        return partial(VllmScorer, ModelSettings.of(self.model, config))


def configure_meta(settings: Mapping[str, Any]) -> MetaConfig:
    """Settings that the user gave -> the whole configuration, the preset's defaults below them."""
    if settings.get("model") == LOGPROB:
        return _stored(settings)
    values = with_replicas({name: value for name, value in settings.items() if value is not None})
    if values.get("engine") == "fake":
        for name in ("revision", "dtype", "max_model_len", "chat_template_kwargs"):
            if name in values:
                raise ConfigError(f"--engine fake simulates a meta RM: it has no {name}")
    elif values.get("engine") == "server":
        values |= _served(values)
    elif others := [name for name in _OF_A_SERVER if values.get(name)]:
        raise ConfigError(f"--{others[0].replace('_', '-')}: of a server: add --engine server")
    elif not values.get("model"):
        raise ConfigError(
            "--meta-model: which meta RM? A preset (deepseek-grm-27b-meta), a folder, or a hub id"
        )
    else:
        check_kind(values["model"], "scalar")
        preset = read_preset(values["model"])
        defaults = preset.defaults if preset else {}
        tables = [n for n, value in values.items() if isinstance(value, dict) and n in defaults]
        values = defaults | values | {name: defaults[name] | values[name] for name in tables}
    refuse_secrets("--engine-arg ", values.get("engine_args"))
    refuse_secrets("--chat-template-kwargs ", values.get("chat_template_kwargs"))
    try:
        return MetaConfig(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        name, given = str(problem["loc"][0]), problem["input"]
        if problem["type"] == "literal_error":
            words = [str(word) for word in problem["ctx"]["expected"].replace("'", "").split(", ")]
            raise ConfigError(f"--{name} {given!r}: {nearest(str(given), words)}") from None
        flag = name.replace("_", "-")
        secret = name in ("engine_args", "chat_template_kwargs")  # or may hold one
        shown = type(given).__name__ if secret else repr(given)
        raise ConfigError(
            f"--{flag}: {problem['msg'].removeprefix('Value error, ').lower()} (given: {shown})"
        ) from None


def _stored(settings: Mapping[str, Any]) -> MetaConfig:
    """ConfigError: a setting that needs a model; where one would run matters to none."""
    needless = (
        "template",
        *_OF_A_SERVER,
        *_OF_WEIGHTS,
        "engine_args",
        "chat_template_kwargs",
        "seed",
    )
    for name in needless:
        if settings.get(name):
            raise ConfigError(
                f"--meta-model {LOGPROB}: the samples' own log-probabilities, and no model is asked: "
                f"drop {name.replace('_', ' ')}"
            )
    kept: dict[str, Any] = {"model": LOGPROB, "name": settings.get("name")}
    return MetaConfig(**kept)


_OF_A_SERVER = ("base_url", "model_tag", "concurrency")
_OF_WEIGHTS = ("revision", "trust_remote_code", "dtype", "max_model_len", "tensor_parallel")
"""Settings of `--engine server` alone, and what whoever started a server has chosen."""


def _served(values: Mapping[str, Any]) -> dict[str, Any]:
    """Addresses as they are meant; ConfigError: there is none, or the server itself has chosen a setting."""
    for name in _OF_WEIGHTS:
        if values.get(name):
            flag = name.replace("_", "-")
            raise ConfigError(f"--{flag}: with --engine server it is what that was started with")
    if not values.get("base_url"):
        raise ConfigError(
            "--engine server: which one? --base-url http://localhost:8000/v1 (repeatable)"
        )
    return {"base_url": tuple(dict.fromkeys(map(base_url, values["base_url"])))}


def meta_of(config: RunConfig) -> MetaPlan | None:
    """The meta RM that a run asks for, if it does; of a fake run a fake one."""
    if config.meta_model is None:
        for name in ("template", "engine_args"):
            if given := getattr(config, f"meta_{name}"):
                flag = f"--meta-{name.replace('_', '-').removesuffix('s')}"
                raise ConfigError(f"{flag} {given}: of which meta RM? Add --meta-model")
        return None
    engine = config.engine if config.engine in ("fake", "ray") else None
    settings: dict[str, Any] = {"model": config.meta_model, "template": config.meta_template}
    settings |= {"engine": engine, "engine_args": config.meta_engine_args}
    where = ("data_parallel", "replicas", "ray_address")
    return prepare_meta(configure_meta(settings | {n: getattr(config, n) for n in where}))


def prepare_meta(config: MetaConfig) -> MetaPlan:
    """Resolve the model and read the template; nothing is written and no model is loaded."""
    prompt = MetaPrompt(config.template)
    if config.of_samples:
        stored = {"engine": "samples", "model": LOGPROB}
        ref = ModelRef("", None, LOGPROB, LOGPROB)
        return MetaPlan(config, slug(config.name or LOGPROB), ref, prompt, stored)
    if config.engine == "fake":
        from grmeval.engines.fake_meta import SPEED_ONLY as speed_only
        from grmeval.engines.fake_meta import read_meta_settings

        arguments = read_meta_settings(config.engine_args).model_dump(exclude_defaults=True)
        label = slug(config.model or "fake")
        model = ModelRef("fake", None, label, "fake")
    elif config.engine == "server":
        speed_only, arguments = frozenset(), config.engine_args
        check_fields(arguments)
        model = served_model(config.base_url or (), config.model, config.model_tag)
    else:
        speed_only, arguments = SPEED_ONLY, config.engine_args
        check_arguments(arguments)
        model = resolve(config.model or "", config.revision, kind="scalar")
    identity = {
        "model": model.identity,
        "template": prompt.identity,
        "engine": "vllm" if config.engine == "ray" else config.engine,
        "engine_args": {n: v for n, v in arguments.items() if n not in speed_only},
        "dtype": config.dtype if config.engine != "fake" else None,
        "max_model_len": config.max_model_len,
        "chat_template_kwargs": config.chat_template_kwargs,
        "trust_remote_code": config.trust_remote_code,
        "seed": config.seed if config.engine == "fake" else None,
    }
    known = {n: v for n, v in identity.items() if v is not None and v is not False and v != {}}
    plan = MetaPlan(config, slug(config.name or model.label), model, prompt, known)
    _ = plan.places  # a mistake in them is found before anything is asked
    return plan
