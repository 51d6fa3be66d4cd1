"""Several processes that train together, as `accelerate launch` starts them; of them the first one writes."""

import os

__all__ = ["count", "is_main", "together"]


def is_main() -> bool:
    """Whether this is the one process, or the first of several."""
    return int(os.environ.get("RANK", "0")) == 0


def count() -> int:
    """How many train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def together() -> None:
    """Wait until every process is here."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()
