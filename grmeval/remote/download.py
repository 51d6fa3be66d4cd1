"""Downloads that end: asked again within a bound, resumed, checked, and only then put in their place.

Requests go through the session of huggingface_hub, under its proxies, certificates and offline mode.
"""

import contextlib
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from grmeval.errors import ConfigError, InfrastructureError, StoreError
from grmeval.files import sync

if TYPE_CHECKING:
    from httpx2 import Request, Response

__all__ = ["Passing", "causes", "download", "patiently", "plain", "reason"]

T = TypeVar("T")

TRIES = 5
SECONDS = 10.0
"""How long a server may keep silent."""
PATIENCE = 60.0
"""Seconds of waiting between the tries, all together; $GRMEVAL_RETRY_SECONDS says otherwise."""
MOST_BYTES = 64 * 2**30
"""Of a file that `download` takes; a server may send without end."""
MOST_RESUMED = 20
"""How often huggingface_hub may resume a file in one try; it would as long as there is progress."""


class Passing(Exception):
    """What may be gone at the next try, which the server wants `wait` seconds later."""

    def __init__(self, said: str, wait: float = 0.0):
        super().__init__(said)
        self.wait = wait


def patiently(ask: Callable[[], T], flag: str, enough: Callable[[], object] = lambda: None) -> T:
    """What `ask` returns, asked again with back-off while what it raises may pass; else it is raised.

    Waits grow from a thirtieth of the patience (2 s, 4, 8, 16), or are what the server wants; a wait
    beyond the patience that is left ends it. So does a failure where `enough` gives something.
    """
    tried, left = 0, _patience()
    wait = left / 30
    while True:
        tried += 1
        try:
            with _watched():
                return ask()
        except Exception as error:
            wanted = max(wait, *(e.wait for e in causes(error) if isinstance(e, Passing)), 0.0)
            if tried == TRIES or wanted > left or not _may_pass(error) or enough():
                raise
            why = reason(error)
        print(f"{flag}: {why}; trying again in {wanted:.3g} s", file=sys.stderr, flush=True)
        time.sleep(wanted)
        left -= wanted
        wait *= 2


def download(url: str, path: Path, check: Callable[[Path], str | None], flag: str) -> None:
    """Put the file at `url` into `path`, unless a whole one is there.

    `check` says what is wrong with a file, None if nothing is. What has arrived is kept beside it
    (`.part`) and continued. ConfigError: there is no such file; InfrastructureError: it did not come.
    """
    from filelock import FileLock, Timeout
    from httpx2 import HTTPError
    from huggingface_hub import is_offline_mode

    def whole() -> bool:
        return path.exists() and check(path) is None

    shown = plain(url)
    advice = "the same command goes on where it stopped; or get it by other means, for --data"
    try:
        if whole():  # before anything is written: the cache may be read-only
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=0):
            if whole():
                return
            if is_offline_mode():
                raise InfrastructureError(
                    f"{flag}: HF_HUB_OFFLINE is set, and {shown} is not here yet: unset it, or name a copy "
                    "with --data PATH"
                )
            part = path.with_name(f"{path.name}.part")
            print(f"{flag}: downloading {shown}", file=sys.stderr, flush=True)
            patiently(lambda: _arrive(url, part, lambda: check(part)), flag)
            sync(part)
            part.replace(path)
            _etag_of(part).unlink(missing_ok=True)
            sync(path.parent)
    except Timeout:
        raise StoreError(f"{flag}: {path} is being downloaded by another process") from None
    except (Passing, HTTPError) as error:
        raise InfrastructureError(
            f"{flag}: {shown} was not downloaded: {reason(error)}; {advice}"
        ) from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from None


def _arrive(url: str, part: Path, check: Callable[[], str | None]) -> None:
    """One try: bring `part` from what it holds to the whole file."""
    from httpx2 import InvalidURL, UnsupportedProtocol
    from huggingface_hub import get_session

    headers = {"Accept-Encoding": "identity"}
    if part.exists() and _etag_of(part).exists():
        headers["Range"] = f"bytes={part.stat().st_size}-"
        headers["If-Range"] = _etag_of(part).read_text("ascii", "ignore")
    how: dict[str, Any] = {"headers": headers, "timeout": SECONDS, "follow_redirects": True}
    try:
        with get_session().stream("GET", url, **how) as response:
            whole = _receive(response, url, part)
    except (InvalidURL, UnsupportedProtocol) as error:
        raise ConfigError(f"{plain(url)}: {error}; is GRMEVAL_GITHUB right?") from None
    wrong = check() if whole in (None, part.stat().st_size) else "its length is wrong"
    if wrong:
        part.unlink()
        raise Passing(f"what came from {plain(url)} is damaged: {wrong}")


