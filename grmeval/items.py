"""What is judged, what is asked, and what comes back: the types that every part shares."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = [
    "FREE",
    "NOTHING_KNOWN",
    "Completion",
    "Item",
    "Key",
    "Known",
    "Message",
    "Reading",
    "Request",
    "Sample",
    "Spent",
]


class Message(NamedTuple):
    """One turn: `role` is system, user or assistant."""

    role: str
    content: str


class Key(NamedTuple):
    """An item's name inside its benchmark; unique there."""

    subset: str
    id: str


@dataclass(frozen=True, slots=True)
class Item:
    """What is judged in ONE prompt.

    `quality` is the ground truth per response: (1, 0) chosen and rejected, (1, 0, 0) best of three,
    (1,) or (0,) for one response that is right or wrong, several 1s where several are equally good,
    None where rows are unlabelled. `group` joins items whose outcomes the official metric combines
    into one; `cluster` joins items that share a prompt, across subsets: the sampling unit of every
    interval. `pool` and `slot`: this one response is number `slot` of the item `pool`, whose responses
    are judged one by one and compared by their totals. `flags` name what is odd about the row.
    """

    bench: str
    subset: str
    id: str
    conversation: tuple[Message, ...]
    responses: tuple[str, ...]
    quality: tuple[int, ...] | None = None
    reference: str | None = None
    group: str | None = None
    pool: str | None = None
    slot: int = 0
    cluster: str = ""
    flags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """(subset, id)."""
        return Key(self.subset, self.id)

    @property
    def n(self) -> int:
        """How many responses are judged together."""
        return len(self.responses)

    def content_hash(self) -> str:
        """sha256 of everything that can change a judgement or its verdict; survives any text."""
        texts = [self.conversation, self.responses, self.reference]
        labels: list[Any] = [self.subset, self.id, self.group, self.cluster]
        labels += [self.quality, dict(self.meta)]
        if self.pool is not None:
            labels += [self.pool, self.slot]
        text = json.dumps([texts, labels], ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


class Spent(NamedTuple):
    """What texts that a sample is made from had cost before: tokens read, out of a cache, written."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    tokens: int = 0


FREE = Spent()


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt for an engine: an item in one response order, wanted for the samples `js`.

    `order[slot]` is the index of the response shown in that slot. `grammar` is a regular expression
    that the whole output must match, or None. Real engines ignore the key; the fake one draws from it.
    `locate(text)` says which characters [start, end) of an output are the pick whose probability is wanted,
    None where there is none; no `locate`: no probability is wanted. `chats` are finished ones that a head
    gives a number each: then nothing is generated (None: text is). No chats at all: there is nothing to
    score, and the completion says so. `spent` is part of each sample's cost. `responses`: the item's, for the
    parser of the outputs. `stop(text, lead, start)` says where a text is complete, whatever follows it, None
    where it is not yet (`start`: how much of it was looked at before): the text then ends there with finish
    `stop`, and the engine need not write on. `keep_logprob`: the mean log-probability of what is written is
    wanted.
    """

    key: Key
    order: tuple[int, ...]
    js: tuple[int, ...]
    messages: tuple[Message, ...]
    grammar: str | None = None
    locate: Callable[[str], tuple[int, int] | None] | None = None
    chats: tuple[tuple[Message, ...], ...] | None = None
    spent: Spent = FREE
    responses: tuple[str, ...] = ()
    stop: Callable[[str, str, int], int | None] | None = None
    keep_logprob: bool = False

    @property
    def prompts(self) -> tuple[tuple[Message, ...], ...]:
        """What a model reads for one sample."""
        return (self.messages,) if self.chats is None else self.chats


class Completion(NamedTuple):
    """What an engine returns for one sample `j` of a request.

    `finish`: stop, length (the token limit), prompt_too_long (nothing was generated) or error.
    `cached` counts the prompt tokens that came out of the prefix cache. `weight`: probability of the
    tokens that wrote what the request's `locate` finds; None where it was not asked for, or is not known.
    `lead`: how the prompt ends that the text goes on from, as far as the chat template adds to a chat.
    `thinking`: what was thought, where the engine tells it apart from the text. `logprob`: the mean natural
    log-probability of the tokens that were written, thinking included; None where it was not asked for, or
    is not known.
    """

    request: Request
    j: int
    text: str
    finish: str
    prompt_tokens: int
    cached_tokens: int
    tokens: int
    weight: float | None = None
    lead: str = ""
    thinking: str = ""
    logprob: float | None = None


class Known(NamedTuple):
    """What a parser is told of a judgement besides its words.

    `thinking`: of a stored text, which was split before: what came before its end-of-thinking marker.
    `lead`: the prompt's end, which may open the thinking. `responses`: what is judged, in any order: a line
    of theirs is no score; without them nothing is known to be a quote.
    """

    thinking: str | None = None
    lead: str = ""
    responses: Sequence[str] = ()


NOTHING_KNOWN = Known()


class Reading(NamedTuple):
    """A parser's answer, in SLOT order: scores, or the named reason why there are none.

    `thinking` is the text before the end-of-thinking marker, kept apart and never read; `text` is the
    rest; `form` names how the scores were written (the plain form or a named fallback).
    """

    scores: tuple[float, ...] | None
    invalid: str | None
    form: str | None
    thinking: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished judgement, key (subset, id, j); `scores` are in the ITEM's response order.

    A single score is None only where responses were judged apart, in an imported file. `weight`: the
    probability of the judge's pick, where the judge gives one. `critic_prompt_tokens` and
    `critic_cached_tokens`: those of the prompt's tokens that the critique it was made from had cost; None
    where the judge reads none. `logprob`: the mean log-probability of its tokens, where it was kept.
    """

    subset: str
    id: str
    j: int
    order: tuple[int, ...]
    scores: tuple[float | None, ...] | None
    invalid: str | None
    form: str | None
    finish: str
    prompt_tokens: int
    cached_tokens: int
    tokens: int
    parser: int
    launch: str
    thinking: str
    text: str
    weight: float | None = None
    critic_prompt_tokens: int | None = None
    critic_cached_tokens: int | None = None
    logprob: float | None = None
