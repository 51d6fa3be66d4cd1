"""A meta RM of known AUC: what its votes gain, and what a diagnosis must find, can be computed."""

import time
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from math import sqrt
from statistics import NormalDist
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.errors import ConfigError, EngineError, nearest

__all__ = ["SPEED_ONLY", "FakeScorer", "MetaSettings", "read_meta_settings"]

SPEED_ONLY = frozenset({"latency", "window", "die_after"})
"""Settings that change when a reward arrives, not what it is."""


class MetaSettings(BaseModel):
    """The fake meta RM's truth."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    auc: float = Field(0.8, gt=0, lt=1)
    """Probability that a sample that ranks a best response strictly first (one response: puts it on the
    right side) has a higher reward than one that does not."""
    prompt_too_long: float = Field(0.0, ge=0, le=1)
    """Probability that a judgement has no reward, for this reason."""
    latency: float = Field(0.0, ge=0)
    """Seconds from one reward to the next."""
    window: int = Field(32, ge=1)
    """Judgements in flight; they finish out of order inside it."""
    die_after: int = Field(0, ge=0)
    """The engine dies after so many rewards; 0: never."""


def read_meta_settings(settings: Mapping[str, Any]) -> MetaSettings:
    """Check `--engine-arg`s; ConfigError names the one that does not fit."""
    try:
        return MetaSettings(**settings)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        said = "the fake meta RM has no such setting"
        why = said if problem["type"] == "extra_forbidden" else problem["msg"]
        known = nearest(name, sorted(MetaSettings.model_fields))
        raise ConfigError(f"--engine-arg {name}: {why}; {known}") from None


class FakeScorer:
    """reward = Normal(0, 1) + d where the judgement is right, with d = sqrt(2) x Phi^-1(auc).

    Two such normals, d apart, are in the right order with the probability Phi(d / sqrt(2)) = auc. Every draw
    is a function of (seed, item, j).
    """

    context = 1_000_000

    def __init__(self, seed: int, settings: Mapping[str, Any]) -> None:
        """See `read_meta_settings` for ConfigError."""
        self.settings = read_meta_settings(settings)
        self._seed = seed
        self._apart = sqrt(2) * NormalDist().inv_cdf(self.settings.auc)

    def facts(self) -> dict[str, str]:
        """The fake has no version but the package's."""
        return {"engine": "fake"}

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        """See Scorer; inside a window of `window` requests the last asked finishes first."""
        waiting, done = iter(requests), 0
        while window := list(islice(waiting, self.settings.window)):
            for request in reversed(window):
                if self.settings.die_after and done >= self.settings.die_after:
                    raise EngineError(
                        f"the fake meta RM died after {done} rewards, as it was told to"
                    )
                if self.settings.latency:
                    time.sleep(self.settings.latency)
                yield self._reward(request)
                done += 1

    def close(self) -> None:
        """Nothing to free."""

    def _reward(self, request: ScoreRequest) -> Reward:
        name = f"{self._seed}\0{request.key.subset}\0{request.key.id}\0{request.j}\0meta"
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        # In (0, 1): the inverse of the normal distribution has no value at the ends.
        first, second = ((int.from_bytes(digest[at : at + 8], "big") >> 12) for at in (0, 8))
        tokens = sum(len(message.content) for message in request.messages) // 4
        if second / 2**52 < self.settings.prompt_too_long:
            return Reward(request, None, "prompt_too_long", tokens, 0)
        noise = NormalDist().inv_cdf((first + 0.5) / 2**52)
        shift = self._apart if request.right else 0.0
        return Reward(request, noise + shift, None, tokens, 0)
