"""`grmeval spct rft`: fine-tune a judge on selected judgements."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grmeval.cli.spct import spct
from grmeval.cli.training import (
    Config,
    DryRun,
    Out,
    Sets,
    TrainedModel,
    is_finished,
    leave_card,
    signs_of_training,
)

if TYPE_CHECKING:
    from grmeval.report.signs import Signs
    from grmeval.train.rft import Prepared


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
    from grmeval.report.training import TrainingProgress
    from grmeval.train.model import merge_once
    from grmeval.train.rft import prepare
    from grmeval.train.rft import rft as train
    from grmeval.train.settings import read_config

    asked = read_config(config, sets or (), "rft", model__name=model)
    if merge and asked.lora is None:
        raise ConfigError("--merge: without [lora] there is no adapter; OUT/model has the weights")
    if gpu and not dry_run:
        raise ConfigError("--gpu: is of --dry-run")
    with signs_of_training() as signs:
        signs.at(f"reading {selected}")
        prepared = prepare(selected, asked)
        if dry_run:
            _tell(prepared, gpu, signs)
            return
        signs.at(f"loading {prepared.model.label}")
        finished = is_finished(out)
        folder = train(prepared, out, TrainingProgress(signs))
        if merge:
            signs.at("merging the adapter into the weights")
            merge_once(folder, prepared.model)
        signs.so_far(None)
        leave_card(folder, finished)


def _tell(prepared: "Prepared", gpu: str | None, signs: "Signs") -> None:
    """Print what the training would take."""
    from grmeval.cli.output import show_tables
    from grmeval.engines.gpus import find_gpu
    from grmeval.report.training_forecast import forecast_tables
    from grmeval.train.forecast import forecast

    steps = "" if gpu else ", and taking a few steps where the weights are here"
    signs.at(f"counting parameters{steps}")
    found = forecast(prepared, find_gpu(gpu) if gpu else None, measure=gpu is None)
    signs.so_far(None)
    show_tables(lambda width: forecast_tables(found, prepared.config.title, width))
