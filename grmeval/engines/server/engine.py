"""A served model as an engine: samples of a chat endpoint, in chunks of `n` where it honours that."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from logging import getLogger

from grmeval.engines.server.address import api_key
from grmeval.engines.server.chat import (
    Choice,
    Reply,
    body_of,
    ended,
    mean_logprob,
    read_reply,
    shares,
    weight_of,
)
from grmeval.engines.server.client import Answer, Client
from grmeval.engines.server.found_out import find_out
from grmeval.engines.server.pull import Pull, drop_all
from grmeval.engines.server.refusal import Refusals, Refused
from grmeval.engines.server.retry import Patience
from grmeval.engines.server.served import cards_of, facts_of, one_of
from grmeval.engines.server.settings import ServerSettings
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Completion, Message, Request

__all__ = ["ServerEngine"]

_LOG = getLogger(__name__)

NOTICED = 8
"""Things that a launch's record tells."""

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

        ConfigError and EngineError say what is to be done: see `cards_of` and `find_out`.
        """
        self._settings, self._seed, self._first = settings, seed, first
        self._client = Client(
            settings.urls,
            key=api_key(settings.urls),
            concurrency=settings.concurrency,
            patient=patient,
            rng=random.Random(seed),
            timeout=timeout,
        )
        self._loop = asyncio.new_event_loop()
        self._refusals = Refusals[Completion]()
        self._estimated = self._thought = False
        self._seen: list[str] = []
        self._named: list[str] = []
        try:
            self._loop.run_until_complete(self._open(first))
        except BaseException:
            self.close()
            raise

    async def _open(self, first: Request | None) -> None:
        cards = await cards_of(self._client, self._settings.model)
        self._card = one_of(cards)
        self.context = self._card.context or 0
        if 0 < self.context <= self._settings.sampling.max_tokens:
            raise ConfigError(
                f"--max-tokens {self._settings.sampling.max_tokens}: leaves no room for a prompt in the "
                f"server's context of {self.context} tokens; lower it"
            )
        self._habits, self._seen = await find_out(
            self._client, self._settings, cards, first, self._seed % 2**31
        )

    def facts(self) -> dict[str, str]:
        """What the server says of itself, what was found out, and how often it was asked."""
        habits = self._habits
        found = {
            "answered_by": " + ".join(name for name in self._named if name != self._card.name),
            "samples_a_request": str(habits.n),
            "seeds": "sent" if habits.seed else "not sent",
            "structured": habits.structured or "",
            "thinking": "apart" if self._thought else "",
            "tokens": "estimated" if self._estimated else "",
            "noticed": "; ".join(self._seen),
        }
        known = facts_of(self._card, self._client, self._refusals.count)
        return known | {name: value for name, value in found.items() if value}

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """A quarter of the characters: an estimate, the tokenizer is the server's."""
        return sum(len(message.content) for message in messages) // 4

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """See Engine; requests are taken as the servers have room. EngineError: also if none is answered."""
        jobs = self._jobs(requests)
        yield from Pull(self._loop, jobs, self._ask, lambda: self._client.room).results()
        if self._refusals.held:
            self._loop.run_until_complete(self._ask_first())
            yield from self._refusals.answered()

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

    async def _ask_first(self) -> None:
        """EngineError: the run's first request is refused like all of these: it is not about them."""
        try:
            if self._first:
                await self._post(self._first, self._first.js[:1])
        except Refused:
            self._refusals.end()

    async def _ask(self, job: Job, put: Put) -> None:
        request, js = job
        together: Refused | None = None
        while js:
            n = 1 if together else min(len(js), self._habits.n)
            try:
                answer = await self._post(request, js[:n])
            except Refused as refused:
                if n > 1 and not refused.too_long:  # is it about the prompt, or about so many?
                    together = refused
                    continue
                refused_too = js if together or refused.too_long else js[:n]
                for completion in self._refused(request, refused_too, refused):
                    put(completion)
                js = js[len(refused_too) :]
                continue
            except EngineError as error:
                raise EngineError(f"{'/'.join(request.key)}: {error}") from None
            for held in self._refusals.answered():
                put(held)
            choices = answer.value.choices[:n]
            for completion in self._completions(request, js, choices, answer):
                put(completion)
            if together:
                self._one_by_one(str(together))
                together = None
            elif len(choices) < n:
                self._one_by_one(f"{len(choices)} of {n} samples came of one request")
            js = js[len(choices) :]

    def _one_by_one(self, why: str) -> None:
        if self._habits.n > 1:
            self._habits.n = 1
            self._notice(f"{why}; one by one since")

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
            logprobs=request.locate is not None or request.keep_logprob,
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
        self._hear_of(reply.model)
        prompt, wrote = reply.prompt_tokens, reply.tokens
        sizes = [len(choice.thinking) + len(choice.text) for choice in choices]
        if prompt is None or wrote is None:
            self._estimated = True
            prompt, wrote = self.prompt_tokens(request.messages), sum(sizes) // 4
        prompts = shares(prompt * (1 + answer.lost), [1] * len(choices))
        cached = shares(min(reply.cached_tokens, prompt), [1] * len(choices))
        tokens = shares(wrote, sizes)
        for at, (j, whole) in enumerate(zip(js, choices, strict=False)):
            choice = ended(request, whole)
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
                logprob=mean_logprob(choice) if request.keep_logprob else None,
            )

    def _refused(self, request: Request, js: tuple[int, ...], refused: Refused) -> list[Completion]:
        """What is not taken takes no tokens, and its text says why. EngineError: nothing is taken."""
        if refused.too_long:
            return [Completion(request, j, "", "prompt_too_long", 0, 0, 0) for j in js]
        said = f"not answered: {refused}"
        self._notice(said)
        results = [Completion(request, j, said, "error", 0, 0, 0) for j in js]
        return self._refusals.refused("/".join(request.key), refused, results)

    def _hear_of(self, model: str) -> None:
        """What an answer names as its model: another name than before is another model, or its servers'."""
        if model and model not in self._named and len(self._named) < NOTICED:
            self._named.append(model)
            if len(self._named) > 1:
                self._notice(f"answers name {model} as their model, and {self._named[-2]} before")

    def _notice(self, said: str) -> None:
        """Tell it once, and keep it with the launch."""
        if said not in self._seen and len(self._seen) < NOTICED:
            self._seen.append(said)
            _LOG.warning("%s", said)


def _seed_of(seed: int, request: Request, j: int) -> int:
    """Of a launch's seed, the prompt and j; 31 bits, which every server takes, so few that share a prompt
    never meet."""
    name = f"{seed}\0{request.key.subset}\0{request.key.id}\0{request.order}\0{j}"
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1
