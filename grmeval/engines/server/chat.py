"""The chat format of OpenAI, as many servers speak it: bodies out, choices in."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from grmeval.engines.server.client import Unreadable
from grmeval.engines.server.settings import ServerSettings
from grmeval.items import Message, Request

__all__ = [
    "STRUCTURED",
    "Choice",
    "Habits",
    "Reply",
    "body_of",
    "count",
    "ended",
    "mean_logprob",
    "read_reply",
    "same_fields",
    "shares",
    "spells",
    "weight_of",
]

Locate = Callable[[str], tuple[int, int] | None]

_SAMPLES_PLAINLY = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
_OWNERS = {
    # Its special tokens may be what ends the thinking.
    "vllm": _SAMPLES_PLAINLY | {"skip_special_tokens": False},
    "sglang": _SAMPLES_PLAINLY,
    "llamacpp": _SAMPLES_PLAINLY,
}
"""Servers that take settings of a model's own, or theirs, for what a request leaves out; by `owned_by`."""


def _in_json(grammar: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^{grammar}$"}
    named = {"name": "judgement", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


STRUCTURED: dict[str, Callable[[str], dict[str, Any]]] = {
    "structured_outputs": lambda grammar: {"structured_outputs": {"regex": grammar}},
    "guided_regex": lambda grammar: {"guided_regex": grammar},
    "regex": lambda grammar: {"regex": grammar},
    "response_format regex": lambda grammar: {
        "response_format": {"type": "regex", "value": grammar}
    },
    "json_schema": _in_json,
}
"""Ways to hold an output to a regular expression: vLLM's, its older one, SGLang's, TGI's, and a text in
JSON with a pattern (llama.cpp)."""

_FINISHED = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "end_turn"), "stop"),
    **dict.fromkeys(("tool_calls", "function_call"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length"), "length"),
    "content_filter": "error",
}

MOST_TOKENS = 2**24
LEAST, ROUNDED = -1e5, 1e-3
"""Of a logprob: what stands for minus infinity is above the first; only rounding puts one above 0."""


@dataclass
class Habits:
    """What a server does; found out once. `n`: samples that one request may ask for."""

    owner: str = ""
    n: int = 1
    seed: bool = True
    limit: str = "max_tokens"
    structured: str | None = None


class Choice(NamedTuple):
    """One text of an answer; `said` is why there is none where the finish is `error`."""

    text: str
    thinking: str
    finish: str
    logprobs: Sequence[Any]
    said: str = ""


class Reply(NamedTuple):
    """An answer. Tokens are the server's counts of the whole request; None: it does not tell."""

    choices: list[Choice]
    prompt_tokens: int | None
    cached_tokens: int
    tokens: int | None
    model: str


def same_fields(one: Habits, other: Habits) -> bool:
    """Whether a request has the same fields for both, but for seed and n."""
    mine, theirs = ((_OWNERS.get(h.owner), h.limit, h.structured) for h in (one, other))
    return mine == theirs


def body_of(
    settings: ServerSettings,
    habits: Habits,
    model: str,
    messages: Sequence[Message],
    *,
    n: int = 1,
    seed: int | None = None,
    grammar: str | None = None,
    logprobs: bool = False,
    max_tokens: int | None = None,
) -> dict[str, Any]:
    """One request for `n` samples of one chat."""
    sampling = settings.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [message._asdict() for message in messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        habits.limit: max_tokens or sampling.max_tokens,
        **_OWNERS.get(habits.owner, {}),
    }
    if n > 1:
        body["n"] = n
    if seed is not None and habits.seed:
        body["seed"] = seed
    if settings.chat_template_kwargs:
        body["chat_template_kwargs"] = dict(settings.chat_template_kwargs)
    if grammar and habits.structured:
        body |= STRUCTURED[habits.structured](grammar)
    if logprobs:
        body["logprobs"] = True
    body |= settings.fields
    return {name: value for name, value in body.items() if value is not None}


def read_reply(found: Any, in_json: bool = False) -> Reply:
    """Unreadable: this is no answer. `in_json`: texts are JSON strings."""
    if not isinstance(found, dict) or not isinstance(found.get("choices"), list):
        error = found.get("error") if isinstance(found, dict) else None
        raise Unreadable(f"no choices, but {str(error)[:200]}" if error else "no choices")
    choices = [_choice(each, in_json) for each in found["choices"]]
    if not choices:
        raise Unreadable("no choices")
    usage = _object(found.get("usage"))
    return Reply(
        choices,
        count(usage.get("prompt_tokens")),
        count(_object(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0,
        count(usage.get("completion_tokens")),
        _text(found.get("model")),
    )


def _object(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _text(told: Any) -> str:
    return told if isinstance(told, str) else ""


def _choice(found: Any, in_json: bool) -> Choice:
    if not isinstance(found, dict) or not isinstance(found.get("message"), dict):
        raise Unreadable("a choice without a message")
    message, why = found["message"], found.get("finish_reason")
    if not isinstance(why, str) or why not in _FINISHED:  # aborted, or failed on the way
        raise Unreadable(f"a choice that ended with {str(why)[:40]!r}")
    text, thinking = _texts(message.get("content"))
    thinking = (
        _text(message.get("reasoning_content")) or _text(message.get("reasoning")) or thinking
    )
    finish = _FINISHED[why]
    if in_json and finish == "stop":
        text = _unquoted(text)
    said = f"not answered: {why}" if finish == "error" else ""
    logprobs = found.get("logprobs")
    spelled = logprobs.get("content") if isinstance(logprobs, dict) else None
    return Choice(text, thinking, finish, spelled if isinstance(spelled, list) else [], said)


def _texts(content: Any) -> tuple[str, str]:
    """(what is said, what is thought) of a content: a text, parts of one, or nothing."""
    if not isinstance(content, list):
        if not isinstance(content, str | None):
            raise Unreadable("a content that is no text")
        return content or "", ""
    said, thought = "", ""
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "thinking":
            thought += _texts(part.get("thinking"))[0]
        elif kind == "text":
            said += _text(part.get("text"))
    return said, thought


def _unquoted(text: str) -> str:
    """The text that a JSON string holds; what is none stays, and the parser says so."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, str) else text


def count(told: Any) -> int | None:
    """Tokens as a server counts them; None: that is no count, or more than any model reads."""
    return told if type(told) is int and 0 <= told <= MOST_TOKENS else None


def ended(request: Request, choice: Choice) -> Choice:
    """As far as the request wants it: a server writes on behind the request's `stop`."""
    if request.stop and (end := request.stop(choice.text, "", 0)) is not None:
        return choice._replace(text=choice.text[:end], finish="stop")
    return choice


def spells(choice: Choice) -> bool:
    """Whether its tokens hold the text."""
    return b"".join(map(_spelling, choice.logprobs)).find(_utf8(choice.text)) >= 0


def weight_of(request: Request, choice: Choice) -> float | None:
    """Product of the probabilities of the tokens that wrote what the request's `locate` finds.

    None: there is no such text, or the tokens do not spell the output.
    """
    found = request.locate(choice.text) if request.locate else None
    spelled = [_spelling(token) for token in choice.logprobs]
    # Behind the thinking, which is apart in the text alone.
    begin = b"".join(spelled).rfind(_utf8(choice.text))
    if found is None or not choice.text or begin < 0:
        return None
    start, end = (begin + len(_utf8(choice.text[:at])) for at in found)
    total, at = 0.0, 0
    for token, written in zip(choice.logprobs, spelled, strict=True):
        if at < end and at + len(written) > start:
            logprob = _logprob(token)
            if logprob is None:
                return None
            total += logprob
        at += len(written)
    return math.exp(min(0.0, total))


def mean_logprob(choice: Choice) -> float | None:
    """The mean log-probability of all tokens that the server tells of, those of the thinking included.

    None: of no token, or not of each; an answer that is no judgement has none.
    """
    found = [_logprob(token) for token in choice.logprobs]
    known = [logprob for logprob in found if logprob is not None]
    if choice.finish == "error" or not known or len(known) < len(found):
        return None
    return min(0.0, math.fsum(known) / len(known))


def _logprob(token: Any) -> float | None:
    """A token's; None: the server does not tell, or what it tells is none."""
    told = token.get("logprob") if isinstance(token, Mapping) else None
    return told if isinstance(told, int | float) and LEAST <= told <= ROUNDED else None


def _spelling(token: Any) -> bytes:
    """A token's own bytes: half a character is no text."""
    if not isinstance(token, Mapping):
        return b""
    told = token.get("bytes")
    if isinstance(told, list) and all(isinstance(b, int) and 0 <= b < 256 for b in told):
        return bytes(told)
    return _utf8(_text(token.get("token")))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def shares(total: int, sizes: Sequence[int]) -> list[int]:
    """A count in whole parts that are as the sizes are, and add up to it; alike where all sizes are 0."""
    whole = sum(sizes) or len(sizes)
    parts = sizes if sum(sizes) else [1] * len(sizes)
    ends, seen = [0], 0
    for part in parts:
        seen += part
        ends.append(total * seen // whole)
    return [after - before for before, after in pairwise(ends)]
