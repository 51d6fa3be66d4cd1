"""What becomes of a request that got no answer: asked again, this one's end, or the end of the run."""

import math
import os
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from grmeval.errors import ConfigError

__all__ = ["BUSY", "Patience", "described", "may_pass", "patience", "retry_after"]

_PASSING = frozenset({408, 409, 425, 429})
"""With 5xx: what may pass. Other 4xx would be the same again."""
BUSY = frozenset({429, 503})
"""The server has too much to do."""
_NEVER_PASSING = frozenset({501, 505})

SECONDS = 300.0
"""From a request's first failure to giving up; $GRMEVAL_RETRY_SECONDS says otherwise. A server that is
started again loads its model in this time."""


@dataclass(frozen=True)
class Patience:
    """How long and how often one request is asked again; waits are drawn from 0 to a bound that doubles."""

    seconds: float = SECONDS
    tries: int = 40
    first: float = 0.5
    longest: float = 20.0
    longest_wish: float = 120.0
    """Of a Retry-After that is waited for."""

    def wait(self, failures: int, rng: random.Random) -> float:
        """Full jitter: uniform below what doubles with every failure."""
        return rng.uniform(0.0, min(self.longest, self.first * 2.0 ** min(failures - 1, 30)))

    def spent(self, failures: int, since: float, now: float) -> bool:
        """Whether a request that failed so often, first at `since`, is given up."""
        return failures >= self.tries or now - since >= self.seconds


def patience() -> Patience:
    """As the environment wants it; ConfigError: it names no seconds."""
    told = os.environ.get("GRMEVAL_RETRY_SECONDS")
    try:
        seconds = float(told) if told else SECONDS
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ConfigError(f"GRMEVAL_RETRY_SECONDS={told}: expected seconds, 0 or more")
    return Patience(seconds, longest_wish=min(Patience.longest_wish, seconds))


def may_pass(status: int) -> bool:
    """Whether the same request may be answered later."""
    return status in _PASSING or (status >= 500 and status not in _NEVER_PASSING)


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds until the server wants to be asked again, `now` in seconds since 1970; 0: it does not say."""
    told = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", told):
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - now)
    except (ValueError, OverflowError, TypeError):
        return 0.0


def described(found: Any) -> tuple[str, str]:
    """(message, code) of an error, JSON or a text, as servers write it, on one line of bounded length."""
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, dict) and isinstance(found.get("error"), dict | str):
        found = found["error"]
    code = ""
    if isinstance(found, dict):
        code = str(found.get("code") or found.get("type") or "")
        found = next((found[n] for n in ("message", "detail", "error") if found.get(n)), found)
    message = " ".join(str(found).split())
    return (message[:400] + (" …" if len(message) > 400 else ""), code[:80])
