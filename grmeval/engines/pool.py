"""Several workers as one engine, or one scorer: one queue of requests, answered by whoever has room.

A worker holds a model somewhere else: in a process of this machine (workers.py), on another one. It hears
and tells the messages below, and what is known of it is only that; what it does with them is serve.py.
"""

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.errors import EngineError, GrmevalError, UsageError
from grmeval.items import Completion, Key, Message, Request

__all__ = [
    "Answered",
    "Count",
    "Counted",
    "End",
    "EnginePool",
    "Event",
    "Failed",
    "Gone",
    "Leave",
    "Order",
    "Pool",
    "Ready",
    "ScorerPool",
    "Took",
    "Work",
    "Worker",
]

_LOG = logging.getLogger(__name__)

UNIT = 32
"""Answers asked of a worker in one piece, at most: an item's, which share its prompt's cache there."""
PATIENCE = 10.0
"""Seconds in which a worker with nothing to do may free its model before it is ended."""


class Work(NamedTuple):
    """To a worker: requests of one item, to be answered together with what it is about already.

    `call`: which call they are of. Between two calls comes End.
    """

    call: int
    requests: tuple[Any, ...]


class End(NamedTuple):
    """To a worker: nothing more is to come for now; answer what there is."""


class Count(NamedTuple):
    """To a worker: how many tokens is this chat?"""

    messages: tuple[Message, ...]


class Leave(NamedTuple):
    """To a worker: free the model, and end."""


Order = Work | End | Count | Leave
"""What a worker is told."""


class Ready(NamedTuple):
    """From a worker: the model is loaded."""

    context: int
    facts: dict[str, str]


class Took(NamedTuple):
    """From a worker: the oldest Work that it had not begun is begun."""


class Answered(NamedTuple):
    """From a worker: the answer to (key, j) in a call, with None for its request: the pool has that."""

    call: int
    key: Key
    j: int
    answer: Any


class Counted(NamedTuple):
    """From a worker: the tokens of the oldest Count that it had not answered."""

    tokens: int


class Failed(NamedTuple):
    """From a worker: why it cannot go on; it is about to end."""

    error: GrmevalError


class Gone(NamedTuple):
    """Of a worker, by whoever watches it: it is no more, and said nothing of it itself."""

    why: str


Event = Ready | Took | Answered | Counted | Failed | Gone
"""What is heard of a worker."""


class Worker(Protocol):
    """A model that is asked by messages. None of its methods raises because it is dead: it tells Gone."""

    name: str
    """For messages: `process 2 of 4 (GPU 1)`."""

    def start(self, tell: Callable[[Event], None]) -> None:
        """Begin to load, and return. `tell` may be called from any thread: what the worker sent, in its order
        and all of it, and Gone last, if it ends."""
        ...

    def send(self, order: Order) -> None:
        """Hand over an order; returns without waiting for what comes of it."""
        ...

    def close(self, patience: float) -> None:
        """It is no more when this returns: by itself within `patience` seconds (after Leave), or killed."""
        ...

    def again(self) -> bool:
        """Whether `start` may be called once more, after it died and was closed."""
        ...


Asked = TypeVar("Asked", Request, ScoreRequest)
Answer = TypeVar("Answer", Completion, Reward)


class _Seat(Generic[Asked]):
    """A worker, and what it was asked and has not answered."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.ready: Ready | None = None
        self.loading, self.gone = True, False
        self.life = 0  # what is told of an earlier one is not heard
        self.out: dict[tuple[Key, int], Asked] = {}
        self.ahead: deque[int] = deque()  # answers in each Work that it has not begun
        self.open = False  # it waits for more, or for End

    @property
    def hungry(self) -> bool:
        """It shall never wait for the pool, nor hoard: what it has not begun, another could."""
        ahead = sum(self.ahead)
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
            _LOG.warning("%s", died)
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
                    asked = seat.out.pop((event.key, event.j))
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
            seat.ahead.append(len(names))
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
        first_line = why.partition("\n")[0]
        self._deaths.append(f"{seat.worker.name} {while_it}: {first_line}")
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
            _LOG.warning("%s%s", self._deaths[-1], goes)

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
