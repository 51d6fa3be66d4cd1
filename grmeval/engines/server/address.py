"""Addresses of servers: checked, joined with a path, told near from far; and the key that may go there."""

import ipaddress
import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from grmeval.errors import ConfigError, EngineError

__all__ = ["api_key", "base_url", "is_local", "joined", "proxy_of"]


def base_url(given: str) -> str:
    """An address as `--base-url` means it, without a slash at its end; ConfigError: it is none.

    Without a path it ends with /v1, as all of these servers have it.
    """
    try:
        parts = urlsplit(given.strip())
        parts.port  # noqa: B018 (it is read from the text here)
    except ValueError as error:
        raise ConfigError(f"--base-url {given!r}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", given):
        raise ConfigError(
            f"--base-url {given!r}: expected an address such as http://localhost:8000/v1"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            "--base-url: an address with a user or a password is a secret, and a run folder keeps settings: "
            "set GRMEVAL_API_KEY in the environment"
        )
    if parts.query or parts.fragment:  # it may be a secret, of which nothing is printed
        raise ConfigError("--base-url: an address without ? and # is expected")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def joined(base: str, path: str) -> str:
    """`chat/completions` lies below the base; `/tokenize` beside its `/v1`."""
    return base.removesuffix("/v1") + path if path.startswith("/") else f"{base}/{path}"


def is_local(url: str) -> bool:
    """Whether a server is of this machine or of a private network, and nobody else's limits apply."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".internal"))
    return address.is_private or address.is_loopback or address.is_link_local


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for an address, by the usual variables."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    found = getproxies().get(parts.scheme)
    return found if found and found.startswith(("http://", "https://")) else None


def api_key(urls: Sequence[str]) -> str | None:
    """From the environment alone: GRMEVAL_API_KEY, else OPENAI_API_KEY.

    The second was not set for these servers: it goes to none that is far away and without TLS.
    """
    found = os.environ.get("GRMEVAL_API_KEY") or ""
    if all(url.startswith("https:") or is_local(url) for url in urls):
        found = found or os.environ.get("OPENAI_API_KEY") or ""
    if any(ord(letter) < 33 or ord(letter) > 126 for letter in found.strip()):
        raise EngineError("GRMEVAL_API_KEY (or OPENAI_API_KEY): a key has no spaces and is ASCII")
    return found.strip() or None
