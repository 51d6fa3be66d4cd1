"""What each server takes, found out once, before a run: a few short requests, and two samples of one prompt.

Servers that ignore what they do not know answer all the same: so what comes back is looked at, never that
something did.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from logging import getLogger

from grmeval.engines.server.chat import (
    STRUCTURED,
    Habits,
    Reply,
    body_of,
    read_reply,
    same_fields,
    spells,
)
from grmeval.engines.server.client import Client
from grmeval.engines.server.refusal import Refused
from grmeval.engines.server.served import Card
from grmeval.engines.server.settings import ServerSettings
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Message, Request

__all__ = ["find_out"]

_LOG = getLogger(__name__)

MOST_CHOICES = 8
"""Samples that one request asks for, where it may: all come back when the slowest has ended."""
FEW_TOKENS = 16
_SAY = (Message("user", "Reply with the word hello."),)
_TELL = (Message("user", "Tell a short story about a number of your choice."),)
_GRAMMAR = r"zq: [0-7]{2}\nEnd: \\boxed\{[0-7]\}"
"""No model writes that by itself; it has what the judges' formats have: lines, a backslash, braces."""
_IDENTICAL = (
    "gives the same text again at --temperature {:g}: k samples would be one. Does it take a seed a request "
    "(--engine-arg seed=null leaves it out), or is it set to greedy? --greedy asks for one sample, "
    "--allow-identical goes on"
)


class _Prober:
    """Asks one server."""

    def __init__(self, client: Client, settings: ServerSettings, url: str, card: Card):
        self.client, self.settings, self.url, self.model = client, settings, url, card.name
        self.habits = Habits(card.owner)

    async def ask(self, messages: Sequence[Message], n: int = 1, **more: object) -> Reply:
        body = body_of(self.settings, self.habits, self.model, messages, n=n, **more)  # type: ignore[arg-type]
        in_json = bool(more.get("grammar")) and self.habits.structured == "json_schema"
        found = await self.client.post(
            "chat/completions", body, lambda answer: read_reply(answer, in_json), url=self.url
        )
        return found.value


async def find_out(
    client: Client,
    settings: ServerSettings,
    cards: Mapping[str, Card],
    first: Request | None,
    seed: int,
) -> tuple[Habits, list[str]]:
    """How the servers of these cards are asked for a run whose first request is `first`, and what else was
    seen, in words: all alike, so as the least able of them needs it.

    ConfigError: one cannot give what the run needs, or not as the others do. EngineError: one refuses every
    chat.
    """
    probers = [_Prober(client, settings, url, card) for url, card in cards.items()]
    seen = await asyncio.gather(*(_look(prober, first, seed) for prober in probers))
    habits = probers[0].habits
    for other in probers[1:]:
        if not same_fields(habits, other.habits):
            raise ConfigError(
                f"--base-url {other.url}: wants other fields in a request than {probers[0].url} (token "
                "limit, --structured, or what its kind of server samples by): give each a run of its own"
            )
    habits.seed = all(prober.habits.seed for prober in probers)
    habits.n = min(settings.concurrency or MOST_CHOICES, *(p.habits.n for p in probers))
    return habits, list(dict.fromkeys(said for each in seen for said in each))


async def _look(prober: _Prober, first: Request | None, seed: int) -> list[str]:
    greedy = prober.settings.sampling.temperature == 0
    await _basics(prober, greedy, seed)
    wants_tokens = first is not None and (first.locate is not None or first.keep_logprob)
    if prober.settings.structured:
        await _structure(prober, seed, wants_tokens)
    if wants_tokens:
        judged = first is not None and first.locate is not None
        await _probabilities(prober, seed, "--judge index-prob" if judged else "--keep-logprob")
    return [] if greedy or first is None else await _different(prober, first, seed)


