"""Flags and the settings file -> the plans of `grmeval run`, which `grmeval plan` only looks at."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grmeval.benches import Group
    from grmeval.report.signs import Signs
    from grmeval.runs import Plan

__all__ = ["ASKED", "asked_of", "make_plans"]

_LOG = logging.getLogger(__name__)

ASKED = (
    *("layout", "k", "adaptive", "k_min", "epsilon", "subset", "section", "limit"),
    *(
        "model",
        "revision",
        "lora",
        "trust_remote_code",
        "dtype",
        "max_model_len",
        "tensor_parallel",
        "data_parallel",
    ),
    *("engine", "base_url", "model_tag", "concurrency", "allow_identical"),
    *("replicas", "ray_address", "engine_args"),
    *(
        "judge",
        "principles",
        "critiques",
        "template",
        "system",
        "chat_template_kwargs",
        "structured",
        "stop_at_score",
    ),
    *("temperature", "greedy", "top_p", "max_tokens", "orders", "seed", "limit_seed"),
    *("keep_logprob", "meta_model", "meta_template", "meta_engine_args", "k_meta"),
    *("shard", "results"),
    *("vote", "protocol", "ties", "on_invalid", "prices"),
)
"""Settings of a run."""


def asked_of(bench: list[str] | None, greedy: bool, settings: dict[str, Any]) -> dict[str, Any]:
    """What --bench and --greedy say, as settings; ConfigError: --temperature says something else."""
    from grmeval.errors import ConfigError

    if greedy and (heat := settings.get("temperature")):
        raise ConfigError(f"--greedy is temperature 0; drop it, or --temperature {heat:g}")
    cold = {"temperature": 0.0} if greedy else {}
    return cold | ({} if bench is None else {"bench": bench})


def make_plans(
    given: dict[str, Any],
    data: list[str],
    config: Path | None,
    signs: "Signs",
    unseen: bool = False,
) -> "tuple[list[Plan], dict[str, Group]]":
    """(one plan a benchmark, the groups asked for that have a mean of their own), from what flags gave.

    Every mistake that can be seen is found before a model is loaded. `unseen`: a model that can be looked up
    neither here nor at the hub has a plan all the same.
    """
    from grmeval.benches import expand, groups
    from grmeval.cli.settings import data_of, read_settings, settings_file
    from grmeval.config import Shard
    from grmeval.errors import GrmevalError

    settings = read_settings(config)
    copies = settings.pop("data", {})
    for name, value in given.items():  # engine_args: a flag adds to the file's, and wins
        settings[name] = settings.get(name, {}) | value if isinstance(value, dict) else value
    for name in _not_meant(given.get("engine")) - given.keys():
        settings.pop(name, None)
    _refuse_unused(given, bool(settings.get("adaptive")))
    if isinstance(settings.get("shard"), str):
        settings["shard"] = Shard.parse(settings["shard"])
    asked_for = "bench" in settings
    names = settings.pop("bench", ["sample"])
    asked = {name: group for name, group in groups().items() if name in names and group.mean}
    benches = expand(names)
    paths = data_of(benches, data, copies)
    plans, troubles = [], []
    for name in benches:
        try:
            one = settings | {"bench": name, "data": paths.get(name)}
            plans.append(_plan(one, signs, unseen))
        except GrmevalError as error:
            troubles.append(error)
    if troubles:
        said = dict.fromkeys(map(str, troubles))
        if data and not asked_for:
            rows = data[0].rpartition("=")[2]
            said[f"(without --bench the packaged sample is meant; your own: --bench {rows})"] = None
        if file := settings_file(config):
            said[f"({file} is in force)"] = None
        raise type(troubles[0])("\n".join(said))
    return plans, asked


def _not_meant(engine: str | None) -> set[str]:
    """Settings of the file that are of another engine than the one that is asked for now."""
    from grmeval.runs import OF_A_SERVER

    of_a_model = {
        *("model", "revision", "lora"),
        *("meta_model", "meta_template", "meta_engine_args", "k_meta"),
    }
    return {
        *(of_a_model if engine == "fake" else ()),
        *(OF_A_SERVER if engine not in (None, "server") else ()),
        *(("replicas", "ray_address") if engine not in (None, "ray", "fake") else ()),
    }


def _refuse_unused(given: dict[str, Any], adaptive: bool) -> None:
    """ConfigError: a flag that means something to --adaptive alone, without that."""
    from grmeval.errors import ConfigError

    for name, flag in (("k_min", "--k-min"), ("epsilon", "--epsilon")):
        if name in given and not adaptive:
            raise ConfigError(
                f"{flag} {given[name]:g}: it is of --adaptive; add that, or drop {flag}"
            )


def _plan(settings: dict[str, Any], signs: "Signs", unseen: bool) -> "Plan":
    """One benchmark's; with a meta RM its rewards vote too, unless told otherwise."""
    from grmeval.engines.models import UNSEEN
    from grmeval.errors import InfrastructureError
    from grmeval.judges import JUDGES
    from grmeval.runs import configure, prepare
    from grmeval.runs.meta import meta_of
    from grmeval.score.verdicts import check_countable, check_votes
    from grmeval.store import RewardFile, reward_names

    config = configure(settings)
    meta = meta_of(config)
    if meta and "vote" not in settings:
        own = JUDGES[config.judge].votes[0]
        config = config.model_copy(update={"vote": (own, f"meta:{meta.name}")})
    try:
        plan = prepare(config, tell=signs.at)
    except InfrastructureError as error:
        if not unseen or not config.model:  # nobody says which model it is
            raise
        plan = prepare(config, model=UNSEEN)  # what was wrong with the rows is wrong again
        _LOG.warning("%s", error)
    words = check_votes(config.vote or (), config.k_meta)
    # What could not be counted at the end is said before anything is asked.
    single = any(item.n == 1 and item.pool is None for item in plan.part())
    check_countable(words, single, {*reward_names(plan.path), *([meta.name] if meta else [])})
    if meta:
        RewardFile(plan.path, meta.name).check(meta.identity)
    return plan
