"""What the run folder asks of the system: locks that die with their holder, the time, memory used."""

import contextlib
import errno
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from grmeval.errors import StoreError

__all__ = ["lock", "memory", "now"]


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


def now() -> str:
    """Local time with its offset, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def memory() -> dict[str, int]:
    """MiB: `peak`, the most that this process and its children held of main memory; `held` now.

    `gpu_peak`: what PyTorch in this process held of a GPU, where it did. {} where the system does not tell.
    The kernel's ru_maxrss is no use: a process that is started by a large one begins with its peak.
    """
    found = dict.fromkeys(("peak", "held"), 0)
    try:
        for process in _family(os.getpid()):
            with contextlib.suppress(OSError):  # a child that ended just now
                status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
                known = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
                for name, field in (("peak", "VmHWM"), ("held", "VmRSS")):
                    found[name] += int(known[field].split()[0]) // 1024 if field in known else 0
    except OSError:
        return {}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        found["gpu_peak"] = int(torch.cuda.max_memory_reserved()) >> 20
    return found


def _family(process: int) -> Iterator[int]:
    """A process, its children, and theirs; OSError where /proc does not list them."""
    yield process
    children = Path(f"/proc/{process}/task/{process}/children").read_text("ascii")
    for child in children.split():
        with contextlib.suppress(OSError):
            yield from _family(int(child))
