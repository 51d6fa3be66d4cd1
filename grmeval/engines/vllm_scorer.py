"""vLLM's pooling runner: one raw logit for each finished chat, from any sequence-classification head."""

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

from grmeval.engines.head_check import check_labels, no_head
from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.engines.settings import ModelSettings
from grmeval.engines.vllm_model import VllmModel
from grmeval.errors import EngineError

__all__ = ["VllmScorer"]


class VllmScorer(VllmModel[ScoreRequest, Reward]):
    """One model with a head of one number (`num_labels` 1), one launch."""

    def __init__(self, settings: ModelSettings) -> None:
        """Load the model; ConfigError: it has no such head, EngineError says what failed and what to try."""
        check_labels(settings)
        super().__init__(settings, seed=0, runner="pooling")

    def _check(self, settings: ModelSettings) -> None:
        """A causal model that is pooled gives an embedding, and its config says 2 labels by default."""
        labels = int(getattr(self._engine.model_config.hf_config, "num_labels", 0))
        if "classify" in self._engine.get_supported_tasks() and labels == 1:
            return
        self.close()
        raise no_head(settings.model, labels)

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        """See Scorer."""
        waiting = (
            (request, self._ids(request, request.messages, finished=True)) for request in requests
        )
        return self._answers(waiting, 0)

    def _name(self, asked: ScoreRequest) -> str:
        return "/".join(map(str, (*asked.key, asked.j)))

    def _too_long(self, asked: ScoreRequest, length: int) -> Reward:
        return Reward(asked, None, "prompt_too_long", length, 0)

    def _submit(self, number: str, asked: ScoreRequest, ids: list[int]) -> None:
        from vllm import PoolingParams
        from vllm.inputs import TokensPrompt

        # The activation would be a sigmoid, or what `problem_type` says: only the raw logit is unbounded.
        params = PoolingParams(task="classify", use_activation=False)
        self._engine.add_request(number, TokensPrompt(prompt_token_ids=ids), params)

    def _read(self, asked: ScoreRequest, length: int, output: Any) -> Reward:
        """A failed request is no reward: it stays missing, to be asked again."""
        if getattr(output, "error", None) is not None or output.outputs.data is None:
            raise EngineError(
                f"vLLM ended {self._name(asked)} with {output.error!r}; rewards so far are kept: run the "
                "same command again"
            )
        reward = float(output.outputs.data.reshape(-1)[0])
        cached = output.num_cached_tokens or 0
        if not isfinite(reward):
            return Reward(asked, None, "not_finite", length, cached)
        return Reward(asked, reward, None, length, cached)
