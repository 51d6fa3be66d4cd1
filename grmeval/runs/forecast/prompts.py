"""Every prompt of a launch, tokenised as its engine would: how many tokens are read, and how many once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import NamedTuple

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.engine import about_tokens
from grmeval.engines.prefix import PrefixCache
from grmeval.errors import ConfigError
from grmeval.items import Item, Key, Message
from grmeval.runs.plan import Plan

__all__ = ["Missing", "Prompts", "Reader", "count_prompts"]

Missing = list[tuple[Item, tuple[int, ...]]]

TOGETHER = 64
"""Prompts that are tokenised at once."""


@dataclass(frozen=True)
class Prompts:
    """Of `samples` samples of `items` items: `distinct` prompts, `tokens` of the prompts of all requests.

    `cached`: those of them that the prefix cache has by then. `too_long`: samples whose prompt leaves no room
    for a judgement, which are not asked; they are in no other count but `samples`. `longest`: tokens of
    one prompt. `exact`: by the model's own tokenizer, else about a quarter of the characters.
    """

    items: int
    samples: int
    distinct: int
    tokens: int
    cached: int
    too_long: int
    longest: int
    exact: bool

    @property
    def asked(self) -> int:
        """Samples that a model is asked for."""
        return self.samples - self.too_long

    @property
    def computed(self) -> int:
        """Prompt tokens that the model works on."""
        return self.tokens - self.cached


class Reader(NamedTuple):
    """How an engine reads: its tokenizer (None: not at hand), tokens that a prompt may have (None: any
    number), tokens of a block of its prefix cache (None: it has none), samples that one request asks for."""

    encode: ChatEncoder | None
    room: int | None
    block: int | None
    together: int = 1


class _Prompt(NamedTuple):
    key: Key
    chat: tuple[Message, ...]
    samples: int


def count_prompts(
    plan: Plan, missing: Missing, reader: Reader, watch: Callable[[int], None] = lambda done: None
) -> Prompts:
    """Count what `missing` would read; `watch` hears how many prompts have been counted.

    ConfigError: the model's chat template refuses a prompt.
    """
    cache = PrefixCache(reader.block) if reader.block else None
    distinct = tokens = repeated = too_long = longest = done = 0
    waiting = _prompts(plan, missing)
    while prompts := list(islice(waiting, TOGETHER)):
        for prompt, length, ids in _read(prompts, reader.encode, finished=plan.judge.head):
            longest = max(longest, length)
            if reader.room is not None and length > reader.room:
                too_long += prompt.samples
                continue
            distinct += 1
            tokens += length * ceil(prompt.samples / reader.together)
            repeated += length * (prompt.samples - 1)
            if cache and ids is not None:
                cache.add(ids, prompt.samples)
        done += len(prompts)
        watch(done)
    exact = reader.encode is not None
    return Prompts(
        items=len(missing),
        samples=sum(len(js) for _, js in missing),
        distinct=distinct,
        tokens=tokens,
        cached=(cache.cached_tokens() if exact else repeated) if cache else 0,
        too_long=too_long,
        longest=longest,
        exact=exact,
    )


def _prompts(plan: Plan, missing: Missing) -> Iterator[_Prompt]:
    """In the order in which the engine is asked."""
    for request in plan.requests(missing):
        for chat in request.prompts:
            yield _Prompt(request.key, chat, len(request.js))


def _read(
    prompts: Sequence[_Prompt], encode: ChatEncoder | None, finished: bool
) -> Iterable[tuple[_Prompt, int, list[int] | None]]:
    if encode is None:
        return ((prompt, about_tokens(prompt.chat), None) for prompt in prompts)
    try:
        found = encode.many([prompt.chat for prompt in prompts], finished)
    except ConfigError:
        found = [_one(prompt, encode, finished) for prompt in prompts]
    return ((prompt, len(ids), ids) for prompt, ids in zip(prompts, found, strict=True))


def _one(prompt: _Prompt, encode: ChatEncoder, finished: bool) -> list[int]:
    """ConfigError says of which item."""
    try:
        return encode(prompt.chat, finished)
    except ConfigError as error:
        raise ConfigError(f"{'/'.join(prompt.key)}: {error}") from error
