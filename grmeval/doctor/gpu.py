"""The GPUs, as nvidia-smi tells of them, and which presets fit."""

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from grmeval.doctor.check import GB, Check, in_background, reason
from grmeval.engines.bound import MEMORY_SHARE
from grmeval.engines.models import presets, read_preset

__all__ = ["DEFAULT", "Gpu", "ask", "gpu", "weights"]

DEFAULT = "deepseek-grm-16b"
"""What `grmeval run` takes on a machine with a GPU."""
KV_ROOM = 4.0
"""GB beside the weights, below which hardly a judgement runs at once."""
SECONDS = 5.0
DRIVER = Path("/dev/nvidiactl")


class Gpu(NamedTuple):
    """Memory in GB; 0 where nvidia-smi does not say it."""

    name: str
    total: float
    free: float
    driver: str


def weights() -> dict[str, float]:
    """GB of the hub presets' weights."""
    found = {name: read_preset(name) for name in presets("generator")}
    return {name: p.memory_gb for name, p in found.items() if p and p.hub and p.memory_gb}


def ask() -> list[Gpu] | str:
    """The GPUs; [] where there is no sign of one; what is wrong where nvidia-smi fails."""
    # A driver may hold nvidia-smi where no signal ends it.
    answer = in_background(SECONDS + 1, _nvidia_smi)()
    return "nvidia-smi does not answer" if answer is None else answer


def _nvidia_smi() -> list[Gpu] | str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "an NVIDIA driver is there, nvidia-smi is not" if DRIVER.exists() else []
    fields = "name,memory.total,memory.free,driver_version"
    try:
        done = subprocess.run(
            [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi cannot be run: {reason(error)}"
    if done.returncode == 0:
        with contextlib.suppress(ValueError):
            rows = [line.rsplit(", ", 3) for line in done.stdout.splitlines()]
            return [Gpu(name, _gb(total), _gb(free), driver) for name, total, free, driver in rows]
    said = done.stderr.strip() or done.stdout.strip() or "no word"
    return f"nvidia-smi fails ({done.returncode}): {said[:200]}"


def _gb(mebibytes: str) -> float:
    return int(mebibytes) * 2**20 / GB if mebibytes.isdigit() else 0.0


def gpu(answer: list[Gpu] | str) -> Check:
    """What nvidia-smi answered, and what fits."""
    if isinstance(answer, str):
        advice = (
            "run nvidia-smi and repair the driver (in a container: "
            "NVIDIA_DRIVER_CAPABILITIES=compute,utility); meanwhile --model demo or --engine fake"
        )
        return Check("problem", answer, advice)
    if not answer:
        advice = "use --model demo (where vLLM is installed) or --engine fake here"
        return Check("note", "no NVIDIA GPU", advice)
    names = ", ".join(dict.fromkeys(g.name for g in answer))
    found = f"{len(answer)} x {names}, driver {answer[0].driver}"
    total, sizes = min(g.total for g in answer), weights()
    if not total:
        advice = f"see that it holds the {sizes[DEFAULT]:g} GB of {DEFAULT}, or name a --model"
        return Check("note", f"{found}; its memory is not said", advice)
    fit = [f"{n} ({s:g} GB) {'fits' if _fits(s, total) else 'does not'}" for n, s in sizes.items()]
    found = f"{found}, {total:.0f} GB each; on one of them {', '.join(fit)}"
    if not _fits(sizes[DEFAULT], total):
        return Check("note", found, _when_too_small(sizes[DEFAULT], total, len(answer)))
    if (free := min(g.free / g.total for g in answer)) >= MEMORY_SHARE:
        return Check("ok", found)
    advice = (
        "end what nvidia-smi lists, choose a free GPU (export CUDA_VISIBLE_DEVICES=N), or take "
        "less than is free: --engine-arg gpu_memory_utilization=SHARE"
    )
    return Check("note", f"{found}; only {free:.0%} of one is free", advice)


def _fits(size: float, total: float) -> bool:
    return size + KV_ROOM <= MEMORY_SHARE * total


def _when_too_small(size: float, total: float, gpus: int) -> str:
    for count in (2, 4, 8):
        if count <= gpus and _fits(size / count, total):
            return f"--tensor-parallel {count} for {DEFAULT}"
    return "use --model demo or a smaller model"
