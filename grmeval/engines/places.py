"""Which part of this machine each of several processes has for itself: `--data-parallel`."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, NamedTuple

from grmeval.errors import ConfigError

__all__ = ["HERE", "Place", "in_words", "places"]

_ALL_GPUS = "CUDA_VISIBLE_DEVICES"


class Place(NamedTuple):
    """What to call it; the environment and the cores of a process there, none where it may use all."""

    name: str = ""
    environment: Mapping[str, str] = MappingProxyType({})
    cores: tuple[int, ...] = ()


HERE = (Place(),)
"""This process, and all that it may use."""


def places(asked: int | Literal["auto"], gpus_each: int, engine: str) -> tuple[Place, ...]:
    """A place for each process, with GPUs of its own, or, where there is none, cores of its own.

    `auto`: as many as the GPUs that there are hold, `gpus_each` to a process; one without a GPU. The fake
    engine wants neither. ConfigError: more than there are.
    """
    if asked == 1:
        return HERE
    if engine == "fake":
        return HERE * (1 if asked == "auto" else asked)
    gpus = _gpus()
    count = max(1, len(gpus) // gpus_each) if asked == "auto" else asked
    if count == 1:
        return HERE
    if not gpus:
        return _of_cores(count)
    if count * gpus_each > len(gpus):
        raise ConfigError(
            f"--data-parallel {count}: with {gpus_each} to each process (--tensor-parallel) that takes "
            f"{count * gpus_each} GPUs, and {len(gpus)} can be seen; --data-parallel auto starts as many "
            "as fit"
        )
    slices = (gpus[at * gpus_each : (at + 1) * gpus_each] for at in range(count))
    return tuple(Place(f"GPU {', '.join(own)}", {_ALL_GPUS: ",".join(own)}) for own in slices)


def in_words(asked: int | Literal["auto"], found: Sequence[Place]) -> str:
    """What is said where something is loaded: `, in 2 processes (GPU 0; GPU 1)`; nothing of the usual one."""
    if len(found) == 1:
        why = "--data-parallel auto: as many as GPUs have room for"
        return f", in one process ({why})" if asked == "auto" else ""
    names = "; ".join(place.name for place in found if place.name)
    return f", in {len(found)} processes" + (f" ({names})" if names else "")


def _of_cores(asked: int) -> tuple[Place, ...]:
    # Not every system says, or takes, on which cores a process runs.
    mine = getattr(os, "sched_getaffinity", lambda process: range(os.cpu_count() or 1))
    cores: list[int] = sorted(mine(0))
    if asked > len(cores):
        raise ConfigError(
            f"--data-parallel {asked}: without a GPU each process needs a core of its own, and there are "
            f"{len(cores)}"
        )
    ends = [round(len(cores) * at / asked) for at in range(asked + 1)]
    slices = [cores[start:end] for start, end in pairwise(ends)]
    return tuple(
        Place(f"cores {_spans(own)}", {"OMP_NUM_THREADS": str(len(own))}, tuple(own))
        for own in slices
    )


def _spans(cores: Sequence[int]) -> str:
    """`0-3`, `0, 2`: numbers that follow one another as a span."""
    whole = list(cores) == list(range(cores[0], cores[-1] + 1)) and len(cores) > 1
    return f"{cores[0]}-{cores[-1]}" if whole else ", ".join(map(str, cores))


def _gpus() -> list[str]:
    """The GPUs that a process here may use, by what CUDA calls them; [] where vLLM's CPU build answers."""
    from grmeval.engines.vllm_model import is_cpu_build

    if is_cpu_build():
        return []
    if (chosen := os.environ.get(_ALL_GPUS)) is not None:
        return [gpu.strip() for gpu in chosen.split(",") if gpu.strip() not in ("", "-1")]
    return [str(number) for number in range(_installed())]


@cache
def _installed() -> int:
    """GPUs that nvidia-smi lists."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        done = subprocess.run(
            [program, "-L"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())
