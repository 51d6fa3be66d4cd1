"""What the commands that train share: their options, how they say how far they are, what they leave."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from grmeval.report.signs import Signs
    from grmeval.train.folder import TrainingFolder
    from grmeval.train.forecast import Prepared
    from grmeval.train.recorder import Watch

__all__ = [
    "Config",
    "DryRun",
    "OfGpu",
    "Out",
    "Sets",
    "TrainedModel",
    "check_gpu",
    "signs_of_training",
    "tell_forecast",
    "train_to_the_end",
]


def _names(incomplete: str) -> list[str]:
    from grmeval.train.settings import config_names

    return [name for name in config_names() if name.startswith(incomplete)]


Config = Annotated[
    str,
    typer.Option(
        "--config",
        help="Configuration: 8b-lora, paper-16b, paper-27b or smol (`grmeval spct configs`), or a TOML of "
        "yours.",
        autocompletion=_names,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A setting in place of the configuration's, such as rft.learning_rate=1e-4 or lora=null; "
        "repeatable.",
        metavar="TABLE.KEY=VALUE",
        show_default=False,
    ),
]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", help="Folder of the training; the same command goes on there."),
]
TrainedModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Model to begin with: a preset, a folder, or a hub id. [default: the configuration's]",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Tell what it would take: memory, time; nothing is written into --out."
    ),
]

OfGpu = Annotated[
    str | None,
    typer.Option(
        "--gpu",
        help="With --dry-run: the GPU whose bound is wanted, such as h100-sxm.",
        show_default=False,
    ),
]


def check_gpu(gpu: str | None, dry_run: bool) -> None:
    """ConfigError: a GPU is named for a training, which takes those of the machine."""
    from grmeval.errors import ConfigError

    if gpu and not dry_run:
        raise ConfigError("--gpu: is of --dry-run")


def signs_of_training() -> "Signs":
    """Signs of life; of several processes that train together only the first says anything."""
    from grmeval.report.signs import Signs
    from grmeval.train.processes import is_main

    return Signs() if is_main() else Signs(lambda line: None)


def tell_forecast(
    prepared: "Prepared", gpu: str | None, signs: "Signs", make: "Callable[..., Any]"
) -> None:
    """Print what a training would take; `make` gives the stage's trainer."""
    from grmeval.cli.output import show_tables
    from grmeval.engines.gpus import find_gpu
    from grmeval.report.training_forecast import forecast_tables
    from grmeval.train.forecast import forecast

    steps = "" if gpu else ", and taking a few steps where the weights are here"
    signs.at(f"counting parameters{steps}")
    found = forecast(prepared, find_gpu(gpu) if gpu else None, gpu is None, make)
    signs.so_far(None)
    show_tables(lambda width: forecast_tables(found, prepared.config.title, width))


def train_to_the_end(
    train: "Callable[[Path, Watch], TrainingFolder]",
    out: Path,
    prepared: "Prepared",
    signs: "Signs",
) -> "TrainingFolder":
    """Train in `out`, write card and figure, and say where everything is."""
    from grmeval.report.training import TrainingProgress
    from grmeval.train.folder import TrainingFolder

    signs.at(f"loading {prepared.model.label}")
    finished = (out / "training.json").exists() and TrainingFolder(out).finished
    folder = train(out, TrainingProgress(signs))
    signs.so_far(None)
    _leave_card(folder, finished)
    return folder


def _leave_card(folder: "TrainingFolder", began_finished: bool) -> None:
    """Write card and figure of a training that has just ended, and say where everything is."""
    from grmeval.cli.output import consoles, told
    from grmeval.report.training import write_card
    from grmeval.train.processes import is_main

    if not is_main():
        return
    _, err = consoles()
    if began_finished:
        err.print(
            f"{folder.path}: finished, nothing is left to do; its model is {folder.model}",
            soft_wrap=True,
        )
        return
    told(write_card(folder))
    flag = "--lora" if (folder.model / "adapter_config.json").exists() else "--model"
    flag = "--meta-model" if folder.stage == "meta" else flag
    err.print(f"trained: {folder.model} is what {flag} takes", soft_wrap=True)