def _receive(response: "Response", url: str, part: Path) -> int | None:
    """Write what comes behind what is there, or in its place; the length of the whole, if it is told."""
    if response.status_code == 404:
        raise ConfigError(
            f"{plain(url)}: not found (404); has it moved? Name a copy with --data PATH"
        )
    resumed = response.status_code == 206
    if response.status_code == 416 or (resumed and _start(response) != _size(part)):
        part.unlink(missing_ok=True)
        raise Passing(f"{plain(url)}: cannot be resumed (HTTP {response.status_code})")
    response.raise_for_status()
    if not resumed:
        part.unlink(missing_ok=True)  # first: an ETag names the bytes beside it
        _etag_of(part).unlink(missing_ok=True)
        etag = response.headers.get("ETag", "")
        if etag.startswith('"') and etag.isascii():  # a weak one names no bytes
            _etag_of(part).write_text(etag, "ascii")
    told = response.headers.get("Content-Range", "").rpartition("/")[2] if resumed else ""
    whole = _number(told or response.headers.get("Content-Length", ""))
    size = _size(part)
    with part.open("ab") as file:
        _check_size(url, part, whole or 0)
        for chunk in response.iter_raw():
            size += len(chunk)
            _check_size(url, part, size)
            file.write(chunk)
    return whole


def _check_size(url: str, part: Path, size: int) -> None:
    if size > MOST_BYTES:
        part.unlink()
        raise InfrastructureError(
            f"{plain(url)}: more than {MOST_BYTES:,} bytes, which no archive of rows has; get a copy by "
            "other means, and name it with --data PATH"
        )


def _start(response: "Response") -> int:
    """Where the part that a server sends begins: `bytes 100-199/200`."""
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    start = _number(first)
    return -1 if start is None else start


def _number(told: str) -> int | None:
    """What a header counts; str.isdigit is also true of what int refuses."""
    return int(told) if re.fullmatch("[0-9]{1,18}", told) else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _etag_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """Inside, no request of the session is without a timeout, and what may pass is raised as Passing.

    huggingface_hub lists files without a timeout; it asks again after some failures and not after
    others, for minutes, or as long as a server wants (Retry-After): that is left to `patiently`.
    """
    from huggingface_hub import get_session

    asked = Counter[str]()

    def ask(request: "Request") -> None:
        limits = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {k: v or SECONDS for k, v in limits.items()}
        asked[f"{request.method} {request.url}"] += 1
        most = MOST_RESUMED if "Range" in request.headers else 1
        if asked[f"{request.method} {request.url}"] > most:
            raise Passing(f"no whole answer from {plain(str(request.url))}")

    def answered(response: "Response") -> None:
        if response.status_code in (408, 429) or response.status_code >= 500:
            wait = _retry_after(response)
            wants = f", which wants to be left alone for {wait:,.0f} s" if wait else ""
            raise Passing(
                f"HTTP {response.status_code} from {plain(str(response.request.url))}{wants}", wait
            )

    session = get_session()
    own = session.event_hooks
    session.event_hooks = {
        "request": [*own["request"], ask],
        "response": [*own["response"], answered],
    }
    try:
        yield
    finally:
        session.event_hooks = own


def plain(text: str) -> str:
    """A text whose URLs hold no secret: no name and password, no query (a signature)."""
    return re.sub(r"(\w+://)(?:[^\s/?#]*@)?([^\s?#'\"]*)(?:[?#][^\s'\"]*)?", r"\1\2", text)


def _retry_after(response: "Response") -> float:
    """Seconds until a server wants to be asked again; 0 where it does not say."""
    told = response.headers.get("Retry-After", "").strip()
    if (seconds := _number(told)) is not None:
        return float(seconds)
    with contextlib.suppress(ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    spent = re.search(
        r"\br=0\s*;\s*t=(\d+)", response.headers.get("RateLimit", "")
    )  # the hub's way
    return float(spent[1]) if spent else 0.0


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from: huggingface_hub wraps what its HTTP library raised."""
    while error:
        yield error
        error = error.__cause__


def reason(error: BaseException) -> str:
    """What happened, in a line."""
    *_, first = (error, *causes(error))
    named = first if isinstance(first, Passing) else f"{type(first).__name__}: {first}"
    return plain(str(named).partition("\n")[0])


def _may_pass(error: BaseException) -> bool:
    from httpx2 import ReadError, RemoteProtocolError, TimeoutException, WriteError

    kinds = (Passing, TimeoutException, ReadError, WriteError, RemoteProtocolError)
    return any(isinstance(cause, kinds) for cause in causes(error))


def _patience() -> float:
    told = os.environ.get("GRMEVAL_RETRY_SECONDS") or PATIENCE
    try:
        seconds = float(told)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ConfigError(f"GRMEVAL_RETRY_SECONDS={told}: expected seconds, 0 or more")
    return seconds
