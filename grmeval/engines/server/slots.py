"""Which server a request goes to, and when: each has slots as its limit says; who waits is served in turn."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from grmeval.engines.server.limit import Limit

__all__ = ["Server", "Slots"]


@dataclass
class Server:
    """One address. `used`: what is in flight there; until `rest_until` (monotonic) it is left alone."""

    url: str
    limit: Limit
    proxy: str | None
    used: int = 0
    rest_until: float = 0.0
    unreached: int = 0
    """Times in a row that no connection came about; until one does, one request at a time tries."""


class Slots:
    """Of one event loop."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = list(servers)
        self._waiting: deque[tuple[asyncio.Future[Server], int]] = deque()
        self._wake: asyncio.TimerHandle | None = None

    async def take(self, weight: int) -> Server:
        """The least loaded server with room for so much, as soon as there is one."""
        server = None if self._waiting else self._free(weight)
        if server:
            server.used += weight
            return server
        place: asyncio.Future[Server] = asyncio.get_running_loop().create_future()
        self._waiting.append((place, weight))
        self._hand_out()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give(place.result(), weight)
            raise

    async def rested(self, server: Server) -> Server:
        """This server, once it may be asked; takes no slot."""
        await asyncio.sleep(max(0.0, server.rest_until - time.monotonic()))
        return server

    def give(self, server: Server, weight: int) -> None:
        """What was taken is free again."""
        server.used -= weight
        self._hand_out()

    def close(self) -> None:
        """Nobody waits any more."""
        if self._wake:
            self._wake.cancel()

    def _hand_out(self) -> None:
        while self._waiting:
            place, weight = self._waiting[0]
            if not place.done():  # else nobody waits for it any more
                server = self._free(weight)
                if server is None:
                    self._look_again()
                    return
                server.used += weight
                place.set_result(server)
            self._waiting.popleft()

    def _free(self, weight: int) -> Server | None:
        now = time.monotonic()
        able = [s for s in self.servers if s.rest_until <= now and _has_room(s, weight)]
        return min(able, key=lambda server: server.used / server.limit.size, default=None)

    def _look_again(self) -> None:
        """When a server that rests may be asked."""
        now = time.monotonic()
        resting = [s.rest_until for s in self.servers if s.rest_until > now]
        if self._wake:
            self._wake.cancel()
        self._wake = None
        if resting:
            loop = asyncio.get_running_loop()
            self._wake = loop.call_later(min(resting) - now + 0.001, self._hand_out)


def _has_room(server: Server, weight: int) -> bool:
    """An idle server takes any weight; one that is not reached takes one request at a time."""
    if not server.used:
        return True
    return not server.unreached and server.used + weight <= server.limit.size
