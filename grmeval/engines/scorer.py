"""What a scorer is: finished chats in, one number each out, as they are read."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from grmeval.items import Key, Message

__all__ = ["LOGPROB", "Reward", "ScoreRequest", "Scorer"]

LOGPROB = "logprob"
"""The meta RM that is no model: a judgement's own mean log-probability, as its engine kept it."""


class ScoreRequest(NamedTuple):
    """One chat to score: it ends with an assistant's turn. (key, j) names it: sample j of an item, say.

    Real scorers ignore the name, and `right`: whether the judgement in it ranks a best response strictly
    first; the fake one draws from them. `logprob`: the judgement's own mean log-probability, where it was
    kept and is asked for.
    """

    key: Key
    j: int
    messages: tuple[Message, ...]
    right: bool = False
    logprob: float | None = None


class Reward(NamedTuple):
    """What came of a request: an unbounded number (a logit), or None and the named `reason` why not.

    `reason`: prompt_too_long, not_finite, refused (by a server), or no_logprob. `cached` counts the prompt
    tokens out of the prefix cache.
    """

    request: ScoreRequest
    reward: float | None
    reason: str | None
    prompt_tokens: int
    cached_tokens: int


class Scorer(Protocol):
    """One loaded model with a head of one number."""

    context: int
    """Tokens that a chat may have."""

    def facts(self) -> dict[str, str]:
        """Engine, version, device: what the launch's record says of it."""
        ...

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        """Pull requests lazily, yield each reward as soon as it is there, in any order.

        Requests that begin alike should follow one another: they share the prefix cache. A chat that is
        longer than the context comes back at once as `prompt_too_long`; nothing is cut. EngineError when the
        engine dies: what was not yielded is missing. Closing the iterator drops what is in flight.
        """
        ...

    def close(self) -> None:
        """Free the model."""
        ...
