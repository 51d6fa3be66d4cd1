"""TRL's GRPOTrainer, which sees a prompt as the evaluation does and logs under names of ours.

Made in a function, since TRL is imported only where something is trained.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.engines.chat import ChatEncoder
from grmeval.items import Message

if TYPE_CHECKING:
    from trl import GRPOTrainer

__all__ = ["METRICS", "trainer_class", "without_vllm"]

METRICS: Mapping[str, str] = {
    "reward": "reward",
    "frac_reward_zero_std": "zero_gradient_groups",
    "kl": "kl",
    "entropy": "entropy",
    "unreadable": "unreadable",
    "completions/clipped_ratio": "truncated",
    "tied": "tied",
    "position_bias": "position_bias",
    "completions/mean_length": "tokens",
    "completions/min_length": "tokens_min",
    "completions/max_length": "tokens_max",
    "num_tokens": "num_tokens",
}
"""What TRL and the reward measure -> what it is called in metrics.jsonl (docs/spct-rl.md)."""


def trainer_class(encode: ChatEncoder) -> "type[GRPOTrainer]":
    """The class, whose prompts become token ids by `encode`: what a response spells is no control token."""
    from trl import GRPOTrainer

    class Trainer(GRPOTrainer):  # type: ignore[misc]
        def _tokenize_prompts(
            self, prompts: Sequence[Sequence[Mapping[str, str]]]
        ) -> tuple[list[list[int]], None, dict[str, Any]]:
            chats = [tuple(Message(**turn) for turn in prompt) for prompt in prompts]
            alone = list(dict.fromkeys(chats))
            ids = dict(zip(alone, encode.many(alone), strict=True))
            return [ids[chat] for chat in chats], None, {}

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """The card is grmeval's."""

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            _rename(self._metrics["train"])
            super().log(logs, start_time)

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            # Beside the copy of an adapter that was there before ("ref"), transformers looks for the one
            # that is trained in a folder of its own; PEFT writes it beside it.
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            trained = self.model if model is None else model
            if (Path(resume_from_checkpoint) / "ref").is_dir():
                trained.load_adapter(resume_from_checkpoint, "default", is_trainable=True)
                trained.set_adapter("default")

    return Trainer


def _rename(metrics: MutableMapping[str, list[float]]) -> None:
    found = {ours: metrics[theirs] for theirs, ours in METRICS.items() if theirs in metrics}
    metrics.clear()
    metrics.update(found)


@contextmanager
def without_vllm(wanted: bool) -> Iterator[None]:
    """Where vLLM writes no rollouts TRL does not load it either: seconds, and a warning about its version."""
    import trl.import_utils as utils

    known = utils.is_vllm_available
    if wanted:
        utils.is_vllm_available = lambda min_version=None: False
    try:
        yield
    finally:
        utils.is_vllm_available = known
