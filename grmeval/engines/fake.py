"""A judge of known quality that ships with the package: it drives tests, demos and power studies.

Every draw is a function of (seed, item, j), never of arrival order, and leaves as text that goes
through the real parser; so every number downstream has a known truth.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import exp, log1p, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grmeval.engines.engine import about_tokens
from grmeval.errors import ConfigError, EngineError, nearest
from grmeval.items import Completion, Item, Key, Message, Request

__all__ = ["SPEED_ONLY", "FakeEngine", "FakeSettings", "read_settings"]

SPEED_ONLY = frozenset({"latency", "window", "die_after"})
"""Settings that change when a sample arrives, not what it says."""

Write = Callable[[Sequence[int], str], str]
_FAILURES = (
    "no_score",
    "wrong_count",
    "out_of_range",
    "truncated",
    "prompt_too_long",
    "engine_error",
)


class FakeSettings(BaseModel):
    """The fake judge's truth. Probabilities are per sample."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    accuracy: float = Field(0.7, ge=0, le=1)
    """One sample ranks a best response strictly first (one response: is on the right side of 5.5).
    Exact while order_bias and length_bias are 0."""
    spread: float = Field(0.0, ge=0, lt=1)
    """0: every item is equally hard. Else items differ: Beta with mean `accuracy` and this
    intra-class correlation."""
    hinted: float = Field(0.95, ge=0, le=1)
    """What `accuracy` is, of every item, where the prompt names the best response (`grmeval spct sample`)."""
    ties: float = Field(0.3, ge=0, le=1)
    """Of the samples that are not right, the part in which the top score is shared. A judge that names one
    response has none."""
    noise: float = Field(0.5, ge=0, le=1)
    """How far apart scores lie: 0 always one point, 1 as far as there is room."""
    low: int = Field(1, ge=1, le=5)
    high: int = Field(10, ge=6, le=10)
    """Scores before bias lie in low..high, less the room that the biases below need."""
    order_bias: int = Field(0, ge=-4, le=4)
    """Whole points added to the response shown first."""
    length_bias: int = Field(0, ge=-4, le=4)
    """Whole points added to the longest response (the first of equals)."""
    no_score: float = Field(0.0, ge=0, le=1)
    wrong_count: float = Field(0.0, ge=0, le=1)
    out_of_range: float = Field(0.0, ge=0, le=1)
    truncated: float = Field(0.0, ge=0, le=1)
    prompt_too_long: float = Field(0.0, ge=0, le=1)
    engine_error: float = Field(0.0, ge=0, le=1)
    logprob_auc: float = Field(0.7, gt=0, lt=1)
    """Of --keep-logprob: probability that a sample that is right has a higher mean log-probability than one
    that is not."""
    tell: float = Field(0.0, ge=0, le=1)
    """Probability that the analysis says whether the sample is right: something for a meta RM to learn. The
    best that one can do is then an AUC of 1 - (1 - tell)^2 / 2."""
    chars: int = Field(200, ge=0, le=10_000_000)
    """Length of the written analysis."""
    quote: float = Field(0.0, ge=0, le=1)
    """The analysis ends with one of the responses, verbatim, whatever that may hold. Scores stay as
    they are without it. (Of a sample of `no_score` that quotes nothing but a box, the box is read.)"""
    chatter: int = Field(0, ge=0, le=10_000_000)
    """Characters that are written after the scores, and give none."""
    latency: float = Field(0.0, ge=0)
    """Seconds from one completion to the next."""
    window: int = Field(32, ge=1)
    """Samples in flight; they finish out of order inside it."""
    die_after: int = Field(0, ge=0)
    """The engine dies after so many samples; 0: never."""


def read_settings(settings: Mapping[str, Any]) -> FakeSettings:
    """Check `--engine-arg`s; ConfigError names the one that does not fit."""
    try:
        found = FakeSettings(**settings)
    except ValidationError as error:
        names = sorted(FakeSettings.model_fields)
        unknown = [str(e["loc"][0]) for e in error.errors() if e["type"] == "extra_forbidden"]
        said = {"extra_forbidden": "the fake engine has no such setting"}
        lines = [
            f"--engine-arg {e['loc'][0]}: {said.get(e['type'], e['msg'])}" for e in error.errors()
        ]
        hint = nearest(unknown[0], names) if unknown else f"settings: {', '.join(names)}"
        raise ConfigError("\n".join([*lines, hint])) from None
    failing = sum(getattr(found, name) for name in _FAILURES)
    if failing > 1 + 1e-9:
        raise ConfigError(f"--engine-arg: the failure rates add up to {failing:g}, more than 1")
    return found


