"""[meta]: a meta RM, one logit for query, responses and one judgement."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from grmeval.train.stage_settings import StageTable, setting

__all__ = ["MetaTable"]


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
