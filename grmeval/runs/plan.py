"""From a configuration to the parts of a run: which model, which items, which judge, which folder."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grmeval.benches import EVERYTHING, Filter, Loaded, load
from grmeval.config import RunConfig, build
from grmeval.engines import Engine, Sampling
from grmeval.engines.arguments import check_arguments
from grmeval.engines.models import (
    ModelRef,
    resolve,
    with_adapter,
)
from grmeval.engines.settings import ModelSettings
from grmeval.errors import ConfigError
from grmeval.items import Item, Key, Request
from grmeval.judges import Judge, make_judge
from grmeval.runs.configuration import kind_of
from grmeval.runs.derived import StoredCritiques, critiques_of
from grmeval.runs.identity import identity_of
from grmeval.runs.limit import limit_ranks
from grmeval.runs.orders import distinct_orders, response_order
from grmeval.store import (
    RunFolder,
    SampleKey,
    is_meta_vote,
    items_table,
    limit_seed,
    origin,
    rank_below,
    record_of,
    reward_names,
    run_id,
    stored_ranks,
)

__all__ = ["Plan", "again", "prepare"]

_LOG = logging.getLogger(__name__)


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
        if _made_before(self.path):
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
        return _part(self.config, self.loaded)

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
                )

    def engine(self, seed: int) -> Engine:
        """Load the engine; `seed` is the launch's."""
        config = self.config
        if config.engine == "fake":
            from grmeval.engines.fake import FakeEngine

            # The fake draws by (seed, item, j): the run's seed, so that launches agree.
            return FakeEngine(
                self.loaded.items,
                self.judge.write,
                config.seed,
                config.engine_args,
                picks=self.judge.picks,
            )
        if self.judge.head:
            return self._head()
        from grmeval.engines.vllm import VllmEngine

        return VllmEngine(
            ModelSettings.of(self.model, config),
            Sampling(config.temperature, config.top_p, config.max_tokens),
            seed=seed,
            lora=config.lora,
        )

    def _head(self) -> Engine:
        from grmeval.engines.heads import HeadEngine
        from grmeval.engines.vllm_scorer import VllmScorer

        if self.config.lora:
            raise ConfigError(
                f"--lora {self.config.lora}: judge {self.judge.name} takes whole models"
            )
        return HeadEngine(VllmScorer(ModelSettings.of(self.model, self.config)))


def prepare(
    config: RunConfig,
    loaded: Loaded | None = None,
    model: ModelRef | None = None,
    tell: Callable[[str], None] = lambda what: None,
) -> Plan:
    """Load the items, resolve the model, name the folder; nothing is written and no model is loaded.

    `loaded` and `model`: what `config` names, where the caller has it already. `tell`: hears what is done.
    """
    tell(f"reading {config.bench}")
    tokens = config.max_tokens if config.structured else None
    critiques = critiques_of(config)
    judge = make_judge(
        config.judge, config.template, config.system, tokens, config.principles, critiques
    )
    for vote in config.vote or ():
        if vote not in judge.votes and not is_meta_vote(vote):
            raise ConfigError(
                f"--vote {vote!r}: judge {judge.name} allows {', '.join(judge.votes)}"
            )
    if judge.most and config.k > judge.most:
        raise ConfigError(
            f"--k {config.k}: judge {judge.name} gives the same numbers again after {judge.most}; "
            f"--k {judge.most}"
        )
    loaded = loaded or load(config.bench, config.data, config.layout)
    if critiques:
        critiques.check(loaded, config.layout)
    part = _part(config, loaded)
    if config.greedy and not judge.head:
        _check_greedy(config, part)
    if not model:
        if config.model:
            tell(f"looking at the model {config.model}")
        model = _model(config)
    plan = Plan(
        config, loaded, {}, judge, model, identity_of(config, loaded, judge, model), critiques
    )
    plan = _as_before(plan) or plan
    _check_meta(plan)
    # An order that was paid for stays, whatever became of the sections since.
    plan = replace(plan, ranks=stored_ranks(plan.path) or _ranks(plan))
    if critiques:
        critiques.only({item.key for item in plan.items()})
    _try_judge(plan)
    return plan


def _ranks(plan: Plan) -> dict[Key, int]:
    items = plan.loaded.items
    ranks = limit_ranks(items, plan.loaded.spec.section_of, plan.config.limit_seed)
    return {item.key: rank for item, rank in zip(items, ranks, strict=True)}


def _as_before(plan: Plan) -> Plan | None:
    """The run of this seed that was made when --seed chose the items of --limit: it goes on with its own.

    None: there is none, or --limit-seed chose the items of it, or the user says which is meant.
    """
    config = plan.config
    if "limit_seed" in config.model_fields_set or (plan.path / "run.json").exists():
        return None
    own = config.model_copy(update={"limit_seed": config.seed})
    identity = {name: value for name, value in plan.identity.items() if name != "limit_seed"}
    before = replace(plan, config=own, identity=identity)
    if identity == plan.identity or not _made_before(before.path):
        return None
    _LOG.warning(
        "%s: its --limit takes the items of --limit-seed %d, as --seed did when it was made; "
        "--limit-seed %d makes a run of the items that other seeds have",
        *(before.path, config.seed, config.limit_seed),
    )
    return before


