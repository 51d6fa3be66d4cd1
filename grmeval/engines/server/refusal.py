"""What a server says no to: one request, or every one that is still to come."""

import re

__all__ = ["Refused", "ends_the_run"]

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
_KEY = "set GRMEVAL_API_KEY (or OPENAI_API_KEY) in the environment to a key that it takes"


class Refused(Exception):
    """HTTP status and what the server says; the same request would be refused again."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(f"HTTP {status}" + (f": {message}" if message else ""))
        self.status, self.message, self.code = status, message, code

    @property
    def too_long(self) -> bool:
        """Whether the prompt does not fit into the model's context."""
        said = f"{self.code} {self.message}"
        return self.status == 413 or (self.status in (400, 422) and bool(_TOO_LONG.search(said)))


def ends_the_run(refused: Refused) -> str | None:
    """What the user is to do before anything is asked again; None: it is about this request alone."""
    said = f"{refused.code} {refused.message}"
    if refused.status == 401:
        return _KEY
    if refused.status == 403:
        return f"this key may not do that: {_KEY}"
    if refused.status == 402 or (refused.status == 429 and _NO_MONEY.search(said)):
        return "the account has no credit left"
    if refused.status in (400, 404, 422) and not refused.too_long and _NO_MODEL.search(said):
        return "--model NAME is what the server calls it (GET /v1/models lists its names)"
    if refused.status in (404, 405, 410, 501):
        return "is --base-url right? It usually ends with /v1"
    if 300 <= refused.status < 400:
        return "it sends elsewhere: give --base-url the address that it means"
    return None
