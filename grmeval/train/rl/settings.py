"""What the [rl] table makes of TRL's GRPO settings, and whether what is installed can write the rollouts.

TRL's defaults are not the original GRPO's: docs/spct-rl.md says which are set against them, and why.
"""

from typing import TYPE_CHECKING, Any

from grmeval.errors import ConfigError

if TYPE_CHECKING:
    from grmeval.train.stage_settings import RlTable

__all__ = ["check_rollouts", "grpo_settings"]

_ROOM = 64
"""Tokens that a prompt may be longer in one order than in another."""


def grpo_settings(table: "RlTable") -> dict[str, Any]:
    """GRPOConfig's arguments beside those that every stage shares.

    Those in which TRL agrees with the original GRPO are given too: another TRL trains the same.
    """
    settings = {
        "loss_type": "grpo",
        "scale_rewards": "group",
        "num_generations": table.group,
        "num_iterations": 1,
        "beta": table.beta,
        "use_bias_correction_kl": False,
        "epsilon": table.clip,
        "importance_sampling_level": "token",
        "mask_truncated_completions": False,
        "temperature": table.temperature,
        "top_p": table.top_p,
        "top_k": 0,
        "max_completion_length": table.max_tokens,
        "shuffle_dataset": False,
        "remove_unused_columns": False,
    }
    vllm = {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_importance_sampling_correction": False,
        "vllm_gpu_memory_utilization": table.vllm_memory,
        "vllm_max_model_length": table.max_prompt + table.max_tokens + _ROOM,
    }
    return settings | (vllm if table.rollouts == "vllm" else {})


def check_rollouts(table: "RlTable") -> None:
    """ConfigError: vLLM is to write the rollouts, and what is here is not what TRL works with."""
    if table.rollouts == "transformers":
        return
    from importlib.metadata import packages_distributions, version

    from packaging.version import Version

    asked, instead = f"rl.rollouts = {table.rollouts}", "or say --set rl.rollouts=transformers"
    wanted, trl = _vllm_versions(), version("trl")
    builds = {name: version(name) for name in packages_distributions().get("vllm", ())}
    if not builds:
        raise ConfigError(
            f"{asked}: vllm is not installed; trl {trl} works with {wanted}: install such a one, {instead}"
        )
    for name, found in builds.items():
        if Version(found).base_version not in wanted:
            raise ConfigError(
                f"{asked}: {name} {found} is installed, and trl {trl} works with {wanted}: install "
                f"such a one into an environment of its own, {instead}"
            )
    import torch

    if not torch.cuda.is_available():
        raise ConfigError(
            f"{asked}: trl shares weights with vLLM on GPUs, and none is here: {instead}"
        )


def _vllm_versions() -> Any:
    """The versions of vLLM that the installed TRL names (a SpecifierSet)."""
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    asked = map(Requirement, requires("trl") or ())
    return next(each.specifier for each in asked if each.name == "vllm")
