"""The files of a benchmark's copy: a folder, or an archive read in place, never unpacked."""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from grmeval.errors import DataError

__all__ = ["read_files"]

Wanted = Callable[[str], bool]

# What tarfile, zipfile and their decompressors raise on bad bytes: zipfile has no class of its own for
# an encrypted member or an unknown method (RuntimeError and its subclass) or a bad name (ValueError).
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
)

ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".tgz", ".txz", ".zip")


def read_files(
    data: Path, root: str, patterns: Sequence[str], said: str | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield (path below `root`, content) of the files there that match a pattern, sorted by path.

    `data` may be the folder `root` itself, a folder that holds it, or an archive that holds it (also
    one level down, as archives of repositories do). In a pattern `*` crosses folders. A single file is
    taken whatever its name. `said` begins an error.
    """

    said = said or f"--data {data}"

    def wanted(name: str) -> bool:
        return not _hidden(name) and any(fnmatchcase(name, pattern) for pattern in patterns)

    if not data.exists():
        raise DataError(f"{said}: no such file or folder")
    try:
        if data.is_dir():
            files = _folder(data, root, wanted)
        elif data.name.endswith(".zip"):
            files = _zip(data, root, wanted)
        elif data.name.endswith(ARCHIVES):
            files = _tar(data, root, wanted)
        else:
            files = [(data.name, data.read_bytes())]
    except _DAMAGED as error:
        raise DataError(f"{said}: damaged archive ({error}); get it again") from None
    except OSError as error:
        raise DataError(f"{said}: cannot be read: {error.strerror or error}") from None
    if not files:
        kinds = ", ".join(ARCHIVES)
        names = " or ".join(f"{root}/{pattern}".lstrip("/") for pattern in patterns)
        raise DataError(
            f"{said}: no file {names} in it; a folder or an archive ({kinds}) is allowed"
        )
    yield from sorted(files)


def _folder(data: Path, root: str, wanted: Wanted) -> list[tuple[str, bytes]]:
    base = data / root if (data / root).is_dir() else data
    if root and base == data and data.name != root:
        inner = [d / root for d in sorted(data.iterdir()) if (d / root).is_dir()]
        if not inner:
            return []
        base = inner[0]
    files = ((p.relative_to(base).as_posix(), p) for p in _walk(base))
    return [(name, p.read_bytes()) for name, p in files if wanted(name) and p.is_file()]


def _walk(base: Path) -> Iterator[Path]:
    """Every file below, links to folders followed, no folder twice."""
    seen: set[str] = set()
    for folder, inner, names in os.walk(base, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            inner.clear()
            continue
        seen.add(real)
        yield from (Path(folder) / name for name in names)


def _tar(data: Path, root: str, wanted: Wanted) -> list[tuple[str, bytes]]:
    found = []
    with tarfile.open(data) as archive:
        for member in archive:
            inside = _below(member.name, root)
            if not (member.isfile() and inside and wanted(inside)):
                continue
            if stream := archive.extractfile(member):
                found.append((inside, stream.read()))
        # Members end before the stream does: only its last bytes hold the checksum of gzip and xz.
        while archive.fileobj and archive.fileobj.read(2**20):
            pass
    return found


def _zip(data: Path, root: str, wanted: Wanted) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(data) as archive:
        names = [
            (name, _below(name, root)) for name in archive.namelist() if not name.endswith("/")
        ]
        return [(inside, archive.read(name)) for name, inside in names if inside and wanted(inside)]


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
