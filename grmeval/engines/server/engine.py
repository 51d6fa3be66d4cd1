"""A served model as an engine: samples of a chat endpoint, in chunks of `n` where it honours that."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from logging import getLogger

from grmeval.engines.server.chat import Choice, Reply, body_of, read_reply, shares, weight_of
from grmeval.engines.server.client import Answer, Client, api_key
from grmeval.engines.server.found_out import find_out
from grmeval.engines.server.pull import Pull, drop_all
from grmeval.engines.server.refusal import Refused
from grmeval.engines.server.retry import Patience
from grmeval.engines.server.served import Card, card_of
from grmeval.engines.server.settings import ServerSettings
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Completion, Message, Request

__all__ = ["ServerEngine"]

_LOG = getLogger(__name__)

REFUSED_IN_A_ROW = 32
"""Requests, none of them taken: it is not about these items."""

Job = tuple[Request, tuple[int, ...]]
Put = Callable[[Completion], None]


class ServerEngine:
    """One model behind one or several addresses, for one launch; see Engine.

    Every request has a seed, a hash of (`seed`, item, order, j), unless the server takes none.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        seed: int,
        first: Request | None = None,
        timeout: float | None = None,
        patient: Patience | None = None,
    ) -> None:
        """Find out what the servers take. `first`: a request as those that are to come.

        ConfigError and EngineError say what is to be done: see `card_of` and `find_out`.
        """
        self._settings, self._seed = settings, seed
        self._loop = asyncio.new_event_loop()
        self._client = Client(
            settings.urls,
            key=api_key(settings.urls),
            concurrency=settings.concurrency,
            patient=patient,
            rng=random.Random(seed),
            timeout=timeout,
        )
        self._in_a_row = 0
        self._estimated = self._thought = False
        self._seen: list[str] = []
        self._refusals: set[str] = set()
        try:
            self._loop.run_until_complete(self._open(first))
        except BaseException:
            self.close()
            raise

    async def _open(self, first: Request | None) -> None:
        self._card: Card = await card_of(self._client, self._settings.model)
        self.context = self._card.context or 0
        if 0 < self.context <= self._settings.sampling.max_tokens:
            raise ConfigError(
                f"--max-tokens {self._settings.sampling.max_tokens}: leaves no room for a prompt in the "
                f"server's context of {self.context} tokens; lower it"
            )
        self._habits, self._seen = await find_out(
            self._client,
            self._settings,
            self._card.name,
            self._card.owner,
            first,
            self._seed % 2**31,
        )

    def facts(self) -> dict[str, str]:
        """What the server says of itself, what was found out, and how often it was asked."""
        card, habits, client = self._card, self._habits, self._client
        found = {
            "engine": "server",
            "model": card.name,
            "root": card.root or "",
            "owned_by": card.owner,
            "servers": str(len(client.urls)),
            "context": str(card.context or ""),
            "samples_a_request": str(habits.n),
            "seeds": "sent" if habits.seed else "not sent",
            "structured": habits.structured or "",
            "thinking": "apart" if self._thought else "",
            "tokens": "estimated" if self._estimated else "",
            "noticed": "; ".join(self._seen),
            "attempts": str(client.attempts),
            "answers": str(client.answers),
            "lost": str(client.lost),
        }
        return {name: value for name, value in found.items() if value}

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """A quarter of the characters: an estimate, the tokenizer is the server's."""
        return sum(len(message.content) for message in messages) // 4

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """See Engine; requests are taken as the servers have room."""
        return Pull(
            self._loop, self._jobs(requests), self._ask, lambda: self._client.room
        ).results()

    def close(self) -> None:
        """Drop the connections."""
        if not self._loop.is_closed():
            drop_all(self._loop)
            self._loop.run_until_complete(self._client.close())
            self._loop.close()

    def _jobs(self, requests: Iterable[Request]) -> Iterator[Job]:
        for request in requests:
            left = request.js
            while left:
                now, left = left[: self._habits.n], left[self._habits.n :]
                yield request, now

    async def _ask(self, job: Job, put: Put) -> None:
        request, js = job
        while js:
            n = min(len(js), self._habits.n)
            try:
                answer = await self._post(request, js[:n])
            except Refused as refused:
                for completion in self._refused(request, js[:n], refused):
                    put(completion)
                js = js[n:]
                continue
            except EngineError as error:
                raise EngineError(f"{'/'.join(request.key)}: {error}") from None
            self._in_a_row = 0
            choices = answer.value.choices[:n]
            for completion in self._completions(request, js, choices, answer):
                put(completion)
            if len(choices) < n and self._habits.n > 1:
                self._habits.n = 1
                self._notice(f"{len(choices)} of {n} samples came of one request; one by one since")
            js = js[len(choices) :]

    async def _post(self, request: Request, js: tuple[int, ...]) -> Answer[Reply]:
        grammar, habits = request.grammar, self._habits
        body = body_of(
            self._settings,
            habits,
            self._card.name,
            request.messages,
            n=len(js),
            seed=_seed_of(self._seed, request, js[0]),
            grammar=grammar,
            logprobs=request.locate is not None,
        )
        in_json = bool(grammar) and habits.structured == "json_schema"
        return await self._client.post(
            "chat/completions", body, lambda found: read_reply(found, in_json), weight=len(js)
        )

    def _completions(
        self, request: Request, js: tuple[int, ...], choices: list[Choice], answer: Answer[Reply]
    ) -> Iterator[Completion]:
        """Tokens are the server's counts, in equal parts of the prompt, in parts as texts are long.

        A prompt that was sent to an unknown end was paid all the same: it counts again.
        """
        reply = answer.value
        prompt, wrote = reply.prompt_tokens, reply.tokens
        sizes = [len(choice.thinking) + len(choice.text) for choice in choices]
        if prompt is None or wrote is None:
            self._estimated = True
            prompt, wrote = self.prompt_tokens(request.messages), sum(sizes) // 4
        prompts = shares(prompt * (1 + answer.lost), [1] * len(choices))
        cached = shares(min(reply.cached_tokens, prompt), [1] * len(choices))
        tokens = shares(wrote, sizes)
        for at, (j, choice) in enumerate(zip(js, choices, strict=False)):
            self._thought = self._thought or bool(choice.thinking)
            if choice.said:
                self._notice(choice.said)
            yield Completion(
                request,
                j,
                choice.text or choice.said,
                choice.finish,
                prompts[at],
                cached[at],
                tokens[at],
                weight_of(request, choice) if request.locate else None,
                thinking=choice.thinking,
            )

    def _refused(
        self, request: Request, js: tuple[int, ...], refused: Refused
    ) -> Iterator[Completion]:
        """What is not taken takes no tokens, and its text says why. EngineError: nothing is taken."""
        finish, said = "prompt_too_long", ""
        if not refused.too_long:
            finish, said = "error", f"not answered: {refused}"
            self._in_a_row += 1
            if self._in_a_row >= REFUSED_IN_A_ROW:
                raise EngineError(f"{'/'.join(request.key)}: {self._in_a_row} in a row {said}")
            self._notice(said)
        for j in js:
            yield Completion(request, j, said, finish, 0, 0, 0)

    def _notice(self, said: str) -> None:
        """Tell it once, and keep it with the launch."""
        if said not in self._seen and len(self._seen) < 8:
            self._seen.append(said)
            _LOG.warning("%s", said)


def _seed_of(seed: int, request: Request, j: int) -> int:
    """Of a launch's seed, the prompt and j; 31 bits, which every server takes, so few that share a prompt
    never meet."""
    name = f"{seed}\0{request.key.subset}\0{request.key.id}\0{request.order}\0{j}"
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1
