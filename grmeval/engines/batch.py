"""Requests and answers as lines of a file: OpenAI's batch format, of hosted services and `vllm run-batch`.

A request is one object a line: custom_id, method, url, body. An answer has the same custom_id and `response`
(status_code, body), or `error`. Read in OpenAI's reference of the Batch API (50,000 requests and 200 MB
a file, every custom_id once) and in vLLM 0.32, vllm/entrypoints/launchers/run_batch.py. Others that took the
format over bound a custom_id to 64 letters, digits, `_` and `-`; so do we.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from grmeval.engines.server.chat import (
    Habits,
    Reply,
    body_of,
    ended,
    mean_logprob,
    read_reply,
    weight_of,
)
from grmeval.engines.server.client import Unreadable
from grmeval.engines.server.refusal import Refused
from grmeval.engines.server.settings import ServerSettings
from grmeval.engines.server.settings import check_fields as check_served
from grmeval.errors import DataError
from grmeval.items import Completion, Request
from grmeval.unicode import cleaned, whole

__all__ = [
    "MOST_BYTES",
    "MOST_REQUESTS",
    "Answer",
    "Asking",
    "check_fields",
    "read_answer",
    "read_completion",
]

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Of one file, for OpenAI's own service."""

URL = "/v1/chat/completions"

_DROPPED = ("max_tokens", "temperature", "top_p")
"""Fields that a service may refuse: null leaves them out, and max_tokens goes by its newer name."""

_CHARS = 200


def check_fields(fields: Mapping[str, Any]) -> None:
    """The `--engine-arg`s of `--engine batch`, fields of each request; ConfigError: one has a flag."""
    kept = {n: v for n, v in fields.items() if v is not None or n not in _DROPPED}
    check_served(kept)


class Asking(NamedTuple):
    """How every request of a file is asked. `of_vllm`: of vLLM, to sample as `--engine vllm` does."""

    settings: ServerSettings
    of_vllm: bool = False

    def line(self, custom_id: str, request: Request, seed: int | None) -> dict[str, Any]:
        """One sample's request; None: no seed."""
        fields, limit = dict(self.settings.fields), "max_tokens"
        if fields.get(limit, "") is None:
            del fields[limit]
            limit = "max_completion_tokens"
        habits = Habits(
            "vllm" if self.of_vllm else "", limit=limit, structured="structured_outputs"
        )
        body = body_of(
            replace(self.settings, fields=fields),
            habits,
            self.settings.model,
            [turn._replace(content=whole(turn.content)) for turn in request.messages],
            seed=seed,
            grammar=request.grammar,
            logprobs=request.locate is not None or request.keep_logprob,
        )
        return {"custom_id": custom_id, "method": "POST", "url": URL, "body": body}


class Answer(NamedTuple):
    """A line of an answers file: what was answered, or why the request failed.

    `too_long`: the prompt did not fit beside the token limit, so that asking again would not help.
    """

    custom_id: str
    reply: Reply | None
    failed: str = ""
    too_long: bool = False

    @property
    def judged(self) -> bool:
        """Whether a sample comes of it."""
        return self.reply is not None or self.too_long


def read_answer(row: Any, where: str) -> Answer:
    """DataError names file and row where this is no answer of a batch."""
    try:
        row = cleaned(row)
    except RecursionError:
        raise DataError(f"{where}: no answer of a batch: lists in lists without end") from None
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
    response, name = row.get("response") or {}, row["custom_id"]
    if not isinstance(response, dict):
        raise DataError(f"{where}: response: expected an object, found {type(response).__name__}")
    status, body = response.get("status_code"), response.get("body")
    if row.get("error") or not response or status not in (None, 200):
        return _failed(name, row.get("error") or body, status)
    try:
        return Answer(name, read_reply(body))
    except Unreadable as error:
        return Answer(name, None, f"its answer cannot be read ({error})")


def _failed(name: str, error: Any, status: Any) -> Answer:
    """A request that failed, and why in few words: status, code, what was said."""
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not isinstance(error, dict):
        error = {"message": error or "no response"}
    code, message = (str(error.get(key) or "") for key in ("code", "message"))
    refused = Refused(status if type(status) is int else 400, message, code)
    words = dict.fromkeys(str(each) for each in (status, code, message) if each)
    return Answer(name, None, " ".join(words)[:_CHARS], refused.too_long)


def read_completion(request: Request, j: int, answer: Answer) -> Completion:
    """What an answer that is `judged` says, as an engine's completion."""
    reply = answer.reply
    if reply is None:
        return Completion(request, j, "", "prompt_too_long", 0, 0, 0)
    choice = ended(request, reply.choices[0])
    return Completion(
        request,
        j,
        choice.text or choice.said,
        choice.finish,
        reply.prompt_tokens or 0,
        reply.cached_tokens,
        reply.tokens or 0,
        weight_of(request, choice) if request.locate else None,
        thinking=choice.thinking,
        logprob=mean_logprob(choice) if request.keep_logprob else None,
    )
