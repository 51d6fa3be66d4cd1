"""What a worker of a pool does: it loads a model, and answers until it is told to leave, or alone.

In a process of its own (`main`, started by workers.py) it ends with the process at the other end of its pipe,
whatever ends that.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from grmeval.engines.messages import (
    Answered,
    Count,
    Counted,
    Done,
    End,
    Event,
    Failed,
    Leave,
    Order,
    Ready,
    Took,
    Work,
)
from grmeval.errors import EngineError, GrmevalError

__all__ = ["main", "serve"]


def serve(
    open_model: Callable[[], Any], inbox: "SimpleQueue[Order]", tell: Callable[[Event], None]
) -> None:
    """Load an Engine or a Scorer, and do what comes into the inbox until Leave; what goes wrong is told."""
    try:
        model = open_model()
        tell(Ready(model.context, model.facts()))
        answers = model.generate if hasattr(model, "generate") else model.score
        while not isinstance(order := inbox.get(), Leave):
            if isinstance(order, Count):
                tell(Counted(model.prompt_tokens(order.messages)))
            elif isinstance(order, Work):
                for answer in answers(_begun(order, inbox, tell)):
                    request = answer.request
                    # A Reward's request is of one j; a Completion says which of its request's it is.
                    j = answer.j if hasattr(answer, "j") else request.j
                    tell(Answered(order.call, request.key, j, answer._replace(request=None)))
                tell(Done())
        model.close()
    except GrmevalError as error:
        tell(Failed(_noted(error)))
    except Exception as error:
        said = f"{type(error).__name__}: {error}\n(`grmeval --debug …` shows where)"
        tell(Failed(_noted(EngineError(said))))


def _begun(
    order: Order, inbox: "SimpleQueue[Order]", tell: Callable[[Event], None]
) -> Iterator[Any]:
    """Requests as an engine pulls them, until End; between two it waits: the pool is never far behind."""
    while isinstance(order, Work):
        tell(Took())
        yield from order.requests
        order = inbox.get()
    if not isinstance(order, End):
        inbox.put(order)


def _noted(error: GrmevalError) -> GrmevalError:
    """With the traceback, which would stay here: --debug shows it."""
    error.add_note(traceback.format_exc())
    return error


def main(descriptor: int, cores: tuple[int, ...]) -> None:
    """Serve whoever holds the other end of a pipe; the first thing that comes through it opens the model."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this one ends it
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)  # before there are threads
    pipe = Connection(descriptor)
    os.register_at_fork(after_in_child=pipe.close)  # the other end shall see when this process ends
    inbox: SimpleQueue[Any] = SimpleQueue()

    def listen() -> None:
        try:
            while True:
                inbox.put(pipe.recv())
        except EOFError:
            pass
        finally:  # nobody is there to work for: nor for those that were started here
            sys.stderr.flush()
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=listen, name="orders", daemon=True).start()
    serve(inbox.get(), inbox, pipe.send)
