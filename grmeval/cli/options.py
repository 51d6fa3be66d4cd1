"""Options that commands share: a field of RunConfig gives its option's help text."""

import json
from typing import Any, Literal, get_args, get_origin

import typer

from grmeval.config import RunConfig
from grmeval.errors import ConfigError

__all__ = [
    "BESIDE",
    "BOOTSTRAP",
    "RESULTS",
    "RUN",
    "bench_names",
    "json_object",
    "key_values",
    "meta_names",
    "model_names",
    "option",
    "published_rows",
]


PRESET = ("dtype", "max_tokens")
RUN = "Run: a folder, a run-id or its first 4 characters, the name of a panel, or `latest`."
BESIDE = "A published row to stand beside, such as 'DeepSeek-GRM-27B Voting@32'; repeatable."
BOOTSTRAP = "Limits as percentiles over so many resamples of prompts. [default: closed form]"
RESULTS = "Folder of run folders. [default: that of grmeval.toml, else results]"


def published_rows(names: list[str] | None) -> list[str]:
    """Names of published rows, checked."""
    if names:
        from grmeval.report.published import published_for

        published_for("", names)
    return names or []


def option(field: str, *names: str, **more: Any) -> Any:
    """A Typer option for a field of RunConfig; unset means the preset's or the field's default.

    `default`: what the command takes instead, in words.
    """
    info, text = RunConfig.model_fields[field], RunConfig.model_fields[field].description or ""
    if "default" in more:
        return typer.Option(*names, help=f"{text} [default: {more['default']}]", show_default=False)
    if words := _words(info.annotation):
        more.setdefault(
            "autocompletion", lambda incomplete: [w for w in words if w.startswith(incomplete)]
        )
    if info.default not in (None, False, {}) and "show_default" not in more:
        default = info.default[0] if isinstance(info.default, tuple) else info.default
        text += (
            f" [default: {default}; a model's preset may say otherwise]"
            if field in PRESET
            else f" [default: {default}]"
        )
    return typer.Option(*names, help=text, show_default=False, **more)


def _words(annotation: Any) -> list[str]:
    """The words that a field allows, if it allows words only."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [word for part in get_args(annotation) for word in _words(part)]


def bench_names(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from grmeval.benches import bench_ids, groups

    return [name for name in [*bench_ids(), *groups()] if name.startswith(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from grmeval.engines.models import presets

    return [name for name in presets("generator") if name.startswith(incomplete)]


def meta_names(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from grmeval.engines.models import presets

    return [name for name in presets("scalar") if name.startswith(incomplete)]


def key_values(pairs: list[str] | None, flag: str) -> dict[str, Any] | None:
    """`key=value` pairs; a value is JSON where it can be, else text."""
    if not pairs:
        return None
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"{flag} {pair!r}: expected key=value")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def json_object(text: str | None, flag: str) -> dict[str, Any] | None:
    """A JSON object given on the command line."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{flag} {text!r}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(
            f'{flag} {text!r}: expected a JSON object such as {{"enable_thinking": false}}'
        )
    return value
