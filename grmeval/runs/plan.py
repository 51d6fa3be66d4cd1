"""The plan of a launch: its items, its requests, its engine and its folder, before anything is loaded."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from grmeval.benches import EVERYTHING, Filter, Loaded
from grmeval.config import RunConfig
from grmeval.engines import Engine, Sampling
from grmeval.engines.arguments import devices
from grmeval.engines.models import ModelRef
from grmeval.engines.places import Place, places
from grmeval.engines.ray import OnRay, engine_on_ray
from grmeval.engines.settings import ModelSettings
from grmeval.engines.workers import engine_of
from grmeval.errors import ConfigError
from grmeval.items import Item, Key, Request
from grmeval.judges import Judge
from grmeval.runs.derived import StoredCritiques
from grmeval.runs.orders import response_order
from grmeval.store import RunFolder, SampleKey, is_hinted, items_table, rank_below, run_id

__all__ = ["Plan", "made_before", "part_of"]


@dataclass(frozen=True)
class Plan:
    """Everything a launch needs, before anything is loaded or written."""

    config: RunConfig
    loaded: Loaded
    ranks: Mapping[Key, int]
    judge: Judge
    model: ModelRef
    identity: Mapping[str, Any]
    critiques: StoredCritiques | None = None

    @property
    def path(self) -> Path:
        """results/<bench>/<model>/<run-id>; the same model under another name has its folder already."""
        bench, name = self.config.results / self.loaded.spec.id, run_id(self.identity)
        own = bench / self.model.label / name
        there = [] if own.exists() else sorted(bench.glob(f"*/{name}/run.json"))
        return there[0].parent if there else own

    def folder(self) -> RunFolder:
        """Open the run, or make it."""
        items = self.loaded.items

        def table() -> Any:
            return items_table(items, [self.ranks[item.key] for item in items])

        return RunFolder.create(self.path, self.identity, table, **self.asked())

    def asked(self) -> dict[str, Any]:
        """What run.json says of the last command: how much was asked, of whom, scored by which rules."""
        config = self.config
        names = {"bench": config.bench, "model": config.model, "label": self.model.label}
        names["data"] = str(config.data) if config.data else None
        known = config.model_dump(mode="json")
        if made_before(self.path):
            del known["limit_seed"]
        critic = {"critic": self.critiques.critic()} if self.critiques else {}
        only = self.only
        part = {"only": only.record()} if only else {}
        return {
            "asked": {"k": config.k, "limit": config.limit} | part,
            "config": known | names | critic,
            "spec": self.loaded.spec.model_dump(mode="json") | {"missing": self.loaded.missing},
        }

    @property
    def only(self) -> Filter:
        """The part of the benchmark that this launch is about; empty where that is all of it."""
        return EVERYTHING if len(self.part()) == len(self.loaded.items) else _only(self.config)

    def part(self) -> list[Item]:
        """The items that --subset and --section keep."""
        return part_of(self.config, self.loaded)

    def items(self) -> list[Item]:
        """The items of this launch: of the part those inside --limit, of these those of --shard, by rank."""
        shard = self.config.shard
        ranked = [(self.ranks[item.key], item.key, item) for item in self.part()]
        below = rank_below((rank for rank, _, _ in ranked), self.config.limit)
        chosen = [
            row
            for row in ranked
            if (below is None or row[0] < below)
            and (shard is None or row[0] % shard.count == shard.index - 1)
        ]
        return [item for _, _, item in sorted(chosen, key=lambda row: row[:2])]

    def missing(self, done: Collection[SampleKey]) -> list[tuple[Item, tuple[int, ...]]]:
        """Items and the samples j < k of each that are not there yet."""
        found = []
        for item in self.items():
            js = tuple(j for j in range(self.config.k) if SampleKey(*item.key, j) not in done)
            if js:
                found.append((item, js))
        return found

    def requests(self, missing: list[tuple[Item, tuple[int, ...]]]) -> Iterator[Request]:
        """One request an item and response order (of a head: a sample), made as the engine asks for it."""
        config, judge = self.config, self.judge
        for item, js in missing:
            stop = judge.stop(item) if config.stop_at_score else None
            by_order: dict[tuple[tuple[int, ...], int], list[int]] = {}
            for j in js:
                order = response_order(config.orders, config.seed, item.key, item.n, j)
                # One prompt serves many texts; what a head reads is of one sample.
                by_order.setdefault((order, j if judge.head else 0), []).append(j)
            for (order, j), together in by_order.items():
                messages = judge.messages(item, order)
                yield Request(
                    item.key,
                    order,
                    tuple(together),
                    messages,
                    judge.grammar(item.n),
                    judge.locate(item.n, item.responses),
                    judge.chats(item, order, j),
                    judge.spent(item, j),
                    item.responses,
                    stop,
                    config.keep_logprob,
                )

    @property
    def places(self) -> tuple[Place, ...]:
        """Of the processes that hold the model: one, or those of --data-parallel. ConfigError: too many."""
        config = self.config
        gpus = devices(config.tensor_parallel, config.engine_args)
        return places(config.data_parallel, gpus, config.engine)

    def engine(self, seed: int) -> Engine:
        """Load the engine; `seed` is the launch's."""
        if on := self._on_ray():
            return engine_on_ray(on, self._opens, seed)
        return engine_of(self.places, self._opens, seed)

    @property
    def copies(self) -> int:
        """How many copies of the model answer."""
        return self.config.replicas or len(self.places)

    def _on_ray(self) -> OnRay | None:
        config = self.config
        if config.replicas is None:
            return None
        settings = None if config.engine == "fake" else ModelSettings.of(self.model, config)
        return OnRay(config.ray_address, config.replicas, settings)

    def _opens(self, seed: int) -> Callable[[], Engine]:
        """What loads one; it can be sent to another process."""
        config = self.config
        if config.engine == "fake":
            from grmeval.engines.fake import FakeEngine

            # The fake draws by (seed, item, j): the run's seed, so that launches agree.
            return partial(
                FakeEngine,
                self.loaded.items,
                self.judge.write,
                config.seed,
                config.engine_args,
                picks=self.judge.picks,
                hinted=is_hinted(self.identity),
            )
        if config.engine == "server":
            return self._served(seed)
        if self.judge.head:
            return self._head()
        from grmeval.engines.vllm import VllmEngine

        return partial(
            VllmEngine,
            ModelSettings.of(self.model, config),
            Sampling(config.temperature, config.top_p, config.max_tokens),
            seed=seed,
            lora=config.lora,
        )

    def _served(self, seed: int) -> Callable[[], Engine]:
        from grmeval.engines.server.settings import ServerSettings

        config = self.config
        if self.judge.head:
            from grmeval.engines.server.pooling import open_served_head
            from grmeval.engines.server.settings import PoolingSettings

            return partial(open_served_head, PoolingSettings.of(self.model.location, config))
        from grmeval.engines.server.engine import ServerEngine

        sampling = Sampling(config.temperature, config.top_p, config.max_tokens)
        settings = ServerSettings.of(self.model.location, config, sampling)
        items = self.items()[:1]
        first = next(self.requests([(item, (0,)) for item in items]), None)
        return partial(ServerEngine, settings, seed=seed, first=first)

    def _head(self) -> Callable[[], Engine]:
        from grmeval.engines.heads import open_head

        if self.config.lora:
            raise ConfigError(
                f"--lora {self.config.lora}: judge {self.judge.name} takes whole models"
            )
        return partial(open_head, ModelSettings.of(self.model, self.config))


def part_of(config: RunConfig, loaded: Loaded) -> list[Item]:
    """The items that --subset and --section keep; ConfigError: a name that holds none."""
    kept = set(_only(config).kept(loaded.spec, (item.subset for item in loaded.items)))
    return [item for item in loaded.items if item.subset in kept]


def _only(config: RunConfig) -> Filter:
    return Filter.of(dict(config))


def made_before(path: Path) -> bool:
    """Whether a run is there that was made before there was a --limit-seed: its record never names one."""
    return (path / "run.json").exists() and "limit_seed" not in RunFolder(path).record["config"]
