"""The journal: one line a finished sample, on disk before anything else learns of it.

A line is written with one system call, so a killed process leaves whole lines and at most one torn
one, which readers drop. fsync runs beside the loop once a second: after a power cut at most the last
second's samples are asked for again.

The last field of a line, `crc`, is the CRC-32 of the line without it. A line that was changed since counts as
missing, and is said; those around it count.
"""

import json
import os
import re
import threading
import zlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from grmeval.errors import StoreError
from grmeval.files import sync
from grmeval.items import Sample

__all__ = [
    "LATER",
    "SAMPLE",
    "Form",
    "JournalWriter",
    "LineWriter",
    "damage",
    "damaged_lines",
    "put_away",
    "read_journal",
    "read_lines",
    "row_at",
]

_FIELDS = tuple(field.name for field in fields(Sample) if field.name != "launch")
SYNC_SECONDS = 1.0

_CRC_END = rb',"crc":"([0-9a-f]{8})"\}'
_CRC_BYTES = len(',"crc":"01234567"}\n')
_CRC = re.compile(_CRC_END + rb"\n\Z")
_ENDED = re.compile(_CRC_END + rb".\Z", re.DOTALL)

LATER = frozenset({"weight", "critic_prompt_tokens", "critic_cached_tokens", "logprob"})
"""Fields that samples of before may lack: nothing is known there."""


class LineWriter:
    """The one writer of a new file of JSON lines."""

    def __init__(self, path: Path) -> None:
        """Create the file; StoreError if it cannot be."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            sync(path.parent)
        except OSError as error:
            raise StoreError(f"{path}: cannot be created: {error.strerror}") from None
        self._failed: OSError | None = None
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._syncer = threading.Thread(target=self._sync, name="journal-sync", daemon=True)
        self._syncer.start()

    def write_row(self, row: dict[str, Any]) -> None:
        """Append one line; StoreError (disk full, say) leaves every earlier one readable."""
        text = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        line = b'%b,"crc":"%08x"}\n' % (text[:-1], zlib.crc32(text))
        if self._failed:
            raise self._trouble(self._failed)
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            # A line after a torn one would be damage in mid-file: this journal ends here.
            self._failed = error
            raise self._trouble(error) from None
        self._dirty.set()

    def _trouble(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self.path}: cannot be written: {error.strerror or error}; finished samples are safe: "
            "make room and run the same command again"
        )

    def _sync(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            if self._dirty.is_set():
                self._dirty.clear()
                try:
                    os.fsync(self._file)
                except OSError as error:
                    self._failed = error
                    return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._syncer.join()
        try:
            os.fsync(self._file)
        except OSError as trouble:
            self._failed = trouble
        os.close(self._file)
        if self._failed and error is None:
            raise self._trouble(self._failed)


class JournalWriter(LineWriter):
    """The one writer of `journal/<launch>.jsonl`."""

    def write(self, sample: Sample) -> None:
        """Append one sample; see `write_row`."""
        self.write_row({name: getattr(sample, name) for name in _FIELDS})


class Form(NamedTuple):
    """The fields that a row has, and those of them that a row of before may lack."""

    fields: frozenset[str]
    later: frozenset[str] = frozenset()

    def read(self, line: bytes, where: str) -> dict[str, Any] | None:
        """A line's row; None: damaged. StoreError: whole, but with other fields.

        A line without a checksum, of before, is whole where it reads as a row.
        """
        found = _CRC.search(line, max(0, len(line) - _CRC_BYTES))
        text = line[: found.start()] + b"}" if found else line
        if found and zlib.crc32(text) != int(found[1], 16):
            return None
        try:
            row = json.loads(text.decode("utf-8"))
            if not isinstance(row, dict) or set(row) | self.later != self.fields:
                raise ValueError(f"its fields are {', '.join(sorted(row))}")
        except (ValueError, TypeError, RecursionError) as error:
            if found:
                raise StoreError(
                    f"{where}: written by another grmeval ({error}); read it with that one"
                ) from None
            return None
        return row


SAMPLE = Form(frozenset(_FIELDS), LATER)
"""A sample's line."""


class Line(NamedTuple):
    """A line of a journal: its byte offset, its number from 1, its row; None: it is damaged."""

    offset: int
    number: int
    row: dict[str, Any] | None


def read_lines(file: BinaryIO, path: Path, form: Form) -> Iterator[Line]:
    """Every line of a journal that is open; a torn last one is none."""
    offset = 0
    for number, line in enumerate(file, start=1):
        # Whatever follows a checksum was a line's end once.
        if not line.endswith(b"\n") and not _ENDED.search(line, max(0, len(line) - _CRC_BYTES)):
            return
        yield Line(offset, number, form.read(line, f"{path}, line {number}"))
        offset += len(line)


def read_journal(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (byte offset, row) of each sample in a journal; `damaged_lines` says what is left out."""
    with path.open("rb") as file:
        for offset, _, row in read_lines(file, path, SAMPLE):
            if row is not None:
                yield offset, _launched(row, path)


def row_at(file: BinaryIO, path: Path, offset: int) -> dict[str, Any]:
    """The sample of a line that was whole a moment ago; StoreError if it is not now."""
    file.seek(offset)
    row = SAMPLE.read(file.readline(), str(path))
    if row is None:
        raise StoreError(f"{path}: changed while it was read; run the same command again")
    return _launched(row, path)


def _launched(row: dict[str, Any], path: Path) -> dict[str, Any]:
    """A sample's row with the launch that its file names."""
    return dict.fromkeys(LATER - row.keys()) | row | {"launch": path.stem}


def damaged_lines(path: Path, form: Form = SAMPLE) -> list[str]:
    """What to say of each damaged line; [] without the file."""
    try:
        with path.open("rb") as file:
            return [damage(path, line) for line in read_lines(file, path, form) if not line.row]
    except FileNotFoundError:  # folded just now
        return []
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from None


def damage(path: Path, line: Line) -> str:
    """What to say of a damaged line."""
    return f"{path}, line {line.number}: damaged, and left out"


def put_away(path: Path, damaged: list[str]) -> list[str]:
    """Remove a journal that was folded, or keep it as NAME.jsonl.damaged; gives what to say of its lines."""
    if not damaged:
        path.unlink()
        return []
    kept = path.replace(path.with_name(f"{path.name}.damaged"))
    return [f"{said}; the file is kept as {kept.name}" for said in damaged]
