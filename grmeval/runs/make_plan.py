"""From a configuration, or from a run that is there, to a plan: rows are read, the model is found."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from grmeval.benches import Loaded, load
from grmeval.config import RunConfig, build
from grmeval.engines import BATCH
from grmeval.engines.arguments import check_arguments
from grmeval.engines.batch import check_fields
from grmeval.engines.models import ModelRef, resolve, slug, with_adapter
from grmeval.errors import ConfigError
from grmeval.items import Key
from grmeval.judges import PromptedJudge, make_judge
from grmeval.runs.check_plan import check_batch, check_config, check_greedy, check_judge, check_meta
from grmeval.runs.configuration import kind_of
from grmeval.runs.derived import critiques_of
from grmeval.runs.identity import identity_of
from grmeval.runs.limit import limit_ranks
from grmeval.runs.plan import Plan, made_before, part_of
from grmeval.runs.stopping import check_adaptive
from grmeval.store import RunFolder, is_hinted, limit_seed, origin, record_of, run_id, stored_ranks

__all__ = ["again", "prepare", "recorded_model"]

_LOG = logging.getLogger(__name__)


def prepare(
    config: RunConfig,
    loaded: Loaded | None = None,
    model: ModelRef | None = None,
    tell: Callable[[str], None] = lambda what: None,
    hinted: bool = False,
) -> Plan:
    """Load the items, resolve the model, name the folder; nothing is written and no model is loaded.

    `loaded` and `model`: what `config` names, where the caller has it already. `tell`: hears what is done.
    `hinted`: prompts name the best response, for training: no setting, so that no run is made so by mistake.
    """
    tell(f"reading {config.bench}")
    tokens = config.max_tokens if config.structured else None
    critiques = critiques_of(config)
    judge = make_judge(
        config.judge, config.template, config.system, tokens, config.principles, critiques
    )
    if hinted:
        if not isinstance(judge, PromptedJudge):
            raise ConfigError(
                f"--judge {judge.name}: a hint is for a judge that is asked, and writes"
            )
        judge = judge.hinted()
    check_config(config, judge)
    loaded = loaded or load(config.bench, config.data, config.layout)
    if config.engine == BATCH:
        check_batch(judge, loaded.spec.source.restricted)
    if critiques:
        critiques.check(loaded, config.layout)
    part = part_of(config, loaded)
    if config.greedy and not judge.head:
        check_greedy(config, part)
    if not model:
        if config.model or config.base_url:
            tell(f"looking at the model {config.model or 'of ' + (config.base_url or ('',))[0]}")
        model = _model(config)
    plan = Plan(
        config, loaded, {}, judge, model, identity_of(config, loaded, judge, model), critiques
    )
    plan = _as_before(plan) or plan
    if config.adaptive:
        check_adaptive(plan)
    check_meta(plan)
    # An order that was paid for stays, whatever became of the sections since.
    plan = replace(plan, ranks=stored_ranks(plan.path) or _ranks(plan))
    if critiques:
        critiques.only({item.key for item in plan.items()})
    check_judge(plan)
    _ = plan.places  # a mistake in them is found before anything is loaded
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
    if identity == plan.identity or not made_before(before.path):
        return None
    _LOG.warning(
        "%s: its --limit takes the items of --limit-seed %d, as --seed did when it was made; "
        "--limit-seed %d makes a run of the items that other seeds have",
        *(before.path, config.seed, config.limit_seed),
    )
    return before


def _model(config: RunConfig) -> ModelRef:
    if config.engine == "fake":
        from grmeval.engines.fake import read_settings

        read_settings(config.engine_args)
        return ModelRef("fake", None, "fake", "fake")
    if config.engine == BATCH:
        check_fields(config.engine_args)
        name = str(config.model)
        return ModelRef(name, None, slug(name.replace("/", "--")), f"served:{name}")
    if config.engine == "server":
        from grmeval.engines.server.served import served_model
        from grmeval.engines.server.settings import check_fields as check_served

        check_served(config.engine_args)
        return served_model(config.base_url or (), config.model, config.model_tag)
    check_arguments(config.engine_args)
    model = resolve(config.model or "", config.revision, kind_of(config.judge))
    return with_adapter(model, config.lora) if config.lora else model


def recorded_model(folder: RunFolder) -> ModelRef:
    """A run's model by its record alone: it is not looked for, and nobody is asked."""
    record = folder.record
    return ModelRef("", None, record["config"]["label"], record["identity"]["model"])


def again(folder: RunFolder, k: int, model: ModelRef | None = None, **asked: Any) -> Plan:
    """The plan that made a run, with k samples of its record's items. ConfigError: it is another by now.

    `model`: the run's, where it is not to be looked for. `asked`: another limit, or part (subset, section).
    """
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
    for name in ("adaptive", "k_min", "epsilon"):
        values.pop(name, None)
    values |= {"results": (folder.path / "../../..").resolve()} | asked
    hinted = is_hinted(folder.record["identity"])
    plan = prepare(build(values), model=model, hinted=hinted)
    if run_id(plan.identity) != run_id(folder.record["identity"]):
        raise ConfigError(
            f"{folder.path}: its model, rows or template changed since: the same command would make "
            f"another run ({plan.path.name})"
        )
    if plan.path.resolve() != folder.path.resolve():
        raise ConfigError(f"{folder.path}: it was moved: the same command would write {plan.path}")
    return plan
