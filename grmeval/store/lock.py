"""Locks of a run folder: the operating system's, so they end with their holder."""

import contextlib
import errno
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from grmeval.errors import StoreError
from grmeval.store.environment import now

__all__ = ["lock"]


@contextlib.contextmanager
def lock(path: Path, seconds: float, reader: bool = False) -> Iterator[None]:
    """Hold an advisory lock `<path>.lock`; StoreError after `seconds` says who holds it.

    A reader may do without, where the folder is not its own to write: an archive, a colleague's run.
    """
    from filelock import FileLock, Timeout

    run = path.parent.parent
    holder = path.with_name(f"{path.name}.holder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(f"{path}.lock", timeout=seconds)
        held.acquire()
    except Timeout:
        who = "another process"
        with contextlib.suppress(OSError):
            who = holder.read_text(encoding="utf-8").strip() or who
        raise StoreError(f"{run}: being written by {who}; wait for it, or stop it") from None
    except OSError as error:
        if reader and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            yield
            return
        raise StoreError(
            f"{run}: cannot be locked: {error.strerror or error}; see --results"
        ) from None
    try:
        with contextlib.suppress(OSError):
            holder.write_text(
                f"process {os.getpid()} on {platform.node()} since {now()}", encoding="utf-8"
            )
        yield
    finally:
        held.release()
