"""Adaptive sampling: an iterator of requests that is fed by completions, and stops each item in its time.

An engine pulls requests when it has room and must never wait for one that depends on what is still running.
So the iterator never waits: it gives what is known to be wanted; where nothing is, the next samples of
items that, as they look now, will want them; where there is none of these either it ends, the engine
finishes what is running, and the next round begins with what that showed. Every sample is asked once, so
rounds come to an end.
"""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from grmeval.items import Item, Key, Request, Sample
from grmeval.measure import BOUNDED, Prospects, Scale, Spread, games, prospects
from grmeval.runs.plan import Plan
from grmeval.runs.stopping import Rule, Unit, units_of
from grmeval.store import RunFolder, Stop, StopWriter, sample_batches, stops_of

__all__ = ["Asking"]

LEARN_FROM = 32
"""Items that have their first samples before the model decides of any; where there are fewer, all of them."""

BATCH = 4096


class Asking:
    """What is still to be asked of a plan's items under a rule, and what stopped. Safe to be pulled by a
    thread.

    `begin_round` says whether there is anything to ask; iterating gives the requests of the round; `take`
    hears each sample as it is on disk; `end_round` after the engine gave all that it will.
    """

    def __init__(self, plan: Plan, rule: Rule, folder: RunFolder, stops: StopWriter) -> None:
        self._plan, self._rule, self._writer = plan, rule, stops
        self._lock = threading.Lock()
        config, judge, spec = plan.config, plan.judge, plan.loaded.spec
        low, high = judge.score_range or (None, None)
        self._scale = Scale(low, high, spec.threshold)
        self._bounded = any(vote in BOUNDED for vote in rule.votes)
        self._games = spec.games and config.orders == "balanced" and config.layout != "single"
        self._units = list(units_of(plan))
        self._of = {
            item.key: (unit, slot) for unit in self._units for slot, item in enumerate(unit.items)
        }
        self._fresh: deque[Unit] = deque()
        self._ready: deque[Request] = deque()
        self._waiting: list[Unit] = []
        self._open: dict[tuple[str, bool, str], Unit] = {}
        self._pulled: set[tuple[Key, int]] = set()
        self._spread, self._learned, self._stopped = Spread(), 0, 0
        self._idle, self._refused = True, False  # an engine that takes nothing ends the launch
        self._first_block = min(len(self._units), LEARN_FROM)
        self._read(folder)

    # ------------------------------------------------------------------ what is there

    def _read(self, folder: RunFolder) -> None:
        names = ["subset", "id", "j", "scores", "weight"]
        for batch in sample_batches(folder, names, BATCH):
            for subset, name, j, scores, weight in zip(
                *(batch.column(each).to_pylist() for each in names), strict=True
            ):
                if (known := self._of.get(Key(subset, name))) and j < self._rule.most:
                    known[0].hear(known[1], j, scores, weight)
        stops = stops_of(folder.path)
        covered = {stop.name: stop.k for stop in stops if self._rule.covered_by(stop)}
        for unit in self._units:
            made = unit.made
            self._learn(unit, made)
            if made >= covered.get(unit.name, self._rule.most):
                unit.finish()
            elif unit.untouched:
                self._fresh.append(unit)
            else:
                # What lies beyond a gap is there because it was short.
                unit.target = max(self._up(unit, self._rule.k_min), self._up(unit, made))
                self._waiting.append(unit) if made >= unit.target else self._ask(unit, made)
        if self._is_learned:
            self._settle()

    def _up(self, unit: Unit, count: int) -> int:
        """At least so many samples: whole rounds of orders, all of them where an item may not stop."""
        if not unit.stops:
            return self._rule.most
        return min(-(-max(count, 1) // unit.step) * unit.step, self._rule.most)

    def missing(self) -> list[tuple[Item, tuple[int, ...]]]:
        """Items and the samples that may still be asked of them: the most that can come."""
        found = []
        for unit in self._units:
            for slot, item in enumerate(unit.items):
                if not unit.over and (js := unit.missing(slot, 0, self._rule.most)):
                    found.append((item, js))
        return found

    # ------------------------------------------------------------------ requests out

    def begin_round(self) -> bool:
        """Whether there is something to ask."""
        with self._lock:
            if not self._ready and not self._fresh:
                self._settle()
            self._idle = True
            return bool(self._ready or self._fresh) and not self._refused

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        with self._lock:
            if not self._ready and self._fresh:
                unit = self._fresh.popleft()
                unit.target = self._up(unit, self._rule.k_min)
                self._ask(unit, 0)
            if not self._ready:
                self._look_ahead()
            if not self._ready:
                raise StopIteration
            self._idle = False
            request = self._ready.popleft()
            self._pulled.update((request.key, j) for j in request.js)
            return request

    def _look_ahead(self) -> None:
        """Ask on of an item that is running and will hardly stop before, as it looks."""
        for unit in self._open.values():
            if unit.target < unit.expected and not unit.lost:
                before, unit.target = unit.target, self._up(unit, unit.target + 1)
                self._ask(unit, before)
                return

    def _ask(self, unit: Unit, start: int) -> None:
        """Queue what is missing from sample `start` to the target; the unit is open until all of it came."""
        for slot, item in enumerate(unit.items):
            if js := unit.missing(slot, start, unit.target):
                unit.running += len(js)
                self._ready.extend(self._plan.requests([(item, js)]))
        if unit.running:
            self._open[unit.name] = unit

    # ------------------------------------------------------------------ samples in

    def take(self, sample: Sample) -> None:
        """Hear of a sample that is on disk."""
        with self._lock:
            key = Key(sample.subset, sample.id)
            unit, slot = self._of[key]
            self._pulled.discard((key, sample.j))
            unit.running -= 1
            unit.hear(slot, sample.j, sample.scores, sample.weight)
            if not unit.running:
                self._open.pop(unit.name, None)
                self._learn(unit, unit.made)
                self._decide(unit, self._is_learned)
                if self._waiting and self._is_learned:
                    self._settle()

    def end_round(self) -> None:
        """The engine gave all it will: what is still open did not come, and is not asked again by this
        launch.
        """
        with self._lock:
            for key, _ in self._pulled:
                self._of[key][0].lost = True
            self._pulled.clear()
            self._refused = self._idle
            self._settle()

    def facts(self) -> dict[str, Any]:
        """What a launch's record says of it."""
        return {"adaptive": self._rule._asdict() | {"stopped": self._stopped}}

    # ------------------------------------------------------------------ deciding

    @property
    def _is_learned(self) -> bool:
        """Whether enough items have told how leads vary. No vote that has a bound alone waits for that."""
        return self._bounded or self._learned >= self._first_block

    def _settle(self) -> None:
        """Decide of the items that wait for what others tell, by what is known now."""
        waiting, self._waiting = self._waiting, []
        for unit in waiting:
            self._decide(unit, learned=True)

    def _learn(self, unit: Unit, made: int) -> None:
        """Put what a unit tells of how leads vary in the place of what it told before."""
        if made < 2:
            return
        found = self._look(unit, made)[0]
        new = found.told.total()
        self._learned += unit.spread.freedom == 0 and new.freedom > 0
        self._spread = self._spread.and_(new).and_(unit.spread, -1)
        unit.spread = new

    def _look(self, unit: Unit, made: int) -> list[Prospects]:
        """By vote."""
        scores, valid, weight = unit.arrays(made)
        common = self._rule.most, self._spread, self._scale
        look = games if self._games and unit.n == 2 else prospects
        return [look(vote, scores, valid, *common, weight=weight) for vote in self._rule.votes]

    def _decide(self, unit: Unit, learned: bool) -> None:
        made, mine = unit.made, self._rule
        if made >= mine.most:
            unit.finish()
            return
        if unit.lost:
            return
        if made < (whole := self._up(unit, made)):  # what lay beyond a gap made it odd
            unit.target = whole
            self._ask(unit, made)
            return
        found = self._look(unit, made)
        sure = all(bool(each.sure[0]) for each in found)
        change = max(float(each.change[0]) for each in found)
        if unit.stops and (sure or (learned and change <= mine.epsilon)):
            self._stop(unit, made, "bound" if sure else "model", 0.0 if sure else change)
        elif unit.stops and not learned:
            self._waiting.append(unit)
        else:
            unit.expected = self._expected(found, made) if unit.stops else mine.most
            unit.target = self._up(unit, made + 1)
            self._ask(unit, made)

    def _expected(self, found: list[Prospects], made: int) -> int:
        """Where an item would stop as it looks; of a bound alone nothing is to be seen ahead."""
        if self._bounded:
            return 0
        needed = max(each.needed(self._rule.most, self._rule.epsilon) for each in found)
        return min(needed, 2 * made)  # a guess: no further than twice what it was made from

    def _stop(self, unit: Unit, made: int, rule: str, change: float) -> None:
        subset, pool, name = unit.name
        mine = self._rule
        asked = mine.most, mine.votes, mine.k_min, mine.epsilon
        self._writer.write(Stop(subset, name, pool, made, *asked, rule, change))
        self._stopped += 1
        unit.finish()
