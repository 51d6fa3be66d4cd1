"""A meta RM: one logit for query, responses and one judgement, by transformers' Trainer.

The loss is binary cross-entropy with logits, its own function beside the Trainer's (`compute_loss_func`), since a
model's `problem_type` has no weight for the rarer class. The best checkpoint, and when to stop, is told by the
AUC inside items: the judgements of one item are what a vote chooses among.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.models import ModelRef
from grmeval.errors import ConfigError, DataError
from grmeval.judges import MetaPrompt
from grmeval.measure import auc_inside, roc_auc
from grmeval.store import RunFolder
from grmeval.train.folder import TrainingFolder
from grmeval.train.meta_data import Example, Judgements, content_hash, judgements, split
from grmeval.train.meta_model import make_model, merge_head, padding
from grmeval.train.meta_settings import MetaTable
from grmeval.train.model import find_model, load_tokenizer
from grmeval.train.settings import TrainConfig
from grmeval.train.trainer import (
    Watch,
    against_defaults,
    import_trainers,
    train_in,
    trainer_settings,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback

__all__ = ["AUC_INSIDE", "Prepared", "prepare", "train_meta"]

AUC, AUC_INSIDE = "auc", "auc_inside_items"
"""Names of the two numbers of an evaluation; logged with `eval_` before them."""

_TOGETHER = 256
"""Chats that are tokenised at once."""


class Encoded(NamedTuple):
    """A judgement as token ids, exactly those that `grmeval meta-score` gives vLLM."""

    ids: list[int]
    example: Example


@dataclass(frozen=True)
class Prepared:
    """What a training begins with. `pad`: the token that fills a batch."""

    config: TrainConfig
    table: MetaTable
    model: ModelRef
    tokenizer: "PreTrainedTokenizerBase"
    prompt: MetaPrompt
    runs: tuple[str, ...]
    found: Judgements
    train: tuple[Encoded, ...]
    held_out: tuple[Encoded, ...]
    too_long: int
    pad: int

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training, if it does not stop early."""
        return self.table.total(len(self.train))

    @property
    def left_out(self) -> dict[str, int]:
        """Judgements that are no examples, by reason."""
        return {**self.found.left_out, **({"too_long": self.too_long} if self.too_long else {})}

    @property
    def pos_weight(self) -> float:
        """What a right judgement counts in the loss."""
        if self.table.pos_weight != "balanced":
            return self.table.pos_weight
        right = sum(each.example.right for each in self.train)
        return (len(self.train) - right) / right


def prepare(
    folders: Sequence[RunFolder],
    config: TrainConfig,
    template: Path | None = None,
    data: Path | None = None,
) -> Prepared:
    """Read, label, split and measure the judgements; no weights are read.

    DataError: what is left cannot be learned from, or nothing could be measured on what is held out.
    """
    table = config.meta
    assert table is not None
    import_trainers(*(["peft"] if config.lora else []))
    prompt = MetaPrompt(template)
    found = judgements(folders, prompt, data, table.unreadable == "wrong")
    if not found.examples:
        raise DataError(f"no judgement to learn from: {_reasons(found.left_out)}")
    model = find_model(config.model)
    tokenizer = load_tokenizer(config.model, model)
    encoder = ChatEncoder(tokenizer, config.model.chat_template_kwargs)
    encoded = [
        Encoded(ids, example)
        for at in range(0, len(found.examples), _TOGETHER)
        for some in [found.examples[at : at + _TOGETHER]]
        for ids, example in zip(encoder.many([e.chat for e in some], True), some, strict=True)
    ]
    fits = [each for each in encoded if len(each.ids) <= table.max_length]
    if not fits:
        raise DataError(
            f"all {len(encoded):,} judgements are longer than meta.max_length {table.max_length} tokens (the "
            f"shortest has {min(len(each.ids) for each in encoded):,}); --set meta.max_length=N"
        )
    ids = {each.example: each for each in fits}
    train, held = split([each.example for each in fits], table.held_out, table.seed)
    given = Prepared(
        config=config,
        table=table,
        model=model,
        tokenizer=tokenizer,
        prompt=prompt,
        runs=tuple(folder.path.name for folder in folders),
        found=found,
        train=tuple(ids[each] for each in train),
        held_out=tuple(ids[each] for each in held),
        too_long=len(encoded) - len(fits),
        pad=padding(tokenizer, {each.ids[-1] for each in fits}),
    )
    _check(given)
    return given


def _check(given: Prepared) -> None:
    """DataError: there is nothing to tell apart."""
    if len({each.example.right for each in given.train}) < 2:
        which = "right" if given.train[0].example.right else "wrong"
        raise DataError(
            f"all {len(given.train):,} judgements to train on are {which}: there is nothing to tell apart; "
            "add runs of items of another difficulty, or of another model"
        )
    if not balance(given.held_out)["items_with_both"]:
        raise DataError(
            f"none of the {balance(given.held_out)['items']:,} items that are held out has right and wrong "
            "judgements, so that no AUC inside items can be measured: runs with a larger k or of more items, "
            "or --set meta.held_out=0.3"
        )


def balance(part: Sequence[Encoded]) -> dict[str, int]:
    """How many examples, how many of them right, of how many items, of which how many with both."""
    sides: dict[tuple[str, Any], set[bool]] = {}
    for each in part:
        sides.setdefault(each.example.item, set()).add(each.example.right)
    return {
        "judgements": len(part),
        "right": sum(each.example.right for each in part),
        "items": len(sides),
        "items_with_both": sum(len(seen) == 2 for seen in sides.values()),
    }


