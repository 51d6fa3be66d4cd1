"""What a launch notes of its surroundings: the time, the commit of this program, the memory it took."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["commit", "memory", "now"]


def now() -> str:
    """Local time with its offset, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


@cache
def commit() -> str | None:
    """The git commit of grmeval's own checkout, where it runs from one, as this process first asks."""
    import subprocess

    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return None
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return (
            subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
            or None
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


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
