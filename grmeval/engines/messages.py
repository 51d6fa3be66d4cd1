"""What a worker of a pool is, and what the two say to one another.

A worker holds a model somewhere else: in a process of this machine (workers.py), on another machine. What it
does with what it is told is serve.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from grmeval.errors import GrmevalError
from grmeval.items import Key, Message

__all__ = [
    "Answered",
    "Count",
    "Counted",
    "Done",
    "End",
    "Event",
    "Failed",
    "Gone",
    "Leave",
    "Order",
    "Ready",
    "Took",
    "Work",
    "Worker",
]


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


class Done(NamedTuple):
    """From a worker: all that it had begun is over; what it has not answered of that, it never will."""


class Counted(NamedTuple):
    """From a worker: the tokens of the oldest Count that it had not answered."""

    tokens: int


class Failed(NamedTuple):
    """From a worker: why it cannot go on; it is about to end."""

    error: GrmevalError


class Gone(NamedTuple):
    """Of a worker, by whoever watches it: it is no more, and said nothing of it itself."""

    why: str


Event = Ready | Took | Answered | Done | Counted | Failed | Gone
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
