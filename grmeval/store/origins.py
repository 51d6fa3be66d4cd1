"""Where a run's judgements came from, and what follows: how it grows, whether its texts are read again."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from grmeval.engines import BATCH

__all__ = ["IMPORT", "PANEL", "Origin", "origin"]

IMPORT, PANEL = "import", "panel"
"""What an identity says instead of an engine and of a judge."""


class Origin(NamedTuple):
    """`grows`: what brings samples that are missing. `unread`: why no text is read again; None: they are.

    `asked`: the judgements are answers to prompts of this program.
    """

    grows: str
    unread: str | None = None
    asked: bool = True


_ASKED = Origin("`grmeval run` asks for them")
_OTHERS = {
    BATCH: Origin(
        "`grmeval export RUN --what requests` asks for them, `grmeval import answers` takes them in"
    ),
    IMPORT: Origin(
        "the imported file has no more: import one that has",
        "imported judgements: their scores came with them, no text is read again",
        asked=False,
    ),
    PANEL: Origin(
        "give its members more samples, then the same `grmeval panel` takes them over",
        "a panel: read its members again (`grmeval score RUN --reparse --save`), move this folder away, "
        "and make the panel anew",
        asked=False,
    ),
}


def origin(identity: Mapping[str, Any]) -> Origin:
    """That of the run with this identity."""
    return _OTHERS.get(str(identity.get("engine")), _ASKED)
