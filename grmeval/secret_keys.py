"""Settings whose names say that they are secrets: what is refused before anything prints or stores it."""

import re
from collections.abc import Mapping
from typing import Any

from grmeval.errors import ConfigError

__all__ = ["refuse_secrets"]

_SECRET = re.compile(
    r"(?:^|_)(?:tokens?|keys?|secrets?|passwords?|passwd|passphrase|credentials?|authorization|bearer)_?\d*$"
    r"|(?:hf|api|access|auth|secret|private)(?:token|key)$"
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
_ADDRESS = re.compile(r"\w://[^\s/@:]*:[^\s/@]+@")


def refuse_secrets(said: str, values: Any) -> None:
    """ConfigError for a key, at any depth, that is called as a secret is; `said` begins the message.

    A text that is JSON, or was meant to be, is looked into as well. No value is ever part of the message.
    """
    if (found := _secret(values)) is not None:
        raise ConfigError(
            f"{said}{found}: looks like a secret, and a run folder keeps engine settings: use the "
            "environment variable that is meant for it (HF_TOKEN for the hub)"
        )


def _secret(value: Any) -> str | None:
    """The dotted name of the first secret; None: there is none."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if _is_called_secret(str(key), inner):
                return str(key)
            if (found := _secret(inner)) is not None:
                return f"{key}.{found}".rstrip(".")
    elif isinstance(value, list | tuple):
        return next((found for each in value if (found := _secret(each)) is not None), None)
    elif isinstance(value, str):
        if value.lstrip().startswith(("{", "[", '"')):
            return next(
                (name for name in _NAMED.findall(value) if _is_called_secret(name, None)), None
            )
        if _ADDRESS.search(value):
            return ""
    return None


def _is_called_secret(key: str, value: Any) -> bool:
    name = _WORD.sub("_", key).lower()
    if _VOCABULARY.search(name) or (isinstance(value, int | float) and _COUNTED.search(name)):
        return False
    return bool(_SECRET.search(name))
