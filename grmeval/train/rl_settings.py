"""[rl]: rule-based online RL, which is GRPO with the reward of grmeval/train/reward.py."""

from typing import Literal

from pydantic import model_validator

from grmeval.train.stage_settings import StageTable, execution, setting

__all__ = ["RlTable"]


class RlTable(StageTable):
    """[rl]: settings of `grmeval spct rl`; `batch` counts rollouts."""

    group: int = setting("Rollouts of a prompt, compared with one another.", 4, ge=2)
    kl: float = setting("Weight of the KL penalty (beta).", ge=0)
    clip: float = setting("Clipping range of the probability ratio (epsilon).", 0.2, gt=0, lt=1)
    temperature: float = setting("Of the rollouts.", 1.0, gt=0, le=10)
    top_p: float = setting("Of the rollouts.", 1.0, gt=0, le=1)
    max_prompt: int = setting("Tokens of a prompt; longer ones are left out and counted.", ge=8)
    max_tokens: int = setting("Tokens of a rollout.", ge=1)
    rollouts: Literal["transformers", "vllm"] = execution(
        "Who samples: transformers, or vLLM beside the trainer (a GPU, and a version that TRL takes).",
        "transformers",
    )

    @model_validator(mode="after")
    def _whole_groups(self) -> "RlTable":
        if self.batch % self.group:
            raise ValueError(f"batch {self.batch} is no multiple of group {self.group}")
        return self
