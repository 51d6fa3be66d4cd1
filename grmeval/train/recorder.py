"""What a trainer logs and saves, kept in a training folder: a callback for transformers' and TRL's."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from grmeval.errors import EngineError
from grmeval.train import processes
from grmeval.train.folder import TrainingFolder

if TYPE_CHECKING:
    from transformers import TrainerCallback

__all__ = ["Watch", "recorder"]

Watch = Callable[[int, int, Mapping[str, Any]], None]
"""Hears of (step, steps in all, what was logged last)."""

_VOLATILE = ("runtime", "_per_second", "total_flos")
"""Ends of the names of numbers that say how fast a machine was."""


def recorder(folder: TrainingFolder, watch: Watch = lambda *_: None) -> "TrainerCallback":
    """The callback that writes a folder's metrics.jsonl and vouches for its checkpoints.

    EngineError: the loss is no number any more. A callback of your own may stand beside it.
    """
    from transformers import TrainerCallback

    record = _Record(folder)

    class Recorder(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps:
                control.should_log = True
            if state.is_world_process_zero:
                watch(state.global_step, state.max_steps, record.last)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if state.is_world_process_zero and logs and "train_runtime" not in logs:
                record.add(state.global_step, logs)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            processes.together()
            if state.is_world_process_zero:
                folder.vouch(state.global_step)

    return Recorder()


class _Record:
    """The lines of metrics.jsonl, as they come."""

    def __init__(self, folder: TrainingFolder) -> None:
        self._folder = folder
        self.last: Mapping[str, Any] = {}
        rows = folder.metrics()
        self._before = next((r["num_tokens"] for r in reversed(rows) if "num_tokens" in r), 0.0)
        self._earlier: float | None = None

    def add(self, step: int, logs: Mapping[str, Any]) -> None:
        row = {name: value for name, value in logs.items() if not name.endswith(_VOLATILE)}
        if "num_tokens" in row:  # TRL's SFTTrainer counts from 0 again after a resume
            if self._earlier is None:
                self._earlier = self._before if row["num_tokens"] < self._before else 0.0
            row["num_tokens"] += self._earlier
        self.last = row
        self._folder.add_metrics({"step": step} | row)
        for name in ("loss", "grad_norm"):
            if not math.isfinite(row.get(name, 0.0)):
                raise EngineError(
                    f"{self._folder.path}: {name} is {row[name]} at step {step}: a lower learning_rate, or "
                    "bf16=false, in another folder; the checkpoints before it stay"
                )
