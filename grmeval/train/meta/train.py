"""A meta RM: one logit for query, responses and one judgement, by transformers' Trainer.

The loss is binary cross-entropy with logits, a function of our own (the Trainer's `compute_loss_func`), since
a model's `problem_type` knows no weight for the rarer class. The best checkpoint, and when to stop, are told
by the AUC inside items: the judgements of one item are what a vote chooses among.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grmeval.measure import auc_inside, roc_auc
from grmeval.train.folder import TrainingFolder
from grmeval.train.meta.head import make_model, merge_head
from grmeval.train.meta.judgements import content_hash
from grmeval.train.meta.prepare import Encoded, Prepared, balance, notes
from grmeval.train.recorder import Watch
from grmeval.train.trainer import against_defaults, train_in, trainer_settings

if TYPE_CHECKING:
    from transformers import Trainer, TrainerCallback

__all__ = ["AUC", "AUC_INSIDE", "make_trainer", "train_meta"]

AUC, AUC_INSIDE = "auc", "auc_inside"
"""Names of the two numbers of an evaluation; logged with `eval_` before them."""


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
        "rows": len(given.train) + len(given.held_out),
        "rows_too_long": given.too_long,
        "train": balance(given.train),
        "held_out": balance(given.held_out),
        "left_out": given.left_out,
        "pos_weight": given.pos_weight,
        "tokens": sum(len(each.ids) for each in given.train),
        "steps": given.steps,
        "notes": notes(given),
    }
    folder = TrainingFolder.open(out, identity, facts)
    lora = given.config.lora

    def whole(model: Path) -> None:
        if lora is not None:
            merge_head(given.config.model, lora, given.model, given.pad, model)

    train_in(
        folder,
        _steps(folder, given),
        lambda callback: make_trainer(given, folder, callback),
        watch,
        whole,
        _best,
    )
    return folder


def _steps(folder: TrainingFolder, given: Prepared) -> int:
    """Where the training ends: one that was killed as it had just stopped early takes no further step."""
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


def make_trainer(
    given: Prepared,
    folder: TrainingFolder,
    callback: "TrainerCallback | None" = None,
    evaluate: bool = True,
) -> "Trainer":
    """Transformers' Trainer; what it is told beside its defaults is noted in the folder."""
    import transformers

    settings = trainer_settings(given.table, folder, given.steps) | {
        "eval_strategy": "steps" if evaluate else "no",
        "eval_steps": given.table.evaluate_every,
        "per_device_eval_batch_size": given.table.micro_batch,
        "metric_for_best_model": AUC_INSIDE,
        "greater_is_better": True,
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "include_num_input_tokens_seen": "non_padding",
    }
    folder.note_settings(against_defaults(transformers.TrainingArguments, settings))
    arguments = transformers.TrainingArguments(**settings)
    patience = given.table.patience

    class StopEarly(transformers.TrainerCallback):  # type: ignore[misc]
        """By what has been logged, so that a resume knows what was before it."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and (tokens := logs.pop("num_input_tokens_seen", None)) is not None:
                logs["num_tokens"] = tokens  # as TRL calls it
            if logs and "loss" in logs:  # to count tokens adds what else marks the last row of all
                logs.pop("train_runtime", None)

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
        callbacks=[StopEarly(), *([callback] if callback else [])],
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