class FakeEngine:
    """Built with the items, so that it knows the truth it is to hit or miss."""

    context = 1_000_000

    def __init__(
        self,
        items: Iterable[Item],
        write: Write,
        seed: int,
        settings: Mapping[str, Any],
        *,
        picks: bool = False,
        hinted: bool = False,
    ) -> None:
        """`write(scores, analysis)` is the judge's; see `read_settings` for ConfigError.

        `picks`: the judge names one response, so that a tie could not be written: there are none but
        those that a bias makes, of which the judge names the one shown first. `hinted`: prompts name the
        best response; such samples are drawn apart from the others.
        """
        self.settings = read_settings(settings)
        self._ties = 0.0 if picks else self.settings.ties
        self._items: dict[Key, Item] = {item.key: item for item in items}
        self._write, self._seed, self._hinted = write, seed, hinted
        self._accuracies: dict[Key, float] = {}
        self._apart = sqrt(2) * NormalDist().inv_cdf(self.settings.logprob_auc)
        self._analysis = _talk(self.settings.chars)
        self._chatter = "\n\n" + _talk(self.settings.chatter) if self.settings.chatter else ""

    def facts(self) -> dict[str, str]:
        """The fake has no version but the package's."""
        return {"engine": "fake"}

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """A quarter of the characters, about what real tokenizers give."""
        return about_tokens(messages)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """See Engine; inside a window of `window` samples the last asked finishes first."""
        wanted = ((request, j) for request in requests for j in request.js)
        done = 0
        while window := list(islice(wanted, self.settings.window)):
            for request, j in reversed(window):
                if self.settings.die_after and done >= self.settings.die_after:
                    raise EngineError(
                        f"the fake engine died after {done} samples, as it was told to"
                    )
                if self.settings.latency:
                    time.sleep(self.settings.latency)
                yield self._complete(request, j)
                done += 1

    def close(self) -> None:
        """Nothing to free."""

    def _complete(self, request: Request, j: int) -> Completion:
        prompt = sum(map(self.prompt_tokens, request.prompts))
        if not request.prompts:  # what a head says of no chats
            return Completion(request, j, "[]", "stop", prompt, 0, 0)
        draw = self._draws(request.key, f"{j}, hinted" if self._hinted else j)
        item = self._items[request.key]
        failure = self._failure(draw())
        if failure in ("prompt_too_long", "engine_error"):
            finish = "error" if failure == "engine_error" else failure
            return Completion(request, j, "", finish, prompt, 0, 0)
        scores = self._scores(item, draw)
        shown = [scores[i] for i in request.order]
        shown[0] += self.settings.order_bias
        analysis = self._analysis
        if draw() < self.settings.quote:
            analysis += f"\n{item.responses[int(draw() * item.n)]}\n"
        right = failure is None and _is_right(item, dict(zip(request.order, shown, strict=True)))
        if self.settings.tell and self._draws(request.key, f"{j}, tell")() < self.settings.tell:
            analysis += "\nI am sure of this.\n" if right else "\nI had to guess.\n"
        text = self._spoil(failure, [min(10, max(1, s)) for s in shown], analysis)
        finish = "length" if failure == "truncated" else "stop"
        if finish == "stop":
            text += self._chatter
        if (end := request.stop and request.stop(text, "", 0)) is not None:
            text, finish = text[:end], "stop"
        weight = self._weight(item, shown, request, j) if request.locate else None
        tokens = len(text) // 4 if request.chats is None else 0
        logprob = self._logprob(right, request.key, j) if request.keep_logprob else None
        return Completion(request, j, text, finish, prompt, 0, tokens, weight, logprob=logprob)

    def _weight(self, item: Item, shown: list[int], request: Request, j: int) -> float:
        """How sure of its pick: between 1/n and 1, as Beta(2, 1) of a best response, as Beta(1, 1) else."""
        picked = request.order[shown.index(max(shown))]
        best = item.quality is not None and item.quality[picked] == 1
        u = self._draws(request.key, f"{j}, weight")()
        return 1 / item.n + (1 - 1 / item.n) * (u**0.5 if best else u)

    def _logprob(self, right: bool, key: Key, j: int) -> float:
        """ln sigmoid(x), x = Normal(0, 1) + d where right, d = sqrt(2) x Phi^-1(logprob_auc).

        Two such normals, d apart, are in the right order with the probability Phi(d / sqrt(2)).
        """
        u = self._draws(key, f"{j}, logprob")()
        x = NormalDist().inv_cdf(min(max(u, 2**-53), 1 - 2**-53)) + (self._apart if right else 0.0)
        return -log1p(exp(-x))

    def _draws(self, key: Key, j: int | str | None) -> Callable[[], float]:
        """Uniform draws that belong to one sample (j, or a word that begins with it) or one item (None)."""
        from hashlib import blake2b

        name = f"{self._seed}\0{key.subset}\0{key.id}\0{j}".encode("utf-8", "surrogatepass")
        words = np.frombuffer(blake2b(name, digest_size=64).digest(), dtype=np.uint64)
        stream = iter(((words >> np.uint64(11)) / 2.0**53).tolist())
        return lambda: next(stream)

    def _failure(self, u: float) -> str | None:
        for name in _FAILURES:
            u -= getattr(self.settings, name)
            if u < 0:
                return name
        return None

    def _scores(self, item: Item, draw: Callable[[], float]) -> list[int]:
        """Scores in item order, kept off the ends by the size of the biases."""
        s = self.settings
        bias = (s.order_bias, s.length_bias)
        low = max(s.low, 1 - sum(b for b in bias if b < 0))
        high = min(s.high, 10 - sum(b for b in bias if b > 0))
        right = draw() < self._item_accuracy(item.key)
        tied, place, gap, pick = draw() < self._ties, draw(), draw(), draw()
        quality = item.quality or (1,) + (0,) * (item.n - 1)
        if item.n == 1:
            above = right == (quality[0] == 1)
            lo, hi = (6, high) if above else (low, 5)
            return [self._between(lo, hi, gap * s.noise if above else 1 - gap * s.noise)]
        best = [i for i in range(item.n) if quality[i] == 1]
        rest = [i for i in range(item.n) if quality[i] == 0]
        if not best or not rest:
            return [self._between(low, high, (place + i / item.n) % 1) for i in range(item.n)]
        lead, follow = (best, rest) if right else (rest, best)
        # The top score is low + 1 at least, so that everyone else has room strictly below it.
        top = self._between(low + 1, high, place)
        scores = [self._between(low, top - 1, 1 - gap * s.noise)] * item.n
        first = lead[int(pick * len(lead))]
        scores[first] = top
        if not right and tied:
            scores[follow[int(gap * len(follow))]] = top
        if s.length_bias:
            scores[max(range(item.n), key=lambda i: len(item.responses[i]))] += s.length_bias
        return scores

    def _item_accuracy(self, key: Key) -> float:
        s = self.settings
        if self._hinted:
            return s.hinted
        if s.spread == 0 or s.accuracy in (0, 1):
            return s.accuracy
        if key not in self._accuracies:
            from scipy.stats import beta

            size = 1 / s.spread - 1
            u = self._draws(key, None)()
            self._accuracies[key] = float(beta.ppf(u, s.accuracy * size, (1 - s.accuracy) * size))
        return self._accuracies[key]

    @staticmethod
    def _between(low: int, high: int, u: float) -> int:
        return low + min(high - low, int(u * (high - low + 1)))

    def _spoil(self, failure: str | None, shown: list[int], analysis: str) -> str:
        text = self._write(shown, analysis)
        at = text.rfind("\n") + 1
        said, last = text[:at], text[at:]
        if failure == "wrong_count":
            last = last.replace("}", ", 5}")
        elif failure == "out_of_range":
            # Above 10 points, and above any number of a response.
            more = max(10, len(shown))
            last = re.sub(r"\d+", lambda number: str(int(number[0]) + more), last)
        elif failure in ("truncated", "no_score"):  # cut at the token limit, or forgot its scores
            last = ""
        return said + last


def _is_right(item: Item, scores: Mapping[int, int]) -> bool:
    """Whether scores, by the response's index, rank a best response strictly first."""
    quality = item.quality or (1,) + (0,) * (item.n - 1)
    if item.n == 1:
        return (scores[0] > 5.5) == (quality[0] == 1)
    best = [scores[i] for i in range(item.n) if quality[i] == 1]
    rest = [scores[i] for i in range(item.n) if quality[i] == 0]
    return bool(best and rest) and max(best) > max(rest)


def _talk(length: int) -> str:
    sentence = "The responses differ in what they get right. "
    return (sentence * (length // len(sentence) + 1))[:length]
