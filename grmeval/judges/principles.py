"""Principles as text: read from a file for a judge that is given them, and found in judgements."""

import json
import re
from pathlib import Path
from typing import Any

from grmeval.errors import ConfigError, DataError
from grmeval.items import Key

__all__ = ["Principles", "principles_in"]

_COLUMNS = ("subset", "id", "principles")
_PART = re.compile(
    r"^[ \t*#>]*Specific Criteria[ \t*]*:[ \t*]*(.*?)^[ \t*#>]*Analysis[ \t*]*:",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)


def principles_in(text: str) -> str | None:
    """What a judgement says between its first `Specific Criteria:` line and the next `Analysis:` line."""
    found = _PART.search(text)
    return (found.group(1).strip() or None) if found else None


class Principles:
    """The principles of a file: JSON lines, one item each, or any other text for all items alike."""

    def __init__(self, path: Path | None) -> None:
        """ConfigError or DataError names the file, the line and the column; None holds nothing."""
        self._path = path
        self.content = b""
        self._rows: dict[Key, str] = {}
        self._text: str | None = None
        if path is None:
            return
        try:
            self.content = path.read_bytes()
            text = self.content.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"--principles {path}: cannot be read as UTF-8 text: {why}") from None
        if not text.strip():
            raise ConfigError(f"--principles {path}: nothing in it")
        if path.suffix != ".jsonl":
            self._text = text.strip()
            return
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                key, said = _row(line, f"--principles {path}, line {number}")
                if self._rows.setdefault(key, said) != said:
                    raise DataError(
                        f"--principles {path}, line {number}: {key.subset}/{key.id} has others above"
                    )

    @property
    def by_item(self) -> bool:
        """Whether each item has its own."""
        return self._text is None

    def lacks(self, key: Key) -> str | None:
        """Why there are none for an item."""
        if self._path is None:
            return "have no principles: --principles FILE gives them"
        return None if self._text or key in self._rows else f"have no row in {self._path}"

    def of(self, key: Key) -> str:
        """The item's principles; KeyError where `lacks` says why not."""
        return self._text or self._rows[key]


def _row(line: str, where: str) -> tuple[Key, str]:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, found {type(row).__name__}")
    for name in _COLUMNS:
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise DataError(f"{where}: {name}: expected text (columns: {', '.join(_COLUMNS)})")
    subset, name, said = (row[column] for column in _COLUMNS)
    return Key(subset, name), said.strip()
