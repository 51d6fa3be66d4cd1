"""Which vote a word such as `meta:NAME` means for a run, with the meta rewards that it counts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from grmeval.errors import ConfigError, nearest
from grmeval.judges import JUDGES
from grmeval.measure import VOTE_TABLE, Extra
from grmeval.score.arrays import Block, RunArrays
from grmeval.store import is_meta_vote

__all__ = [
    "alike_scales",
    "ballot",
    "check_countable",
    "check_panel_votes",
    "check_scale",
    "check_votes",
    "own_votes",
    "unrewarded",
    "usual_vote",
]

_UNSCALED = ("majority", "borda")
"""Votes that count who is ahead in each judgement, whatever the scale of its scores."""


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


def unrewarded(run: RunArrays, vote: str) -> Iterator[tuple[str, int, int]]:
    """(meta RM, judgements it was not shown, those that can be read), where a vote counts its rewards."""
    name, readable = vote.partition(":")[2], int(run.samples.sum() - run.invalid.sum())
    for model, read in run.rewarded.items() if is_meta_vote(vote) else ():
        if name in ("", model) and read.asked < readable:
            yield model, readable - read.asked, readable


def own_votes(identity: Mapping[str, Any]) -> tuple[str, ...]:
    """The votes that make sense for a run's judge, the usual one first; all but special ones if unknown.

    For a panel: those that make sense for every member; where their scales differ, those without one.
    """
    if not alike_scales(identity):
        return _UNSCALED
    usual = ("sum", "majority")
    first, *others = (JUDGES[n].votes if n in JUDGES else usual for n in _judges(identity))
    return tuple(vote for vote in first if all(vote in votes for votes in others))


def alike_scales(identity: Mapping[str, Any]) -> bool:
    """Whether a run's scores can be added: one judge's, or those of a panel that all write the same range.

    Judges that pick are of one kind; a head's numbers have no range, and that of an import is not known.
    """
    names = _judges(identity)
    judges = [JUDGES[name] for name in names if name in JUDGES]
    ranges = {(judge.score_range, judge.picks) for judge in judges}
    known = len(judges) == len(names) and all(judge.score_range for judge in judges)
    return len(names) == 1 or (known and len(ranges) == 1)


def check_scale(identity: Mapping[str, Any], word: str) -> None:
    """ConfigError: a vote that adds or orders scores of unlike scales."""
    if word not in _UNSCALED and not alike_scales(identity):
        raise ConfigError(
            f"--vote {word}: the panel's members score on unlike scales; allowed: {', '.join(_UNSCALED)}"
        )


def check_panel_votes(identity: Mapping[str, Any], words: Sequence[str]) -> None:
    """ConfigError: a vote that there is not, or that does not make sense for every member of a panel."""
    allowed = own_votes(identity)
    for word in check_votes(words):
        check_scale(identity, word)
        if word not in allowed:
            raise ConfigError(f"--vote {word!r}: the panel's judges allow {', '.join(allowed)}")


def usual_vote(*identities: Mapping[str, Any]) -> str:
    """What commands that compare runs take: `sum`, or `majority` where some run's scores do not add up."""
    return "sum" if all(map(alike_scales, identities)) else "majority"


def _judges(identity: Mapping[str, Any]) -> list[str]:
    judge = identity["judge"]
    return list(judge.get("judges", [judge["name"]]))


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
