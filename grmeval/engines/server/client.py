"""JSON to one of several servers and back: slots, retries, and a name for every way in which it can end.

An answer, `Refused` (this request would be refused again), or EngineError (the run ends, and what to do).
Nothing here knows what is asked. The key is in a header and nowhere else: no message holds it.
"""

import asyncio
import json
import os
import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from logging import getLogger
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from grmeval.engines.server.address import is_local, joined, proxy_of
from grmeval.engines.server.limit import LOCAL, REMOTE, Limit, fixed
from grmeval.engines.server.refusal import Refused, ends_the_run
from grmeval.engines.server.retry import BUSY, Patience, described, may_pass, patience, retry_after
from grmeval.engines.server.slots import Server, Slots
from grmeval.errors import EngineError

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["Answer", "Client", "Unreadable", "api_key"]

T = TypeVar("T")
_LOG = getLogger(__name__)

TIMEOUT = 600.0
"""Seconds for one answer, the server's queue included."""
SLOW = 1 / 4
"""Of the timeout: a server that takes so long is not asked for more at a time."""
CONNECT = 10.0
KEEP_ALIVE = 4.0
"""Seconds; servers of the field close idle connections after 5."""
GOES_ON = "what is finished is kept, and the same command goes on"


class Unreadable(Exception):
    """What came is not what a server answers: it is asked again."""


class Answer(NamedTuple, Generic[T]):
    """What came back; `lost` of the `attempts` before were sent, and what they were answered is not known."""

    value: T
    attempts: int
    lost: int
    seconds: float


class _Failure(NamedTuple):
    """Why an attempt has no answer, where the next may have one."""

    said: str
    lost: bool = False
    own_wait: bool = True
    """Whether the request waits by itself; else the server is left alone."""


