"""Writes files that are whole or not there: beside the target, synced, renamed over it."""

import contextlib
import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grmeval.errors import ConfigError, StoreError

__all__ = [
    "read_toml",
    "sync",
    "write_json",
    "write_text",
    "write_with",
]


def write_with(path: Path, write: Callable[[Path], Any]) -> Path:
    """Call `write` on a temporary file (same ending), then put it in place of `path`.

    StoreError names the file and leaves what was there.
    """
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):  # renamed, or its folder is none
            temporary.unlink()
    return path


def write_text(path: Path, text: str) -> Path:
    """Put `text` in place of `path`."""
    return write_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> Path:
    """Put `content` in place of `path`, indented, keys sorted."""
    return write_text(
        path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )


def read_toml(path: Path, said: str = "") -> dict[str, Any]:
    """A TOML file's content; ConfigError names the file, after what the user `said`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{said}{path}: cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
