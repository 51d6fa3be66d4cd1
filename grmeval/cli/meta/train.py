"""`grmeval meta train`: a meta RM out of the judgements of runs."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli.meta import meta
from grmeval.cli.options import LATEST, RUN, Results, option
from grmeval.cli.training import (
    Config,
    DryRun,
    OfGpu,
    Out,
    Sets,
    check_gpu,
    signs_of_training,
    tell_forecast,
    train_to_the_end,
)


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
    gpu: OfGpu = None,
) -> None:
    """Train a meta RM on judgements that are right or wrong.

    grmeval meta train 3f2a 91c0 --config smol -o trained

    A judgement is right where it ranks the best response first. Whole prompts are held out; the checkpoint of
    the best AUC inside their items becomes OUT/model, which `grmeval meta-score RUN --meta-model OUT/model`
    takes. The same command goes on from the last checkpoint.
    """
    from functools import partial

    from grmeval.cli.output import consoles
    from grmeval.cli.settings import looked_at
    from grmeval.train.meta import make_trainer, notes, prepare, train_meta
    from grmeval.train.settings import read_config

    asked = read_config(config, sets or (), "meta", model__name=base)
    found = looked_at(runs or [LATEST], results, {})
    folders = list({folder.path.resolve(): folder for folder in found}.values())
    check_gpu(gpu, dry_run)
    _, err = consoles()
    with signs_of_training() as signs:
        signs.at("reading the judgements")
        prepared = prepare(folders, asked, meta_template, data)
        for name, text in notes(prepared).items():
            err.print(f"{name}: {text}", soft_wrap=True)
        if dry_run:
            tell_forecast(prepared, gpu, signs, partial(make_trainer, evaluate=False))
            return
        train_to_the_end(partial(train_meta, prepared), out, prepared, signs)
