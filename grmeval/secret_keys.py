"""Settings whose names say that they are secrets: what is refused before anything prints or stores it."""

import re
from collections.abc import Mapping
from typing import Any

from grmeval.errors import ConfigError

__all__ = ["refuse_secrets", "without_user"]

_SECRET = re.compile(
    r"(?:^|_)(?:secrets?|passwords?|passwd|pwd|passphrase|credentials?|authorization|bearer|pat)(?:_|\d|$)"
    r"|(?:^|_)(?:tokens?|keys?|auth)_?\d*(?:_(?:hash|string))*$"
    r"|(?:^|_)(?:hf|api|access|auth|secret|private)_?(?:token|key)(?:_?\d*$|_(?:value|hash|string|text))"
)
_VOCABULARY = re.compile(
    r"(?:^|_)(?:bos|eos|pad|unk|sep|cls|mask|image|video|audio|special|stop|additional\w*)_tokens?$"
    r"|(?:^|_)(?:max|min|num)_(?:\w+_)?tokens$"
)
"""What a tokenizer's own settings are called, and limits of tokens."""
_COUNTED = re.compile(r"(?:tokens|keys)_?\d*$")
"""Of these a number is no secret: there are so many of them."""
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|\W+")
"""Between the words of a name: hfToken, api-key."""
_NAMED = re.compile(r"([\w.-]+)[\"']?\s*[:=]")
_USER = re.compile(r"(\w:/{1,2})[^\s/?#@'\"]+@")
"""What stands before a host's name: a user, a password, or a token alone. A path has one slash of the two."""


def refuse_secrets(said: str, values: Any) -> None:
    """ConfigError for a key, at any depth, that is called as a secret is; `said` begins the message.

    A text that is JSON, or was meant to be, is looked into as well. No value is ever part of the message.
    """
    if (found := _secret(values)) is not None:
        raise ConfigError(
            f"{(said + found).rstrip(' .')}: looks like a secret, and a run folder keeps settings: use the "
            "environment variable that is meant for it (HF_TOKEN for the hub)"
        )


def without_user(text: str) -> str:
    """A text whose addresses name no user and hold no password."""
    return _USER.sub(r"\1", text)


def _secret(value: Any) -> str | None:
    """The dotted name of the first secret; None: there is none."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if _USER.search(str(key)):
                return ""
            if _is_called_secret(str(key), inner):
                return str(key)
            if (found := _secret(inner)) is not None:
                return f"{key}.{found}".rstrip(".")
    elif isinstance(value, list | tuple):
        return next((found for each in value if (found := _secret(each)) is not None), None)
    elif isinstance(value, str):
        if _USER.search(value):
            return ""
        if value.lstrip().startswith(("{", "[", '"')):
            return next(
                (name for name in _NAMED.findall(value) if _is_called_secret(name, None)), None
            )
    return None


def _is_called_secret(key: str, value: Any) -> bool:
    name = _WORD.sub("_", key).lower()
    if _VOCABULARY.search(name) or (isinstance(value, int | float) and _COUNTED.search(name)):
        return False
    return bool(_SECRET.search(name))
