"""Rejective fine-tuning: SFT with TRL on what rejection has left; the loss is on the completion alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.models import ModelRef
from grmeval.errors import ConfigError, DataError
from grmeval.items import Message
from grmeval.train.folder import TrainingFolder
from grmeval.train.model import find_model, load_model, load_tokenizer, lora_config, tidy_model
from grmeval.train.recorder import Watch
from grmeval.train.select import Selected, read_selected
from grmeval.train.settings import TrainConfig
from grmeval.train.stage_settings import RftTable
from grmeval.train.trainer import (
    against_defaults,
    import_trainers,
    train_in,
    trainer_settings,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback

__all__ = ["Example", "Prepared", "make_trainer", "prepare", "rft"]

_TOGETHER = 256
"""Rows that are tokenised at once."""


class Example(NamedTuple):
    """A row as it is learnt: token ids, of which the first `prompt` are read and the others learnt."""

    ids: list[int]
    prompt: int


@dataclass(frozen=True)
class Prepared:
    """What a training begins with: `rows` that are kept, and how many are left out as `too_long`."""

    config: TrainConfig
    table: RftTable
    model: ModelRef
    tokenizer: "PreTrainedTokenizerBase"
    selected: Selected
    rows: tuple[Example, ...]
    too_long: int

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each row."""
        return tuple(len(row.ids) for row in self.rows)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.table.total(len(self.rows))


def prepare(place: Path, config: TrainConfig) -> Prepared:
    """Read and tokenise the rows; DataError: none is left. No weights are read."""
    assert config.rft is not None
    import_trainers("trl", "peft")
    selected, model = read_selected(place), find_model(config.model)
    tokenizer = load_tokenizer(config.model, model)
    encode = ChatEncoder(tokenizer, config.model.chat_template_kwargs)
    rows = list(_encoded(selected, encode))
    most = config.rft.max_length
    kept = tuple(row for row in rows if len(row.ids) <= most)
    if not kept:
        raise DataError(
            f"{selected.path}: all {len(rows)} rows are longer than rft.max_length {most} tokens (the "
            f"shortest has {min(len(row.ids) for row in rows)}); --set rft.max_length=N"
        )
    return Prepared(config, config.rft, model, tokenizer, selected, kept, len(rows) - len(kept))


def _encoded(selected: Selected, encode: ChatEncoder) -> Iterator[Example]:
    """Each row's ids, those of its prompt as an engine is sent them.

    ConfigError: the chat template writes a prompt otherwise once the answer stands behind it.
    """
    rows = selected.rows
    for start in range(0, len(rows), _TOGETHER):
        some = rows[start : start + _TOGETHER]
        prompts = encode.many([_messages(row["prompt"]) for row in some])
        wholes = encode.many(
            [_messages(row["prompt"] + row["completion"]) for row in some], finished=True
        )
        for at, (prompt, ids) in enumerate(zip(prompts, wholes, strict=True), start=start + 1):
            if ids[: len(prompt)] != prompt:
                raise ConfigError(
                    f"{selected.path}: row {at}: the model's chat template writes the prompt otherwise when "
                    "it is asked than when the answer follows, so that what is learnt would not be what is "
                    "asked; --set model.chat_template=FILE, or model.chat_template_kwargs (such as "
                    '{"enable_thinking": false})'
                )
            yield Example(ids, len(prompt))


def _messages(turns: Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


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
        "tokens_learnt": sum(len(row.ids) - row.prompt for row in given.rows),
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
    rows = [
        {"input_ids": ids, "completion_mask": [0] * prompt + [1] * (len(ids) - prompt)}
        for ids, prompt in given.rows
    ]
    return trl.SFTTrainer(
        model=load_model(given.config.model, given.model),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=given.tokenizer,
        peft_config=lora_config(given.config.lora),
        callbacks=[callback] if callback else None,
    )
