"""Several workers as one engine, or one scorer: one queue of requests, answered by whoever has room."""

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, groupby
from queue import SimpleQueue
from typing import Generic, TypeVar

from grmeval.engines.messages import (
    Answered,
    Count,
    Counted,
    Done,
    End,
    Event,
    Failed,
    Gone,
    Leave,
    Ready,
    Took,
    Work,
    Worker,
)
from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.errors import EngineError, GrmevalError, UsageError
from grmeval.items import Completion, Key, Message, Request

__all__ = ["EnginePool", "Pool", "ScorerPool"]

_LOG = logging.getLogger(__name__)

UNIT = 32
"""Answers asked of a worker in one piece, at most: an item's, which share its prompt's cache there."""
PATIENCE = 10.0
"""Seconds in which a worker with nothing to do may free its model before it is ended."""

Asked = TypeVar("Asked", Request, ScoreRequest)
Answer = TypeVar("Answer", Completion, Reward)
Name = tuple[Key, int]
"""An answer's: an item, and which of its samples."""


class _Seat(Generic[Asked]):
    """A worker, and what it was asked and has not answered."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.ready: Ready | None = None
        self.loading, self.gone = True, False
        self.life = 0  # what is told of an earlier one is not heard
        self.out: dict[Name, Asked] = {}
        self.ahead: deque[list[Name]] = deque()  # of each Work that it has not begun
        self.open = False  # it waits for more, or for End

    @property
    def hungry(self) -> bool:
        """It shall never wait for the pool, nor hoard: what it has not begun, another could."""
        ahead = sum(map(len, self.ahead))
        return not self.loading and (len(self.ahead) < 2 or ahead < (len(self.out) - ahead) // 2)


class Pool(ABC, Generic[Asked, Answer]):
    """Workers that load on their own, and share what is asked.

    What a worker has not answered when it dies goes to the others, sample by sample, so that none is asked
    for twice and none is lost; what ends them all is an EngineError. Answers are named by (key, j): that pair
    is unique among the requests of one call.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        facts: Mapping[str, str],
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the workers, and wait until each is loaded or dead; `facts`: what is said of all together.

        `leave` is called when all are closed, also where none could be loaded.

        UsageError: what one says of its settings, as all would. EngineError: none could be loaded, for the
        reason of the first.
        """
        self._heard: SimpleQueue[tuple[_Seat[Asked], int, Event]] = SimpleQueue()
        self._seats: list[_Seat[Asked]] = [_Seat(worker) for worker in workers]
        self._back: deque[tuple[Asked, ...]] = deque()
        self._told: dict[str, str] = dict(facts)
        self._deaths: list[str] = []
        self._leave = leave
        self._first: str | None = None
        self._call = 0
        self._unheard = False  # a call was closed before it was answered
        try:
            for seat in self._seats:
                self._start(seat)
            while any(seat.loading and not seat.gone for seat in self._seats):
                self._hear()
        except BaseException:
            self._end(0.0)
            raise
        for died in self._deaths:  # where all have, the error says it
            _LOG.warning("%s", _begin(died))
        self.context = min(seat.ready.context for seat in self._alive() if seat.ready)

    def facts(self) -> dict[str, str]:
        """Those of one engine, and of all together; who has died by now, and of what."""
        ready = next(seat.ready for seat in self._seats if seat.ready)
        died = {"died": "; ".join(self._deaths)} if self._deaths else {}
        return {**ready.facts, "workers": str(len(self._seats)), **self._told, **died}

    def _start(self, seat: _Seat[Asked]) -> None:
        seat.worker.start(partial(self._tell, seat, seat.life))

    def _tell(self, seat: _Seat[Asked], life: int, event: Event) -> None:
        self._heard.put((seat, life, event))

    def close(self) -> None:
        """Free the models: those that are at work at once."""
        self._end(0.0 if self._unheard or any(seat.out for seat in self._seats) else PATIENCE)

    def _end(self, patience: float) -> None:
        try:
            for seat in self._seats:
                if patience and not seat.gone:
                    seat.worker.send(Leave())
            for seat in self._seats:
                seat.gone = True
                seat.worker.close(patience)
        finally:
            self._leave()

    def _alive(self) -> list[_Seat[Asked]]:
        return [seat for seat in self._seats if not seat.gone]

    def _answers(self, requests: Iterable[Asked]) -> Iterator[Answer]:
        """Answers as they come, in any order; closing it leaves what is in flight unheard."""
        units = self._units(requests)
        self._call += 1
        try:
            while self._hand_out(units) or any(seat.out for seat in self._seats):
                seat, event = self._hear()
                # What is told of a call that was closed, or of the dead, is not heard.
                if isinstance(event, Answered) and event.call == self._call and not seat.gone:
                    asked = seat.out.pop((event.key, event.j), None)
                    if asked is not None:  # else it is answered already
                        yield event.answer._replace(request=asked)
        finally:
            self._back.clear()
            for seat in self._alive():
                self._unheard |= bool(seat.out)
                seat.out.clear()
                self._finish(seat)

    def _hand_out(self, units: Iterator[tuple[Asked, ...]]) -> bool:
        """Give what there is to whoever wants it, to the one with least first; whether there may be more."""
        while hungry := [seat for seat in self._alive() if seat.hungry]:
            unit = self._back.popleft() if self._back else next(units, None)
            if unit is None:
                for seat in self._alive():
                    self._finish(seat)
                return False
            seat = min(hungry, key=lambda seat: len(seat.out))
            names = {(each.key, j): each for each in unit for j in self._js(each)}
            seat.out |= names
            seat.ahead.append(list(names))
            seat.open = True
            seat.worker.send(Work(self._call, unit))
        return True

    def _finish(self, seat: _Seat[Asked]) -> None:
        if seat.open:
            seat.worker.send(End())
            seat.open = False

    def _hear(self) -> tuple[_Seat[Asked], Event]:
        """The next news; what it means for the worker itself is done."""
        seat, life, event = self._heard.get()
        while life != seat.life:
            seat, life, event = self._heard.get()
        if seat.gone:  # it told why itself, or is not listened to any more
            pass
        elif isinstance(event, Ready):
            seat.ready, seat.loading = event, False
        elif isinstance(event, Took):
            seat.ahead.popleft()
        elif isinstance(event, Done):
            still = set(chain.from_iterable(seat.ahead))
            seat.out = {name: asked for name, asked in seat.out.items() if name in still}
        elif isinstance(event, Failed):
            if isinstance(event.error, UsageError):  # the others would say the same
                raise event.error
            self._lose(seat, str(event.error), event.error)
        elif isinstance(event, Gone):
            self._lose(seat, event.why)
        return seat, event

    def _lose(self, seat: _Seat[Asked], why: str, error: GrmevalError | None = None) -> None:
        """A worker is dead: what it has not answered goes back; EngineError: it was the last."""
        seat.gone = True
        seat.worker.close(0.0)
        lost = len(seat.out)
        left: dict[int, tuple[Asked, list[int]]] = {}
        for (_, j), asked in seat.out.items():
            left.setdefault(id(asked), (asked, []))[1].append(j)
        seat.out.clear()
        rest = (self._part(asked, tuple(js)) for asked, js in left.values())
        self._back.extend(self._units(rest))
        again = not seat.loading and seat.worker.again()
        while_it = "could not be loaded" if seat.loading else "died"
        self._deaths.append(f"{seat.worker.name} {while_it}: {why}")
        if self._first is None:
            kept = "what is finished is kept: run the same command again"
            self._first = str(error or f"{seat.worker.name} {while_it}: {why}\n({kept})")
        if again:
            seat.life, seat.loading, seat.gone, seat.open = seat.life + 1, True, False, False
            seat.ahead.clear()
            self._start(seat)
        if not self._alive():
            raise EngineError(self._first) from error
        if seat.ready:
            others = "are asked again, it is started again" if again else "go to the others"
            goes = f"; its {lost:,} unanswered samples {others}" if lost or again else ""
            _LOG.warning("%s%s", _begin(self._deaths[-1]), goes)

    def _units(self, requests: Iterable[Asked]) -> Iterator[tuple[Asked, ...]]:
        """Requests of one item that follow one another, together, as long as they are few."""
        for _, together in groupby(requests, key=lambda asked: asked.key):
            unit, size = list[Asked](), 0
            for asked in together:
                js = self._js(asked)
                for at in range(0, len(js), UNIT):
                    some = js[at : at + UNIT]
                    if unit and size + len(some) > UNIT:
                        yield tuple(unit)
                        unit, size = [], 0
                    unit.append(asked if len(some) == len(js) else self._part(asked, some))
                    size += len(some)
            if unit:
                yield tuple(unit)

    @abstractmethod
    def _js(self, asked: Asked) -> tuple[int, ...]:
        """Which answers a request wants."""

    @abstractmethod
    def _part(self, asked: Asked, js: tuple[int, ...]) -> Asked:
        """The request for these of its answers."""


def _begin(text: str) -> str:
    return text.partition("\n")[0]


class EnginePool(Pool[Request, Completion]):
    """An Engine made of several."""

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See Engine; a worker counts. Not while something is generated."""
        while True:
            asked = self._alive()[0]
            life = asked.life
            asked.worker.send(Count(messages))
            while not asked.gone:
                seat, event = self._hear()
                if asked.life != life:
                    break  # it died, and knows nothing of the question
                if seat is asked and isinstance(event, Counted):
                    return event.tokens

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """See Engine."""
        return self._answers(requests)

    def _js(self, asked: Request) -> tuple[int, ...]:
        return asked.js

    def _part(self, asked: Request, js: tuple[int, ...]) -> Request:
        return replace(asked, js=js)


class ScorerPool(Pool[ScoreRequest, Reward]):
    """A Scorer made of several."""

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        """See Scorer."""
        return self._answers(requests)

    def _js(self, asked: ScoreRequest) -> tuple[int, ...]:
        return (asked.j,)

    def _part(self, asked: ScoreRequest, js: tuple[int, ...]) -> ScoreRequest:
        return asked
