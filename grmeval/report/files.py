"""Writes a report's files, each whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grmeval.errors import StoreError

__all__ = ["write_text", "write_with"]


def write_with(path: Path, write: Callable[[Path], Any]) -> Path:
    """Call `write` on a temporary file (same ending), then put it in place of `path`."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def write_text(path: Path, text: str) -> Path:
    """Put `text` in place of `path`."""
    return write_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
