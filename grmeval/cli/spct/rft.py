"""`grmeval spct rft`: fine-tune a judge on selected judgements."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grmeval.cli.spct import spct
from grmeval.cli.training import (
    Config,
    DryRun,
    OfGpu,
    Out,
    Sets,
    TrainedModel,
    check_gpu,
    signs_of_training,
    tell_forecast,
    train_to_the_end,
)

if TYPE_CHECKING:
    from grmeval.train.folder import TrainingFolder
    from grmeval.train.recorder import Watch


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
    gpu: OfGpu = None,
) -> None:
    """Fine-tune a judge on selected judgements.

    grmeval spct rft SFT --config smol -o trained

    The loss is on the completion alone. The same command goes on from the last checkpoint in OUT. OUT/model
    is the adapter (with [lora]) or the weights; on several GPUs: accelerate launch -m grmeval spct rft ...
    """
    from grmeval.errors import ConfigError
    from grmeval.train.model import merge_once
    from grmeval.train.rft import make_trainer, prepare
    from grmeval.train.rft import rft as rejective
    from grmeval.train.settings import read_config

    asked = read_config(config, sets or (), "rft", model__name=model)
    if merge and asked.lora is None:
        raise ConfigError("--merge: without [lora] there is no adapter; OUT/model has the weights")
    check_gpu(gpu, dry_run)
    with signs_of_training() as signs:
        signs.at(f"reading {selected}")
        prepared = prepare(selected, asked)
        if dry_run:
            tell_forecast(prepared, gpu, signs, make_trainer)
            return

        def train(out: Path, watch: "Watch") -> "TrainingFolder":
            folder = rejective(prepared, out, watch)
            if merge:
                signs.at("merging the adapter into the weights")
                merge_once(folder, prepared.model)
            return folder

        train_to_the_end(train, out, prepared, signs)