class Client:
    """Use inside one event loop; `close` in the end."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        key: str | None = None,
        concurrency: int | None = None,
        timeout: float | None = None,
        patient: Patience | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """`concurrency`: in flight at each server; None: it is found. `timeout`: seconds for one answer.

        `patient`: None: as the environment says, and 300 s.
        """
        timeout = timeout or TIMEOUT
        if find_spec("aiohttp") is None:
            raise EngineError(
                "--engine server: the package aiohttp is not installed: pip install 'grmeval[server]', in a "
                "checkout pip install '.[server]'"
            )
        self._slots = Slots(
            [
                Server(url, Limit(_preset(url, concurrency), SLOW * timeout), proxy_of(url))
                for url in urls
            ]
        )
        self._key, self._timeout = key, timeout
        self._patience = patient or patience()
        self._rng = rng or random.Random()  # when a request goes out, never what it says
        self._session: ClientSession | None = None
        self._answered = float("-inf")
        self.attempts = self.answers = self.lost = 0
        """Requests sent, answered, and sent to an unknown end, since the start."""

    @property
    def urls(self) -> list[str]:
        """In the order they were given."""
        return [server.url for server in self._slots.servers]

    @property
    def room(self) -> int:
        """What may be in flight at all servers together, at the moment."""
        return sum(server.limit.size for server in self._slots.servers)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        read: Callable[[Any], T],
        *,
        weight: int = 1,
    ) -> Answer[T]:
        """What `read` makes of the JSON that comes back; it raises Unreadable where that makes no sense.

        `path`: see `joined`. `weight`: what the request counts in flight. Refused: this one is not taken.
        EngineError: nobody is to be asked further.
        """
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        return await self._ask("POST", path, data, read, weight)

    async def get(
        self, path: str, read: Callable[[Any], T], *, url: str, patient: Patience | None = None
    ) -> Answer[T]:
        """As `post`, of one server."""
        (server,) = (each for each in self._slots.servers if each.url == url)
        return await self._ask("GET", path, None, read, 0, server, patient)

    async def close(self) -> None:
        """Drop all connections."""
        self._slots.close()
        session, self._session = self._session, None
        if session:
            await session.close()

    # ------------------------------------------------------------------ asking

    async def _ask(
        self,
        method: str,
        path: str,
        data: bytes | None,
        read: Callable[[Any], T],
        weight: int,
        only: Server | None = None,
        patient: Patience | None = None,
    ) -> Answer[T]:
        patient = patient or self._patience
        began = time.monotonic()
        failures = lost = 0
        since = float("inf")
        while True:
            server = await (self._slots.rested(only) if only else self._slots.take(weight))
            try:
                found = await self._attempt(server, method, path, data, read, weight)
            finally:
                if not only:
                    self._slots.give(server, weight)
            now = time.monotonic()
            if not isinstance(found, _Failure):
                self.answers += 1
                self._answered = now
                return Answer(found, failures + 1, lost, now - began)
            failures += 1
            lost += found.lost
            self.lost += found.lost
            since = min(since, now)
            # As long as others are answered, this one waits in a line.
            if patient.spent(failures, max(since, self._answered), now):
                raise EngineError(
                    f"{server.url}: {found.said}; given up after {failures} tries in "
                    f"{now - began:.0f} s; {GOES_ON}"
                )
            if found.own_wait:
                await asyncio.sleep(patient.wait(failures, self._rng))

    async def _attempt(
        self,
        server: Server,
        method: str,
        path: str,
        data: bytes | None,
        read: Callable[[Any], T],
        weight: int,
    ) -> T | _Failure:
        """One request; Refused and EngineError as in `post`."""
        import aiohttp

        began = time.monotonic()
        self.attempts += 1
        try:
            async with self._open().request(
                method,
                joined(server.url, path),
                data=data,
                proxy=server.proxy,
                allow_redirects=False,
            ) as response:
                status, headers = response.status, response.headers
                content = await response.read()
        except aiohttp.InvalidURL:
            raise EngineError(f"--base-url {server.url}: no address of a server") from None
        except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as error:
            raise EngineError(
                f"{server.url}: its certificate is not trusted ({_first_line(error)}); SSL_CERT_FILE names "
                "further authorities"
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return self._not_reached(server, _first_line(error))
        except TimeoutError:
            said = f"no answer in {self._timeout:g} s; fewer at a time may help: --concurrency N"
            return _Failure(said, lost=True)
        except (aiohttp.ClientError, OSError) as error:
            return _Failure(f"the connection broke ({_first_line(error)})", lost=True)
        server.unreached = 0
        seconds = time.monotonic() - began
        if status != 200:
            if method == "GET" and status in (404, 405):  # many have no list of models
                raise Refused(status, "")
            return self._not_answered(server, status, headers, content, seconds)
        try:
            value = read(json.loads(content))
        except (ValueError, RecursionError, Unreadable) as error:
            said = str(error) if isinstance(error, Unreadable) else "no JSON"
            return _Failure(f"its answer cannot be read ({self.plain(said)})", lost=True)
        if weight:
            server.limit.answered(weight, server.used, seconds)
        return value

    def _not_reached(self, server: Server, said: str) -> _Failure:
        server.unreached += 1
        wait = self._patience.wait(server.unreached, self._rng)
        server.rest_until = max(server.rest_until, time.monotonic() + wait)
        if server.unreached == 1:
            _LOG.warning("%s cannot be reached (%s); it is tried again", server.url, said)
        return _Failure(f"cannot be reached ({said})", own_wait=False)

    def _not_answered(
        self,
        server: Server,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        seconds: float,
    ) -> _Failure:
        message, code = (self.plain(text) for text in described(content))
        refused = Refused(status, message, code)
        if advice := ends_the_run(refused):
            raise EngineError(f"{server.url}: {refused}; {advice}")
        if not may_pass(status):
            raise refused
        now = time.monotonic()
        if status in BUSY and server.limit.refused(now, seconds):
            _LOG.info("%s: HTTP %d, now %d in flight", server.url, status, server.limit.size)
        wish = retry_after(headers, time.time())
        if wish:
            rest = min(wish, self._patience.longest_wish)
            server.rest_until = max(server.rest_until, now + rest)
        return _Failure(str(refused), own_wait=not wish)

    def plain(self, text: str) -> str:
        """A text of a server's without the key, should it repeat that."""
        return text.replace(self._key, "…") if self._key else text

    def _open(self) -> "ClientSession":
        if self._session is None:
            import aiohttp

            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=KEEP_ALIVE, ttl_dns_cache=300
                ),
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECT),
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def api_key(urls: Sequence[str] = ()) -> str | None:
    """From the environment alone: GRMEVAL_API_KEY, else OPENAI_API_KEY.

    The second was not set for these servers: it goes to none that is far away and without TLS.
    """
    found = os.environ.get("GRMEVAL_API_KEY") or ""
    if all(url.startswith("https:") or is_local(url) for url in urls):
        found = found or os.environ.get("OPENAI_API_KEY") or ""
    if any(ord(letter) < 33 or ord(letter) > 126 for letter in found.strip()):
        raise EngineError("GRMEVAL_API_KEY (or OPENAI_API_KEY): a key has no spaces and is ASCII")
    return found.strip() or None


def _preset(url: str, concurrency: int | None) -> Any:
    if concurrency is not None:
        return fixed(concurrency)
    return LOCAL if is_local(url) else REMOTE


def _first_line(error: BaseException) -> str:
    """What a library says of an address or a connection; it knows no headers there."""
    cause = getattr(error, "os_error", None) or error
    text = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
    return str(text).partition("\n")[0][:200]
