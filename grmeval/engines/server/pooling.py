"""A served reward model as a scorer: one raw logit for each finished chat, by vLLM's /classify.

Written for 0.32 (vllm/entrypoints/pooling/classify/protocol.py): `input` (token ids) or `messages`, and
`use_activation`; a chat's number is `data[0].probs[0]`. Older servers pass over what they do not know and
give a sigmoid's value, so a number is asked for both ways before any counts.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from grmeval.engines.head_check import no_head
from grmeval.engines.heads import HeadEngine
from grmeval.engines.model_files import encoder
from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.engines.server.client import Answer, Client, Unreadable, api_key
from grmeval.engines.server.pull import Pull
from grmeval.engines.server.refusal import Refused
from grmeval.engines.server.retry import Patience
from grmeval.engines.server.served import Card, card_of
from grmeval.engines.settings import ModelSettings
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Message

__all__ = ["PoolingSettings", "ServedScorer", "open_served_head"]

PATH = "/classify"
REFUSED_IN_A_ROW = 32
"""Chats, none of them taken: it is not about these."""

KNOWN = (
    (Message("user", "What is 2 + 3?"), Message("assistant", "2 + 3 is 5.")),
    (Message("user", "Name a colour."), Message("assistant", "I had soup. " * 8)),
)
"""Chats whose numbers are looked at before a run."""
ALIKE = 0.02
"""A sigmoid moves one of them further than this, and arithmetic moves neither so far."""
NEAR, SHARE = 0.05, 0.03
"""How far a served number may be from that of the same weights in float32: so much, and so much of it.
bfloat16 was seen to move a number of 20 by 0.34."""


class _Config(Protocol):
    """What of a configuration says how a pooling server is asked."""

    @property
    def base_url(self) -> tuple[str, ...] | None: ...
    @property
    def concurrency(self) -> int | None: ...
    @property
    def chat_template_kwargs(self) -> dict[str, Any]: ...
    @property
    def engine_args(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class PoolingSettings:
    """`model`: the name to ask for, "" the only one there is. `fields`: further ones of every request."""

    urls: tuple[str, ...]
    model: str = ""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int | None = None

    @classmethod
    def of(cls, model: str, config: _Config) -> "PoolingSettings":
        """A served head, as a configuration of a run or of a meta RM wants it asked."""
        return cls(
            urls=config.base_url or (),
            model=model,
            chat_template_kwargs=config.chat_template_kwargs,
            fields=config.engine_args,
            concurrency=config.concurrency,
        )


class _Number(NamedTuple):
    value: float
    tokens: int


def open_served_head(settings: "PoolingSettings") -> HeadEngine:
    """A served head as an engine; see ServedScorer for what goes wrong."""
    return HeadEngine(ServedScorer(settings))


class ServedScorer:
    """One model with a head of one number behind one or several addresses, for one launch; see Scorer.

    Where its folder is here too, chats are rendered here, by its own tokenizer, and sent as token ids: no
    text can pose as a control token. Else the server's chat template makes of them what it does.
    """

    def __init__(self, settings: PoolingSettings, *, patient: Patience | None = None) -> None:
        """ConfigError: no such head, or no raw logits. EngineError: the server cannot be asked."""
        self._settings, self._loop = settings, asyncio.new_event_loop()
        self._client = Client(
            settings.urls, key=api_key(), concurrency=settings.concurrency, patient=patient
        )
        self._in_a_row = 0
        self._refusals = 0
        try:
            self._loop.run_until_complete(self._open())
        except BaseException:
            self.close()
            raise

    async def _open(self) -> None:
        self._card: Card = await card_of(self._client, self._settings.model)
        self.context = self._card.context or 0
        folder = Path(self._card.root or "")
        here = self._card.root is not None and (folder / "config.json").is_file()
        kwargs = self._settings.chat_template_kwargs
        local = ModelSettings(str(folder), chat_template_kwargs=kwargs)
        self._encode = encoder(local) if here else None
        try:
            raw = [await self._known(chat, False) for chat in KNOWN]
            felt = [await self._known(chat, True) for chat in KNOWN]
        except EngineError as error:
            raise EngineError(
                f"{error} (asked for {PATH}, which vLLM's server has with --runner pooling)"
            ) from None
        self._checked, known = "not checked: its weights are not here", False
        if self._encode:
            ids = [self._encode(chat, True) for chat in KNOWN]
            self._checked, known = _checked(folder, ids, raw)
        if not known:
            self._check_raw(raw, felt)

    async def _known(self, chat: tuple[Message, ...], activated: bool) -> float:
        try:
            answer = await self._client.post(PATH, self._body(chat, activated), self._read)
        except Refused as refused:
            raise EngineError(f"{self._client.urls[0]}: {refused}") from None
        return answer.value.value

    def _check_raw(self, raw: Sequence[float], felt: Sequence[float]) -> None:
        """Numbers that an activation does not change are raw only where they are no probabilities."""
        same = all(abs(one - other) <= ALIKE for one, other in zip(raw, felt, strict=True))
        if same and all(0 <= number <= 1 for number in raw):
            raise ConfigError(
                f"{self._client.urls[0]}: gives {raw[0]:.4f} with and without the head's activation: no raw "
                "logit is to be had. vLLM 0.32 takes use_activation; --engine vllm loads the model here"
            )

    def facts(self) -> dict[str, str]:
        """What the server says of itself, how chats reach it, and whether its numbers were looked at."""
        card, client = self._card, self._client
        found = {
            "engine": "server",
            "model": card.name,
            "root": card.root or "",
            "owned_by": card.owner,
            "servers": str(len(client.urls)),
            "context": str(card.context or ""),
            "chats": "token ids" if self._encode else "by the server's chat template",
            "checked": self._checked,
            "refused": str(self._refusals or ""),
            "attempts": str(client.attempts),
            "answers": str(client.answers),
            "lost": str(client.lost),
        }
        return {name: value for name, value in found.items() if value}

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        """See Scorer."""
        return Pull(self._loop, requests, self._ask, lambda: self._client.room).results()

    def close(self) -> None:
        """Drop the connections."""
        if not self._loop.is_closed():
            self._loop.run_until_complete(self._client.close())
            self._loop.close()

    async def _ask(self, request: ScoreRequest, put: Callable[[Reward], None]) -> None:
        name = "/".join(map(str, (*request.key, request.j)))
        try:
            body = self._body(request.messages, False)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error
        length = len(body.get("input", ()))
        if self.context and length > self.context:
            put(Reward(request, None, "prompt_too_long", length, 0))
            return
        try:
            answer = await self._client.post(PATH, body, self._read)
        except Refused as refused:
            put(self._refused(request, name, refused, length))
        except EngineError as error:
            raise EngineError(f"{name}: {error}") from None
        else:
            self._in_a_row = 0
            put(self._reward(request, answer))

    def _body(self, chat: tuple[Message, ...], activated: bool) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._card.name, "use_activation": activated}
        if self._encode:
            body["input"] = self._encode(chat, True)
        else:
            body["messages"] = [message._asdict() for message in chat]
            if self._settings.chat_template_kwargs:
                body["chat_template_kwargs"] = dict(self._settings.chat_template_kwargs)
        body |= self._settings.fields
        return {name: value for name, value in body.items() if value is not None}

    def _read(self, found: Any) -> _Number:
        """ConfigError: a head of several numbers; Unreadable: no number."""
        try:
            (data,) = found["data"]
            numbers, tokens = data["probs"], found.get("usage", {}).get("prompt_tokens")
            values = [float(number) for number in numbers]
        except (LookupError, TypeError, ValueError, AttributeError):
            raise Unreadable("no data[0].probs") from None
        if len(values) != 1:
            raise no_head(self._card.name, len(values))
        return _Number(values[0], tokens if type(tokens) is int and tokens > 0 else 0)

    def _reward(self, request: ScoreRequest, answer: Answer[_Number]) -> Reward:
        """A chat that was sent to an unknown end was paid all the same: it counts again."""
        value, tokens = answer.value.value, answer.value.tokens * (1 + answer.lost)
        if not isfinite(value):
            return Reward(request, None, "not_finite", tokens, 0)
        return Reward(request, value, None, tokens, 0)

    def _refused(self, request: ScoreRequest, name: str, refused: Refused, length: int) -> Reward:
        """What is not taken has no number; EngineError: nothing is taken."""
        if refused.too_long:
            return Reward(request, None, "prompt_too_long", length, 0)
        self._in_a_row += 1
        self._refusals += 1
        if self._in_a_row >= REFUSED_IN_A_ROW:
            raise EngineError(f"{name}: {self._in_a_row} in a row are not taken: {refused}")
        return Reward(request, None, "refused", length, 0)


def _checked(folder: Path, chats: Sequence[list[int]], served: Sequence[float]) -> tuple[str, bool]:
    """What a comparison with the folder's own weights came to, and whether there was one.

    EngineError: it is another head, or another number of it.
    """
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if 2 * weights > free or not weights:
        return f"not checked: its weights take {2 * weights / 1e9:.0f} GB in float32", False
    try:
        here = _numbers(folder, chats)
    except Exception as error:  # no transformers, or a model that they do not know
        return f"not checked: {type(error).__name__} from transformers", False
    furthest = max(abs(one - other) for one, other in zip(served, here, strict=True))
    if any(abs(s - h) > NEAR + SHARE * abs(h) for s, h in zip(served, here, strict=True)):
        told = ", ".join(f"{s:.3f} for {h:.3f}" for s, h in zip(served, here, strict=True))
        raise EngineError(
            f"{folder}: its head gives other numbers than the server that says to serve it ({told}): another "
            "model, or no raw logit; --engine vllm loads the folder itself"
        )
    return f"{furthest:.4f} from its weights in float32", True


def _numbers(folder: Path, chats: Sequence[list[int]]) -> list[float]:
    """By transformers, in this process."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return [float(model(input_ids=torch.tensor([ids])).logits[0, 0]) for ids in chats]
