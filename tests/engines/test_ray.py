"""Replicas on a Ray cluster. Those that start Ray, with real actors in processes of their own, are long."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from grmeval.benches import load
from grmeval.engines.fake import FakeEngine
from grmeval.engines.messages import (
    Answered,
    Count,
    Counted,
    Done,
    End,
    Event,
    Failed,
    Leave,
    Ready,
    Took,
    Work,
)
from grmeval.engines.ray import Replica, environment
from grmeval.engines.ray_cluster import (
    Room,
    check_address,
    check_versions,
    first_line,
    no_room,
    share,
)
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Message, Request
from grmeval.judges import make_judge
from grmeval.runs import configure, prepare
from grmeval.store import latest, run_id
from tests.engines.conftest import SMALL
from tests.helpers import ENVIRONMENT, ask, journaled, process, rows, running, sampled, until

SAMPLES = 75 * 4


def test_replicas_are_no_part_of_a_run(tmp_path: Path) -> None:
    plain, replicas = (
        prepare(configure({"engine": "fake", "results": tmp_path} | more))
        for more in ({}, {"replicas": 2, "ray_address": "10.0.0.1:6379"})
    )
    assert plain.path == replicas.path
    assert (plain.copies, replicas.copies) == (1, 2)


@pytest.mark.vllm
def test_the_same_model_on_ray_is_the_same_run(tmp_path: Path) -> None:
    values = {"model": "demo", "results": tmp_path}
    vllm, ray = (prepare(configure(values | {"engine": name})) for name in ("vllm", "ray"))
    assert run_id(vllm.identity) == run_id(ray.identity)
    assert (vllm.config.replicas, ray.config.replicas) == (None, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "vllm", "--model", "demo", "--replicas", 2), "--replicas: of a Ray cluster"),
        (
            ("--engine", "fake", "--ray-address", "ray://head:10001"),
            "run the command on a machine of",
        ),
        (("--engine", "fake", "--ray-address", "head"), "Expected HOST:PORT"),
        (("--engine", "fake", "--replicas", 0), "--replicas"),
        (
            ("--engine", "fake", "--replicas", 2, "--data-parallel", 2),
            "on a Ray cluster --replicas",
        ),
    ],
)
def test_what_does_not_fit_together(words: tuple[object, ...], said: str, tmp_path: Path) -> None:
    assert said in ask("run", *words, "--results", tmp_path, code=2)


def test_addresses() -> None:
    for good in ("10.0.0.1:6379", "node-3.cluster:6379", "auto", "local"):
        check_address(good)
    for bad in ("", "10.0.0.1", "http://head:8265", "head:port"):
        with pytest.raises(ConfigError, match="--ray-address"):
            check_address(bad)


@pytest.mark.ray
def test_an_address_where_nothing_answers_ends_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    words = ("--engine", "fake", "--ray-address", "127.0.0.1:9", "--results", tmp_path)
    assert "nothing answers there" in ask("run", *words, code=3)
    assert time.monotonic() - began < 10


def test_versions_must_be_the_same_everywhere() -> None:
    here = {"python": "3.11.7", "ray": "2.60.0", "grmeval": "0.1.0", "vllm": "0.32.0"}
    check_versions(here, [here | {"machine": "a"}, here | {"machine": "b"}])
    other = here | {"machine": "b", "vllm": "0.31.0", "grmeval": "none"}
    with pytest.raises(EngineError) as error:
        check_versions(here, [here | {"machine": "a"}, other, other])
    said = str(error.value)
    assert "machine b has grmeval none (here 0.1.0), vllm 0.31.0 (here 0.32.0)" in said
    assert said.count("machine b") == 1
    assert "machine a" not in said


def test_a_place_is_a_fair_share_of_a_machine() -> None:
    machines = [{"CPU": 16.0}, {"CPU": 16.0}, {"memory": 1.0}]
    assert [share(machines, n) for n in (1, 2, 3, 4, 8, 64)] == [16, 16, 8, 8, 4, 1]
    assert share([], 2) == 1


def test_what_is_lacking_is_said_with_what_there_is() -> None:
    said = no_room(2, Room(1, 4), [{"CPU": 8, "GPU": 2.0}, {"CPU": 8}], {"CPU": 3, "GPU": 0.0})
    assert "--replicas 2: each needs 4 GPUs and 1 CPU on one machine" in said
    assert "2 machines with 2 GPUs and 8 CPUs, 0 GPUs and 8 CPUs; free are 0 and 3" in said
    assert "1 machine with" in no_room(1, Room(1, 1), [{"CPU": 2}])


def test_of_rays_pages_one_line_is_shown() -> None:
    assert first_line(ValueError("\n  a\nb")) == "ValueError: a"
    assert first_line(ValueError()) == "ValueError: no message"


def heard(replica: Replica) -> list[Event]:
    """All that it tells, to its end."""
    found: list[Event] = []
    while True:
        for event in replica.events():
            if event is None:
                return found
            found.append(event)


def test_what_an_actor_does() -> None:
    items = load("sample").items
    opens = partial(FakeEngine, items, make_judge("pointwise").write, 0, {})
    replica = Replica()
    replica.begin(opens, {}, None)
    chat = (Message("user", "x" * 40),)
    work = Work(1, (Request(items[0].key, (0, 1), (0, 1, 2), chat),))
    for order in (Count(chat), work, End(), Leave()):
        replica.order(order)
    ready, counted, took, *answers, done = heard(replica)
    assert isinstance(ready, Ready)
    assert counted == Counted(10)
    assert took == Took()
    assert done == Done()
    assert {each.j for each in answers if isinstance(each, Answered)} == {0, 1, 2}


def test_a_folder_that_this_machine_lacks_is_no_fault_of_the_others(tmp_path: Path) -> None:
    replica = Replica()
    replica.begin(dict, {}, str(tmp_path / "weights"))
    (failed,) = heard(replica)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ConfigError)
    assert "not on the machine" in str(failed.error)


def test_no_key_travels_to_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_CPU_KVCACHE_SPACE", "VLLM_API_KEY", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
    assert {"VLLM_CPU_KVCACHE_SPACE", "HF_HUB_OFFLINE"} <= environment().keys()
    assert not {"VLLM_API_KEY", "HF_TOKEN"} & environment().keys()


# Real clusters.

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid4().hex}
"""Whoever joins a cluster by its address has to say that it wants one."""

CLUSTER = """
import os, sys, ray
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
context = ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of this machine that others may join; it ends with the tests."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=ENVIRONMENT | TOKEN,
    ) as cluster:
        assert cluster.stdin
        assert cluster.stdout
        yield cluster.stdout.readline().strip()
        cluster.stdin.close()
        cluster.wait(60)


