"""A served reward model as a scorer: one raw logit for each finished chat, by vLLM's /classify.

Written for 0.32 (vllm/entrypoints/pooling/classify/protocol.py): `input` (token ids) or `messages`, and
`use_activation`; a chat's number is `data[0].probs[0]`. Older servers pass over what they do not know and
give a sigmoid's value, so a number is asked for both ways before any counts.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.engines.head_check import no_head
from grmeval.engines.heads import HeadEngine
from grmeval.engines.model_files import encoder
from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.engines.server.address import api_key
from grmeval.engines.server.chat import count
from grmeval.engines.server.client import Answer, Client, Unreadable
from grmeval.engines.server.pull import Pull, drop_all
from grmeval.engines.server.refusal import Refusals, Refused
from grmeval.engines.server.retry import Patience
from grmeval.engines.server.served import cards_of, facts_of, one_of
from grmeval.engines.server.settings import PoolingSettings
from grmeval.engines.settings import ModelSettings
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Message

__all__ = ["ServedScorer", "open_served_head"]

PATH = "/classify"

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


class _Number(NamedTuple):
    value: float
    tokens: int


def open_served_head(settings: PoolingSettings) -> HeadEngine:
    """A served head as an engine; see ServedScorer for what goes wrong."""
    return HeadEngine(ServedScorer(settings))


class ServedScorer:
    """One model with a head of one number behind one or several addresses, for one launch; see Scorer.

    Where its folder is here too, chats are rendered here, by its own tokenizer, and sent as token ids: no
    text can pose as a control token. Else the server's chat template makes of them what it does.
    """

    def __init__(self, settings: PoolingSettings, *, patient: Patience | None = None) -> None:
        """ConfigError: no such head, or no raw logits. EngineError: the server cannot be asked."""
        self._settings = settings
        self._client = Client(
            settings.urls,
            key=api_key(settings.urls),
            concurrency=settings.concurrency,
            patient=patient,
        )
        self._loop = asyncio.new_event_loop()
        self._refusals = Refusals[Reward]()
        try:
            self._loop.run_until_complete(self._open())
        except BaseException:
            self.close()
            raise

    async def _open(self) -> None:
        cards = await cards_of(self._client, self._settings.model)
        self._card = one_of(cards)
        self.context = self._card.context or 0
        folder = Path(self._card.root or "")
        here = self._card.root is not None and (folder / "config.json").is_file()
        kwargs = self._settings.chat_template_kwargs
        local = ModelSettings(str(folder), chat_template_kwargs=kwargs)
        self._encode = encoder(local) if here else None
        raw = {url: await self._known(url, False) for url in cards}
        felt = {url: await self._known(url, True) for url in cards}
        self._checked, known = "not checked: its weights are not here", False
        if self._encode:
            ids = [self._encode(chat, True) for chat in KNOWN]
            self._checked, known = _checked(folder, ids, raw)
        if not known:
            for url in cards:
                self._check_raw(url, raw[url], felt[url])

    async def _known(self, url: str, activated: bool) -> list[float]:
        """What one server gives the known chats."""
        asked = f"(asked for {PATH}, which vLLM's server has with --runner pooling)"
        bodies = [self._body(chat, activated) for chat in KNOWN]
        try:
            found = [await self._client.post(PATH, body, self._read, url=url) for body in bodies]
        except Refused as refused:
            raise EngineError(f"{url}: {refused} {asked}") from None
        except EngineError as error:
            raise EngineError(f"{error} {asked}") from None
        return [answer.value.value for answer in found]

    def _check_raw(self, url: str, raw: Sequence[float], felt: Sequence[float]) -> None:
        """Numbers that an activation does not change are raw only where they are no probabilities."""
        same = all(abs(one - other) <= ALIKE for one, other in zip(raw, felt, strict=True))
        if same and all(0 <= number <= 1 for number in raw):
            raise ConfigError(
                f"{url}: gives {raw[0]:.4f} with and without the head's activation: no raw "
                "logit is to be had. vLLM 0.32 takes use_activation; --engine vllm loads the model here"
            )

    def facts(self) -> dict[str, str]:
        """What the server says of itself, how chats reach it, and whether its numbers were looked at."""
        return facts_of(self._card, self._client, self._refusals.count) | {
            "chats": "token ids" if self._encode else "by the server's chat template",
            "checked": self._checked,
        }

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        """See Scorer. EngineError: also where none is answered."""
        yield from Pull(self._loop, requests, self._ask, lambda: self._client.room).results()
        self._refusals.end()

    def close(self) -> None:
        """Drop the connections."""
        if not self._loop.is_closed():
            drop_all(self._loop)
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
            for reward in self._refused(request, name, refused, length):
                put(reward)
        except EngineError as error:
            raise EngineError(f"{name}: {error}") from None
        else:
            for held in self._refusals.answered():
                put(held)
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
            values = [float(number) for number in data["probs"]]
        except (LookupError, TypeError, ValueError, OverflowError):
            raise Unreadable("no data[0].probs") from None
        if len(values) != 1:
            raise no_head(self._card.name, len(values))
        usage = found.get("usage")
        told = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        return _Number(values[0], count(told) or 0)

    def _reward(self, request: ScoreRequest, answer: Answer[_Number]) -> Reward:
        """A chat that was sent to an unknown end was paid all the same: it counts again."""
        value, tokens = answer.value.value, answer.value.tokens * (1 + answer.lost)
        if not isfinite(value):
            return Reward(request, None, "not_finite", tokens, 0)
        return Reward(request, value, None, tokens, 0)

    def _refused(
        self, request: ScoreRequest, name: str, refused: Refused, length: int
    ) -> list[Reward]:
        """What is not taken has no number; EngineError: nothing is taken."""
        if refused.too_long:
            return [Reward(request, None, "prompt_too_long", length, 0)]
        return self._refusals.refused(name, refused, [Reward(request, None, "refused", length, 0)])


def _checked(
    folder: Path, chats: Sequence[list[int]], served: Mapping[str, Sequence[float]]
) -> tuple[str, bool]:
    """What a comparison of each server with the folder's own weights came to, and whether there was one.

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
    furthest = 0.0
    for url, numbers in served.items():
        pairs = list(zip(numbers, here, strict=True))
        furthest = max(furthest, *(abs(s - h) for s, h in pairs))
        if any(abs(s - h) > NEAR + SHARE * abs(h) for s, h in pairs):
            told = ", ".join(f"{s:.3f} for {h:.3f}" for s, h in pairs)
            raise EngineError(
                f"{folder}: its head gives other numbers than {url}, which says to serve it ({told}): "
                "another model, or no raw logit; --engine vllm loads the folder itself"
            )
    return f"{furthest:.4f} from its weights in float32", True


def _numbers(folder: Path, chats: Sequence[list[int]]) -> list[float]:
    """By transformers, in this process."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return [float(model(input_ids=torch.tensor([ids])).logits[0, 0]) for ids in chats]
