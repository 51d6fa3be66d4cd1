"""vLLM as an engine: a completion for each sample of a request, as it ends."""

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from grmeval.engines.engine import Sampling
from grmeval.engines.settings import ModelSettings
from grmeval.engines.vllm_model import VllmModel
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Completion, Message, Request

__all__ = ["VllmEngine"]

_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)

Sample = tuple[Request, int]
"""A request, and which of its samples."""


class VllmEngine(VllmModel[Sample, Completion]):
    """One model, one launch; `seed` belongs to the launch, so no extension redraws a sample."""

    def __init__(
        self, settings: ModelSettings, sampling: Sampling, *, seed: int, lora: Path | None = None
    ) -> None:
        """Load the model; EngineError says what failed and what to try."""
        self._sampling, self._lora = sampling, lora
        # What a pick's probability is: before temperature and top-p.
        more: dict[str, Any] = {"seed": seed, "logprobs_mode": "raw_logprobs"}
        if lora:
            more |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _rank(lora)}
        super().__init__(settings, **more)
        if sampling.max_tokens >= self.context:
            raise ConfigError(
                f"--max-tokens {sampling.max_tokens}: leaves no room for a prompt in a context of "
                f"{self.context} tokens; lower it, or raise --max-model-len"
            )

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See Engine."""
        return len(self.encode(messages))

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """See Engine. One engine request a sample: each is written as it ends, and samples of one
        order still share their prompt's KV through the prefix cache (perf/engine.py: as fast as
        `n` samples in one request, which come back only when the slowest has ended)."""
        return self._answers(self._prepared(requests), self._sampling.max_tokens)

    def _prepared(self, requests: Iterable[Request]) -> Iterator[tuple[Sample, list[int]]]:
        for request in requests:
            ids = self._ids((request, request.js[0]), request.messages)
            for j in request.js:
                yield (request, j), ids

    def _name(self, asked: Sample) -> str:
        return "/".join(asked[0].key)

    def _too_long(self, asked: Sample, length: int) -> Completion:
        return Completion(*asked, "", "prompt_too_long", length, 0, 0)

    def _submit(self, number: str, asked: Sample, ids: list[int]) -> None:
        from vllm.inputs import TokensPrompt
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        request, _ = asked
        grammar = request.grammar
        params = SamplingParams(
            temperature=self._sampling.temperature,
            top_p=self._sampling.top_p,
            max_tokens=self._sampling.max_tokens,
            output_kind=RequestOutputKind.FINAL_ONLY,
            # End-of-thinking markers are special tokens to some models: the parser must see them.
            skip_special_tokens=False,
            # Of the token that was drawn alone.
            logprobs=0 if request.locate or request.keep_logprob else None,
            structured_outputs=StructuredOutputsParams(regex=grammar) if grammar else None,
        )
        tokens = TokensPrompt(prompt_token_ids=ids)
        name = self._engine.add_request(number, tokens, params, lora_request=self._adapter())
        if request.stop:
            written = self._engine.output_processor.request_states[name].detokenizer
            _end_at(written, request.stop, self._lead(request))

    def _lead(self, request: Request) -> str:
        """What is held to a format is no thinking."""
        return "" if request.grammar else self.encode.lead

    def _adapter(self) -> Any:
        from vllm.lora.request import LoRARequest

        return LoRARequest("adapter", 1, str(self._lora)) if self._lora else None

    def _read(self, asked: Sample, length: int, output: Any) -> Completion:
        """An aborted or failed request is no judgement: it stays missing, to be asked again."""
        request, j = asked
        answer = output.outputs[0]
        if answer.finish_reason not in ("stop", "length"):
            raise EngineError(
                f"vLLM ended {self._name(asked)} with {answer.finish_reason!r}; "
                "finished samples are kept: run the same command again"
            )
        cached = output.num_cached_tokens or 0
        tokens = len(answer.token_ids)
        weight = self._weight(request, answer) if request.locate else None
        lead, text, finish = self._lead(request), answer.text, answer.finish_reason
        if (end := request.stop and request.stop(text, lead, 0)) is not None:
            text, finish = text[:end], "stop"
        mean = answer.cumulative_logprob / tokens if request.keep_logprob and tokens else None
        known = mean if mean is not None and math.isfinite(mean) else None
        return Completion(
            *(request, j, text, finish, length, cached, tokens, weight, lead), logprob=known
        )

    def _weight(self, request: Request, answer: Any) -> float | None:
        """Product of the probabilities of the tokens that wrote what `locate` finds.

        None: there is no such text, or the tokens do not spell the output.
        """
        found = request.locate(answer.text) if request.locate else None
        if found is None:
            return None
        ids = list(answer.token_ids)
        tokenizer: Any = self.encode.tokenizer

        def written(tokens: int) -> str:
            return str(
                tokenizer.decode(
                    ids[:tokens], skip_special_tokens=False, clean_up_tokenization_spaces=False
                )
            )

        if not written(len(ids)).startswith(answer.text):
            return None
        start, end = found
        counts = range(len(ids) + 1)
        # Few decodings of a prefix each. What stands just before a pick is plain ASCII, so lengths there
        # are exact, whatever half characters earlier tokens end with.
        first = bisect_right(counts, start, key=lambda count: len(written(count))) - 1
        last = bisect_left(counts, end, key=lambda count: len(written(count)))
        logs = [answer.logprobs[at][ids[at]].logprob for at in range(first, last)]
        return math.exp(sum(logs))


def _end_at(detokenizer: Any, stop: Callable[[str, str, int], int | None], lead: str) -> None:
    """End a request of vLLM as a stop string of its own would, where `stop` says that its text is complete.

    vLLM asks this object, token by token, whether a stop string was met. To ask it for the output of every
    token instead, and look at that, would cost as much again as detokenising.
    """
    update = detokenizer.update

    def updated(new: list[int], ended: bool) -> str | None:
        before = len(detokenizer.output_text)
        met: str | None = update(new, ended)
        text = detokenizer.output_text
        if met is None and "\n" in text[before:] and stop(text, lead, before) is not None:
            return "\n"
        return met

    detokenizer.update = updated


def _rank(lora: Path) -> int:
    """The smallest rank that vLLM takes and the adapter fits in; ConfigError names the file."""
    path = lora / "adapter_config.json"
    try:
        rank = json.loads(path.read_text(encoding="utf-8"))["r"]
        return next(size for size in _LORA_RANKS if size >= rank)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        raise ConfigError(f"--lora {path}: needs a rank 'r' of at most {_LORA_RANKS[-1]}") from None
