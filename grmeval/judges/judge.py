"""What a judge is: the one interface that the loop, the fake engine and the scorer rely on."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from grmeval.items import NOTHING_KNOWN, Item, Known, Message, Reading, Spent

__all__ = ["Judge", "Locate", "Needs", "Stop"]

Locate = Callable[[str], tuple[int, int] | None]
"""An output -> which of its characters [start, end) are the pick; None: there is none."""

Stop = Callable[[str, str, int], int | None]
"""An output so far, its prompt's end (`Completion.lead`), how much of it was looked at before -> where it is
complete; None: not yet."""


class Needs(NamedTuple):
    """What a judge cannot do without: `responses` is how many an item must have at least."""

    reference: bool = False
    principles: bool = False
    responses: int = 1
    critiques: bool = False


class Judge(Protocol):
    """Same Item in, same Sample out, whatever the family of reward model."""

    name: str
    about: str
    """In one line."""
    score_range: tuple[int, int] | None
    """None: any number."""
    votes: tuple[str, ...]
    """Those that make sense; the first is used where nobody says which."""
    needs: Needs
    picks: bool
    """It names one response: 1 for that, 0 for the others, so no sample has a tie."""
    head: bool
    """Its model has a head in place of a voice: it scores the `chats`, and generates nothing."""
    most: int | None
    """Samples after which an item's would repeat; None: samples differ."""
    parser: int

    def lacks(self, item: Item) -> str | None:
        """What keeps this judge from judging an item, as in `3 items …`; None: nothing."""
        ...

    def messages(self, item: Item, order: Sequence[int]) -> tuple[Message, ...]:
        """The chat that shows `item.responses` in `order` (slot -> response index)."""
        ...

    def chats(
        self, item: Item, order: Sequence[int], j: int
    ) -> tuple[tuple[Message, ...], ...] | None:
        """Finished chats of sample j for a head, which gives each a number; None where text is generated."""
        ...

    def spent(self, item: Item, j: int) -> Spent:
        """What the texts that sample j is made from had cost before."""
        ...

    def grammar(self, n: int) -> str | None:
        """A regular expression for the whole output on n responses, where decoding is constrained."""
        ...

    def locate(self, n: int, responses: Sequence[str] = ()) -> Locate | None:
        """Where an output on n responses holds the pick whose probability is a sample's weight.

        None: this judge's samples have no weight.
        """
        ...

    def stop(self, item: Item) -> Stop | None:
        """Where a judgement of an item is complete, so that nothing behind it need be written.

        None: this judge's are only when they end.
        """
        ...

    def read(self, text: str, n: int, finish: str, known: Known = NOTHING_KNOWN) -> Reading:
        """Scores in slot order, or a named reason. Never raises, whatever the text."""
        ...

    def write(self, scores: Sequence[int], analysis: str) -> str:
        """The inverse of `read`: a judgement that gives these scores (slot order).

        Its last line, and no other, holds a box with whole numbers.
        """
        ...

    def identity(self) -> dict[str, Any]:
        """What about this judge changes the meaning of a sample."""
        ...
