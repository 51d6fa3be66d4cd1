"""Scalar reward models: a sequence-classification head scores each response by itself."""

import json
from collections.abc import Sequence
from typing import Any

from grmeval.items import FREE, NOTHING_KNOWN, Item, Known, Message, Reading, Spent
from grmeval.judges.judge import Locate, Needs, Stop

__all__ = ["ScalarJudge"]


class ScalarJudge:
    """The conversation with one response as its last turn, once for each: a raw logit each, no text.

    A sample's text is those numbers as a JSON list, in slot order. The same model gives the same numbers
    again: one sample an item.
    """

    name = "scalar"
    about = "a head scores each response by itself: no text, one number"
    score_range: tuple[int, int] | None = None
    votes: tuple[str, ...] = ("sum", "mean")
    needs = Needs()
    picks = False
    parser = 1
    template_name: str | None = None
    head = True
    most: int | None = 1

    def lacks(self, item: Item) -> str | None:
        """See Judge."""
        return None

    def messages(self, item: Item, order: Sequence[int]) -> tuple[Message, ...]:
        """The conversation; see `chats`."""
        return item.conversation

    def chats(self, item: Item, order: Sequence[int], j: int) -> tuple[tuple[Message, ...], ...]:
        """One finished chat a number wanted."""
        return tuple(
            (*item.conversation, Message("assistant", item.responses[index])) for index in order
        )

    def spent(self, item: Item, j: int) -> Spent:
        """Nothing."""
        return FREE

    def grammar(self, n: int) -> str | None:
        """None: nothing is generated."""
        return None

    def stop(self, item: Item) -> Stop | None:
        """Nothing is written."""
        return None

    def locate(self, n: int, responses: Sequence[str] = ()) -> Locate | None:
        """None: a number is no pick."""
        return None

    def read(self, text: str, n: int, finish: str, known: Known = NOTHING_KNOWN) -> Reading:
        """The numbers; reasons: prompt_too_long (of one response), engine_error, no_score."""
        reason = {"prompt_too_long": "prompt_too_long", "error": "engine_error"}.get(finish)
        try:
            scores = tuple(float(value) for value in json.loads(text)) if not reason else ()
        except (TypeError, ValueError):
            scores = ()
        if len(scores) != n:
            return Reading(None, reason or "no_score", None, "", text)
        return Reading(scores, None, "head", "", text)

    def write(self, scores: Sequence[int], analysis: str) -> str:
        """The inverse; a head says nothing besides."""
        return json.dumps([float(score) for score in scores])

    def identity(self) -> dict[str, Any]:
        """Its name: the chat is the model's own template over the conversation."""
        return {"name": self.name}
