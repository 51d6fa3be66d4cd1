"""Which vote a word such as `meta:NAME` means for a run, with the meta rewards that it counts."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from grmeval.errors import ConfigError, nearest
from grmeval.judges import JUDGES
from grmeval.measure import VOTE_TABLE, Extra
from grmeval.score.arrays import Block, RunArrays

__all__ = ["ballot", "check_countable", "check_votes", "own_votes"]


def check_votes(words: Sequence[str], k_meta: int | None = None) -> tuple[str, ...]:
    """The votes, each once; ConfigError: no such vote, or a meta model's name where it counts none.

    Nor does a `k_meta` mean anything to votes that keep every sample.
    """
    for word in words:
        vote, colon, _ = word.partition(":")
        if vote not in VOTE_TABLE:
            raise ConfigError(f"--vote {word!r}: {nearest(vote, tuple(VOTE_TABLE))}")
        if colon and VOTE_TABLE[vote].needs != "reward":
            raise ConfigError(f"--vote {word!r}: only votes by meta reward take a model's name")
    if k_meta is not None and not any(word.partition(":")[0] == "meta" for word in words):
        raise ConfigError(f"--k-meta {k_meta}: it is of --vote meta, not of {', '.join(words)}")
    return tuple(dict.fromkeys(words))


def check_countable(words: Sequence[str], single: bool, models: Collection[str]) -> None:
    """ConfigError: a vote that compares, where items have one response (`single`), or by no known model."""
    for word in words:
        vote, _, name = word.partition(":")
        if single and not VOTE_TABLE[vote].single:
            raise ConfigError(f"--vote {word}: it compares responses, and some items have one")
        known = sorted(models)
        if VOTE_TABLE[vote].needs == "reward" and (name not in known if name else len(known) > 1):
            raise ConfigError(
                f"--vote {word}: which meta model? {vote}:NAME; {nearest(name, known)}"
            )


def own_votes(identity: Mapping[str, Any]) -> tuple[str, ...]:
    """The votes that make sense for a run's judge, the usual one first; all but special ones if unknown."""
    name = identity["judge"]["name"]
    return JUDGES[name].votes if name in JUDGES else ("sum", "majority")


def ballot(run: RunArrays, block: Block, word: str) -> tuple[str, Extra]:
    """(the vote, what it counts besides the scores [I, N]) for the items of a block."""
    vote, _, model = word.partition(":")
    entry = VOTE_TABLE[vote]
    if block.best.shape[1] == 1 and not entry.single:
        raise ConfigError(
            f"--vote {word}: it compares responses, and some items of {run.path} have one"
        )
    if entry.needs == "weight":
        if block.weight is None:
            raise ConfigError(
                f"--vote {word}: the judge of {run.path} tells no probability of its pick"
            )
        return vote, Extra(weight=block.weight)
    if entry.needs is None:
        return vote, Extra()
    if block.pooled:
        raise ConfigError(f"--vote {word}: responses were judged one by one, not in one judgement")
    known = sorted(block.rewards)
    if not known:
        raise ConfigError(
            f"--vote {word}: {run.path / 'rewards'} holds no meta rewards: `grmeval meta-score` makes them "
            "(or a file a meta model, NAME.parquet with subset, id, j and reward)"
        )
    if model not in ("", *known) or (not model and len(known) > 1):
        raise ConfigError(f"--vote {word}: which meta model? {vote}:NAME; {nearest(model, known)}")
    return vote, Extra(reward=block.rewards[model or known[0]], k_meta=run.k_meta)
