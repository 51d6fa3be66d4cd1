"""Options that commands share: a field of RunConfig gives its option, with flag, type and help text."""

import functools
import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from grmeval.config import RunConfig
from grmeval.errors import ConfigError
from grmeval.secret_keys import refuse_secrets

__all__ = [
    "LATEST",
    "RUN",
    "AsJson",
    "Benches",
    "Beside",
    "Bootstrap",
    "Config",
    "Copies",
    "Greedy",
    "Results",
    "Run",
    "bench_names",
    "key_values",
    "model_names",
    "option",
    "published_rows",
    "takes",
    "written_to",
]

RUN = "Run: a folder, a run-id or its first 4 characters, its name or a panel's, or `latest`."

LATEST = "latest"
"""The run that a command takes where none is named."""

Run = Annotated[str, typer.Argument(help=RUN)]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results", help="Folder of run folders. [default: that of grmeval.toml, else results]"
    ),
]


def written_to(figure: bool = False, default: str = "not written") -> Any:
    """The option --to of a command whose table, and `figure`, go into files."""
    from grmeval.report.formats import check_place

    def checked(to: list[Path] | None) -> list[Path] | None:
        for place in to or ():
            check_place(place, figure)
        return to and [place.expanduser() for place in to]

    names = ".csv, .md, .json" + (", .svg and .png" if figure else "")
    more = ".tex and .pdf" if figure else ".tex"
    return typer.Option(
        "--to",
        help=f"Write NAME{names}; or one file, by its ending: those, {more}; repeatable. "
        f"[default: {default}]",
        metavar="NAME",
        callback=checked,
        show_default=False,
    )


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Beside = Annotated[
    list[str] | None,
    typer.Option(
        "--beside",
        help="A published row to stand beside, such as 'DeepSeek-GRM-27B Voting@32'; repeatable.",
    ),
]
Bootstrap = Annotated[
    int | None,
    typer.Option(
        "--bootstrap",
        min=100,
        help="Limits as percentiles over so many resamples of prompts. [default: closed form]",
    ),
]

_PRESET = ("dtype", "max_tokens")
"""Fields for which a model's preset may say something else than their default."""
_IN_WORDS = {
    "vote": "the judge's first",
    "ties": "as --protocol",
    "on_invalid": "as --protocol",
    "k_meta": "half of k, at least 1",
    "meta_model": "none",
    "concurrency": "found out, from 64 near by and 20 far away",
    "model_tag": "name and root of the server",
}
"""What a field that is not set comes to."""
_ON_OR_OFF = ("structured", "stop_at_score")
"""Switches that a preset may turn on, so that a flag turns them off."""


def takes(
    *order: str, bounded: bool = False, **defaults: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these fields; it gets those that were given, as a dictionary `settings`.

    They stand where `settings` stands in its signature, in this order, which may hold other options of its
    own. `bounded`: limits are checked here, for commands that build no RunConfig. `defaults`: what the
    command takes where an option is not given, in words.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command).parameters
        names = list(own)
        at = names.index("settings")
        before, after = (
            [own[name] for name in part if name not in order]
            for part in (names[:at], names[at + 1 :])
        )
        fields = [
            own[name] if name in own else _parameter(name, bounded, defaults.get(name))
            for name in order
        ]

        @functools.wraps(command)
        def called(**values: Any) -> None:
            settings = {n: _read(n, values.pop(n)) for n in order if n not in own}
            command(
                settings={name: value for name, value in settings.items() if value is not None},
                **values,
            )

        called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in before + fields + after]
        )
        return called

    return decorate


def option(
    field: str, *, bounded: bool = False, default: str | None = None, many: bool | None = None
) -> Any:
    """A Typer option for a field of RunConfig; unset means the preset's or the field's default.

    `default`: what the command takes instead, in words. `many`: it may be given several times; None: as in
    `run`.
    """
    info, more = RunConfig.model_fields[field], dict[str, Any]()
    text, usual = info.description or "", default or _IN_WORDS.get(field, info.default)
    if many is None:
        many = _typed(field) == list[str] | None
    if many:
        text = f"{text.removesuffix('.')}; repeatable."
    if usual is not False and usual not in (None, {}):
        text += f" [default: {usual}"
        text += "; a model's preset may say otherwise]" if field in _PRESET else "]"
    if complete := _completion(field):
        more["autocompletion"] = complete
    if bounded:
        more["min"] = next((each.ge for each in info.metadata if hasattr(each, "ge")), None)
    return typer.Option(_flag(field), help=text, show_default=False, **more)


