"""Which models servers serve, and which of them a run asks."""

import asyncio
from collections.abc import Mapping, Sequence
from logging import getLogger
from typing import Any, NamedTuple

from grmeval.engines.models import ModelRef, slug
from grmeval.engines.server.address import api_key
from grmeval.engines.server.client import Client, Unreadable
from grmeval.engines.server.refusal import Refused
from grmeval.engines.server.retry import Patience, patience
from grmeval.errors import ConfigError, EngineError

__all__ = ["Card", "cards_of", "facts_of", "one_of", "served_model"]

_LOG = getLogger(__name__)
FIRST_SECONDS = 5.0
"""How long a server that was never reached is tried."""


class Card(NamedTuple):
    """A model as listed. `root`: what is behind the name, `context`: in tokens; None: not told."""

    name: str
    root: str | None = None
    context: int | None = None
    owner: str = ""


def served_model(urls: Sequence[str], model: str | None, tag: str | None) -> ModelRef:
    """What a run's name says of a served model: the tag, else its name and what is behind that.

    A tag is the user's word: nobody is asked. ConfigError: several models, none is named, or the servers
    do not serve the same one. EngineError: no server can be reached, or they let nobody in.
    """
    if tag:
        return ModelRef(model or "", None, slug(tag.replace("/", "--")), f"served:{tag}")

    async def ask() -> dict[str, Card]:
        client = Client(urls, key=api_key(urls))
        try:
            return await cards_of(client, model or "")
        finally:
            await client.close()

    cards = asyncio.run(ask())
    _check_alike(cards)
    card = one_of(cards)
    behind = f"={card.root}" if card.root and card.root != card.name else ""
    label = slug(card.name.rstrip("/").removeprefix("/").replace("/", "--"))
    return ModelRef(card.name, None, label, f"served:{card.name}{behind}")


async def cards_of(client: Client, model: str) -> dict[str, Card]:
    """The model of that name at every server that answers, by address; "": the only one there is."""
    patient = patience()
    patient = Patience(min(FIRST_SECONDS, patient.seconds), patient.tries)
    found: dict[str, Card] = {}
    failures = []

    async def look(url: str) -> None:
        try:
            found[url] = _chosen(url, await _cards(client, url, patient), model)
        except EngineError as error:
            failures.append(error)

    await asyncio.gather(*map(look, client.urls))
    if not found:
        raise failures[0]
    for error in failures:
        _LOG.warning("%s", error)
    return {url: found[url] for url in client.urls if url in found}


def _check_alike(cards: Mapping[str, Card]) -> None:
    first = next(iter(cards.values()))
    for url, card in cards.items():
        if (card.name, card.root) != (first.name, first.root):
            raise ConfigError(
                f"--base-url {url}: serves {_told(card)}, and the first {_told(first)}: one run has one "
                "model (--model-tag says that they are the same)"
            )


def one_of(cards: Mapping[str, Card]) -> Card:
    """What holds for all of them: the shortest context."""
    contexts = [card.context for card in cards.values() if card.context]
    return next(iter(cards.values()))._replace(context=min(contexts, default=None))


def facts_of(card: Card, client: Client, refused: int) -> dict[str, str]:
    """What a launch's record says of every server: what it says of itself, and how often it was asked."""
    found = {
        "engine": "server",
        "model": card.name,
        "root": card.root or "",
        "owned_by": card.owner,
        "servers": str(len(client.urls)),
        "context": str(card.context or ""),
        "refused": str(refused or ""),
        "attempts": str(client.attempts),
        "answers": str(client.answers),
        "lost": str(client.lost),
    }
    return {name: value for name, value in found.items() if value}


def _told(card: Card) -> str:
    return f"{card.name} ({card.root})" if card.root else card.name


async def _cards(client: Client, url: str, patient: Patience) -> list[Card]:
    """[]: the server lists nothing."""
    try:
        return (await client.get("models", _read, url=url, patient=patient)).value
    except Refused:
        return []


def _chosen(url: str, cards: list[Card], model: str) -> Card:
    names = ", ".join(card.name for card in cards[:8]) + (" …" if len(cards) > 8 else "")
    if model:
        named = next((card for card in cards if card.name == model), None)
        if cards and not named:  # it may know more than it lists: its answers tell
            _LOG.warning("--base-url %s does not list --model %s; it lists %s", url, model, names)
        return named or Card(model)
    if len(cards) == 1:
        return cards[0]
    raise ConfigError(
        f"--base-url {url}: which model? --model NAME" + (f"; it serves {names}" if names else "")
    )


def _read(found: Any) -> list[Card]:
    listed = found.get("data") if isinstance(found, dict) else found
    if not isinstance(listed, list):
        raise Unreadable("no list of models")
    return [
        Card(each["id"], _text(each.get("root")), _whole(each), str(each.get("owned_by") or ""))
        for each in listed
        if isinstance(each, dict) and isinstance(each.get("id"), str) and each["id"]
    ]


def _text(told: Any) -> str | None:
    return told if isinstance(told, str) and told else None


def _whole(card: dict[str, Any]) -> int | None:
    """vLLM and SGLang tell max_model_len, OpenRouter context_length, llama.cpp n_ctx among others."""
    more = card.get("meta")
    told = [card.get("max_model_len"), card.get("context_length")]
    told += [more.get("n_ctx")] if isinstance(more, dict) else []
    return next((each for each in told if isinstance(each, int) and each > 0), None)
