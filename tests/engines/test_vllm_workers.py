"""Two real engines with a core each: one run, one of them killed; and what cannot be loaded says the same."""

import os
import re
from pathlib import Path

import psutil
import pytest

from grmeval.store import RunFolder, latest
from tests.engines.conftest import SMALL
from tests.helpers import grmeval, journaled, rows, running, until

pytestmark = [pytest.mark.vllm, pytest.mark.long, pytest.mark.filterwarnings("default")]
CORES = sorted(os.sched_getaffinity(0))
TWO = ("--data-parallel", 2)


def test_two_engines_share_a_run_and_one_of_them_is_killed(tmp_path: Path) -> None:
    words = ("run", *SMALL, "--limit", 4, "--k", 8, *TWO, "--results", tmp_path)
    with running(*words) as started:
        until(lambda: journaled(tmp_path) > 0, started)
        workers = psutil.Process(started.pid).children()
        assert len(workers) == 2
        cores = [each.cpu_affinity() for each in workers]
        workers[0].kill()
        _, said = started.communicate()
    assert started.returncode == 0, said
    assert "in 2 processes (cores " in said
    assert "killed by SIGKILL" in said
    found = rows(latest(tmp_path))
    assert len({(r["subset"], r["id"], r["j"]) for r in found}) == len(found) == 32
    assert len({tuple(each or ()) for each in cores}) == 2
    assert sorted(core for each in cores for core in each or ()) == CORES
    (launch,) = RunFolder(latest(tmp_path)).record["launches"]
    facts = launch["engine"]
    assert (facts["engine"], facts["workers"], launch["devices"]) == ("vllm", "2", 2)
    assert facts["died"].startswith("process ")
    assert len(set(facts["seeds"].split(", "))) == 2


def test_what_cannot_be_loaded_says_what_one_process_says(tmp_path: Path) -> None:
    greedy = {"VLLM_CPU_KVCACHE_SPACE": "1000000"}  # GiB, for the CPU build
    cache = ("--engine-arg", f"kv_cache_memory_bytes={10**15}")  # for the GPU's
    one, two = (
        grmeval("run", *SMALL, *cache, *more, "--results", tmp_path, env=greedy)
        for more in ((), TWO)
    )
    assert one.returncode == two.returncode == 3, two.stderr
    errors = [done.stderr[done.stderr.index("error: ") :] for done in (one, two)]
    plain, several = (
        re.sub(r"[\d.]+", "#", error) for error in errors
    )  # memory that was free then
    assert plain == several
    assert "If memory is short: lower --max-model-len" in errors[1]
