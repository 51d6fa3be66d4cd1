"""What GPUs can do at best, by their vendors' data sheets: tasks/hardware/gpus.toml."""

from functools import cache

from pydantic import BaseModel, ConfigDict

from grmeval import resources
from grmeval.errors import ConfigError, nearest
from grmeval.files import read_toml

__all__ = ["Gpu", "find_gpu", "gpu_called", "gpus"]


class Gpu(BaseModel):
    """One kind of GPU: `bandwidth` of its memory in GB/s, `bf16` in dense TFLOPS, `memory` in GiB."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    bandwidth: float
    bf16: float
    memory: float
    source: str
    devices: tuple[str, ...] = ()
    """What drivers call it, where that is not the title."""


@cache
def gpus() -> dict[str, Gpu]:
    """Name -> GPU."""
    path = resources.tasks() / "hardware" / "gpus.toml"
    return {name: Gpu(**facts) for name, facts in read_toml(path).items()}


def find_gpu(name: str) -> Gpu:
    """The GPU of that name, in any case; ConfigError lists them."""
    if found := gpus().get(name.lower()) or gpu_called(name):
        return found
    begun = [known for known in gpus() if known.startswith(name.lower())]
    raise ConfigError(
        f"--gpu {name!r}: there are {', '.join(begun)}; say which"
        if name and begun
        else f"--gpu {name!r}: {nearest(name, list(gpus()))}"
    )


def gpu_called(device: str) -> Gpu | None:
    """The GPU that a driver calls so; None: it is not among those that are known."""
    return next((gpu for gpu in gpus().values() if device in (gpu.title, *gpu.devices)), None)