async def _basics(prober: _Prober, greedy: bool, seed: int) -> None:
    """Whether it takes n and a seed, and what it calls the token limit."""
    habits, refusal = prober.habits, None
    ways = [(1, True), (1, False)] if greedy else [(2, True), (1, True), (2, False), (1, False)]
    while ways:
        n, habits.seed = ways.pop(0)
        try:
            reply = await prober.ask(_SAY, n, seed=seed, max_tokens=FEW_TOKENS)
        except Refused as error:
            refusal = refusal or error
            if "max_completion_tokens" in error.message and habits.limit == "max_tokens":
                habits.limit = "max_completion_tokens"
                ways.insert(0, (n, habits.seed))
            continue
        habits.n = MOST_CHOICES if len(reply.choices) == n > 1 else 1
        habits.seed = habits.seed and "seed" not in prober.settings.fields
        return
    raise EngineError(f"{prober.url}: refuses a chat of one line: {refusal}")


async def _structure(prober: _Prober, seed: int, wants_tokens: bool) -> None:
    """The first way that holds an output to a regular expression; of a text in JSON no token is a part."""
    ways = [way for way in STRUCTURED if not (wants_tokens and way == "json_schema")]
    for way in ways:
        prober.habits.structured = way
        try:
            reply = await prober.ask(_SAY, grammar=_GRAMMAR, seed=seed)
        except Refused:
            continue
        if re.fullmatch(_GRAMMAR, reply.choices[0].text):
            return
    raise ConfigError(
        f"--structured: {prober.url} holds no output to a format (tried: {', '.join(ways)}); drop it "
        "(--no-structured)"
    )


async def _probabilities(prober: _Prober, seed: int, wanted_by: str) -> None:
    try:
        reply = await prober.ask(_SAY, logprobs=True, seed=seed, max_tokens=FEW_TOKENS)
        told = any(choice.logprobs for choice in reply.choices)
        why = "gives none"
        if told and not all(map(spells, reply.choices)):
            told, why = False, "gives those of other tokens than its text has"
    except Refused as error:
        told, why = False, f"refuses: {error}"
    if not told:
        without = "--judge index" if "judge" in wanted_by else "a run without it"
        raise ConfigError(
            f"{wanted_by}: asked for token probabilities (logprobs), {prober.url} {why}; {without} "
            "needs none"
        )


async def _different(prober: _Prober, first: Request, seed: int) -> list[str]:
    """Two samples of one prompt differ, at the run's temperature; else what was seen of that, in words.

    Choices of one request that are alike may yet differ between requests. ConfigError: nothing differs.
    """
    habits, seen = prober.habits, list[str]()
    for n in (2, 1) if habits.n > 1 else (1,):
        for turn in range(2):  # a short text may come twice by chance
            one, other = await _pair(prober, first, n, seed + 4 * turn)
            if one != other:
                habits.n = MOST_CHOICES if n > 1 else 1
                return seen
        if n > 1:
            seen.append("choices of one request are alike")
    url = prober.url
    if not prober.settings.allow_identical:
        raise ConfigError(f"{url}: {_IDENTICAL.format(prober.settings.sampling.temperature)}")
    _LOG.warning("%s gives the same text again: k samples may be one", url)
    habits.n = 1
    return ["texts of one prompt are alike"]


async def _pair(prober: _Prober, first: Request, n: int, seed: int) -> list[str]:
    """Two texts, of `2 // n` requests; EngineError: they are refused."""
    try:
        replies = await _several(prober, first.messages, first.grammar, n, seed)
    except Refused as error:
        if not error.too_long:
            raise EngineError(f"{prober.url}: {error}") from None
        try:
            replies = await _several(prober, _TELL, None, n, seed)
        except Refused as still:
            raise EngineError(f"{prober.url}: {still}") from None
    texts = [f"{choice.thinking}\0{choice.text}" for reply in replies for choice in reply.choices]
    return texts[:2] if len(texts) > 1 else texts * 2


async def _several(
    prober: _Prober, messages: Sequence[Message], grammar: str | None, n: int, seed: int
) -> list[Reply]:
    return [await prober.ask(messages, n, seed=seed + at, grammar=grammar) for at in range(2 // n)]