def _made_before(path: Path) -> bool:
    """Whether a run is there that was made before there was a --limit-seed: its record never names one."""
    return (path / "run.json").exists() and "limit_seed" not in RunFolder(path).record["config"]


def _model(config: RunConfig) -> ModelRef:
    if config.engine == "fake":
        from grmeval.engines.fake import read_settings

        read_settings(config.engine_args)
        return ModelRef("fake", None, "fake", "fake")
    check_arguments(config.engine_args)
    model = resolve(config.model or "", config.revision, kind_of(config.judge))
    return with_adapter(model, config.lora) if config.lora else model


def again(folder: RunFolder, k: int) -> Plan:
    """The plan that made a run, with k samples of its record's items. ConfigError: it is another by now."""
    known, made = folder.record["config"], origin(folder.record["identity"])
    if not made.asked:
        raise ConfigError(f"{folder.path}: nothing here can ask its judge: {made.grows}")
    if "engine" not in known:
        raise ConfigError(
            f"{folder.path}: it does not say how it was made (by an older grmeval); "
            f"`grmeval run … --k {k}` extends it"
        )
    values = {name: value for name, value in known.items() if name in RunConfig.model_fields}
    values.setdefault("limit_seed", limit_seed(folder.record["identity"]))
    values |= {"k": k, "limit": record_of(folder).limit}
    values |= dict.fromkeys(("shard", "subset", "section"))  # of the launch that it was made by
    values |= {"results": (folder.path / "../../..").resolve()}
    plan = prepare(build(values))
    if run_id(plan.identity) != run_id(folder.record["identity"]):
        raise ConfigError(
            f"{folder.path}: its model, rows or template changed since: the same command would make "
            f"another run ({plan.path.name})"
        )
    if plan.path.resolve() != folder.path.resolve():
        raise ConfigError(f"{folder.path}: it was moved: the same command would write {plan.path}")
    return plan


def _try_judge(plan: Plan) -> None:
    """Items that the judge cannot judge, and a template that cannot be rendered, are found before a model
    is loaded. Of all that --limit takes: every shard is told the same."""
    judge, config = plan.judge, plan.config
    asked = replace(plan, config=config.model_copy(update={"shard": None})).items()
    refused = _refused(plan)
    lacking: dict[str, list[Key]] = {}
    for item in asked:
        if why := judge.lacks(item) or refused(item):
            lacking.setdefault(why, []).append(item.key)
    if lacking:
        said = "; ".join(
            f"{len(keys):,} of {len(asked):,} items {why} ({', '.join('/'.join(key) for key in keys[:3])}"
            f"{' …' if len(keys) > 3 else ''})"
            for why, keys in lacking.items()
        )
        raise ConfigError(f"--judge {judge.name} --bench {config.bench}: {said}")
    largest = max(asked, key=lambda item: item.n)
    judge.messages(largest, range(largest.n))
    judge.grammar(largest.n)


def _refused(plan: Plan) -> Callable[[Item], str | None]:
    """Why a head cannot read an item's first chats, as in `3 items ...`; ConfigError: it is no head."""
    config, judge = plan.config, plan.judge
    if not judge.head or config.engine == "fake":
        return lambda item: None
    from grmeval.engines.head_check import Refusals, check_labels

    settings = ModelSettings.of(plan.model, config)
    check_labels(settings)
    refusals = Refusals(settings)

    def refused(item: Item) -> str | None:
        requests = plan.requests([(item, tuple(range(config.k)))])
        chats = next((request.prompts for request in requests if request.prompts), ())
        return next(filter(None, map(refusals, chats)), None)

    return refused


def _only(config: RunConfig) -> Filter:
    return Filter.of(dict(config))


def _part(config: RunConfig, loaded: Loaded) -> list[Item]:
    """The items that --subset and --section keep; ConfigError: a name that holds none."""
    kept = set(_only(config).kept(loaded.spec, (item.subset for item in loaded.items)))
    return [item for item in loaded.items if item.subset in kept]


def _check_greedy(config: RunConfig, part: Sequence[Item]) -> None:
    fewest = min(distinct_orders(config.orders, item.n) for item in part)
    if config.k > fewest:
        raise ConfigError(
            f"--k {config.k} with --greedy: some items have {fewest} distinct prompts (orders), so further "
            f"samples would repeat; use --k {fewest} or less, or --temperature above 0"
        )


def _check_meta(plan: Plan) -> None:
    """Votes by meta reward can be counted at the end."""
    config, votes = plan.config, [vote for vote in plan.config.vote or () if is_meta_vote(vote)]
    if not votes and not config.meta_model:
        return
    asked = f"--vote {votes[0]}" if votes else f"--meta-model {config.meta_model}"
    if any(item.pool is not None for item in plan.part()):
        raise ConfigError(f"{asked}: responses are judged one by one here, not in one judgement")
    if config.meta_model and config.shard:
        raise ConfigError(
            f"{asked} with --shard: score the whole run when all shards are done: `grmeval meta-score`"
        )
    if not config.meta_model and not reward_names(plan.path):
        raise ConfigError(
            f"{asked}: which meta RM? --meta-model NAME scores the judgements as well; or `grmeval "
            "meta-score` does afterwards, and `grmeval score` votes"
        )
