"""Many requests at once out of a lazy iterator, their results as they come, for ordinary code.

The event loop runs only while the caller waits for the next result: no thread, and Ctrl-C is an exception of
the caller's like any other.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["Pull", "drop_all"]

J = TypeVar("J")
R = TypeVar("R")


def drop_all(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is in flight in a loop that does not run; an interrupted wait is among it."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))


class Pull(Generic[J, R]):
    """`ask(job, put)` is awaited for each job by as many workers as there is room, and puts what it gets."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        jobs: Iterable[J],
        ask: Callable[[J, Callable[[R], None]], Awaitable[None]],
        room: Callable[[], int],
    ) -> None:
        """`room()`: how many workers there may be at the moment; jobs are taken as workers have time."""
        self._loop, self._jobs, self._ask, self._room = loop, iter(jobs), ask, room
        self._ready: deque[R] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._more = True
        self._failure: BaseException | None = None
        self._news: asyncio.Event

    def results(self) -> Iterator[R]:
        """Each as soon as it is there. What a job raises is raised after all results that are there.

        Closing the iterator cancels what is in flight.
        """
        try:
            self._loop.run_until_complete(self._start())
            while True:
                while self._ready:
                    yield self._ready.popleft()
                if self._failure:
                    raise self._failure
                if not self._workers:
                    return
                self._loop.run_until_complete(self._wait())
        finally:
            self._more = False
            drop_all(self._loop)

    async def _start(self) -> None:
        self._news = asyncio.Event()
        self._hire()

    async def _wait(self) -> None:
        await self._news.wait()
        self._news.clear()

    def _hire(self) -> None:
        while self._more and len(self._workers) < self._room():
            worker = self._loop.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._left)

    async def _work(self) -> None:
        while self._more and not self._failure and len(self._workers) <= self._room():
            try:
                job = next(self._jobs)
            except StopIteration:
                self._more = False
                return
            await self._ask(job, self._put)
            self._hire()

    def _put(self, result: R) -> None:
        self._ready.append(result)
        self._news.set()

    def _left(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()):
            self._failure, self._more = self._failure or error, False
        self._news.set()
