"""JSON to one of several servers and back: slots, retries, and a name for every way in which it can end.

An answer, `Refused` (this request would be refused again), or EngineError (the run ends, and what to do).
Nothing here knows what is asked. The key is in a header and nowhere else: no message holds it.
"""

import asyncio
import json
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
from grmeval.unicode import cleaned

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["Answer", "Client", "Unreadable"]

T = TypeVar("T")
_LOG = getLogger(__name__)

TIMEOUT = 600.0
"""Seconds for one answer, the server's queue included."""
SLOW = 1 / 4
"""Of the timeout: a server that takes so long is not asked for more at a time."""
CONNECT = LIST = 10.0
SECRET = 8
"""Characters; a shorter key is a word such as EMPTY, for servers that want any, and answers may hold it."""
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
        self._secret = key if key and len(key) >= SECRET else None
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
        url: str | None = None,
    ) -> Answer[T]:
        """What `read` makes of the JSON that comes back; it raises Unreadable where that makes no sense.

        `path`: see `joined`. `weight`: what the request counts in flight. `url`: this server, whatever it has
        in flight. Refused: this one is not taken. EngineError: nobody is to be asked further.
        """
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        only = self._server(url) if url else None
        return await self._ask("POST", path, data, read, 0 if only else weight, only)

    async def get(
        self, path: str, read: Callable[[Any], T], *, url: str, patient: Patience | None = None
    ) -> Answer[T]:
        """As `post`, of one server."""
        return await self._ask("GET", path, None, read, 0, self._server(url), patient)

    async def close(self) -> None:
        """Drop all connections."""
        self._slots.close()
        session, self._session = self._session, None
        if session:
            await session.close()

    # ------------------------------------------------------------------ asking

    def _server(self, url: str) -> Server:
        return next(server for server in self._slots.servers if server.url == url)

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
        began = time.monotonic()
        sent = await self._send(server, method, path, data)
        if isinstance(sent, _Failure):
            return sent
        status, headers, content = sent
        server.unreached = 0
        seconds = time.monotonic() - began
        found = self._read(content)
        if status != 200:
            if method == "GET" and status in (404, 405):  # many have no list of models
                raise Refused(status, "")
            return self._not_answered(server, status, headers, found, seconds)
        try:
            if isinstance(found, str):
                raise Unreadable("no JSON")
            value = read(found)
        except Unreadable as error:
            return _Failure(f"its answer cannot be read ({error})", lost=True)
        if weight:
            server.limit.answered(weight, server.used, seconds)
        return value

    async def _send(
        self, server: Server, method: str, path: str, data: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes] | _Failure:
        """(status, headers, body) of an answer."""
        import aiohttp

        self.attempts += 1
        total = min(self._timeout, LIST) if method == "GET" else self._timeout
        try:
            async with self._open().request(
                method,
                joined(server.url, path),
                data=data,
                proxy=server.proxy,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=total, sock_connect=CONNECT),
            ) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.InvalidURL, UnicodeError):  # the second: no host has such a name
            raise EngineError(f"--base-url {server.url}: no address of a server") from None
        except aiohttp.ClientHttpProxyError as error:  # its text has the proxy's password
            if may_pass(error.status):
                return _Failure(f"HTTP {error.status} from the proxy")
            said = f"the proxy of the environment refuses it: HTTP {error.status}"
            advice = ends_the_run(Refused(407, "")) if error.status == 407 else GOES_ON
            raise EngineError(f"{server.url}: {said}; {advice}") from None
        except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as error:
            raise EngineError(
                f"{server.url}: its certificate is not trusted ({_first_line(error)}); SSL_CERT_FILE names "
                "further authorities"
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return self._not_reached(server, _first_line(error))
        except TimeoutError:
            said = f"no answer in {total:g} s; fewer at a time may help: --concurrency N"
            return _Failure(said, lost=True)
        except (aiohttp.ClientError, OSError) as error:
            return _Failure(f"the connection broke ({_first_line(error)})", lost=True)

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
        found: Any,
        seconds: float,
    ) -> _Failure:
        refused = Refused(status, *described(found))
        if advice := ends_the_run(refused):
            raise EngineError(f"{server.url}: {refused}; {advice}")
        if refused.too_long or not (may_pass(status) or refused.rate_limited):
            raise refused
        now = time.monotonic()
        if (status in BUSY or refused.rate_limited) and server.limit.refused(now, seconds):
            _LOG.info("%s: HTTP %d, now %d in flight", server.url, status, server.limit.size)
        wish = retry_after(headers, time.time())
        if wish:
            rest = min(wish, self._patience.longest_wish)
            server.rest_until = max(server.rest_until, now + rest)
        return _Failure(str(refused), own_wait=not wish)

    def _read(self, content: bytes) -> Any:
        """JSON, or the text that is none, without the key, should the server repeat that."""
        try:
            return cleaned(json.loads(content), self._secret)
        except (ValueError, RecursionError):
            return cleaned(content.decode("utf-8", "replace"), self._secret)

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
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _preset(url: str, concurrency: int | None) -> Any:
    if concurrency is not None:
        return fixed(concurrency)
    return LOCAL if is_local(url) else REMOTE


def _first_line(error: BaseException) -> str:
    """What a library says of an address or a connection; it knows no headers there."""
    cause = getattr(error, "os_error", None) or error
    text = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
    return str(text).partition("\n")[0][:200]
