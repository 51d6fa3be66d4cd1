"""What the stages of training may be told: what they share, and a table of each that adds to it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["LoraTable", "MetaTable", "ModelTable", "RftTable", "RlTable", "StageTable"]


def setting(text: str, default: Any = ..., **limits: Any) -> Any:
    """A setting that changes what is trained: part of a training's identity."""
    return Field(default, description=text, **limits)


def execution(text: str, default: Any = ..., **limits: Any) -> Any:
    """A setting that changes speed, memory or what is kept, and may differ when a training goes on."""
    return Field(default, description=text, json_schema_extra={"role": "execution"}, **limits)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelTable(_Strict):
    """[model]: what training begins with."""

    name: str = setting("Model that training begins with: a preset, a folder, or a hub id.")
    revision: str | None = setting("Branch, tag or commit of a hub model.", None)
    dtype: Literal["bfloat16", "float16", "float32"] = setting(
        "Number format in which the weights are held. Weights that are trained themselves (no [lora]) want "
        "float32: steps of 1e-6 vanish in sixteen bits.",
        "float32",
    )
    attention: Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3"] = execution(
        "How transformers computes attention.", "sdpa"
    )
    chat_template: str | None = setting(
        "Jinja file for a model whose tokenizer has no chat template; beside the TOML, or a path.",
        None,
    )
    chat_template_kwargs: dict[str, Any] = setting("Handed to the chat template.", {})


class LoraTable(_Strict):
    """[lora]: an adapter is trained instead of the weights; without the table all weights are."""

    rank: int = setting("Rank of the adapter.", ge=1)
    alpha: int = setting("Its output is multiplied by alpha / rank.", ge=1)
    dropout: float = setting("Dropout before the adapter.", 0.0, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = setting(
        "Names of the layers that get one; all-linear: every linear layer but the head.",
        "all-linear",
    )
    save_dtype: Literal["bfloat16", "float32"] = setting(
        "Number format of the adapter in OUT/model; it is trained in float32.", "bfloat16"
    )


class StageTable(_Strict):
    """What the tables of all stages share."""

    learning_rate: float = setting("Peak learning rate of AdamW.", gt=0, lt=1)
    batch: int = setting("Examples of an optimizer step, over all devices.", ge=1)
    micro_batch: int = execution("Examples that a device takes at once.", 1, ge=1)
    steps: int | None = setting("Optimizer steps; or say epochs.", None, ge=1)
    epochs: float | None = setting("Passes over the data; or say steps.", None, gt=0, le=1000)
    schedule: Literal["constant", "linear", "cosine"] = setting(
        "Course of the learning rate behind the warm-up.", "constant"
    )
    warmup: int = setting("Steps in which the learning rate rises from 0.", 0, ge=0)
    weight_decay: float = setting("AdamW's.", 0.0, ge=0, lt=1)
    adam_beta2: float = setting("AdamW's second beta; its first is 0.9.", 0.999, gt=0, lt=1)
    max_grad_norm: float = setting("Gradients are cut to this norm.", 1.0, gt=0)
    seed: int = setting("Seed of adapter, order of the data and sampling.", 0, ge=0, lt=2**31)
    bf16: bool = setting("Compute in bfloat16 (mixed precision).", True)
    gradient_checkpointing: bool = execution(
        "Compute activations twice instead of keeping them: less memory, a third more time.", True
    )
    log_every: int = execution("Steps from one line of metrics.jsonl to the next.", 1, ge=1)
    save_every: int = execution(
        "Steps from one checkpoint to the next: a multiple of log_every.", 50, ge=1
    )
    keep: int = execution("Checkpoints that are kept; the newest ones.", 2, ge=2)

    @model_validator(mode="after")
    def _fits(self) -> "StageTable":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("say either steps or epochs")
        if self.save_every % self.log_every:
            raise ValueError(
                f"save_every {self.save_every} is no multiple of log_every {self.log_every}: a line that "
                "spans a checkpoint would be another one after a resume"
            )
        return self

    def total(self, rows: int) -> int:
        """Optimizer steps of a training over so many rows."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return max(1, round(self.epochs * -(-rows // self.batch)))


class RftTable(StageTable):
    """[rft]: settings of `grmeval spct rft`."""

    max_length: int = setting(
        "Tokens of prompt and completion; longer rows are left out and counted, none is cut.", ge=8
    )


class RlTable(StageTable):
    """[rl]: settings of `grmeval spct rl`; `batch` counts rollouts."""

    group: int = setting("Rollouts of a prompt, compared with one another.", 4, ge=2)
    beta: float = setting("Weight of the KL penalty.", ge=0)
    clip: float = setting("Clipping range of the probability ratio (epsilon).", 0.2, gt=0, lt=1)
    temperature: float = setting("Of the rollouts.", 1.0, gt=0, le=10)
    top_p: float = setting("Of the rollouts.", 1.0, gt=0, le=1)
    max_prompt: int = setting("Tokens of a prompt; longer ones are left out and counted.", ge=8)
    max_tokens: int = setting("Tokens of a rollout; one that meets them earns -1.", ge=1)
    rollouts: Literal["transformers", "vllm"] = execution(
        "Who samples: transformers, or vLLM beside the trainer (a GPU, and a version that TRL takes).",
        "transformers",
    )
    vllm_memory: float = execution(
        "Share of a GPU's memory for vLLM beside the trainer.", 0.3, gt=0, lt=1
    )

    @model_validator(mode="after")
    def _whole_groups(self) -> "RlTable":
        if self.batch % self.group:
            raise ValueError(f"batch {self.batch} is no multiple of group {self.group}")
        return self


class MetaTable(StageTable):
    """[meta]: settings of `grmeval meta train`."""

    max_length: int = setting("Tokens of an example; longer ones are left out and counted.", ge=8)
    held_out: float = setting(
        "Share of the items, whole clusters, that the AUC is measured on.", 0.1, gt=0, lt=1
    )
    patience: int = setting(
        "Evaluations without a better AUC inside items after which training stops.", 3, ge=1
    )
    evaluate_every: int = setting(
        "Steps from one evaluation to the next: a multiple of save_every, so that the best can be kept.",
        50,
        ge=1,
    )
    pos_weight: Literal["balanced"] | Annotated[float, Field(gt=0)] = setting(
        "What a right judgement counts in the loss, where a wrong one counts 1; balanced: as much as makes "
        "both kinds count alike.",
        1.0,
    )
    unreadable: Literal["left-out", "wrong"] = setting(
        "Judgements that no scores can be read from: left out, since a vote ranks them last whatever their "
        "reward; or wrong examples.",
        "left-out",
    )

    @model_validator(mode="after")
    def _every_evaluation_is_kept(self) -> "MetaTable":
        if self.evaluate_every % self.save_every:
            raise ValueError(
                f"evaluate_every {self.evaluate_every} is no multiple of save_every {self.save_every}: the "
                "best evaluation would have no checkpoint"
            )
        return self
