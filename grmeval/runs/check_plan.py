"""What a launch could not do, said before a model is loaded: votes, samples and items that cannot be."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from grmeval.config import RunConfig
from grmeval.engines.scorer import LOGPROB
from grmeval.engines.settings import ModelSettings
from grmeval.errors import ConfigError
from grmeval.items import Item, Key
from grmeval.judges import Judge
from grmeval.runs.orders import distinct_orders
from grmeval.runs.plan import Plan
from grmeval.store import is_meta_vote, reward_names

__all__ = ["check_batch", "check_config", "check_greedy", "check_judge", "check_meta"]


def check_config(config: RunConfig, judge: Judge) -> None:
    """The judge takes the votes, gives k different samples, and has something to stop."""
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
    if config.keep_logprob and judge.head:
        raise ConfigError(
            f"--keep-logprob: judge {judge.name} gives numbers, and writes no text that has one; drop it"
        )
    if config.stop_at_score and config.structured:
        raise ConfigError(
            "--stop-at-score with --structured: the format ends at the scores already; take one of them "
            "(--no-structured, where a preset has it on)"
        )


def check_batch(judge: Judge, restricted: bool) -> None:
    """Requests may stand in a file, and each is one chat that a text answers."""
    if restricted:
        raise ConfigError(
            "restricted benchmark: its authors ask that no example of it appears in plain text, and a file "
            "of requests is full of them; a model that is loaded here can be asked: `grmeval run`"
        )
    if judge.head:
        raise ConfigError(
            f"--judge {judge.name}: a head gives chats a number each, and a batch file asks for texts; "
            "`grmeval run` loads the model"
        )


def check_greedy(config: RunConfig, part: Sequence[Item]) -> None:
    """Greedy samples differ by their order of responses alone: there are as many as orders."""
    fewest = min(distinct_orders(config.orders, item.n) for item in part)
    if config.k > fewest:
        raise ConfigError(
            f"--k {config.k} with --greedy: some items have {fewest} distinct prompts (orders), so further "
            f"samples would repeat; use --k {fewest} or less, or --temperature above 0"
        )


def check_meta(plan: Plan) -> None:
    """Votes by meta reward can be counted at the end."""
    config, votes = plan.config, [vote for vote in plan.config.vote or () if is_meta_vote(vote)]
    if not votes and not config.meta_model:
        return
    asked = f"--vote {votes[0]}" if votes else f"--meta-model {config.meta_model}"
    if any(item.pool is not None for item in plan.part()):
        raise ConfigError(f"{asked}: responses are judged one by one here, not in one judgement")
    if config.meta_model == LOGPROB and not config.keep_logprob:
        raise ConfigError(
            f"--meta-model {LOGPROB}: each judgement's own log-probability; add --keep-logprob"
        )
    if config.meta_model and config.shard:
        raise ConfigError(
            f"{asked} with --shard: score the whole run when all shards are done: `grmeval meta-score`"
        )
    if not config.meta_model and not reward_names(plan.path):
        raise ConfigError(
            f"{asked}: which meta RM? --meta-model NAME scores the judgements as well; or `grmeval "
            "meta-score` does afterwards, and `grmeval score` votes"
        )


def check_judge(plan: Plan) -> None:
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
    if not judge.head or config.engine != "vllm":
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
