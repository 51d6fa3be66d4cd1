"""General instruction data: rows of a file that are mixed into a training set, a few of many by a seed."""

import hashlib
import heapq
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from grmeval.benches.turns import answer, conversation_of
from grmeval.errors import DataError
from grmeval.items import Message
from grmeval.parquet import ParquetFile

__all__ = ["GeneralData"]

ROLES = ("system", "user", "assistant")
_BATCH = 1024


class GeneralData:
    """JSON lines or Parquet, a row either `messages`, or `prompt` and `completion`."""

    def __init__(self, path: Path) -> None:
        """Count its rows, and take its hash; DataError: it cannot be read."""
        self.path = path
        try:
            with path.open("rb") as file:
                self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"--mix {path}: cannot be read: {error.strerror or error}") from None
        if path.suffix not in (".jsonl", ".parquet"):
            raise DataError(f"--mix {path}: rows are read from .jsonl and .parquet")
        self.rows = sum(1 for _ in self._raw())

    def some(self, count: int, seed: int) -> Iterator[tuple[int, tuple[Message, ...], Message]]:
        """(line or row from 1, prompt, completion) of `count` rows, in the file's order.

        DataError names a row that cannot be used.
        """
        chosen = set(heapq.nsmallest(count, range(self.rows), lambda at: _rank(seed, at)))
        unit = "line" if self.path.suffix == ".jsonl" else "row"
        for at, (number, raw) in enumerate(self._raw()):
            if at in chosen:
                yield (number, *self._conversation(raw, f"--mix {self.path}, {unit} {number}"))

    def _raw(self) -> Iterator[tuple[int, Any]]:
        """(number from 1, row as it lies): lines that are not blank, or dictionaries."""
        if self.path.suffix == ".jsonl":
            with self.path.open("rb") as file:
                yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
            return
        import pyarrow as pa

        try:
            with ParquetFile(self.path) as stored:
                batches = (batch.to_pylist() for batch in stored.batches(_BATCH))
                yield from enumerate(chain.from_iterable(batches), 1)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"--mix {self.path}: not a Parquet file: {error}") from None

    def _conversation(self, raw: Any, where: str) -> tuple[tuple[Message, ...], Message]:
        try:
            row = json.loads(raw) if isinstance(raw, bytes) else raw
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON: {error}") from None
        known = [
            name for name in ("messages", "completion") if isinstance(row, dict) and row.get(name)
        ]
        if not known:
            raise DataError(f"{where}: expected 'messages', or 'prompt' and 'completion'")
        said = answer(row[known[0]], known[0], where)
        stated = row.get("prompt") if known[0] == "completion" else None
        prompt = conversation_of([said], "prompt", stated, where)
        if odd := {turn.role for turn in prompt} - set(ROLES):
            raise DataError(f"{where}: role {min(odd)!r}; allowed: {', '.join(ROLES)}")
        if not said.text.strip():
            raise DataError(f"{where}: the assistant's last turn is empty")
        return prompt, Message("assistant", said.text)


def _rank(seed: int, at: int) -> bytes:
    return hashlib.blake2b(f"general\0{seed}\0{at}".encode(), digest_size=16).digest()
