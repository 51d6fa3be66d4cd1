"""Rows to fine-tune on: a folder of `grmeval spct select`, or a file of the same form."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grmeval.errors import DataError

__all__ = ["Selected", "read_selected"]

NAMES = ("train.jsonl", "train.jsonl.gz")
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Selected:
    """`rows` of {"prompt": [messages], "completion": [message]}, and the sha256 of the file they stand in."""

    path: Path
    rows: tuple[Mapping[str, Any], ...]
    sha256: str


def read_selected(place: Path) -> Selected:
    """The rows of a folder's train.jsonl, or of a file; DataError names file, line and field."""
    path = place.expanduser()
    if path.is_dir():
        there = [path / name for name in NAMES if (path / name).is_file()]
        if not there:
            raise DataError(
                f"{path}: has no train.jsonl; `grmeval spct select RUN -o {path}` makes one"
            )
        path = there[0]
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    except (OSError, EOFError, UnicodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    rows = tuple(_rows(path, text))
    if not rows:
        raise DataError(f"{path}: holds no row")
    return Selected(path.absolute(), rows, hashlib.sha256(text.encode()).hexdigest())


def _rows(path: Path, text: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected an object with prompt and completion")
        prompt, completion = (_messages(where, row, name) for name in ("prompt", "completion"))
        if [each["role"] for each in completion] != ["assistant"]:
            raise DataError(f"{where}: completion: expected one message, of the role assistant")
        if not completion[0]["content"].strip():
            raise DataError(f"{where}: completion: is empty: there is nothing to learn")
        yield {"prompt": prompt, "completion": completion}


def _messages(where: str, row: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    found = row.get(name)
    if not isinstance(found, list) or not found:
        raise DataError(f"{where}: {name}: expected a list of messages")
    for message in found:
        if not (
            isinstance(message, dict)
            and message.get("role") in _ROLES
            and isinstance(message.get("content"), str)
        ):
            raise DataError(
                f"{where}: {name}: expected messages with a role ({', '.join(_ROLES)}) and a text as content"
            )
    return [{"role": each["role"], "content": each["content"]} for each in found]
