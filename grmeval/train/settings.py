"""The configuration of a training: tasks/spct/NAME.toml or a file of yours, and `--set table.key=value`."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from grmeval import resources
from grmeval.errors import ConfigError, nearest
from grmeval.files import read_toml
from grmeval.train.stage_settings import (
    LoraTable,
    MetaTable,
    ModelTable,
    RftTable,
    RlTable,
    StageTable,
)

__all__ = ["STAGES", "TrainConfig", "accelerate_file", "config_names", "read_config"]

_EITHER = {"steps": "epochs", "epochs": "steps"}
"""Of these a table has one: to set it takes the other one out."""

STAGES: dict[str, type[StageTable]] = {"rft": RftTable, "rl": RlTable, "meta": MetaTable}
"""Stage -> its table."""


class TrainConfig(BaseModel):
    """One training configuration: a model, how it is trained, and a table for each stage."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    title: str
    accelerate: str | None = None
    """File for `accelerate launch --config-file`: its name in tasks/spct/accelerate/, or a path."""
    model: ModelTable
    lora: LoraTable | None = None
    rft: RftTable | None = None
    rl: RlTable | None = None
    meta: MetaTable | None = None

    def identity(self, stage: str) -> dict[str, Any]:
        """What changes the weights that `stage` comes to, as JSON values: its table, [model], [lora].

        Which model it is, its identity says, not its name; a chat template is known by its text.
        """
        tables = {"model": self.model, "lora": self.lora, stage: getattr(self, stage)}
        found: dict[str, Any] = {name: table and _lasting(table) for name, table in tables.items()}
        model = found["model"]
        del model["name"], model["revision"]
        if self.model.chat_template:
            text = Path(self.model.chat_template).read_bytes()
            model["chat_template"] = f"sha256:{hashlib.sha256(text).hexdigest()}"
        return found


def _lasting(table: BaseModel) -> dict[str, Any]:
    """A table's fields but those that are execution."""
    but = {
        name
        for name, info in type(table).model_fields.items()
        if isinstance(extra := info.json_schema_extra, dict) and extra.get("role") == "execution"
    }
    return table.model_dump(mode="json", exclude=but)


def _folder() -> Path:
    return resources.tasks() / "spct"


def config_names() -> list[str]:
    """The packaged configurations."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def read_config(
    name: str | Path, sets: Sequence[str] = (), stage: str | None = None, **over: Any
) -> TrainConfig:
    """A packaged configuration, or a file of yours, with the values of `--set` in place of its own.

    `over`: values by `table__key` that flags gave; None is not given. `stage`: the table that is needed.
    ConfigError names file and line, or the flag.
    """
    path = _find(str(name))
    values = read_toml(path, "--config ")
    given = dict.fromkeys(_set(values, sets), "--set ")
    for key, value in over.items():
        if value is not None:
            table, _, field = key.partition("__")
            values.setdefault(table, {})[field] = value
            given[f"{table}.{field}"] = "the value given for "
    for table in [name for name, value in values.items() if value is None]:
        del values[table]
    _check_template(path, values)
    try:
        found = TrainConfig(**values)
    except ValidationError as error:
        raise ConfigError(
            "\n".join(_explain(path, problem, given) for problem in error.errors())
        ) from None
    if stage and getattr(found, stage) is None:
        raise ConfigError(
            f"{path}: has no table [{stage}]; tasks/spct/smol.toml shows what is in one, or take one of "
            f"{', '.join(config_names())}"
        )
    return found


def accelerate_file(config: TrainConfig) -> Path | None:
    """The file for `accelerate launch` that a configuration names; ConfigError: it is not there."""
    if config.accelerate is None:
        return None
    for path in (
        _folder() / "accelerate" / config.accelerate,
        Path(config.accelerate).expanduser(),
    ):
        if path.is_file():
            return path
    raise ConfigError(f"accelerate = {config.accelerate!r}: no such file")


def _find(name: str) -> Path:
    if name in config_names():
        return _folder() / f"{name}.toml"
    if name.endswith(".toml"):
        return Path(name).expanduser()
    raise ConfigError(
        f"--config {name!r}: a file that ends in .toml, or one of ours; {nearest(name, config_names())}"
    )


def _set(values: dict[str, Any], sets: Sequence[str]) -> Iterator[str]:
    """Put `table.key=value` into `values`; a value is JSON where it can be, else text.

    `table=null` takes a table out. Gives the dotted names.
    """
    for text in sets:
        dotted, equals, value = text.partition("=")
        table, dot, key = dotted.partition(".")
        if not equals or not dotted or (dot and not key) or (not dot and value != "null"):
            raise ConfigError(
                f"--set {text!r}: expected table.key=value, such as rft.learning_rate=1e-5, or lora=null"
            )
        if not dot:
            values[table] = None
        elif not isinstance(values.setdefault(table, {}), dict):
            raise ConfigError(f"--set {text!r}: {table} is no table here")
        else:
            values[table].pop(_EITHER.get(key), None)
            values[table][key] = _value(value)
        yield dotted


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _check_template(path: Path, values: dict[str, Any]) -> None:
    """A chat template that is named is a file: beside the TOML, or where the path leads."""
    model = values.get("model")
    named = model.get("chat_template") if isinstance(model, dict) else None
    if isinstance(named, str):
        there = next(
            (p for p in (path.parent / named, Path(named).expanduser()) if p.is_file()), None
        )
        if there is None:
            raise ConfigError(f"{path}: model.chat_template: {named!r}: no such file")
        values["model"] = values["model"] | {"chat_template": str(there)}


def _explain(path: Path, problem: Any, given: Mapping[str, str]) -> str:
    place = [str(part) for part in problem["loc"]]
    dotted = ".".join(place)
    flag = next((given[name] + name for name in (dotted, ".".join(place[:2])) if name in given), "")
    where = flag or f"{path}{_line(path, place)}: {dotted}"
    if problem["type"] == "extra_forbidden":
        owner = _table(place[0]) if len(place) > 1 else TrainConfig
        return f"{where}: unknown key; {nearest(place[-1], sorted(owner.model_fields))}"
    said = problem["msg"].removeprefix("Value error, ")
    found = problem["input"]
    shown = "" if isinstance(found, dict) else f" (given: {found!r})"
    return f"{where}: {said[0].lower()}{said[1:]}{shown}"


def _table(name: str) -> type[BaseModel]:
    """The class of a table, by the name of its field."""
    info = TrainConfig.model_fields.get(name)
    kinds = (info.annotation, *get_args(info.annotation)) if info else ()
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), TrainConfig)


def _line(path: Path, place: Sequence[str]) -> str:
    """`:LINE` where a key, or its table's heading, stands in the file; nothing where it does not."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    table, heading, found = "", 0, 0
    for number, line in enumerate(lines, start=1):
        if opened := re.match(r"\s*\[\s*([\w-]+)\s*\]", line):
            table = opened[1]
            heading = number if table == place[0] else heading
        key = re.match(r"\s*([\w-]+)\s*=", line)
        if key and [part for part in (table, key[1]) if part] == list(place[:2]):
            found = number
    return f":{found or heading}" if found or heading else ""
