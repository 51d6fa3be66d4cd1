"""Rejective fine-tuning: SFT with TRL on what rejection has left; the loss is on the completion alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.engines.models import ModelRef
from grmeval.errors import DataError
from grmeval.train.folder import TrainingFolder
from grmeval.train.model import find_model, load_model, load_tokenizer, lora_config, tidy_model
from grmeval.train.recorder import Watch
from grmeval.train.rft_settings import RftTable
from grmeval.train.selected import Selected, read_selected
from grmeval.train.settings import TrainConfig
from grmeval.train.trainer import (
    against_defaults,
    import_trainers,
    train_in,
    trainer_settings,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback

__all__ = ["Prepared", "make_trainer", "prepare", "rft"]

_TOGETHER = 256
"""Rows that are tokenised at once."""


@dataclass(frozen=True)
class Prepared:
    """What a training begins with: `lengths` [rows] are the tokens of each row that is kept.

    `too_long`: how many rows were longer than max_length, and are left out.
    """

    config: TrainConfig
    table: RftTable
    model: ModelRef
    tokenizer: "PreTrainedTokenizerBase"
    selected: Selected
    rows: tuple[Any, ...]
    lengths: tuple[int, ...]
    too_long: int

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.table.total(len(self.rows))


def prepare(place: Path, config: TrainConfig) -> Prepared:
    """Read and measure the rows; DataError: none is left. No weights are read."""
    assert config.rft is not None
    import_trainers("trl", "peft")
    selected, model = read_selected(place), find_model(config.model)
    tokenizer = load_tokenizer(config.model, model)
    lengths = _lengths(selected.rows, tokenizer, config.model.chat_template_kwargs)
    most = config.rft.max_length
    kept = [at for at, length in enumerate(lengths) if length <= most]
    if not kept:
        raise DataError(
            f"{selected.path}: all {len(lengths)} rows are longer than rft.max_length {most} tokens (the "
            f"shortest has {min(lengths)}); --set rft.max_length=N"
        )
    return Prepared(
        config=config,
        table=config.rft,
        model=model,
        tokenizer=tokenizer,
        selected=selected,
        rows=tuple(selected.rows[at] for at in kept),
        lengths=tuple(lengths[at] for at in kept),
        too_long=len(lengths) - len(kept),
    )


def _lengths(
    rows: Sequence[Any], tokenizer: "PreTrainedTokenizerBase", kwargs: dict[str, Any]
) -> list[int]:
    """Tokens of each row as it is trained on: prompt and completion in the chat template."""
    found: list[int] = []
    for start in range(0, len(rows), _TOGETHER):
        chats = [row["prompt"] + row["completion"] for row in rows[start : start + _TOGETHER]]
        texts = [tokenizer.apply_chat_template(chat, tokenize=False, **kwargs) for chat in chats]
        found += map(len, tokenizer(texts, add_special_tokens=False)["input_ids"])
    return found


def rft(prepared: Prepared, out: Path, watch: Watch = lambda *_: None) -> TrainingFolder:
    """Train in the folder `out`, or go on there; what is finished is left as it is."""
    given = prepared
    identity = {
        "stage": "rft",
        "config": given.config.identity("rft"),
        "model": given.model.identity,
        "data": given.selected.sha256,
    }
    facts = {
        "title": given.config.title,
        "model": given.config.model.name,
        "data": str(given.selected.path),
        "rows": len(given.rows),
        "rows_too_long": given.too_long,
        "tokens": sum(given.lengths),
        "steps": given.steps,
    }
    folder = TrainingFolder.open(out, identity, facts)
    train_in(
        folder,
        given.steps,
        lambda callback: make_trainer(given, folder, callback),
        watch,
        lambda model: tidy_model(model, given.config.lora, given.config.model.name),
    )
    return folder


def make_trainer(
    given: Prepared, folder: TrainingFolder, callback: "TrainerCallback | None" = None
) -> "Trainer":
    """TRL's trainer over these rows; what it is told beside its defaults is noted in the folder."""
    import trl
    from datasets import Dataset

    settings = trainer_settings(given.table, folder, given.steps)
    settings |= {
        "max_length": None,  # what is too long has been left out; nothing is cut
        "completion_only_loss": True,
        "packing": False,
    }
    folder.note_settings(against_defaults(trl.SFTConfig, settings))
    arguments = trl.SFTConfig(**settings)
    rows: list[Any] = list(given.rows)
    if given.config.model.chat_template_kwargs:
        rows = [
            row | {"chat_template_kwargs": given.config.model.chat_template_kwargs} for row in rows
        ]
    return trl.SFTTrainer(
        model=load_model(given.config.model, given.model),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=given.tokenizer,
        peft_config=lora_config(given.config.lora),
        callbacks=[callback] if callback else None,
    )
