"""The files of a benchmark's copy: a folder, or an archive read in place, never unpacked."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Any

from grmeval.benches.own import OWN_ROWS
from grmeval.errors import DataError

__all__ = ["damage", "read_files"]

Wanted = Callable[[str], bool]

# What tarfile, zipfile and their decompressors raise on bad bytes: zipfile has no class of its own for
# an encrypted member or an unknown method (RuntimeError and its subclass) or a bad name (ValueError).
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    IndexError,
    OverflowError,
    RuntimeError,
    ValueError,
)

ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".tgz", ".txz", ".zip")
MOST_BYTES = 4 * 2**30
"""How much of an archive is read into memory, all its files together."""
MOST_UNPACKED = 16 * 2**30
"""How far an archive is unpacked on the way to them."""

_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}
"""How what begins so is unpacked."""


def read_files(
    data: Path,
    root: str,
    patterns: Sequence[str],
    said: str | None = None,
    *,
    password: str | None = None,
    archive: str | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield (path below `root`, content) of the files there that match a pattern, sorted by path.

    `data` may be the folder `root` itself, a folder that holds it, or an archive that holds it (also
    one level down, as archives of repositories do), or else the file `archive`, which then is read
    as if it were `data`. In a pattern `*` crosses folders. A single file of rows is taken whatever the
    patterns.
    `said` begins an error; `password` opens an encrypted zip.
    """
    said = said or f"--data {data}"

    def wanted(name: str) -> bool:
        return not _hidden(name) and any(fnmatchcase(name, pattern) for pattern in patterns)

    def inner(name: str) -> bool:
        return archive in (name, name.partition("/")[2])

    if not data.exists():
        raise DataError(f"{said}: no such file or folder")
    with _explained(said):
        files = _files(data, root, wanted, password)
        if not files and archive and (held := _files(data, "", inner, password)):
            _, content = min(held, key=lambda file: len(file[0]))
            files = _members(archive, io.BytesIO(content), root, wanted, password)
    if not files:
        kinds = ", ".join(ARCHIVES)
        names = " or ".join(f"{root}/{pattern}".lstrip("/") for pattern in patterns)
        raise DataError(
            f"{said}: no file {names} in it; a folder or an archive ({kinds}) is allowed"
        )
    yield from sorted(files)


def damage(data: Path, name: str, password: str | None, said: str) -> str | None:
    """What is wrong with an archive, read to its end; None if it is whole. `name` says its kind.

    DataError if its password does not open it.
    """
    with data.open("rb") as file:
        try:
            if name.lower().endswith(".zip"):
                with _opened(file, password) as archive:
                    size = 0
                    for member in archive.infolist():
                        for chunk in _chunks(archive, member):
                            size += len(chunk)
                            _check_unpacked(size)
            else:
                _tar(file, "", lambda _: False)
        except _Refused as error:
            raise DataError(f"{said}: {error}") from None
        except (*_DAMAGED, OSError) as error:  # OSError: of a seek to nowhere
            return str(error) or type(error).__name__
    return None


class _Refused(Exception):
    """A file that is whole and yet not to be read: it needs a password, or is of no use."""


@contextlib.contextmanager
def _explained(said: str) -> Iterator[None]:
    try:
        yield
    except _Refused as error:
        raise DataError(f"{said}: {error}") from None
    except _DAMAGED as error:
        raise DataError(f"{said}: damaged archive ({error}); get it again") from None
    except OSError as error:
        raise DataError(f"{said}: cannot be read: {error.strerror or error}") from None


def _files(data: Path, root: str, wanted: Wanted, password: str | None) -> list[tuple[str, bytes]]:
    if data.is_dir():
        return _folder(data, root, wanted)
    name = data.name.lower()
    if name.endswith(OWN_ROWS):
        return [(data.name, data.read_bytes())]
    if not name.endswith(ARCHIVES):
        kinds = f"an archive ({', '.join(ARCHIVES)}) nor rows ({', '.join(OWN_ROWS)})"
        raise _Refused(f"by its name neither {kinds}")
    with data.open("rb") as file:
        return _members(data.name, file, root, wanted, password)


def _members(
    name: str, file: IO[bytes], root: str, wanted: Wanted, password: str | None
) -> list[tuple[str, bytes]]:
    """What an archive of this name holds."""
    if name.lower().endswith(".zip"):
        return _zip(file, root, wanted, password)
    return _tar(file, root, wanted)


