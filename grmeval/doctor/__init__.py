"""Looks at the machine: what is there, whether it will do, and what to do where it will not.

Nothing is loaded, downloaded, created or left behind.
"""

import platform
from collections.abc import Callable
from pathlib import Path

from grmeval import __version__
from grmeval.doctor import gpu, hub, machine, packages
from grmeval.doctor.check import Check, guarded
from grmeval.doctor.gpu import ask

__all__ = ["Check", "ask", "examine"]


def examine(results: Path) -> dict[str, Check]:
    """Every check by its name, in the order they are printed; `results`: where runs will go."""
    ask_hub = hub.start()
    answer = gpu.ask()
    # Where nvidia-smi fails nobody knows: then no build of vLLM is called wrong.
    has_gpu = None if isinstance(answer, str) else bool(answer)
    looks: dict[str, Callable[[], Check]] = {
        "python": machine.python,
        "system": lambda: Check("ok", platform.platform()),
        "grmeval": lambda: Check("ok", f"{__version__} in {Path(__file__).parents[1]}"),
        "cpu": machine.cpu,
        "memory": machine.memory,
        "results": lambda: machine.results(results),
        "cache": machine.cache,
        "hub cache": lambda: machine.hub_cache(has_gpu),
        "gpu": lambda: gpu.gpu(answer),
        "vllm": lambda: packages.vllm(has_gpu),
        "torch": packages.torch,
        "demo model": packages.demo_model,
        "environment": lambda: hub.environment(has_gpu),
        "output": machine.output,
        "open files": machine.open_files,
        "hub": ask_hub,
    }
    return {name: guarded(look) for name, look in looks.items()}
