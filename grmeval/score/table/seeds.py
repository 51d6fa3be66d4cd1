"""Runs that are alike but for their seed: their mean, its spread over seeds, differences of such groups."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from grmeval.measure import limits_over_seeds, over_seeds, spread, t_test
from grmeval.score.arrays import read_run
from grmeval.score.table.run_names import labels
from grmeval.score.verdicts import (
    NAN,
    Column,
    Frame,
    Part,
    framed,
    judge_run,
    rules_of,
)
from grmeval.store import Question, RunFolder, limit_seed, name_of, stops_of

__all__ = ["Seeds", "SeedsRow", "seed_groups", "seeds_alone", "seeds_rows"]

LEVEL = 0.95


@dataclass(frozen=True)
class SeedsRow:
    """One number of the runs of a group, one run a seed: their mean in [0, 1], and `spread`, the standard
    deviation over seeds, with 95 % limits of the mean.

    `difference`: of the means, this group's less the first group's, with limits and a two-sided `p` (t) that
    hold the noise of items and of seeds (docs/statistics.md). NaN where there is no such number: of the first
    group, and where either has one seed.
    """

    group: str
    seeds: tuple[int, ...]
    vote: str
    level: str
    name: str
    metric: str
    k: int
    mean: float
    spread: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    error: float
    p: float
    items: int
    clusters: int


class Seeds(NamedTuple):
    """A group: the places of its runs, by seed, and the seeds. Its name is the models'."""

    name: str
    places: tuple[int, ...]
    seeds: tuple[int, ...]


def seed_groups(folders: Sequence[RunFolder]) -> tuple[Seeds, ...]:
    """Runs by settings but the seed, the first one's group first; empty where no two differ in that alone.

    Which items --limit takes is no setting: that they are the same is checked as such. But where two runs of
    one seed differ in that alone, each --limit-seed has a group of its own. Runs in which items stopped early
    (`--adaptive`) took other samples: they are alike by the rule of that too.
    """
    alike: dict[str, list[int]] = {}
    for place, folder in enumerate(folders):
        identity = folder.record["identity"]
        settings = {name: identity[name] for name in identity.keys() - {"seed", "limit_seed"}}
        if any(stops_of(folder.path)) and (config := folder.record["config"]).get("adaptive"):
            settings["adaptive"] = [config["k_min"], config["epsilon"]]
        alike.setdefault(json.dumps(settings, sort_keys=True), []).append(place)
    groups: list[dict[int, int]] = []
    for places in alike.values():
        of = [folders[place].record["identity"] for place in places]
        apart = len({each["seed"] for each in of}) < len(places)
        found: dict[int, dict[int, int]] = {}
        for place, each in zip(places, of, strict=True):
            group = found.setdefault(limit_seed(each) if apart else 0, {})
            group.setdefault(int(each["seed"]), place)
        groups += [dict(sorted(group.items())) for group in found.values()]
    if all(len(group) < 2 for group in groups):
        return ()
    members = [tuple(group.values()) for group in groups]
    given = [[name_of(folders[at].path) for at in group] for group in members]
    # The first run's name is the group's, unless others have names of their own.
    names = labels(
        [folders[group[0]] for group in members],
        [None if any(others) else first for first, *others in given],
    )
    return tuple(
        Seeds(name, group, tuple(seeds))
        for name, group, seeds in zip(names, members, groups, strict=True)
    )


def seeds_alone(
    folders: Sequence[RunFolder],
    groups: Sequence[Seeds],
    question: Question,
    only: Set[tuple[str, str]] | None = None,
) -> tuple[SeedsRow, ...]:
    """The overall of each group of several seeds, as `question` asks each of its runs.

    `only`: the items (subset, id) that are read; None: all.
    """
    found = []
    for group in groups:
        mine = [folders[at] for at in group.places]
        here = Seeds(group.name, tuple(range(len(mine))), group.seeds)
        k, limit, k_meta = question.k, question.limit, question.k_meta
        runs = [read_run(each, k, limit, k_meta=k_meta, only=only) for each in mine]
        for vote in question.votes if len(mine) > 1 else ():
            rules = rules_of(mine[0].record["spec"], question)
            judged = [judge_run(run, vote, [question.k], rules) for run in runs]
            frame, columns = framed(runs, judged)
            overall = next(frame.parts())
            found.append(_row(frame, columns, here, here, overall, {"vote": vote, "k": question.k}))
    return tuple(found)


def seeds_rows(
    frame: Frame, columns: Sequence[Column], groups: Sequence[Seeds], vote: str, k: int
) -> Iterator[SeedsRow]:
    """A row a group for overall, each section, subset and view; `columns` are of all runs, by place."""
    for part in frame.parts(subsets=True):
        for group in groups:
            yield _row(frame, columns, groups[0], group, part, {"vote": vote, "k": k})


def _row(
    frame: Frame,
    columns: Sequence[Column],
    first: Seeds,
    group: Seeds,
    part: Part,
    about: Mapping[str, Any],
) -> SeedsRow:
    """Numbers of units that all runs of both groups could read: the others have no difference."""
    other = () if group is first else first.places
    made = frame.panel([columns[at] for at in (*group.places, *other)], part.units, part.level)
    count = len(group.places)
    mine, theirs = range(count), range(count, len(made.values))
    mean = over_seeds(made, mine, level=LEVEL)
    low = max(mean.low, min(0.0, mean.value))  # beyond [0, 1] where the number itself is
    high = min(mean.high, max(1.0, mean.value))
    if not frame.verdicts.ranked:
        averaged = frame.mean([columns[at] for at in group.places], part.units, part.level)
        if averaged.items == mean.items:  # the other group could read them too
            low, high = limits_over_seeds(made, mine, averaged, LEVEL)
    found = over_seeds(made, mine, theirs, group.seeds == first.seeds, LEVEL) if other else None
    return SeedsRow(
        group=group.name,
        seeds=group.seeds,
        level=part.level,
        name=part.name,
        metric=frame.verdicts.metric(frame.run, part.units),
        mean=mean.value,
        spread=spread(made.values[:count]),
        low=low,
        high=high,
        difference=found.value if found else NAN,
        difference_low=float(np.clip(found.low, -1, 1)) if found else NAN,
        difference_high=float(np.clip(found.high, -1, 1)) if found else NAN,
        error=found.error if found else NAN,
        p=t_test(found) if found else NAN,
        items=mean.items,
        clusters=mean.clusters,
        **about,
    )