def train_meta(given: Prepared, out: Path, watch: Watch = lambda *_: None) -> TrainingFolder:
    """Train in the folder `out`, or go on there; what is finished is left as it is."""
    identity = {
        "stage": "meta",
        "config": given.config.identity("meta"),
        "model": given.model.identity,
        "template": given.prompt.identity,
        "data": content_hash(given.found.examples),
    }
    facts = {
        "title": given.config.title,
        "model": given.config.model.name,
        "runs": list(given.runs),
        "train": balance(given.train),
        "held_out": balance(given.held_out),
        "left_out": given.left_out,
        "pos_weight": given.pos_weight,
        "tokens": sum(len(each.ids) for each in given.train),
        "steps": given.steps,
    }
    folder = TrainingFolder.open(out, identity, facts)
    lora = given.config.lora

    def whole(model: Path) -> None:
        if lora is not None:
            merge_head(given.config.model, lora, given.model, model)

    train_in(
        folder,
        _steps(folder, given),
        lambda callback: _trainer(given, folder, callback),
        watch,
        whole,
        _best,
    )
    return folder


def _steps(folder: TrainingFolder, given: Prepared) -> int:
    """Where the training ends: a process that was killed as it had just stopped early takes no further step."""
    newest = folder.last_checkpoint()
    if newest is not None:
        state = _state(newest)
        if _exhausted(state["log_history"], given.table.patience):
            return int(state["global_step"])
    return given.steps


def _best(newest: Path) -> Path | None:
    """The checkpoint of the best AUC inside items."""
    step = _state(newest).get("best_global_step")
    return newest.with_name(f"checkpoint-{step}") if step else None


def _state(checkpoint: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (checkpoint / "trainer_state.json").read_text(encoding="utf-8")
    )
    return found


def _exhausted(history: Sequence[Mapping[str, Any]], patience: int) -> bool:
    """Whether the last `patience` evaluations were no better than the best before them."""
    name = f"eval_{AUC_INSIDE}"
    seen = [row[name] for row in history if name in row]
    return bool(seen) and len(seen) - 1 - int(np.argmax(seen)) >= patience


def _trainer(
    given: Prepared, folder: TrainingFolder, callback: "TrainerCallback | None" = None
) -> "Trainer":
    """Transformers' Trainer; what it is told beside its defaults is noted in the folder."""
    import transformers

    settings = trainer_settings(given.table, folder, given.steps) | {
        "eval_strategy": "steps",
        "eval_steps": given.table.evaluate_every,
        "per_device_eval_batch_size": given.table.micro_batch,
        "metric_for_best_model": AUC_INSIDE,
        "greater_is_better": True,
        "remove_unused_columns": False,
        "label_names": ["labels"],
    }
    folder.note_settings(against_defaults(transformers.TrainingArguments, settings))
    arguments = transformers.TrainingArguments(**settings)
    patience = given.table.patience

    class StopEarly(transformers.TrainerCallback):  # type: ignore[misc]
        """By what has been logged, so that a resume knows what was before it."""

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if _exhausted(state.log_history, patience):
                control.should_training_stop = True

    config = given.config
    return transformers.Trainer(
        model=make_model(config.model, config.lora, given.model, given.pad, given.table.seed),
        args=arguments,
        data_collator=_collator(given.pad),
        train_dataset=[_row(each) for each in given.train],
        eval_dataset=[_row(each) for each in given.held_out],
        processing_class=given.tokenizer,
        compute_loss_func=_loss(given.pos_weight),
        compute_metrics=_measures(given.held_out),
        callbacks=[*([callback] if callback else []), StopEarly()],
    )


def _row(each: Encoded) -> dict[str, Any]:
    return {"input_ids": each.ids, "labels": float(each.example.right)}


def _collator(pad: int) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Filled on the right, so that every chat's tokens stand where they stand alone."""
        import torch

        longest = max(len(row["input_ids"]) for row in rows)
        ids = torch.full((len(rows), longest), pad)
        mask = torch.zeros_like(ids)
        for at, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[at, :length] = torch.tensor(row["input_ids"])
            mask[at, :length] = 1
        labels = torch.tensor([row["labels"] for row in rows])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    return collate


def _loss(pos_weight: float) -> Callable[..., Any]:
    def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        """Binary cross-entropy with logits, the mean over the examples of an optimizer step."""
        import torch

        logits = outputs.logits[:, 0].float()
        summed = torch.nn.functional.binary_cross_entropy_with_logits(
            logits,
            labels.float(),
            pos_weight=torch.tensor(pos_weight, device=logits.device),
            reduction="sum",
        )
        return summed / (len(labels) if num_items_in_batch is None else num_items_in_batch)

    return loss


def _measures(held_out: Sequence[Encoded]) -> Callable[[Any], dict[str, float]]:
    """AUC over all held-out judgements, and the mean of the AUCs among those of one item."""
    numbers = {item: at for at, item in enumerate(dict.fromkeys(e.example.item for e in held_out))}
    items = np.array([numbers[each.example.item] for each in held_out])

    def measures(told: Any) -> dict[str, float]:
        logits = np.asarray(told.predictions, dtype=np.float64).reshape(-1)
        right = np.asarray(told.label_ids).reshape(-1) > 0.5
        return {AUC: roc_auc(logits, right), AUC_INSIDE: auc_inside(logits, right, items)[0]}

    return measures


def _reasons(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {why}" for why, count in left_out.items()) or "there is none"