def actors() -> list[psutil.Process]:
    """Processes that hold a replica."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if (each.cmdline() or [""])[0].startswith("ray::Replica"):
                found.append(each)
    return found


def fake(address: str, results: Path, *more: object) -> list[object]:
    words = ["run", "--engine", "fake", "--k", 4, "--engine-arg", "latency=0.02"]
    return [*words, "--ray-address", address, "--results", results, *more]


def whole(results: Path) -> list[dict[str, Any]]:
    found = rows(latest(results))
    assert len({(r["subset"], r["id"], r["j"]) for r in found}) == len(found) == SAMPLES
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return rows(sampled(tmp_path_factory.mktemp("alone"), k=4).path)


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.parametrize("replicas", [1, 2])
def test_replicas_give_what_one_process_gives(
    replicas: int, address: str, tmp_path: Path, alone: list[dict[str, Any]]
) -> None:
    done = process(*fake(address, tmp_path, "--replicas", replicas), env=TOKEN)
    assert done.returncode == 0, done.stderr
    assert whole(tmp_path) == alone
    (launch,) = json.loads((latest(tmp_path) / "run.json").read_text("utf-8"))["launches"]
    assert launch["devices"] == replicas
    assert launch["engine"]["workers"] == str(replicas)
    assert len(set(launch["engine"]["seeds"].split(", "))) == replicas
    assert "ray" in launch["engine"]
    assert not until_no_actor_is_left()


@pytest.mark.long
@pytest.mark.ray
def test_a_killed_driver_leaves_no_actor_and_the_same_command_goes_on(
    address: str, tmp_path: Path, alone: list[dict[str, Any]]
) -> None:
    words = fake(address, tmp_path, "--replicas", 2)
    with running(*words, env=TOKEN) as driver:
        assert until(lambda: journaled(tmp_path) > 20, driver)
        assert len(actors()) == 2
        os.kill(driver.pid, signal.SIGKILL)
    assert not until_no_actor_is_left()
    there = journaled(tmp_path)
    assert 20 < there < SAMPLES
    done = process(*words, env=TOKEN)
    assert done.returncode == 0, done.stderr
    assert f"{SAMPLES - there:,} samples of" in done.stderr
    assert whole(tmp_path) == alone


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_killed_actor_is_started_again_and_nothing_is_lost(
    replicas: int, address: str, tmp_path: Path, alone: list[dict[str, Any]]
) -> None:
    with running(*fake(address, tmp_path, "--replicas", replicas), env=TOKEN) as driver:
        assert until(lambda: journaled(tmp_path) > 20, driver)
        actors()[0].kill()
        assert driver.stderr
        said = driver.stderr.read()
        assert driver.wait(120) == 0, said
    assert "died" in said
    assert "it is started again" in said
    assert whole(tmp_path) == alone


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.vllm
@pytest.mark.parametrize("where", ["local", "cluster"])
def test_a_gpu_where_there_is_none_is_told_within_a_minute(
    where: str, address: str, tmp_path: Path
) -> None:
    words = ("run", "--engine", "ray", "--model", "demo", "--tensor-parallel", 2)
    began = time.monotonic()
    there = "local" if where == "local" else address
    done = process(*words, "--ray-address", there, "--results", tmp_path, env=TOKEN)
    assert time.monotonic() - began < 60
    assert done.returncode == 3
    assert (
        "each needs 2 GPUs and 1 CPU on one machine; the cluster is 1 machine with" in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.vllm
@pytest.mark.long
@pytest.mark.ray
def test_the_real_engine_in_an_actor_judges_as_it_does_here(address: str, tmp_path: Path) -> None:
    began = time.monotonic()
    done = process("run", *SMALL, "--greedy", "--results", tmp_path / "here")
    assert done.returncode == 0, done.stderr
    on_ray = ("--engine", "ray", "--replicas", 1, "--ray-address", address)
    done = process("run", *SMALL, "--greedy", *on_ray, "--results", tmp_path / "ray", env=TOKEN)
    assert done.returncode == 0, done.stderr
    print(f"{time.monotonic() - began:.0f} s")
    here, there = (latest(tmp_path / name) for name in ("here", "ray"))
    assert here.name == there.name
    first, second = (
        [(r["subset"], r["id"], r["j"], r["scores"]) for r in rows(path)] for path in (here, there)
    )
    assert first == second
    assert not until_no_actor_is_left()


def until_no_actor_is_left() -> list[psutil.Process]:
    end = time.monotonic() + 30
    while (left := actors()) and time.monotonic() < end:
        time.sleep(0.2)
    return left
