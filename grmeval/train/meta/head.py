"""A model with a head of one number: made from one that writes, and merged as vLLM takes it."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.engines.models import ModelRef
from grmeval.errors import ConfigError
from grmeval.train.model import load_model, lora_config
from grmeval.train.stage_settings import LoraTable, ModelTable

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["make_model", "merge_head", "padding"]

HEAD = "score"
"""The head's name in transformers' classes for models that write; vLLM loads it by this name."""


def make_model(
    table: ModelTable, lora: LoraTable | None, model: ModelRef, pad: int, seed: int
) -> "PreTrainedModel":
    """The model, its head drawn with `seed`; with [lora] an adapter is trained, and the head as a whole.

    The head is held, and computes, in float32 whatever the rest does: its logit is what judgements are ranked
    by. ConfigError: such a model has no head that is known here.
    """
    import transformers

    loaded = load_model(table, model, num_labels=1)
    _replace_head(loaded, table.name, seed)
    loaded.config.get_text_config().pad_token_id = pad
    config = lora_config(lora, "SEQ_CLS")
    if config is None:
        return loaded
    import peft

    transformers.set_seed(seed)  # of the adapter's first weights
    return peft.get_peft_model(loaded, config)


def _replace_head(model: Any, name: str, seed: int) -> None:
    import torch

    class Head(torch.nn.Linear):  # type: ignore[misc]
        """A linear layer that no mixed precision rounds."""

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            with torch.autocast(hidden.device.type, enabled=False):
                return super().forward(hidden.float())

    before = getattr(model, HEAD, None)
    if not isinstance(before, torch.nn.Linear):
        raise ConfigError(
            f"--base {name}: {type(model).__name__} has no head called {HEAD!r}, as models that write get "
            "one; take another model"
        )
    head = Head(before.in_features, 1, bias=False, device=before.weight.device, dtype=torch.float32)
    chosen = torch.Generator().manual_seed(seed)
    width = getattr(model.config.get_text_config(), "initializer_range", 0.02)
    with torch.no_grad():
        head.weight.copy_(width * torch.randn(head.weight.shape, generator=chosen))
    setattr(model, HEAD, head)


def padding(tokenizer: "PreTrainedTokenizerBase", last: Collection[int]) -> int:
    """The token that fills a batch; the tokenizer's, where no example ends with it, and else made so.

    Transformers finds the end of a chat as its last token that is not this one, so none may end with it.
    """
    special = (
        tokenizer.pad_token_id,
        tokenizer.unk_token_id,
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
    )
    usable: list[int] = [each for each in special if each is not None and each not in last]
    chosen = usable[0] if usable else min({*range(len(last) + 1)} - {*last})
    if usable and chosen != tokenizer.pad_token_id:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(chosen)
    return chosen


def merge_head(table: ModelTable, lora: LoraTable, model: ModelRef, pad: int, folder: Path) -> None:
    """Make a checkpoint's adapter and head in `folder` a whole model there, in the adapter's `save_dtype`.

    The head stays in float32. Holds the model in float32 meanwhile, so that each weight is rounded once.
    """
    import peft
    import torch

    whole = table.model_copy(update={"dtype": "float32"})
    base = load_model(whole, model, num_labels=1)
    merged: Any = peft.PeftModel.from_pretrained(base, str(folder)).merge_and_unload()
    merged.config.get_text_config().pad_token_id = pad
    for name, weight in merged.named_parameters():
        if name.partition(".")[0] != HEAD:
            weight.data = weight.data.to(getattr(torch, lora.save_dtype))
    merged.save_pretrained(folder)
    for file in folder.glob("adapter_*"):
        file.unlink()
