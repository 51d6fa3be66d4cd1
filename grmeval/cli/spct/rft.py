"""`grmeval spct rft`: fine-tune a judge on selected judgements."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli.spct import spct
from grmeval.cli.training import Config, DryRun, Out, Sets, TrainedModel, is_finished, leave_card


@spct.command()
def rft(
    *,
    selected: Annotated[
        Path,
        typer.Argument(
            metavar="SFT",
            help="Rows to learn: a folder of `spct select`, or a .jsonl like its own.",
        ),
    ],
    config: Config,
    out: Out,
    model: TrainedModel = None,
    sets: Sets = None,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge", help="Also write OUT/merged: the weights with the adapter in them, bfloat16."
        ),
    ] = False,
    dry_run: DryRun = False,
    gpu: Annotated[
        str | None,
        typer.Option(
            "--gpu",
            help="With --dry-run: the GPU whose bound is wanted, such as h100-sxm.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fine-tune a judge on selected judgements.

    grmeval spct rft SFT --config smol -o trained

    The loss is on the completion alone. The same command goes on from the last checkpoint in OUT. OUT/model
    is the adapter (with [lora]) or the weights; on several GPUs: accelerate launch -m grmeval spct rft ...
    """
    from grmeval.errors import ConfigError
    from grmeval.report.signs import Signs
    from grmeval.report.training import TrainingProgress
    from grmeval.train.rft import prepare
    from grmeval.train.rft import rft as train
    from grmeval.train.settings import read_config

    asked = read_config(config, sets or (), "rft", model__name=model)
    if merge and asked.lora is None:
        raise ConfigError("--merge: without [lora] there is no adapter; OUT/model has the weights")
    if gpu and not dry_run:
        raise ConfigError("--gpu: is of --dry-run")
    with Signs() as signs:
        signs.at(f"reading {selected}")
        prepared = prepare(selected, asked)
        signs.so_far(None)
        finished = is_finished(out)
        folder = train(prepared, out, TrainingProgress(signs))
        leave_card(folder, finished)
