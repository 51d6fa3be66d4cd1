"""vLLM's pooling runner: one raw logit for each finished chat, from any sequence-classification head."""

import contextlib
import gc
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from math import isfinite
from typing import Any

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.engines.vllm import facts, lines, start
from grmeval.errors import ConfigError, EngineError

__all__ = ["VllmScorer"]


class VllmScorer:
    """One model with a head of one number (`num_labels` 1), one launch."""

    def __init__(
        self,
        model: str,
        revision: str | None,
        *,
        dtype: str = "auto",
        max_model_len: int | None = None,
        tensor_parallel: int = 1,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        trust_remote_code: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Load the model; ConfigError: it has no such head, EngineError says what failed and what to try."""
        settings = {
            "model": model,
            "revision": revision,
            "seed": 0,
            "dtype": dtype,
            "trust_remote_code": trust_remote_code,
            "max_model_len": max_model_len,
            "tensor_parallel_size": tensor_parallel,
            "runner": "pooling",
        }
        self._llm = start(settings, arguments or {})
        self._engine = self._llm.llm_engine
        self._check_head(model)
        self.context: int = self._engine.model_config.max_model_len
        self.encode = ChatEncoder(self._llm.get_tokenizer(), chat_template_kwargs or {})
        # Twice what runs at once: the scheduler never starves, memory stays bounded.
        self._window = 2 * self._engine.vllm_config.scheduler_config.max_num_seqs

    def _check_head(self, model: str) -> None:
        """A causal model that is pooled gives an embedding, and its config says 2 labels by default."""
        labels = int(getattr(self._engine.model_config.hf_config, "num_labels", 0))
        if "classify" in self._engine.get_supported_tasks() and labels == 1:
            return
        self.close()
        raise ConfigError(
            f"{model}: it has no head that gives one number: a sequence-classification model "
            f"(…ForSequenceClassification) with num_labels 1 is needed; its num_labels is {labels}"
        )

    def facts(self) -> dict[str, str]:
        """Versions and device."""
        return facts(self._engine)

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        """See Scorer."""
        waiting = ((request, self.encode(request.messages, finished=True)) for request in requests)
        running: dict[str, tuple[ScoreRequest, int]] = {}
        numbered = 0
        try:
            while True:
                taken = 0
                for request, ids in islice(waiting, self._window - len(running)):
                    taken += 1
                    if len(ids) > self.context:
                        yield Reward(request, None, "prompt_too_long", len(ids), 0)
                    else:
                        numbered += 1
                        running[str(numbered)] = (request, len(ids))
                        self._submit(str(numbered), request, ids)
                if not running:
                    if not taken:
                        return
                    continue  # none of these chats fitted; the next may
                for output in self._step():
                    if output.finished:
                        yield self._reward(*running.pop(output.request_id), output)
        finally:
            if running:
                with contextlib.suppress(Exception):  # a dead engine cannot be told
                    self._engine.abort_request(list(running))

    def close(self) -> None:
        """Free the model."""
        self._engine.engine_core.shutdown()
        del self._llm, self._engine
        gc.collect()

    def _submit(self, name: str, request: ScoreRequest, ids: list[int]) -> None:
        from vllm import PoolingParams
        from vllm.inputs import TokensPrompt

        # The activation would be a sigmoid, or what `problem_type` says: only the raw logit is unbounded.
        params = PoolingParams(task="classify", use_activation=False)
        try:
            self._engine.add_request(name, TokensPrompt(prompt_token_ids=ids), params)
        except Exception as error:
            said = "/".join(map(str, (*request.key, request.j)))
            raise EngineError(f"vLLM refuses {said}: {lines(error)}") from error

    def _step(self) -> list[Any]:
        try:
            return list(self._engine.step())
        except Exception as error:
            raise EngineError(f"vLLM died; run the same command again. {lines(error)}") from error

    @staticmethod
    def _reward(request: ScoreRequest, prompt: int, output: Any) -> Reward:
        """A failed request is no reward: it stays missing, to be asked again."""
        if getattr(output, "error", None) is not None or output.outputs.data is None:
            said = "/".join(map(str, (*request.key, request.j)))
            raise EngineError(
                f"vLLM ended {said} with {output.error!r}; rewards so far are kept: run the same command "
                "again"
            )
        reward = float(output.outputs.data.reshape(-1)[0])
        cached = output.num_cached_tokens or 0
        if not isfinite(reward):
            return Reward(request, None, "not_finite", prompt, cached)
        return Reward(request, reward, None, prompt, cached)
