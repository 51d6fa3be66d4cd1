"""A trainer of transformers or TRL at work in a training folder: what it is told, where it goes on, its end.

`train_in` is all that a stage needs beside its own trainer.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval import interrupts
from grmeval.errors import ConfigError, EngineError, StoreError
from grmeval.train import processes
from grmeval.train.folder import TrainingFolder
from grmeval.train.recorder import Watch, recorder
from grmeval.train.stage_settings import StageTable

if TYPE_CHECKING:
    from transformers import Trainer, TrainerCallback

__all__ = [
    "against_defaults",
    "failures_said",
    "import_trainers",
    "quiet",
    "settings_fit",
    "train_in",
    "trainer_settings",
]

INSTALL = 'training needs more packages: pip install "grmeval[train]"'


def import_trainers(*packages: str) -> None:
    """Import what training stands on, telling nobody about it; ConfigError: it is not installed."""
    import importlib

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("torch", "transformers", "accelerate", *packages):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and error.name.startswith("grmeval"):
                raise
            raise ConfigError(f"{INSTALL} (missing here: {error.name})") from None
    interrupts.check()
    import datasets
    import huggingface_hub.constants
    import transformers

    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True  # it may have been imported before
    datasets.disable_progress_bars()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def trainer_settings(table: StageTable, folder: TrainingFolder, steps: int) -> dict[str, Any]:
    """What every stage says to its trainer, as keywords of TrainingArguments and of its kin.

    ConfigError: `batch` cannot be made of micro-batches on so many processes.
    """
    import torch

    side = table.micro_batch * processes.count()
    if table.batch % side:
        raise ConfigError(
            f"batch {table.batch} is no multiple of {side} (micro_batch {table.micro_batch} on "
            f"{processes.count()} processes); change micro_batch, which changes nothing else"
        )
    schedule = (
        "constant_with_warmup"
        if (table.schedule, table.warmup > 0) == ("constant", True)
        else table.schedule
    )
    return {
        "output_dir": str(folder.checkpoints),
        "max_steps": steps,
        "per_device_train_batch_size": table.micro_batch,
        "gradient_accumulation_steps": table.batch // side,
        "learning_rate": table.learning_rate,
        "lr_scheduler_type": schedule,
        "warmup_steps": table.warmup,
        "weight_decay": table.weight_decay,
        "adam_beta2": table.adam_beta2,
        "max_grad_norm": table.max_grad_norm,
        "seed": table.seed,
        "bf16": table.bf16,
        "gradient_checkpointing": table.gradient_checkpointing,
        "logging_strategy": "steps",
        "logging_steps": table.log_every,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": table.save_every,
        "save_total_limit": table.keep,
        "use_cpu": not torch.cuda.is_available(),
        "report_to": "none",
        "disable_tqdm": True,
    }


def against_defaults(kind: type, given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings given to a trainer's class of arguments that differ from its defaults, with both values."""
    from dataclasses import MISSING, fields

    found = {}
    for each in fields(kind):
        usual = each.default
        if usual is MISSING and each.default_factory is not MISSING:
            usual = each.default_factory()
        if each.name in given and each.name != "output_dir" and _plain(usual) != given[each.name]:
            found[each.name] = {"default": _plain(usual), "value": given[each.name]}
    return dict(sorted(found.items()))


def _plain(value: Any) -> Any:
    """A default as JSON has it: an enumeration's own value; what has none in words."""
    from dataclasses import MISSING

    value = getattr(value, "value", value)
    if value is MISSING:
        return None
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


def train_in(
    folder: TrainingFolder,
    steps: int,
    make: Callable[["TrainerCallback"], "Trainer"],
    watch: Watch = lambda *_: None,
    prepare: Callable[[Path], None] = lambda model: None,
    source: Callable[[Path], Path | None] = lambda newest: None,
) -> None:
    """Train to the end in a folder, from its newest checkpoint; nothing where it is finished.

    `make` gives the trainer, with the callback among its own. `source`: of the newest checkpoint, the one
    that model/ is made of, where that is another. `prepare`: what is done to the copy. An interrupt, or a
    kill, loses the steps since the last checkpoint.
    """
    if folder.finished:
        return
    with folder.launch() as launch, interrupts.in_turn():
        if folder.record["status"] == "running":
            done = launch.step
            if done < steps:
                with failures_said(folder):
                    with settings_fit():
                        trainer = quiet(make(recorder(folder, watch)))
                    newest = launch.checkpoint and str(launch.checkpoint)
                    trainer.train(resume_from_checkpoint=newest)
                done = int(trainer.state.global_step)
            last = folder.last_checkpoint()
            chosen = source(last) if last else None
            folder.trained(steps=done, source=chosen.name if chosen else None)
        folder.finish(_chosen(folder), prepare)


@contextmanager
def settings_fit() -> Iterator[None]:
    """ConfigError where a library refuses settings that it is told, such as layers that a model has not."""
    try:
        yield
    except ValueError as error:
        said = str(error).strip().partition("\n")[0]
        raise ConfigError(f"these settings do not fit the model or its trainer: {said}") from error


def quiet(trainer: "Trainer") -> "Trainer":
    """The trainer, without the callback that prints each row of metrics on standard output."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer


def _chosen(folder: TrainingFolder) -> Path | None:
    name = TrainingFolder(folder.path).record["result"].get("source")
    return folder.checkpoints / name if name else None


_UNWRITTEN = ("PytorchStreamWriter", "inline_container", "No space left")
"""What libraries say where a checkpoint cannot be written."""


@contextmanager
def failures_said(folder: TrainingFolder) -> Iterator[None]:
    """EngineError instead of a GPU's full memory, StoreError instead of a checkpoint that fits on no disk."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        said = str(error).partition(". ")[0]
        raise EngineError(
            f"out of GPU memory: {said}; a smaller micro_batch, gradient_checkpointing=true, a shorter "
            "max_length, or more GPUs; the same command goes on"
        ) from None
    except Exception as error:
        if any(words in str(error) for words in _UNWRITTEN):
            raise StoreError(
                f"{folder.checkpoints}: a checkpoint cannot be written ({_last_line(error)}): is the disk "
                "full? The same command goes on from the one before"
            ) from error
        raise


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]
