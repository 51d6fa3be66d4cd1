"""Writes files that are whole or not there: beside the target, synced, renamed over it.

What is no regular file is written through, and never replaced.
"""

import contextlib
import errno
import json
import os
import platform
import shutil
import stat
import sys
import tempfile
import tomllib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from grmeval.errors import ConfigError, ReadOnlyError, StoreError

__all__ = [
    "is_left_behind",
    "read_toml",
    "sync",
    "write_json",
    "write_text",
    "write_with",
]

LINKS = 40
"""How many links are followed, as many as Linux does."""


def write_with(path: Path, write: Callable[[Path], Any]) -> Path:
    """Call `write` on a temporary file (same ending), then put it in place of `path`.

    A link stays, what it leads to is replaced. A FIFO, a character device and whatever this process has open
    (/dev/stdout) are written through. ConfigError: a folder, or a disk. StoreError names the file and leaves
    what was there (ReadOnlyError: it may not be written); BrokenPipeError: the reader left.
    """
    try:
        place = _followed(path)
        kind = _kind(place)
        if stat.S_ISDIR(kind) or stat.S_ISBLK(kind):
            what = "a folder" if stat.S_ISDIR(kind) else "a disk"
            raise ConfigError(f"{path}: is {what}; name a file to write")
        if stat.S_ISREG(kind) and not _is_open(place):
            _replace(place, path.name, write)
        else:
            _write_through(place, path.name, write)
    except BrokenPipeError:
        raise
    except OSError as error:
        closed = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        raised = ReadOnlyError if closed else StoreError
        raise raised(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def _followed(path: Path) -> Path:
    """Where a chain of links ends; one in /proc leads to something open, and is not followed."""
    for _ in range(LINKS):
        path = Path(os.path.realpath(path.parent)) / path.name
        if _is_open(path) or not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_open(place: Path) -> bool:
    return place.parts[:2] == ("/", "proc")


def _kind(place: Path) -> int:
    """As in `st_mode`; what is not there yet is a regular file."""
    try:
        return stat.S_IFMT(place.stat().st_mode)
    except FileNotFoundError:
        return stat.S_IFREG


def _replace(place: Path, name: str, write: Callable[[Path], Any]) -> None:
    temporary = place.with_name(f"{_temporaries()}{os.getpid()}-{name}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _sweep(place.parent)
        write(temporary)
        sync(temporary)
        temporary.replace(place)
        sync(place.parent)
    finally:
        with contextlib.suppress(OSError):  # renamed, or its folder is none
            temporary.unlink()


def _temporaries() -> str:
    """How the names of temporary files begin that processes of this machine write; their number follows."""
    return f".grmeval-{zlib.crc32(platform.node().encode()):08x}-"


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes of this machine that are gone."""
    for left in folder.glob(f"{_temporaries()}*"):
        if is_left_behind(left):
            with contextlib.suppress(OSError):
                left.unlink()


def is_left_behind(path: Path) -> bool:
    """Whether this is a temporary file of `write_with`, by a process of this machine that is gone."""
    mine, begin, rest = path.name.partition(_temporaries())
    number = rest.partition("-")[0]
    return bool(begin) and not mine and number.isdecimal() and not _is_alive(int(number))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def _write_through(place: Path, name: str, write: Callable[[Path], Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="grmeval-") as folder:
        made = Path(folder) / name
        write(made)
        with made.open("rb") as source, _opened(place) as target:
            shutil.copyfileobj(source, target)


def _opened(place: Path) -> IO[bytes]:
    """A place to write to; where this process has it open already, from where it stands."""
    if place.parent == Path(f"/proc/{os.getpid()}/fd"):
        sys.stdout.flush()
        return os.fdopen(os.dup(int(place.name)), "wb")
    return place.open("wb")


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
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise ConfigError(f"{path}: not a TOML file: {error}") from None


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
