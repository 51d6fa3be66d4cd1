"""Several runs of one benchmark: whether they judged the same rows.

Rows are the same by key and content hash, never by count alone.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from grmeval.errors import ConfigError, DataError, Incomplete
from grmeval.items import Key
from grmeval.score.arrays import RunArrays
from grmeval.store import RunFolder, judged_rows, limit_seed, origin, record_of

__all__ = [
    "Common",
    "Contents",
    "check_same",
    "common_limit",
    "deepest",
    "digests",
    "formed",
    "unlike",
    "unlike_metrics",
    "unlike_subsets",
]

Contents = dict[Key, str]
"""(subset, id) -> hash of everything that can change a judgement or its verdict."""

_SHOWN = 3
_FORMED = ("overall", "sections", "threshold", "games")
"""What of a benchmark makes a number of verdicts: two that differ in it have no common metric."""


def common_limit(folders: Sequence[RunFolder]) -> int | None:
    """The smallest --limit of the runs' records: of one limit seed and data, its items are in all of them."""
    limits = [record_of(folder).limit for folder in folders]
    return min((limit for limit in limits if limit is not None), default=None)


class Common(NamedTuple):
    """The rows (subset, id) that every run judged, where an import is of a part alone; `note` counts them."""

    rows: frozenset[tuple[str, str]]
    note: str


def check_same(folders: Sequence[RunFolder], limit: int | None) -> Common | None:
    """ConfigError says what differs between the first run's rows and another's.

    An import whose file judges a part of the benchmark is compared by that part: gives what all have in
    common, None where that is everything.
    """
    if len(folders) < 2:
        return None
    rows = [judged_rows(folder, limit) for folder in folders]
    for other, theirs in zip(folders[1:], rows[1:], strict=True):
        mine = _within(rows[0], theirs) if _leaves_out(other) else rows[0]
        theirs = _within(theirs, rows[0]) if _leaves_out(folders[0]) else theirs
        differences = [*_unlike_metric(folders[0], other), *unlike(mine, theirs)]
        if not mine and not differences:
            differences = ["no row in common"]
        if differences:
            raise ConfigError(
                f"{folders[0].path} and {other.path} did not judge the same rows: "
                + "; ".join([*differences, *_chosen_apart(folders[0], other, limit)])
            )
    common = frozenset(rows[0].keys()).intersection(*rows[1:])
    if all(len(each) == len(common) for each in rows):
        return None
    over = ", ".join(
        f"{len(each) - len(common):,} of run {folder.path.name}"
        for folder, each in zip(folders, rows, strict=True)
        if len(each) > len(common)
    )
    note = f"a partial import: on the {len(common):,} rows that every run judged; left out: {over}"
    return Common(common, note)


def _leaves_out(folder: RunFolder) -> bool:
    """Whether a run, an import or a panel with one, is without what a file does not judge."""
    return bool(folder.record["spec"].get("left_out"))


def _within(rows: Contents, others: Contents) -> Contents:
    return {key: content for key, content in rows.items() if key in others}


def _unlike_metric(one: RunFolder, other: RunFolder) -> Iterator[str]:
    """How the numbers of two runs are formed from other things, or in another way."""
    for what, default in (("bench", None), ("layout", "list")):
        mine, theirs = (f.record["identity"].get(what, default) for f in (one, other))
        if mine != theirs:
            yield f"{what} {mine} and {what} {theirs}"
    if one.spec().id == other.spec().id and (changed := unlike_metrics(formed(one), formed(other))):
        yield f"the benchmark's {', '.join(changed)} changed between them"


def _chosen_apart(one: RunFolder, other: RunFolder, limit: int | None) -> Iterator[str]:
    """That --limit takes other items of the two."""
    mine, theirs = (limit_seed(folder.record["identity"]) for folder in (one, other))
    if limit is not None and mine != theirs:
        yield f"--limit {limit} takes the items of --limit-seed {mine} of one, of {theirs} of the other"


def formed(folder: RunFolder) -> dict[str, Any]:
    """How a run's benchmark makes a number of verdicts, as JSON values."""
    return folder.spec().model_dump(mode="json", include=set(_FORMED))


def unlike_metrics(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What differs between two `formed`."""
    return [name for name in _FORMED if mine.get(name) != theirs.get(name)]


def deepest(run: RunArrays, vote: str = "") -> int:
    """The largest k that every item of a run has, under `vote` also where items stopped before it.

    Incomplete: an item without a sample. DataError: no row with a label.
    """
    most = int(run.reach(vote).min()) if len(run.n) else 0
    if most == 0:
        raise Incomplete(
            f"{run.path}: some items have no sample yet: --limit N takes the first N of its order; "
            f"{origin(run.record['identity']).grows}"
        )
    if not run.labelled.any():
        raise DataError(f"{run.path}: its rows have no labels, so there is no accuracy to compare")
    return most


def digests(rows: Contents) -> dict[str, list[Any]]:
    """subset -> [number of rows, hash of their keys and contents], sorted."""
    by_subset: dict[str, list[str]] = {}
    for (subset, name), content in sorted(rows.items()):
        by_subset.setdefault(subset, []).append(f"{name}\t{content}")
    return {
        subset: [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]]
        for subset, lines in by_subset.items()
    }


def unlike(mine: Contents, theirs: Contents) -> list[str]:
    """What differs, in words; nothing where the rows are the same."""
    both = mine.keys() & theirs.keys()
    found = {
        "only in the first": mine.keys() - both,
        "only in the second": theirs.keys() - both,
        "with another prompt, response or label": {key for key in both if mine[key] != theirs[key]},
    }
    return [f"{len(keys):,} rows {how} ({_names(keys)})" for how, keys in found.items() if keys]


def unlike_subsets(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The same for two `digests`: which subsets differ."""
    found = []
    for subset in sorted(mine.keys() | theirs.keys()):
        here, there = (list(each.get(subset, [0, ""])) for each in (mine, theirs))
        if here[0] != there[0]:
            found.append(f"{subset}: {here[0]:,} rows here, {there[0]:,} in the baseline")
        elif here != there:
            found.append(f"{subset}: {here[0]:,} rows, not all the same ids, texts and labels")
    return found


def _names(keys: Any) -> str:
    names = ["/".join(key) for key in sorted(keys)[:_SHOWN]]
    return ", ".join(names) + (" …" if len(keys) > _SHOWN else "")
