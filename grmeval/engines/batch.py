"""Requests and answers as lines of a file: OpenAI's batch format, of hosted services and `vllm run-batch`.

A request is one object a line: custom_id, method, url, body. An answer has the same custom_id and `response`
(status_code, body), or `error`. Read in OpenAI's reference of the Batch API (50,000 requests and 200 MB
a file, every custom_id once) and in vLLM 0.32, vllm/entrypoints/launchers/run_batch.py. Others that took the
format over bound a custom_id to 64 letters, digits, `_` and `-`; so do we.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from grmeval.engines.engine import Sampling
from grmeval.errors import ConfigError, DataError
from grmeval.items import Completion, Request
from grmeval.secret_keys import refuse_secrets

__all__ = [
    "ENGINE",
    "MOST_BYTES",
    "MOST_REQUESTS",
    "Answer",
    "Asking",
    "check_fields",
    "read_answer",
    "read_completion",
]

ENGINE = "batch"
"""`--engine` of a run that nothing here asks: all its samples are answers of such files."""

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Of one file, for OpenAI's own service."""

URL = "/v1/chat/completions"

_HAVE_A_FLAG = {
    "chat_template_kwargs": "--chat-template-kwargs",
    "max_tokens": "--max-tokens",
    "messages": "--template",
    "model": "--model",
    "n": "--k",
    "seed": "--seed",
    "stream": "nothing: an answer is one line",
    "temperature": "--temperature",
    "top_p": "--top-p",
}
_DROPPED = frozenset({"max_tokens", "seed", "temperature", "top_p"})
"""Fields that a service may refuse: null leaves them out."""

_VLLM = {"skip_special_tokens": False, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""What vLLM's server does otherwise than `--engine vllm`: it drops the markers that end a model's thinking,
and takes sampling settings from the model's generation_config.json where a request has none."""

_ENDED = ("stop", "length")
_MARK = "</think>"
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|context window", re.IGNORECASE
)


def check_fields(fields: Mapping[str, Any]) -> None:
    """The `--engine-arg`s of `--engine batch`, further fields of each body; ConfigError: one has a flag."""
    for name, value in fields.items():
        if name in _HAVE_A_FLAG and not (name in _DROPPED and value is None):
            null = f"; {name}=null leaves it out" if name in _DROPPED else ""
            raise ConfigError(f"--engine-arg {name}: use {_HAVE_A_FLAG[name]}{null}")
    refuse_secrets("--engine-arg ", fields)


