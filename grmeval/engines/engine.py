"""What an engine is: requests in as it has room for them, completions out as they finish."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from grmeval.items import Completion, Message, Request

__all__ = ["BATCH", "Engine", "Sampling", "about_tokens"]

BATCH = "batch"
"""`--engine` of a run that nothing here asks: its samples are answers that come in files."""


class Sampling(NamedTuple):
    """How text is drawn: temperature, nucleus mass, token limit of one judgement."""

    temperature: float
    top_p: float
    max_tokens: int


class Engine(Protocol):
    """One loaded model for one launch."""

    context: int
    """Tokens that prompt and judgement share."""

    def facts(self) -> dict[str, str]:
        """Engine, version, device: what the launch's record says of it."""
        ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Length of a chat once the model's chat template is applied, in tokens."""
        ...

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Pull requests lazily, yield each sample's completion as soon as it is there, in any order.

        A prompt that does not fit beside the token limit comes back at once with finish
        `prompt_too_long`. A text ends where its request's `stop` says so. EngineError when the engine
        dies: what was not yielded is not lost, it is missing. Closing the iterator drops what is in flight.
        """
        ...

    def close(self) -> None:
        """Free the model."""
        ...


def about_tokens(messages: tuple[Message, ...]) -> int:
    """A quarter of the characters of a chat: about its tokens, where no tokenizer is at hand."""
    return sum(len(message.content) for message in messages) // 4
