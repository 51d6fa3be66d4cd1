"""Rule-based online RL: GRPO with TRL, the reward of Eq. 10, each group of rollouts in its own order."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.models import ModelRef, with_adapter
from grmeval.errors import ConfigError
from grmeval.items import Item
from grmeval.judges import Judge
from grmeval.train.folder import TrainingFolder
from grmeval.train.model import find_model, load_model, load_tokenizer, lora_config, tidy_model
from grmeval.train.recorder import Watch
from grmeval.train.rl.items import RlItems, without_long
from grmeval.train.rl.reward import GrpoReward
from grmeval.train.rl.rollouts import groups_of, row_of
from grmeval.train.rl.settings import check_rollouts, grpo_settings
from grmeval.train.rl.trainer import trainer_class, without_vllm
from grmeval.train.settings import TrainConfig
from grmeval.train.stage_settings import LoraTable, RlTable
from grmeval.train.trainer import (
    against_defaults,
    import_trainers,
    train_in,
    trainer_settings,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerCallback

__all__ = ["Prepared", "make_trainer", "prepare", "rl"]


@dataclass(frozen=True)
class Prepared:
    """What a training begins with; `adapter`: one that is there, and is trained on.

    `lengths` [items]: tokens of a rollout with its prompt, at most.
    """

    config: TrainConfig
    table: RlTable
    model: ModelRef
    adapter: Path | None
    tokenizer: "PreTrainedTokenizerBase"
    encode: ChatEncoder
    judge: Judge
    data: RlItems
    lengths: tuple[int, ...]

    @property
    def rows(self) -> tuple[Item, ...]:
        """The items."""
        return self.data.items

    @property
    def too_long(self) -> int:
        """Items whose prompt is longer than max_prompt, and which are left out."""
        return int(self.data.facts["rows_too_long"])

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.table.total(len(self.data.items) * self.table.group)


def prepare(
    config: TrainConfig, judge: Judge, items: RlItems, adapter: Path | None = None
) -> Prepared:
    """Find the model and measure the prompts. No weights are read.

    ConfigError: the model or the adapter is not there, or is another one than [lora] says.
    """
    assert config.rl is not None
    import_trainers("trl", "peft")
    model = find_model(config.model)
    if adapter:
        model = with_adapter(model, adapter)
        _check_shape(adapter, config.lora)
    tokenizer = load_tokenizer(config.model, model)
    encode = ChatEncoder(tokenizer, config.model.chat_template_kwargs)
    left, prompts = without_long(items, judge, encode, config.rl.max_prompt)
    return Prepared(
        config=config,
        table=config.rl,
        model=model,
        adapter=adapter,
        tokenizer=tokenizer,
        encode=encode,
        judge=judge,
        data=left,
        lengths=tuple(length + config.rl.max_tokens for length in prompts),
    )


def _check_shape(adapter: Path, lora: LoraTable | None) -> None:
    """ConfigError: the configuration is of another adapter than the one that is there."""
    if lora is None:
        raise ConfigError(
            f"--lora {adapter}: the configuration has no [lora], so all weights would be trained; merge the "
            "adapter first (`grmeval spct rft --merge`) and begin with that --model"
        )
    known = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    for ours, theirs in (("rank", "r"), ("alpha", "lora_alpha")):
        if (here := getattr(lora, ours)) != (there := known.get(theirs)):
            raise ConfigError(
                f"--lora {adapter}: its {ours} is {there}, and lora.{ours} is {here}; "
                f"--set lora.{ours}={there}"
            )


def rl(prepared: Prepared, out: Path, watch: Watch = lambda *_: None) -> TrainingFolder:
    """Train in the folder `out`, or go on there; what is finished is left as it is.

    ConfigError: rollouts cannot be written here as configured.
    """
    given, items = prepared, prepared.data
    check_rollouts(given.table)
    identity = {
        "stage": "rl",
        "config": given.config.identity("rl"),
        "model": given.model.identity,
        "data": items.sha256,
        "judge": given.judge.identity(),
        "threshold": items.spec.threshold,
    }
    facts = {
        "title": given.config.title,
        "model": given.config.model.name,
        "adapter": given.adapter and str(given.adapter),
        "data": items.spec.id,
        **items.facts,
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
    """TRL's trainer over these items; what it is told beside its defaults is noted in the folder."""
    with without_vllm(given.table.rollouts == "transformers"):
        import trl

        kind = trainer_class(given.encode)
    settings = trainer_settings(given.table, folder, given.steps) | grpo_settings(given.table)
    folder.note_settings(against_defaults(trl.GRPOConfig, settings))
    if given.model.revision and given.config.lora is None:
        # The model that the KL term holds on to is loaded by the trainer, by name.
        settings["model_init_kwargs"] = {"revision": given.model.revision}
    reward = GrpoReward(given.judge, given.data.spec.threshold, lead=given.encode.lead)
    trainer = kind(
        model=_policy(given),
        reward_funcs=reward,
        args=trl.GRPOConfig(**settings),
        train_dataset=_rows(given),
        processing_class=given.tokenizer,
        peft_config=None if given.adapter else lora_config(given.config.lora),
        callbacks=[callback] if callback else None,
    )
    reward.ends = {*trainer.eos_token_ids, given.tokenizer.pad_token_id}
    return trainer


def _policy(given: Prepared) -> "PreTrainedModel":
    model = load_model(given.config.model, given.model)
    if given.adapter is None:
        return model
    import peft

    return peft.PeftModel.from_pretrained(model, str(given.adapter), is_trainable=True)


def _rows(given: Prepared) -> "Dataset":
    """One row a group, in the order of training; a prompt is made when it is wanted."""
    from datasets import Dataset

    items, table = given.data.items, given.table
    count = given.steps * table.batch // table.group
    groups = list(groups_of(items, table.seed, count))

    def shown(batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        asked = zip(batch["item"], batch["order"], strict=True)
        rows = [row_of(items[item], order, given.judge) for item, order in asked]
        return {name: [row[name] for row in rows] for name in rows[0]}

    table_of_groups = {"item": [g.item for g in groups], "order": [g.order for g in groups]}
    return Dataset.from_dict(table_of_groups).with_transform(shown)
