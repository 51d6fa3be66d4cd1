"""A scorer as an engine: the numbers of a request's chats come back as one completion."""

import json
from collections.abc import Iterable, Iterator

from grmeval.engines.engine import about_tokens
from grmeval.engines.scorer import Reward, Scorer, ScoreRequest
from grmeval.engines.settings import ModelSettings
from grmeval.items import Completion, Message, Request

__all__ = ["HeadEngine", "open_head"]


class HeadEngine:
    """Engine for judges whose model has a head in place of a voice."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.context = scorer.context

    def facts(self) -> dict[str, str]:
        """See Engine."""
        return self._scorer.facts()

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """A quarter of the characters: an estimate for people, before anything is asked."""
        return about_tokens(messages)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """See Engine: `text` is a JSON list of the chats' numbers, in their order; of no chats `[]`."""
        empty: list[Completion] = []
        waiting: dict[int, tuple[Request, int, list[ScoreRequest]]] = {}
        found: dict[int, dict[int, Reward]] = {}

        def asked() -> Iterator[ScoreRequest]:
            for number, (request, j) in enumerate((r, j) for r in requests for j in r.js):
                chats = [ScoreRequest(request.key, number, chat) for chat in request.chats or ()]
                if not chats:
                    empty.append(_completion(request, j, []))
                    continue
                waiting[number] = request, j, chats
                found[number] = {}
                yield from chats

        for reward in self._scorer.score(asked()):
            number = reward.request.j
            request, j, chats = waiting[number]
            found[number][id(reward.request)] = reward
            if len(found[number]) == len(chats):
                rewards = [found[number][id(chat)] for chat in chats]
                del waiting[number], found[number]
                yield _completion(request, j, rewards)
            yield from _taken(empty)
        yield from _taken(empty)

    def close(self) -> None:
        """Free the model."""
        self._scorer.close()


_ENDS = {"prompt_too_long": "prompt_too_long", "refused": "error"}
"""Why a chat has no number -> how its sample's completion ended."""


def open_head(settings: ModelSettings) -> HeadEngine:
    """A model with a head, loaded; see VllmScorer for what goes wrong."""
    from grmeval.engines.vllm_scorer import VllmScorer

    return HeadEngine(VllmScorer(settings))


def _taken(completions: list[Completion]) -> Iterator[Completion]:
    while completions:
        yield completions.pop()


def _completion(request: Request, j: int, rewards: list[Reward]) -> Completion:
    """A chat without a number makes the whole sample invalid, by its reason."""
    prompt = sum(reward.prompt_tokens for reward in rewards)
    cached = sum(reward.cached_tokens for reward in rewards)
    numbers = [reward.reward for reward in rewards]
    if None in numbers:
        reasons = {reward.reason for reward in rewards}
        finish = next((word for reason, word in _ENDS.items() if reason in reasons), "stop")
        return Completion(request, j, "", finish, prompt, cached, 0)
    return Completion(request, j, json.dumps(numbers), "stop", prompt, cached, 0)
