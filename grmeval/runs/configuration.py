"""From what a user said to the whole configuration of a run: the model chosen, its preset applied."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grmeval.benches import at_hand, find_spec
from grmeval.config import RunConfig, build
from grmeval.engines import BATCH
from grmeval.engines.models import Kind, check_kind, presets, read_preset
from grmeval.engines.server.address import base_url
from grmeval.errors import ConfigError
from grmeval.judges import JUDGES
from grmeval.runs.derived import with_critiques
from grmeval.secret_keys import refuse_secrets

__all__ = ["OF_A_SERVER", "configure", "kind_of", "with_replicas"]

UNFELT = ("temperature", "top_p", "max_tokens", "structured", "stop_at_score")
"""Settings of a model that writes: a head gives the same numbers whatever they are."""

OF_A_SERVER = frozenset({"base_url", "model_tag", "concurrency", "allow_identical"})
"""Settings of `--engine server` alone."""

_OF_WEIGHTS = {
    "revision": "the commit",
    "lora": "adapters",
    "trust_remote_code": "code",
    "dtype": "the number format",
    "max_model_len": "the context",
    "tensor_parallel": "GPUs",
    "data_parallel": "the number of copies",
    "stop_at_score": "where a text may end",
}
"""What whoever started a server has chosen, or a server cannot be told."""


def configure(settings: Mapping[str, Any]) -> RunConfig:
    """Settings that the user gave -> the whole configuration: the model chosen, its preset applied."""
    values = with_replicas({name: value for name, value in settings.items() if value is not None})
    if values.get("engine") == "server":
        values |= _served(values)
    elif others := sorted(name for name in OF_A_SERVER if values.get(name)):
        raise ConfigError(f"{_flag(others[0])}: of a server: add --engine server")
    elif values.get("engine") == "fake":
        _check_fake(values)
    elif values.get("engine") == BATCH:
        _check_batch(values)
    else:
        bench = values.get("bench", "sample")
        kind, judge = kind_of(values.get("judge")), values.get("judge")
        if kind == "scalar" and not values.get("model"):
            raise ConfigError(
                f"--judge {judge}: which reward model? --model FOLDER, a hub id, or a preset: "
                f"{', '.join(presets(kind))}"
            )
        values["model"] = values.get("model") or _default_model(bench, values.get("data"))
        check_kind(values["model"], kind, f"--judge {judge} --model" if kind == "scalar" else None)
        if preset := read_preset(values["model"]):
            both = preset.defaults.keys() & values.keys()
            merged = {
                n: preset.defaults[n] | values[n] for n in both if isinstance(values[n], dict)
            }
            values = dict(preset.defaults) | values | merged
    known = JUDGES.get(values.get("judge", ""))
    if values.get("temperature") == 0 or (known and known.most):
        values.setdefault("k", (known and known.most) or 1)
    if known and known.head:
        build(values)  # what is left out is checked all the same
        values = {name: value for name, value in values.items() if name not in UNFELT}
    return build(with_critiques(values, Path(values.get("results", "results"))))


def _check_fake(values: Mapping[str, Any]) -> None:
    for name in ("model", "revision", "lora"):
        if given := values.get(name):
            raise ConfigError(
                f"--engine fake simulates a judge: it has no model; drop {str(given)!r}"
            )


def _check_batch(values: Mapping[str, Any]) -> None:
    """A model has a name, and nothing is loaded."""
    said = f"--engine {BATCH}: answers come in files, no model is loaded here"
    if not str(values.get("model") or "").strip():
        raise ConfigError(f"{said}; --model NAME says which one, as the service calls it")
    refuse_secrets("--model ", str(values["model"]))
    for name in (*_OF_WEIGHTS, "meta_model", "shard", "adaptive"):
        if values.get(name) and values[name] != RunConfig.model_fields[name].default:
            raise ConfigError(f"{said}; drop {_flag(name)}")


def _served(values: Mapping[str, Any]) -> dict[str, Any]:
    """Addresses as they are meant; ConfigError: there is none, or the server itself has chosen a setting."""
    for name, what in _OF_WEIGHTS.items():
        if name in values and values[name] != RunConfig.model_fields[name].default:
            raise ConfigError(
                f"{_flag(name)}: with --engine server, {what} is what it was started with"
            )
    given = values.get("base_url")
    if not given:
        raise ConfigError(
            "--engine server: which one? --base-url http://localhost:8000/v1 (repeatable)"
        )
    given = [given] if isinstance(given, str) else given
    return {"base_url": tuple(dict.fromkeys(map(base_url, given)))}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def with_replicas(values: dict[str, Any]) -> dict[str, Any]:
    """Settings with the number of replicas, where they are of a Ray cluster; ConfigError: they do not fit.

    The fake engine may have replicas too: so a cluster can be tried before a model is loaded.
    """
    engine, said = values.get("engine"), {"replicas", "ray_address"} & values.keys()
    if not said and engine != "ray":
        return values
    if engine not in ("ray", "fake"):
        raise ConfigError(
            f"{_flag(min(said))}: of a Ray cluster; add --engine ray (or, to try a cluster "
            "without a model, --engine fake)"
        )
    if values.get("data_parallel", 1) != 1:
        raise ConfigError("--data-parallel: copies on this machine; on a Ray cluster --replicas N")
    if address := values.get("ray_address"):
        from grmeval.engines.ray_cluster import check_address

        check_address(address)
    return values | {"replicas": values.get("replicas", 1)}


def kind_of(judge: str | None) -> Kind:
    """What a judge's model is."""
    found = JUDGES.get(judge or "")
    return "scalar" if found and found.head else "generator"


def _default_model(bench: str, data: Any) -> str:
    if chosen := os.environ.get("GRMEVAL_MODEL"):
        return chosen
    if shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists():
        return "deepseek-grm-16b"
    if bench == "sample":
        return "demo"
    raise ConfigError(
        f"--bench {bench}: which model? There is no NVIDIA GPU here, so nothing is assumed. "
        f"--model NAME takes a preset ({', '.join(presets('generator'))}), a folder, or a hub id; "
        "--model demo is a small packaged model for a CPU, --engine fake a simulated judge"
        + _and_rows(bench, data)
    )


def _and_rows(bench: str, data: Any) -> str:
    """What the user will be told next, told now: the rows are not here either."""
    spec, beside = find_spec(bench)
    if data is not None or at_hand(spec, beside):
        return ""
    hubs = [table.hub or spec.source.hub for table in spec.tables]
    if found := ", ".join(dict.fromkeys(hub for hub in hubs if hub)):
        return f". Its rows come from the hub ({found}) or a local copy: --data PATH"
    return f". It also needs a copy of its rows: --data PATH. {spec.get}"
