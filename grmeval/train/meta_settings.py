"""[meta]: a meta RM, one logit for query, responses and one judgement."""

from grmeval.train.stage_settings import StageTable, execution, setting

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
    evaluate_every: int = execution("Steps from one evaluation to the next.", 50, ge=1)
