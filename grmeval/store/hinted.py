"""Runs whose prompts named the best response: material for training, and no measurement of a judge."""

from collections.abc import Mapping
from typing import Any

from grmeval.errors import ConfigError
from grmeval.store.folder import RunFolder

__all__ = ["is_hinted", "refuse_hinted"]


def is_hinted(identity: Mapping[str, Any]) -> bool:
    """Whether the prompts of the run with this identity held the truth."""
    return "hint" in identity.get("judge", {})


def refuse_hinted(folder: RunFolder) -> None:
    """ConfigError: a hinted run, where the judge's own judgements are wanted."""
    if is_hinted(folder.record["identity"]):
        raise ConfigError(
            f"{folder.path}: a hinted run: its prompts named the best response, so that it measures "
            "nothing; it is for `grmeval spct select RUN --hinted`"
        )
