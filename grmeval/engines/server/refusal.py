"""What a server says no to: one request, or every one that is still to come."""

import re
from collections.abc import Sequence
from typing import Generic, TypeVar

from grmeval.errors import EngineError

__all__ = ["Refusals", "Refused", "ends_the_run"]

R = TypeVar("R")

REFUSED_IN_A_ROW = 32
"""Requests, none of them taken: it is not about these."""

_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum context|max_model_len|exceed_context_size|prompt is too long"
    r"|(?:input|prompt|request|inputs)\b.{0,60}\b(?:too long|too large|exceeds?|longer than)"
    r"|must have less than \d+ tokens|reduce the length",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|\bmodel\b.{0,200}\b(?:does not exist|not found|not exist|unknown|not supported by this)"
    r"|(?:unknown|no such|invalid) model\b",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(
    r"insufficient_quota|insufficient (?:balance|credit)|billing|exceeded your current quota",
    re.IGNORECASE,
)
_RATE = re.compile(r"rate_limit|tokens per (?:min|day)", re.IGNORECASE)
_KEY = "set GRMEVAL_API_KEY (or OPENAI_API_KEY) in the environment to a key that it takes"


class Refused(Exception):
    """HTTP status and what the server says; the same request would be refused again."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(f"HTTP {status}" + (f": {message}" if message else ""))
        self.status, self.message, self.code = status, message, code

    @property
    def too_long(self) -> bool:
        """Whether the prompt does not fit into the model's context; llama.cpp says so with 500."""
        said = f"{self.code} {self.message}"
        if self.rate_limited:
            return False
        return self.status == 413 or (
            self.status in (400, 422, 500) and bool(_TOO_LONG.search(said))
        )

    @property
    def rate_limited(self) -> bool:
        """Whether it is too much for now, whatever the status: that is about the account, not the prompt."""
        return bool(_RATE.search(f"{self.code} {self.message}"))


def ends_the_run(refused: Refused) -> str | None:
    """What the user is to do before anything is asked again; None: it is about this request alone."""
    said = f"{refused.code} {refused.message}"
    if refused.status == 401:
        return _KEY
    if refused.status == 403:
        return f"this key may not do that: {_KEY}"
    if refused.status == 407:
        return "the proxy wants a user and a password: put them into HTTPS_PROXY (or HTTP_PROXY)"
    if refused.status == 402 or (refused.status == 429 and _NO_MONEY.search(said)):
        return "the account has no credit left"
    if refused.status in (400, 404, 422) and not refused.too_long and _NO_MODEL.search(said):
        return "--model NAME is what the server calls it (GET /v1/models lists its names)"
    if refused.status in (404, 405, 410, 501):
        return "is --base-url right? It usually ends with /v1"
    if 300 <= refused.status < 400:
        return "it sends elsewhere: give --base-url the address that it means"
    return None


class Refusals(Generic[R]):
    """What was refused, one by one: kept back until something is answered, since that shows that the refusals
    are about those requests; where nothing is, they are no results.
    """

    def __init__(self) -> None:
        self.count = self._in_a_row = 0
        self.held: list[R] = []
        self._any_answered = False
        self._last = ""

    def answered(self) -> list[R]:
        """A request was taken: what was kept back until then."""
        self._any_answered, self._in_a_row = True, 0
        held, self.held = self.held, []
        return held

    def refused(self, name: str, refused: Refused, results: Sequence[R]) -> list[R]:
        """A request was not: which results there are now. EngineError: so many in a row are not."""
        self.count += 1
        self._in_a_row += 1
        self._last = f"{refused} ({name})"
        if self._in_a_row >= REFUSED_IN_A_ROW:
            raise EngineError(f"{self._in_a_row} in a row are not taken: {self._last}")
        if self._any_answered:
            return list(results)
        self.held.extend(results)
        return []

    def end(self) -> None:
        """EngineError: nothing was answered, and something refused."""
        if self.held:
            raise EngineError(f"all {self.count} are refused, and none is kept: {self._last}")
