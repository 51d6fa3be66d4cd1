"""Who made a run's samples, and the tokens that each read and wrote: one judge, or a panel's members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.judges import JUDGES
from grmeval.score.arrays import RunArrays, Taken
from grmeval.store import IMPORT

__all__ = ["Source", "Tokens", "named", "sources_of", "tokens_of"]


@dataclass(frozen=True)
class Source:
    """One judge's part in a run.

    `names`: what a price file may call its model, first what reports call it. `devices`: GPUs that share
    it, where a launch does not say. `taken`: of its samples, None without any. `critic`: who wrote what
    it read (see `StoredCritiques.critic`), empty where that is not known; None: it read nothing.
    """

    names: Sequence[str]
    launches: Sequence[Mapping[str, Any]]
    devices: int
    taken: Taken | None
    critic: Mapping[str, Any] | None


@dataclass(frozen=True)
class Tokens:
    """Of all samples; None: not known."""

    prompt: float | None = None
    cached: float | None = None
    generated: float | None = None


def sources_of(run: RunArrays) -> list[Source]:
    """The judge, or those members of a panel that have samples here."""
    config, judge = run.record["config"], run.record["identity"]["judge"]
    judges = judge.get("judges", ())
    members = zip(config.get("members", ()), judges, strict=False)
    whose = {member["run"]: (member, name) for member, name in members}
    return [
        _source(run, key, *whose.get(key, (config, judge["name"]))) for key in run.taken or (None,)
    ]


def _source(run: RunArrays, key: str | None, known: Mapping[str, Any], judge: str) -> Source:
    reads = judge in JUDGES and JUDGES[judge].needs.critiques
    return Source(
        names=named(known["label"], known.get("model")),
        launches=[each for each in run.record["launches"] if each.get("member") == key],
        devices=known.get("tensor_parallel") or 1,
        taken=run.taken.get(key),
        critic=known.get("critic") or {} if reads else None,
    )


def named(*names: str | None) -> list[str]:
    """Names, each once."""
    return list(dict.fromkeys(name for name in names if name))


def tokens_of(source: Source, scale: float) -> tuple[Tokens, Tokens | None]:
    """(the judge's, its critic's), times `scale`; the critic's is None where the judge reads nothing.

    Of an import only what its file tells of every item that it judged. A head generates nothing: what was
    generated is its critic's.
    """
    found, reads = source.taken, source.critic is not None
    if found is None:
        return Tokens(), Tokens() if reads else None
    prompt, cached, generated = (scale * float(each.sum()) for each in found[1:4])
    if any((each.get("engine") or {}).get("engine") == IMPORT for each in source.launches):
        told = _told(found, found.prompt_tokens), _told(found, found.tokens)
        return Tokens(prompt if told[0] else None, None, generated if told[1] else None), None
    if not reads:
        return Tokens(prompt, cached, generated), None
    before, before_cached = (scale * float(each.sum()) for each in found[4:6])
    if isnan(before) or isnan(before_cached):  # sampled before a sample said so
        return Tokens(generated=0.0), Tokens(generated=generated)
    own = Tokens(prompt - before, cached - before_cached, 0.0)
    if not (source.critic or {}).get("imported"):
        return own, Tokens(before, before_cached, generated)
    told = _told(found, found.critic_prompt_tokens), _told(found, found.tokens)
    return own, Tokens(before if told[0] else None, None, generated if told[1] else None)


def _told(found: Taken, count: NDArray[Any]) -> bool:
    """Whether a count is there of every item with samples."""
    return bool(np.all(count[found.samples > 0] > 0))
