"""When an item may stop: the rule of a launch, what it cannot be of, and what is known of an item so far."""

from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.benches import BenchSpec
from grmeval.errors import ConfigError
from grmeval.items import Item
from grmeval.measure import ADDING, BOUNDED, Spread
from grmeval.runs.plan import Plan
from grmeval.store import RunFolder, SampleKey, Stop, record_of, stopped_items

__all__ = ["Rule", "Unit", "check_adaptive", "still_missing", "units_of"]


class Rule(NamedTuple):
    """When items stop: `votes` at `most` samples, after `k_min` at least, at a chance of `epsilon` at
    most.
    """

    votes: tuple[str, ...]
    most: int
    k_min: int
    epsilon: float

    @classmethod
    def of(cls, plan: Plan) -> "Rule":
        """The votes are those asked for, else the record's, else the judge's first."""
        config, votes = plan.config, plan.config.vote
        if not votes and (plan.path / "run.json").exists():
            votes = record_of(RunFolder(plan.path)).votes
        votes = votes or plan.judge.votes[:1]
        return cls(tuple(votes), config.k, config.k_min, config.epsilon)

    def covered_by(self, stop: Stop) -> bool:
        """Whether an earlier stop is one by this rule too."""
        return (
            stop.most >= self.most
            and stop.k >= self.k_min
            and stop.epsilon <= self.epsilon
            and set(self.votes) <= set(stop.votes)
        )


def still_missing(
    plan: Plan, folder: RunFolder | None, done: Set[SampleKey]
) -> list[tuple[Item, tuple[int, ...]]]:
    """Items and the samples that a launch would still ask for, at most: of an adaptive one none of items that
    stopped. `folder`: None where there is none yet.
    """
    missing = plan.missing(done)
    if folder is None or not plan.config.adaptive:
        return missing
    early = stopped_items(folder, done, Rule.of(plan).covered_by)
    return [(item, js) for item, js in missing if item.key not in early]


def check_adaptive(plan: Plan) -> None:
    """ConfigError: why items of this run cannot stop early."""
    config, judge, spec = plan.config, plan.judge, plan.loaded.spec
    said = "--adaptive"
    if judge.most:
        raise ConfigError(
            f"{said}: judge {judge.name} gives the same numbers again after {judge.most}"
        )
    if config.k_min > config.k:
        raise ConfigError(f"--k-min {config.k_min}: more than --k {config.k}, which is the most")
    if spec.overall == "roc-auc":
        raise ConfigError(
            f"{said}: {spec.id} is measured by ROC-AUC, which ranks the mean scores of all items: none is "
            "decided before its last sample; drop --adaptive"
        )
    for vote in Rule.of(plan).votes:
        if vote not in (*ADDING, *BOUNDED):
            why = (
                "the meta rewards come after the samples"
                if vote.startswith("meta")
                else "any further sample can change it"
            )
            raise ConfigError(
                f"{said} with --vote {vote}: {why}; votes that can be decided early: "
                f"{', '.join((*ADDING, *BOUNDED))}"
            )
        if vote in BOUNDED and judge.score_range is None:
            raise ConfigError(
                f"{said} with --vote {vote}: needs scores with bounds, and judge {judge.name} has none"
            )
    if not any(map(_may_stop(spec), plan.part())):
        raise ConfigError(
            f"{said}: {spec.id} counts how far totals lie apart, or every pick on the way to the last: no "
            "item is decided before its last sample; drop --adaptive"
        )


def _may_stop(spec: BenchSpec) -> Callable[[Item], bool]:
    """Whether an item's credit is that of who is ahead: in Ties it is of distances, in best-of-k of an
    area.
    """
    return lambda item: spec.sections[spec.section_of(item.subset)].rule == "accuracy"


class Unit:
    """What has one verdict: an item, or the responses of a pool, which are items that are judged one by one.

    `target`: samples asked for so far; `expected`: where it would stop if it goes on as it looks;
    `running`: of those asked for what has not come; `lost`: something never will; `over`: no more is
    wanted.
    """

    def __init__(self, items: tuple[Item, ...], step: int, stops: bool) -> None:
        self.items, self.step, self.stops = items, step, stops
        self.pooled = items[0].pool is not None
        self.n = len(items) if self.pooled else items[0].n
        self.target = self.expected = self.running = 0
        self.lost = self.over = False
        self.spread = Spread()
        self._scores, self._weight = np.empty((0, self.n)), np.empty(0)
        self._heard = np.empty((0, len(items)), dtype=bool)

    @property
    def name(self) -> tuple[str, bool, str]:
        """As of a `Stop`."""
        first = self.items[0]
        return first.subset, self.pooled, first.id if first.pool is None else first.pool

    def hear(
        self, slot: int, j: int, scores: Sequence[float | None] | None, weight: float | None
    ) -> None:
        """One sample; None: it could not be read."""
        if j >= len(self._heard):
            more = max(j + 1, 2 * len(self._heard)) - len(self._heard)
            self._scores = np.concatenate([self._scores, np.full((more, self.n), np.nan)])
            self._weight = np.concatenate([self._weight, np.full(more, np.nan)])
            self._heard = np.concatenate([self._heard, np.zeros((more, len(self.items)), bool)])
        self._heard[j, slot] = True
        if scores is not None:
            self._scores[j, slot : slot + 1 if self.pooled else None] = scores
        if weight is not None:
            self._weight[j] = weight

    @property
    def made(self) -> int:
        """Samples before the first gap."""
        whole: NDArray[np.bool_] = np.logical_and.reduce(self._heard, axis=1)
        return whole.size if whole.all() else int(whole.argmin())

    @property
    def untouched(self) -> bool:
        """Whether nothing of it was heard."""
        return not self._heard.any()

    def missing(self, slot: int, start: int, stop: int) -> tuple[int, ...]:
        """Which samples of one of its items were not heard of."""
        heard = self._heard[:, slot]
        return tuple(j for j in range(start, stop) if j >= len(heard) or not heard[j])

    def arrays(self, made: int) -> tuple[Any, Any, Any]:
        """(scores [1, m, n], valid [1, m], weight [1, m]) of the first m samples."""
        scores = self._scores[None, :made]
        return scores, ~np.isnan(scores).all(axis=2), self._weight[None, :made]

    def finish(self) -> None:
        """No more is wanted; what was heard is on disk."""
        self.over = True
        self._scores, self._weight, self._heard = (
            self._scores[:0],
            self._weight[:0],
            self._heard[:0],
        )


def units_of(plan: Plan) -> Iterator[Unit]:
    """The items of a launch, those of a pool together in the order of their slots, as they come."""
    items, config, may_stop = plan.items(), plan.config, _may_stop(plan.loaded.spec)
    pools: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.pool is not None:
            pools.setdefault((item.subset, item.pool), []).append(item)
    for item in items:
        if item.pool is None:
            step = 2 if item.n == 2 and config.orders == "balanced" else 1
            yield Unit((item,), step, may_stop(item))
        elif mine := pools.pop((item.subset, item.pool), None):
            mine.sort(key=lambda each: each.slot)
            yield Unit(tuple(mine), 1, may_stop(item))
