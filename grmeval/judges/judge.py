"""What a judge is: the one interface that the loop, the fake engine and the scorer rely on."""

from collections.abc import Sequence
from typing import Any, Protocol

from grmeval.items import Item, Message, Reading

__all__ = ["Judge"]


class Judge(Protocol):
    """Same Item in, same Sample out, whatever the family of reward model."""

    name: str
    score_range: tuple[int, int]
    votes: tuple[str, ...]
    parser: int

    def messages(self, item: Item, order: Sequence[int]) -> tuple[Message, ...]:
        """The chat that shows `item.responses` in `order` (slot -> response index)."""
        ...

    def grammar(self, n: int) -> str | None:
        """A regular expression for the whole output on n responses, where decoding is constrained."""
        ...

    def read(self, text: str, n: int, finish: str, thinking: str | None = None) -> Reading:
        """Scores in slot order, or a named reason. Never raises, whatever the text.

        `thinking`: a stored text, split before: what came before its end-of-thinking marker.
        """
        ...

    def write(self, scores: Sequence[int], analysis: str) -> str:
        """The inverse of `read`: a judgement that gives these scores (slot order)."""
        ...

    def identity(self) -> dict[str, Any]:
        """What about this judge changes the meaning of a sample."""
        ...
