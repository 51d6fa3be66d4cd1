"""The journal: one line a finished sample, on disk before anything else learns of it.

A line is written with one system call, so a killed process leaves whole lines and at most one torn
one, which readers drop. fsync runs beside the loop once a second: after a power cut at most the last
second's samples are asked for again.
"""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from grmeval.errors import StoreError
from grmeval.files import sync
from grmeval.items import Sample

__all__ = ["LATER", "JournalWriter", "LineWriter", "read_journal", "read_lines"]

_FIELDS = tuple(field.name for field in fields(Sample) if field.name != "launch")
_NAMES = set(_FIELDS)
SYNC_SECONDS = 1.0

LATER = frozenset({"weight", "critic_prompt_tokens", "critic_cached_tokens"})
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
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
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


def read_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (byte offset, number from 1, line) of each whole line; a torn last line is dropped."""
    with path.open("rb") as file:
        offset = 0
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            yield offset, number, line
            offset += len(line)


def read_journal(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (byte offset, row) of each whole line.

    StoreError for a damaged line that is not the last: bytes were changed after they were written.
    """
    for offset, number, line in read_lines(path):
        yield offset, parse_line(line, path, number)


def parse_line(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """One journal line as a row, with the launch that its file names."""
    try:
        row: dict[str, Any] = json.loads(line.decode("utf-8"))
        if not isinstance(row, dict) or set(row) | LATER != _NAMES:
            raise ValueError(f"its fields are {', '.join(sorted(row))}")
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"{path}, line {number}: damaged ({error}); move the file away to sample its rows again"
        ) from None
    return dict.fromkeys(LATER - row.keys()) | row | {"launch": path.stem}
