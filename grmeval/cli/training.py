"""What the commands that train share: their options, how they say how far they are, what they leave."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from grmeval.report.signs import Signs
    from grmeval.train.folder import TrainingFolder

__all__ = ["Config", "DryRun", "Out", "Sets", "TrainedModel", "is_finished", "leave_card"]


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


def signs_of_training() -> "Signs":
    """Signs of life; of several processes that train together only the first says anything."""
    from grmeval.report.signs import Signs
    from grmeval.train.processes import is_main

    return Signs() if is_main() else Signs(lambda line: None)


def is_finished(out: Path) -> bool:
    """Whether a training that is finished lies there."""
    from grmeval.train.folder import TrainingFolder

    return (out / "training.json").exists() and TrainingFolder(out).finished


def leave_card(folder: "TrainingFolder", began_finished: bool) -> None:
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