def _flag(field: str) -> str:
    name = f"--{field.replace('_', '-')}"
    if field in _ON_OR_OFF:
        return f"{name}/--no-{name.removeprefix('--')}"
    return name.removesuffix("s") if _repeats(field) else name


def _repeats(field: str) -> bool:
    """Whether a field is a table of engine settings: one flag for each of them."""
    return field.endswith("engine_args")


def _parameter(field: str, bounded: bool, default: str | None) -> inspect.Parameter:
    typed: Any = _typed(field)
    return inspect.Parameter(
        field,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if typed is bool else None,
        annotation=Annotated[typed, option(field, bounded=bounded, default=default)],
    )


def _typed(field: str) -> Any:
    """What the command line reads: words are checked later, where the nearest one can be named."""
    annotation = RunConfig.model_fields[field].annotation
    if annotation is bool and field not in _ON_OR_OFF:
        return bool
    if _repeats(field) or field in ("vote", "subset", "section", "base_url"):
        return list[str] | None
    if field == "critiques":  # a run, as people name runs; only found is it a path
        return str | None
    if _words(annotation):
        return str | None
    for plain in (bool, int, float, Path):
        if annotation is plain or plain in get_args(annotation):
            return plain | None
    return str | None


def _read(field: str, given: Any) -> Any:
    """A value of a field from what stood on the command line; None: nothing did."""
    if _repeats(field):
        return key_values(given, _flag(field))
    if field == "vote" and (several := [word for word in given or () if "," in word]):
        each = " ".join(f"--vote {one.strip()}" for one in several[0].split(","))
        raise ConfigError(f"--vote {several[0]!r}: repeat the flag: {each}")
    if field == "chat_template_kwargs":
        return _json_object(given, _flag(field))
    return None if given is False and field not in _ON_OR_OFF else given


def _completion(field: str) -> Callable[[str], list[str]] | None:
    """For the shell: the words that a field allows, or the models there are."""
    if named := {"model": model_names, "meta_model": _meta_names}.get(field):
        return named
    words = _words(RunConfig.model_fields[field].annotation)
    if not words:
        return None
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def _words(annotation: Any) -> list[str]:
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


def _meta_names(incomplete: str) -> list[str]:
    from grmeval.engines.models import presets
    from grmeval.engines.scorer import LOGPROB

    return [name for name in (*presets("scalar"), LOGPROB) if name.startswith(incomplete)]


def published_rows(names: list[str] | None) -> list[str]:
    """Names of published rows, checked."""
    if names:
        from grmeval.report.published import published_for

        published_for("", names)
    return names or []


def key_values(pairs: list[str] | None, flag: str) -> dict[str, Any] | None:
    """`key=value` pairs; a value is JSON where it can be, else text."""
    if not pairs:
        return None
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:  # it may be a secret, of which nothing is printed
            raise ConfigError(
                f"{flag}: expected key=value, found a word without '=' or without a key"
            )
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            if re.search(r",\s*\w+=", value):  # nothing of it is printed either
                raise ConfigError(f"{flag} {key}: one setting a flag: repeat {flag}") from None
            found[key] = value
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits
            raise ConfigError(f"{flag} {key}: {error}") from None
    refuse_secrets(f"{flag} ", found)
    return found


def _json_object(text: str | None, flag: str) -> dict[str, Any] | None:
    """A JSON object given on the command line."""
    if text is None:
        return None
    refuse_secrets(f"{flag} ", text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{flag} {text!r}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(
            f'{flag} {text!r}: expected a JSON object such as {{"enable_thinking": false}}'
        )
    refuse_secrets(f"{flag} ", value)
    return value


Benches = Annotated[
    list[str] | None,
    typer.Option(
        "--bench",
        help="Benchmark: an id, a group (all), or a file of yours (.toml, .jsonl, .json, .parquet); "
        "repeatable, the model is loaded once. [default: sample]",
        autocompletion=bench_names,
        show_default=False,
    ),
]
Copies = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="Local copy of the rows: a folder, an archive (.tar.xz, .tar, .zip) or a file; with several "
        "benchmarks BENCH=PATH, repeatable.",
        show_default=False,
    ),
]
Greedy = Annotated[
    bool, typer.Option("--greedy", help="Temperature 0, and one sample unless --k says more.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML with any of these settings (max_tokens = 512); flags win. "
        "[default: grmeval.toml, where there is one]",
        show_default=False,
    ),
]
