"""Several processes that train together (`accelerate launch`, `torchrun`); of them the first one writes."""

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
        import torch
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available()).wait_for_everyone()