def _folder(data: Path, root: str, wanted: Wanted) -> list[tuple[str, bytes]]:
    base = data / root if (data / root).is_dir() else data
    if root and base == data and data.name != root:
        inner = [d / root for d in sorted(data.iterdir()) if (d / root).is_dir()]
        if not inner:
            return []
        base = inner[0]
    _check_inside(base, data)
    files = ((p.relative_to(base).as_posix(), p) for p in _walk(base))
    found = [(name, p) for name, p in files if wanted(name) and p.is_file()]
    for _, path in found:
        _check_inside(path, data)
    return [(name, path.read_bytes()) for name, path in found]


def _check_inside(path: Path, data: Path) -> None:
    """Links may lead anywhere inside `data`, and from a snapshot of the hub's cache to its blobs."""
    whole = data.resolve()
    snapshots = [folder for folder in (whole, *whole.parents) if folder.name == "snapshots"]
    allowed = (whole, *(folder.parent / "blobs" for folder in snapshots))
    real = path.resolve()
    if not any(real.is_relative_to(folder) for folder in allowed):
        raise _Refused(
            f"{path} leads out of it, to {real}; name that folder, or put the files themselves there"
        )


def _walk(base: Path) -> Iterator[Path]:
    """Every file below, links to folders followed, no folder twice."""
    seen: set[str] = set()
    for folder, inner, names in os.walk(base, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            inner.clear()
            continue
        seen.add(real)
        yield from (Path(folder) / name for name in names)


def _tar(file: IO[bytes], root: str, wanted: Wanted) -> list[tuple[str, bytes]]:
    found = []
    size = 0
    stream = _Bounded(_unpacked(file))
    with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
        for member in archive:
            inside = _below(member.name, root)
            if not (member.isfile() and inside and wanted(inside)):
                continue
            size += member.size
            _check_size(size)
            if content := archive.extractfile(member):
                found.append((inside, content.read()))
        # Members end before the stream does: only its last bytes hold the checksum of gzip and xz.
        while stream.read(2**20):
            pass
    return found


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    """What a file holds, by how it begins."""
    begin = file.read(max(map(len, _PACKED)))
    file.seek(0)
    how = next((how for magic, how in _PACKED.items() if begin.startswith(magic)), None)
    unpacked: IO[bytes] = how(file) if how else file
    return unpacked


class _Bounded:
    """A stream that is read no further than MOST_UNPACKED bytes: a small file may hold any amount."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.tell = stream.tell

    def read(self, size: int) -> bytes:
        _check_unpacked(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, place: int) -> int:
        _check_unpacked(place)
        return self._stream.seek(place)


def _zip(
    file: IO[bytes], root: str, wanted: Wanted, password: str | None
) -> list[tuple[str, bytes]]:
    found = []
    size = 0
    with _opened(file, password) as archive:
        members = [(_below(m.filename, root), m) for m in archive.infolist() if not m.is_dir()]
        chosen = [(name, m) for name, m in members if name and wanted(name)]
        _check_size(sum(m.file_size for _, m in chosen))  # as it says itself
        for name, member in chosen:
            content = io.BytesIO()
            for chunk in _chunks(archive, member):
                size += content.write(chunk)
                _check_size(size)
            found.append((name, content.getvalue()))
    return found


def _check_unpacked(size: int) -> None:
    if size > MOST_UNPACKED:
        raise _Refused(
            f"it unpacks to more than {MOST_UNPACKED:,} bytes: unpack it, and name the folder"
        )


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise _Refused(
            f"its files are larger than {MOST_BYTES:,} bytes: unpack it, and name the folder"
        )


def _opened(file: IO[bytes], password: str | None) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(file)
    archive.setpassword((password or "").encode())
    return archive


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of one member, decrypted in memory only."""
    try:
        with archive.open(member) as stream:
            yield from iter(lambda: stream.read(2**20), b"")
    except RuntimeError as error:  # zipfile has no class of its own for these two
        if "password" not in str(error):
            raise
        how = "the password does not open it" if archive.pwd else "no password is given"
        raise _Refused(
            f"{member.filename} is encrypted, and {how}; set `password` under [source] in the "
            "benchmark's TOML, or get the official archive again"
        ) from None


def _below(name: str, root: str) -> str | None:
    """The part of an archive path below `root`, at the top or one folder down."""
    if _hidden(name):
        return None
    if not root:
        return name
    parts = PurePosixPath(name).parts
    for depth in (0, 1):
        if len(parts) > depth + 1 and parts[depth] == root:
            return "/".join(parts[depth + 1 :])
    return None


def _hidden(name: str) -> bool:
    """Dot files, and the shadow folder that macOS puts into archives."""
    return any(
        part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts if part != "."
    )
