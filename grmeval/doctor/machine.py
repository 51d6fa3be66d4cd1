"""Python and the machine: cores, memory, folders, output, open files."""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from grmeval import resources
from grmeval.doctor.check import GB, Check, State, reason
from grmeval.doctor.gpu import DEFAULT, weights
from grmeval.doctor.packages import own

__all__ = [
    "cache",
    "cpu",
    "hub_cache",
    "main_memory",
    "memory",
    "open_files",
    "output",
    "python",
    "results",
]

ROOT = Path("/")
DEMO_GB = 4
"""What the demo model takes through vLLM's CPU build."""
_LIMITS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, use, and what of the use can be dropped, of a control group: v2's names, then v1's."""


def python() -> Check:
    """Whether grmeval was ever run on this Python; its package allows no older ones."""
    found = platform.python_version()
    run_on = re.findall(r"Python :: (\d+\.\d+)", "\n".join(own("Classifier")))
    if not run_on or ".".join(platform.python_version_tuple()[:2]) in run_on:
        return Check("ok", found)
    advice = f"if something fails: make PYTHON=python{run_on[0]} VENV=.venv-{run_on[0]} install"
    return Check("note", f"{found}; grmeval was run on {', '.join(run_on)} only", advice)


def cpu() -> Check:
    """Cores this process may use: its affinity, and a container's quota."""
    linux = hasattr(os, "sched_getaffinity")
    count: float = len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1
    for group in _control_groups():
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if quota.isdigit():
            count = min(count, int(quota) / int(period))
    if count >= 2:
        return Check("ok", f"{count:g} cores usable")
    return Check("note", f"{count:g} usable: slow for the demo", "make demo K=2 LIMIT=16")


class Memory(NamedTuple):
    """Bytes of main memory, in all and free; `limited`: a control group leaves less than the machine has."""

    total: int
    free: int
    limited: bool


def main_memory() -> Memory | None:
    """Of the machine, or what a control group leaves of it; None: no Linux, nothing is known."""
    known = dict(re.findall(r"^(\w+):\s+(\d+) kB", _read(ROOT / "proc/meminfo"), re.MULTILINE))
    if "MemAvailable" not in known:
        return None
    total, free = (1024 * int(known[name]) for name in ("MemTotal", "MemAvailable"))
    limited = False
    for limit, used in filter(None, map(_limit, _control_groups())):
        limited |= limit < total
        total, free = min(total, limit), min(free, max(limit - used, 0))
    return Memory(total, free, limited)


def memory() -> Check:
    """Whether the demo model has room in the machine, or in what a control group leaves of it."""
    there = main_memory()
    if there is None:  # vLLM has no CPU build for it
        return Check("ok", "not known on this system")
    total, free, limited = there
    found = f"{free / GB:.1f} of {total / GB:.1f} GB available"
    found += " under the limit of a control group" if limited else ""
    if free >= DEMO_GB * GB:
        return Check("ok", found)
    found += f"; the demo model takes about {DEMO_GB} GB"
    advice = "raise the container's or job's limit" if limited else "end other programs"
    return Check("note", found, f"{advice}, or use --engine fake")


def _limit(group: Path) -> tuple[int, int] | None:
    """(limit, what is used and cannot be dropped), in bytes."""
    for limit, usage, cache in _LIMITS:
        if (text := _read(group / limit).strip()).isdigit():
            dropped = re.search(rf"^{cache} (\d+)", _read(group / "memory.stat"), re.MULTILINE)
            used = int(_read(group / usage).strip() or 0)
            return int(text), used - (int(dropped[1]) if dropped else 0)
    return None


def _control_groups() -> Iterator[Path]:
    """Folders of this process's control group and of those above it."""
    for line in _read(ROOT / "proc/self/cgroup").splitlines():
        _, controller, path = line.split(":", 2)
        if controller in ("", "memory"):  # v2, v1
            below = Path(path.strip("/"))
            for part in (below, *below.parents):
                yield ROOT / "sys/fs/cgroup" / controller / part


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def results(path: Path) -> Check:
    """Where runs go."""
    return _folder(path, 1, "problem", "name another folder: --results FOLDER")


def cache() -> Check:
    """Where the demo model is opened."""
    move = "name a folder: export GRMEVAL_CACHE=FOLDER"
    try:
        path = resources.cache_folder()
    except RuntimeError:  # a container's user may have no home
        return Check("note", "there is no home folder for it", move)
    return _folder(path, 0.5, "note", move)


def hub_cache(gpu: bool | None) -> Check:
    """Where models of the hub go; with a GPU there must be room for the default one."""
    from huggingface_hub.constants import HF_HUB_CACHE

    move = "name a folder: export HF_HUB_CACHE=FOLDER"
    return _folder(Path(HF_HUB_CACHE), weights()[DEFAULT] if gpu else 0.5, "note", move)


def _folder(path: Path, least: float, bad: State, move: str) -> Check:
    """Whether it, or the nearest folder above it, can be written and has `least` GB free."""
    try:
        path = path.absolute()
        nearest = next(p for p in (path, *path.parents) if os.path.lexists(p))
        with tempfile.TemporaryFile(dir=nearest):
            pass
        free = shutil.disk_usage(nearest).free / GB
    except OSError as error:
        return Check(bad, f"{path} cannot be written: {reason(error)}", move)
    found = f"{path}: {free:.1f} GB free"
    if free < least:
        return Check(bad, f"{found}, {least:g} wanted", f"free some there, or {move}")
    return Check("ok", found)


def output() -> Check:
    """Whether every letter can be printed."""
    name = (sys.stdout.encoding or "not known").lower()
    if name in ("utf-8", "utf8"):
        return Check("ok", "UTF-8")
    return Check("note", f"{name}: some letters will be replaced", "export PYTHONUTF8=1")


def open_files() -> Check:
    """How many files a process may hold open."""
    try:
        import resource
    except ImportError:  # Windows
        return Check("ok", "not limited in this way")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= 1024:
        return Check("ok", f"{soft:,} allowed" if soft >= 0 else "not limited")
    return Check("note", f"only {soft:,} allowed", "ulimit -n 4096")