class Asking(NamedTuple):
    """How every request of a file is asked. `fields`: further ones of its body, None leaves one out.

    `of_vllm`: whoever answers runs vLLM, and is told to sample as `--engine vllm` does.
    """

    model: str
    sampling: Sampling
    template_kwargs: Mapping[str, Any]
    fields: Mapping[str, Any]
    of_vllm: bool = False

    def line(self, custom_id: str, request: Request, seed: int | None) -> dict[str, Any]:
        """One sample's request; None: no seed."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": message.role, "content": _unicode(message.content)}
                for message in request.messages
            ],
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_tokens": self.sampling.max_tokens,
        }
        if seed is not None:
            body["seed"] = seed
        if self.template_kwargs:
            body["chat_template_kwargs"] = dict(self.template_kwargs)
        if request.locate:
            body["logprobs"] = True
        if request.grammar:
            body["structured_outputs"] = {"regex": request.grammar}
        if self.of_vllm:
            body |= _VLLM
        body = {
            name: value for name, value in (body | dict(self.fields)).items() if value is not None
        }
        return {"custom_id": custom_id, "method": "POST", "url": URL, "body": body}


class Answer(NamedTuple):
    """A line of an answers file: the body of the response, or why there is none.

    `too_long`: the prompt did not fit beside the token limit, so that asking again would not help.
    """

    custom_id: str
    body: Mapping[str, Any]
    failed: str | None
    too_long: bool = False

    @property
    def judged(self) -> bool:
        """Whether a sample comes of it."""
        return self.failed is None or self.too_long

    @property
    def model(self) -> str | None:
        """Who says to have answered."""
        said = self.body.get("model")
        return said if isinstance(said, str) and said else None


def read_answer(row: Any, where: str) -> Answer:
    """DataError names file and row where this is no answer of a batch."""
    if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str):
        raise DataError(f"{where}: no answer of a batch: it has no custom_id")
    if row.keys() >= {"method", "url", "body"}:
        raise DataError(
            f"{where}: a request, not an answer: send the file off, import what comes back"
        )
    if not row.keys() & {"response", "error"}:
        raise DataError(
            f"{where}: no answer of a batch in OpenAI's format: neither 'response' nor 'error'; found: "
            f"{', '.join(sorted(row))}"
        )
    response = row.get("response") or {}
    if not isinstance(response, dict):
        raise DataError(f"{where}: response: expected an object, found {type(response).__name__}")
    status, body = response.get("status_code"), response.get("body") or {}
    if row.get("error") or not response or status not in (None, 200):
        error = row.get("error") or body
        too_long = status in (None, 400) and bool(_TOO_LONG.search(json.dumps(error)))
        return Answer(row["custom_id"], {}, _reason(error, status), too_long)
    if not isinstance(body, dict):
        raise DataError(f"{where}: response.body: expected an object, found {type(body).__name__}")
    return Answer(row["custom_id"], body, _without_text(body))


def _reason(error: Any, status: Any) -> str:
    """Why a request failed, in few words: status, code, what was said."""
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    told = [status]
    if isinstance(error, dict):
        told += [error.get("code") or error.get("type"), error.get("message")]
    else:
        told.append(error)
    words = dict.fromkeys(str(each) for each in told if each not in (None, {}, ""))
    return " ".join(words)[:200] or "no response"


def _without_text(body: Mapping[str, Any]) -> str | None:
    """Why a response holds no judgement; None: it does. One that was cut off by a filter, or ended in a tool
    call, is no judgement: it stays missing, as with every engine."""
    try:
        choice = body["choices"][0]
        finish, message = choice["finish_reason"], choice["message"]
        if finish not in _ENDED:
            return f"it ended with {finish!r}"
        _text(message)
    except (LookupError, TypeError):
        return "its response has no choices[0].message"
    return None


def read_completion(request: Request, j: int, answer: Answer) -> Completion:
    """What an answer that is `judged` says, as an engine's completion.

    Reasoning that a server sent apart goes before the text, ended by a marker: the parser keeps it apart.
    """
    if answer.too_long:
        return Completion(request, j, "", "prompt_too_long", 0, 0, 0)
    body = answer.body
    choice, usage = body["choices"][0], body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    text = _text(choice["message"])
    found = request.locate(text) if request.locate else None
    return Completion(
        request,
        j,
        text,
        choice["finish_reason"],
        _count(usage.get("prompt_tokens")),
        _count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
        _count(usage.get("completion_tokens")),
        _weight(text, found, choice.get("logprobs")) if found else None,
    )


def _weight(text: str, found: tuple[int, int], logprobs: Any) -> float | None:
    """Probability of the tokens that wrote these characters of a text; None: the service does not tell.

    Before the text's tokens may stand those of a thought, behind them the one that ended it.
    """
    try:
        tokens = [(bytes(each["bytes"]), float(each["logprob"])) for each in logprobs["content"]]
    except (LookupError, TypeError, ValueError):
        return None
    said = text[text.rfind(_MARK) + len(_MARK) :] if _MARK in text else text
    begin = b"".join(token for token, _ in tokens).rfind(said.encode())
    if begin < 0:
        return None
    before = len(text) - len(said)
    start, end = (begin + len(text[before:at].encode()) for at in found)
    at, log = 0, 0.0
    for token, logprob in tokens:
        if at < end and at + len(token) > start:
            log += logprob
        at += len(token)
    return math.exp(log)


def _text(message: Mapping[str, Any]) -> str:
    """TypeError: it is no text."""
    said = message.get("content")
    if isinstance(said, list):  # parts, as some services write them
        said = "".join(part["text"] for part in said if part.get("type") == "text")
    said = said or message.get("refusal") or ""
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    if not isinstance(said, str) or not isinstance(thought, str):
        raise TypeError("no text")
    return f"{thought}{_MARK}{said}" if thought else said


def _unicode(text: str) -> str:
    """A lone surrogate is no Unicode text: no server could read it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 2**31 else 0
