"""What every stage of training may be told; a stage's own table adds to it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["LoraTable", "ModelTable", "StageTable", "execution", "setting"]


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
