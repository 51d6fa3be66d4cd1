"""Parquet files that know their own damage.

Every page has Parquet's CRC-32. What that leaves out, headers of pages and the footer, is in a seal between
the last page and the footer, where the format allows a gap:

    CRC-32 of each column chunk, as they lie | their number | CRC-32 of all this and the footer | SEAL

So any reader opens such a file, and a file without a seal, of before or from elsewhere, is read as it is.
"""

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any, Self

__all__ = ["ParquetFile", "parquet_writer", "read_parquet", "write_parquet"]

SEAL = b"grmeval1"

_TAIL = Struct("<I4s")
"""The end of any Parquet file: bytes of the footer, PAR1."""

_END = Struct("<II8s")
"""The end of a seal: number of chunks, CRC-32, SEAL."""

_CRC = Struct("<I")

_BLOCK = 1 << 20


@contextlib.contextmanager
def parquet_writer(path: Path, schema: Any) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetWriter` of a new file, which is sealed in the end."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        yield writer
    _seal(path)


def write_parquet(path: Path, table: Any) -> None:
    """Write an Arrow table as a new file."""
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table)


def read_parquet(source: Path | bytes, columns: Sequence[str] | None = None) -> Any:
    """A Parquet file as an Arrow table; ArrowException or OSError: it is none, or damaged."""
    with ParquetFile(source) as file:
        return file.read(columns)


class ParquetFile:
    """A Parquet file that is open; what is read of it is held against its checksums first.

    Without pyarrow's threads (`pre_buffer`, `use_threads`): they outlive the call, and end the process with
    SIGABRT when it exits too soon after (apache/arrow issues 33975, 34314).
    """

    def __init__(self, source: Path | bytes) -> None:
        """ArrowException or OSError where it is none, or its footer is damaged."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._bytes = (
            pa.BufferReader(source) if isinstance(source, bytes) else pa.OSFile(str(source))
        )
        try:
            self._chunks = _sealed_chunks(self._bytes)
            self._file = pq.ParquetFile(
                self._bytes, pre_buffer=False, page_checksum_verification=True
            )
        except BaseException:
            self._bytes.close()
            raise
        self.schema = self._file.schema_arrow
        self.rows: int = self._file.metadata.num_rows
        self.row_groups: int = self._file.num_row_groups

    def read(self, columns: Sequence[str] | None = None) -> Any:
        """All of it as an Arrow table. ArrowException: it is damaged."""
        for group in range(self.row_groups):
            self._check(group, columns)
        return self._file.read(_listed(columns), use_threads=False)

    def row_group(self, group: int, columns: Sequence[str] | None = None) -> Any:
        """One row group as an Arrow table. ArrowException: it is damaged."""
        self._check(group, columns)
        return self._file.read_row_group(group, _listed(columns), use_threads=False)

    def batches(self, size: int, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """Record batches of at most `size` rows. ArrowException: the row group at hand is damaged."""
        for group in range(self.row_groups):
            self._check(group, columns)
            yield from self._file.iter_batches(
                size, row_groups=[group], columns=_listed(columns), use_threads=False
            )

    def _check(self, group: int, columns: Sequence[str] | None) -> None:
        import pyarrow as pa

        if self._chunks is None:
            return
        metadata = self._file.metadata
        width = metadata.num_columns
        known = self._chunks[group * width : (group + 1) * width]
        for (name, start, size), crc in zip(_places(metadata, group), known, strict=True):
            wanted = columns is None or name in columns
            if wanted and _crc(self._bytes, start, size) != crc:
                first = sum(metadata.row_group(before).num_rows for before in range(group))
                last = first + metadata.row_group(group).num_rows
                raise pa.ArrowInvalid(
                    f"column {name!r}, rows {first + 1:,} to {last:,}: not what was written (checksum)"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._bytes.close()


def _seal(path: Path) -> None:
    """Put the seal before the footer of a file that was just written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    with pa.OSFile(str(path)) as source:
        chunks = [
            _crc(source, start, size)
            for group in range(metadata.num_row_groups)
            for _, start, size in _places(metadata, group)
        ]
        start = _footer_start(source)
        assert start is not None
        footer = source.read_at(source.size() - start, start)
    crcs = b"".join(map(_CRC.pack, chunks))
    seal = crcs + _END.pack(len(chunks), _check_of(crcs, footer), SEAL)
    with path.open("r+b") as target:
        target.seek(start)
        target.write(seal + footer)


def _sealed_chunks(source: Any) -> list[int] | None:
    """The CRC-32 of every column chunk; None: no seal. ArrowInvalid: the footer, or the seal, is damaged."""
    import pyarrow as pa

    start = _footer_start(source)
    if start is None or start < _END.size:
        return None
    count, check, seal = _END.unpack(source.read_at(_END.size, start - _END.size))
    if seal != SEAL:
        return None
    size = count * _CRC.size
    begin = start - _END.size - size
    crcs = source.read_at(size, begin) if begin >= 0 else b""
    if check != _check_of(crcs, source.read_at(source.size() - start, start)):
        raise pa.ArrowInvalid("its footer is not what was written (checksum)")
    return [crc for (crc,) in _CRC.iter_unpack(crcs)]


def _check_of(crcs: bytes, footer: bytes) -> int:
    return zlib.crc32(footer, zlib.crc32(crcs))


def _footer_start(source: Any) -> int | None:
    """Where the footer begins; None: no Parquet file, pyarrow says why."""
    end = source.size() - _TAIL.size
    if end < 0:
        return None
    length, magic = _TAIL.unpack(source.read_at(_TAIL.size, end))
    return end - length if magic == b"PAR1" and length <= end else None


def _places(metadata: Any, group: int) -> Iterator[tuple[str, int, int]]:
    """(column, offset, bytes) of the chunks of a row group, page headers included."""
    found = metadata.row_group(group)
    for number in range(found.num_columns):
        chunk = found.column(number)
        first = chunk.dictionary_page_offset
        start = chunk.data_page_offset if first is None else first
        yield chunk.path_in_schema.partition(".")[0], start, chunk.total_compressed_size


def _crc(source: Any, start: int, size: int) -> int:
    crc, end = 0, start + size
    for at in range(start, end, _BLOCK):
        crc = zlib.crc32(source.read_at(min(_BLOCK, end - at), at), crc)
    return crc


def _listed(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)
