"""What a night and its baseline must have alike besides the rows: how the judge was asked, and read."""

from collections.abc import Collection, Mapping
from typing import Any

from grmeval.config import roles
from grmeval.errors import ConfigError, nearest
from grmeval.score.arrays import RunArrays
from grmeval.store import is_meta_vote, reward_records

__all__ = ["ALLOWABLE", "check_allowed", "settings", "unlike_settings"]

_FREE = frozenset(
    (
        "bench",
        "layout",
        "data",
        "file",
        "model",
        "critiques",
        "members",
        "seed",
        "limit_seed",
        "trust_remote_code",
    )
)
"""What of an identity is no setting: its rows, which are compared as such, what is judged with, its luck."""

_SHOWN = 40
"""Characters of a setting that a message holds."""

_JUDGES_OWN = {"grammar", "judges", "meta", "parser"}
_IN_OTHERS = {"lora", "revision"}
"""Of a configuration: the model's identity says what they hold."""

ALLOWABLE = tuple(
    sorted(
        {name for name, role in roles().items() if role == "identity"} - _FREE - _IN_OTHERS
        | _JUDGES_OWN
    )
)
"""What `--allow-change` takes."""


def settings(run: RunArrays, vote: str) -> dict[str, Any]:
    """How a run asked its judge, by name; what is not set is left out.

    All of its identity but its rows, its model (a critic, members of a panel; of a simulated judge its engine
    settings) and its seeds; the judge's own parts, such as its template; the parsers that read its
    judgements; the meta model, where the vote counts one.
    """
    identity = dict(run.record["identity"])
    judge = dict(identity.pop("judge"))
    found = identity | judge | {"judge": judge.pop("name", None), "parser": list(run.parsers)}
    found.pop("name", None)
    if identity.get("engine") == "fake":
        found.pop("engine_args", None)
    if is_meta_vote(vote):
        known, name = reward_records(run.path), vote.partition(":")[2]
        found["meta"] = [r.get("identity") for n, r in sorted(known.items()) if name in ("", n)]
    return {n: found[n] for n in sorted(found) if n not in _FREE and found[n] is not None}


def check_allowed(names: Collection[str]) -> None:
    """ConfigError: no such setting."""
    for name in names:
        if name not in ALLOWABLE:
            raise ConfigError(f"--allow-change {name!r}: {nearest(name, ALLOWABLE)}")


def unlike_settings(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], other: str = "the baseline"
) -> dict[str, str]:
    """What differs, by name, in words: `mine` is the night's, `theirs` that of the `other`."""
    return {
        name: _unlike(name, _told(mine.get(name)), _told(theirs.get(name)), other)
        for name in sorted(mine.keys() | theirs.keys())
        if mine.get(name) != theirs.get(name)
    }


def _unlike(name: str, mine: str, theirs: str, other: str) -> str:
    if max(len(mine), len(theirs)) > _SHOWN:
        return f"{name} here is not that of {other}"
    return f"{name} {mine} here, {theirs} in {other}"


def _told(value: Any) -> str:
    return "not set" if value is None else str(value)
