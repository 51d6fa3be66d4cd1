"""What of a run folder cannot be read, and is left out."""

from grmeval.store.folder import RunFolder
from grmeval.store.journal import damaged_lines
from grmeval.store.rewards import damaged_rewards
from grmeval.store.stopped import damaged_stops

__all__ = ["damaged"]


def damaged(folder: RunFolder) -> list[str]:
    """What to say of each damaged line of a journal, of samples or of rewards, and of those that stopped."""
    said = [line for journal in folder.journals() for line in damaged_lines(journal)]
    return said + damaged_stops(folder.path) + damaged_rewards(folder.path)
