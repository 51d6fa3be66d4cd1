"""Replicas of an engine on a Ray cluster: each an actor, which the pool here asks and which alone writes.

Nothing of it outlives this process: actors and places are not detached, so a cluster takes them back
when whoever asked for them is gone, however that ended.
"""

import contextlib
import os
import platform
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from grmeval.engines.arguments import devices
from grmeval.engines.engine import Engine
from grmeval.engines.messages import Event, Gone, Order, Worker
from grmeval.engines.pool import EnginePool, ScorerPool
from grmeval.engines.ray_cluster import START, Cluster, first_line
from grmeval.engines.scorer import Scorer
from grmeval.engines.serve import serve
from grmeval.engines.settings import ModelSettings
from grmeval.engines.workers import worker_seeds
from grmeval.errors import ConfigError

__all__ = ["OnRay", "RayWorker", "Replica", "engine_on_ray", "environment", "scorer_on_ray"]

RESTARTS = 2
"""Times that a replica which died is started again."""
BEAT = 5.0
"""Seconds after which an actor with nothing to tell says so."""

Opens = Callable[[], Any]
"""Loads an Engine or a Scorer, where it is called."""


class OnRay(NamedTuple):
    """Which cluster, how many replicas, and what each is; `settings` None: a model without weights."""

    address: str | None
    replicas: int
    settings: ModelSettings | None

    @property
    def gpus(self) -> int:
        """GPUs of a replica; none where vLLM's CPU build answers, unless several are asked for."""
        from grmeval.engines.vllm_model import is_cpu_build

        if self.settings is None:
            return 0
        count = devices(self.settings.tensor_parallel, self.settings.arguments)
        return count if count > 1 or not is_cpu_build() else 0

    def join(self) -> Cluster:
        """The cluster, with places; see Cluster for what may be lacking."""
        return Cluster(self.address, self.replicas, self.gpus, model=self.settings is not None)


def engine_on_ray(on: OnRay, opens: Callable[[int], Callable[[], Engine]], seed: int) -> Engine:
    """An Engine made of replicas; `opens(seed)` gives what loads one with this seed, and travels to it."""
    seeds = worker_seeds(seed, on.replicas)
    lives = [[opens(each) for each in (own, *worker_seeds(own, RESTARTS))] for own in seeds]
    cluster = on.join()
    facts = _facts(cluster) | {"seeds": ", ".join(map(str, seeds))}
    return EnginePool(_workers(cluster, on, lives), facts, cluster.close)


def scorer_on_ray(on: OnRay, opens: Callable[[], Scorer]) -> Scorer:
    """A Scorer made of replicas, which draw nothing."""
    cluster = on.join()
    lives = [[opens] * (1 + RESTARTS)] * on.replicas
    return ScorerPool(_workers(cluster, on, lives), _facts(cluster), cluster.close)


def _facts(cluster: Cluster) -> dict[str, str]:
    import ray

    places = "; ".join(f"{machine} ({cluster.room})" for machine in cluster.machines)
    return {"ray": ray.__version__, "places": places}


def _workers(cluster: Cluster, on: OnRay, lives: Sequence[Sequence[Opens]]) -> list[Worker]:
    return [
        RayWorker(
            f"replica {at + 1} of {on.replicas} ({cluster.machines[at]})", cluster, at, on, own
        )
        for at, own in enumerate(lives)
    ]


class RayWorker:
    """A Worker that is an actor in a place of a cluster; `lives`: what loads its model, each time anew."""

    def __init__(
        self, name: str, cluster: Cluster, index: int, on: OnRay, lives: Sequence[Opens]
    ) -> None:
        self.name, self._on, self._lives = name, on, list(lives)
        self._cluster, self._index = cluster, index
        self._actor: Any = None
        self._listener: threading.Thread | None = None

    def start(self, tell: Callable[[Event], None]) -> None:
        """See Worker."""
        try:
            self._begin(tell)
        except Exception as error:  # the cluster is gone
            tell(Gone(first_line(error)))

    def _begin(self, tell: Callable[[Event], None]) -> None:
        import ray

        made = ray.remote(concurrency_groups={"orders": 1, "events": 1})(Replica)
        room = self._cluster.room
        self._actor = made.options(
            num_cpus=room.cpus,
            num_gpus=room.gpus,
            scheduling_strategy=self._cluster.place(self._index),
        ).remote()
        local = self._on.settings.model if self._on.settings else None
        begun = self._actor.begin.remote(self._lives.pop(0), environment(), local)
        self._listener = threading.Thread(
            target=self._listen, args=(self._actor, begun, tell), name=self.name, daemon=True
        )
        self._listener.start()

    def again(self) -> bool:
        """See Worker."""
        return bool(self._lives)

    def send(self, order: Order) -> None:
        """See Worker."""
        with contextlib.suppress(Exception):  # it is dead: that is told anyhow
            self._actor.order.options(concurrency_group="orders").remote(order)

    def close(self, patience: float) -> None:
        """See Worker."""
        import ray

        actor, listener, self._actor, self._listener = self._actor, self._listener, None, None
        if listener and patience:
            listener.join(patience)
        if actor:
            with contextlib.suppress(Exception):  # the cluster may be gone
                ray.kill(actor)
        if listener:
            listener.join()

    def _listen(self, actor: Any, begun: Any, tell: Callable[[Event], None]) -> None:
        import ray

        try:
            ray.get(begun, timeout=START)
            while True:
                for event in ray.get(actor.events.options(concurrency_group="events").remote()):
                    if event is None:
                        return
                    tell(event)
        except ray.exceptions.GetTimeoutError:
            tell(Gone(f"no process started in {START} s"))
        except Exception as error:  # the actor, its machine or the cluster
            tell(Gone(first_line(error)))


class Replica:
    """In the actor: a model in a thread of its own, its orders and what it has to tell."""

    def __init__(self) -> None:
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._events: SimpleQueue[Event | None] = SimpleQueue()

    def begin(self, opens: Opens, environment: Mapping[str, str], local: str | None) -> None:
        """Begin to load; `local`: a path that must be here too, if it is one."""
        os.environ.update(environment)

        def opened() -> Any:
            if local and Path(local).is_absolute() and not Path(local).exists():
                raise ConfigError(
                    f"--model {local}: not on the machine {platform.node()}: a folder must be at this path "
                    "on every machine of the cluster (a shared file system)"
                )
            return opens()

        def work() -> None:
            serve(opened, self._orders, self._events.put)
            self._events.put(None)

        threading.Thread(target=work, name="model", daemon=True).start()

    def order(self, order: Order) -> None:
        """What the pool says."""
        self._orders.put(order)

    def events(self) -> list[Event | None]:
        """What there is to tell, as soon as there is something; None comes last of all."""
        try:
            found = [self._events.get(timeout=BEAT)]
        except Empty:
            return []
        while not self._events.empty():
            found.append(self._events.get())
        return found


def environment() -> dict[str, str]:
    """What of this process's environment vLLM is to read there too; no secrets."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name.startswith("VLLM_") or name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
        and not name.endswith(("_KEY", "_TOKEN"))
    }
