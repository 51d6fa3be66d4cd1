"""[rft]: rejective fine-tuning, which is supervised fine-tuning on what rejection has left."""

from grmeval.train.stage_settings import StageTable, setting

__all__ = ["RftTable"]


class RftTable(StageTable):
    """[rft]: settings of `grmeval spct rft`."""

    max_length: int = setting(
        "Tokens of prompt and completion; longer rows are left out and counted, none is cut.", ge=8
    )
