"""`grmeval meta train`: a meta RM out of the judgements of runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from grmeval.cli.meta import meta
from grmeval.cli.options import LATEST, RUN, Results, option
from grmeval.cli.training import Config, DryRun, Out, Sets, is_finished, leave_card

if TYPE_CHECKING:
    from grmeval.report.signs import Signs
    from grmeval.train.meta_prepare import Prepared


@meta.command()
def train(
    *,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"{RUN} Of several, all judgements together. [default: {LATEST}]",
            metavar="[RUN]...",
            show_default=False,
        ),
    ] = None,
    config: Config,
    out: Out,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            help="Model that gets the head: a preset, a folder, or a hub id. [default: the configuration's]",
            show_default=False,
        ),
    ] = None,
    sets: Sets = None,
    meta_template: Annotated[Path | None, option("meta_template")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Copy of the benchmark. [default: the one that was judged]"),
    ] = None,
    results: Results = None,
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
    """Train a meta RM on judgements that are right or wrong.

    grmeval meta train 3f2a 91c0 --config smol -o trained

    A judgement is right where it ranks the best response first. Whole prompts are held out; the checkpoint of
    the best AUC inside their items becomes OUT/model, which `grmeval meta-score RUN --meta-model OUT/model`
    takes. The same command goes on from the last checkpoint.
    """
    from grmeval.cli.output import consoles
    from grmeval.cli.settings import looked_at
    from grmeval.errors import ConfigError
    from grmeval.report.signs import Signs
    from grmeval.report.training import TrainingProgress
    from grmeval.train.meta import train_meta
    from grmeval.train.meta_prepare import notes, prepare
    from grmeval.train.settings import read_config

    asked = read_config(config, sets or (), "meta", model__name=base)
    found = looked_at(runs or [LATEST], results, {})
    folders = list({folder.path.resolve(): folder for folder in found}.values())
    if gpu and not dry_run:
        raise ConfigError("--gpu: is of --dry-run")
    _, err = consoles()
    with Signs() as signs:
        signs.at("reading the judgements")
        prepared = prepare(folders, asked, meta_template, data)
        for name, text in notes(prepared).items():
            err.print(f"{name}: {text}", soft_wrap=True)
        if dry_run:
            _tell(prepared, gpu, signs)
            return
        signs.at(f"loading {prepared.model.label}")
        finished = is_finished(out)
        folder = train_meta(prepared, out, TrainingProgress(signs))
        signs.so_far(None)
        leave_card(folder, finished)


def _tell(prepared: "Prepared", gpu: str | None, signs: "Signs") -> None:
    """Print what the training would take."""
    from functools import partial

    from grmeval.cli.output import show_tables
    from grmeval.engines.gpus import find_gpu
    from grmeval.report.training_forecast import forecast_tables
    from grmeval.train.forecast import forecast
    from grmeval.train.meta import make_trainer

    signs.at("counting parameters, and taking a few steps where the weights are here")
    make = partial(make_trainer, evaluate=False)
    found = forecast(cast(Any, prepared), find_gpu(gpu) if gpu else None, gpu is None, make)
    signs.so_far(None)
    show_tables(lambda width: forecast_tables(found, prepared.config.title, width))
