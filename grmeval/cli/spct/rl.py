"""`grmeval spct rl`: train a judge by the rewards of its own judgements."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli.options import Results, bench_names, takes
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
    from grmeval.judges import Judge
    from grmeval.train.folder import TrainingFolder


@spct.command()
@takes("judge", "template", "system", judge="pointwise")
def rl(
    *,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Items to judge: a folder of `spct data`, or what --bench takes.",
            autocompletion=bench_names,
        ),
    ],
    config: Config,
    out: Out,
    model: TrainedModel = None,
    lora: Annotated[
        Path | None,
        typer.Option(
            "--lora",
            help="Adapter over the model to begin with, such as rft/model; it is trained on.",
            show_default=False,
        ),
    ] = None,
    sets: Sets = None,
    settings: dict[str, Any],
    filter_run: Annotated[
        str | None,
        typer.Option(
            "--filter",
            help="Leave out items that this run of DATA gets right 3 times of 3.",
            metavar="RUN",
            show_default=False,
        ),
    ] = None,
    drop_wrong: Annotated[
        bool,
        typer.Option("--drop-wrong", help="With --filter: and those it gets wrong 3 times of 3."),
    ] = False,
    grid: Annotated[
        str | None,
        typer.Option(
            "--grid",
            help="One training after another, in OUT/beta-0 and so on: rl.beta=0,0.01,0.02,0.08.",
            metavar="TABLE.KEY=A,B",
            show_default=False,
        ),
    ] = None,
    results: Results = None,
    dry_run: DryRun = False,
    gpu: OfGpu = None,
) -> None:
    """Train by GRPO: +1 where a judgement ranks the best response first, -1 otherwise.

    grmeval spct rl DATA --config smol --lora rft/model -o trained

    The same command goes on from the last checkpoint in OUT. OUT/model is the adapter (with [lora]) or the
    weights; on several GPUs: accelerate launch -m grmeval spct rl ...
    """
    from functools import partial

    from grmeval.cli.settings import results_folder
    from grmeval.errors import ConfigError
    from grmeval.store import RunFolder, find_run
    from grmeval.train.rl import make_trainer, prepare, read_items
    from grmeval.train.rl import rl as train
    from grmeval.train.settings import read_config

    check_gpu(gpu, dry_run)
    if drop_wrong and filter_run is None:
        raise ConfigError("--drop-wrong: says what --filter RUN leaves out; name a run")
    trainings = [
        (read_config(config, [*(sets or ()), *more], "rl", model__name=model), place)
        for more, place in _grid(grid, out)
    ]
    judge = _judge(settings)
    run = RunFolder(find_run(filter_run, results_folder(results))) if filter_run else None
    with signs_of_training() as signs:
        signs.at(f"reading {data}")
        items = read_items(data, judge, run, drop_wrong)
        folders = []
        for asked, place in trainings:
            signs.at("measuring the prompts")
            prepared = prepare(asked, judge, items, lora)
            if dry_run:
                tell_forecast(prepared, gpu, signs, make_trainer)
                return
            folders.append(train_to_the_end(partial(train, prepared), place, prepared, signs))
    if grid:
        _tell(folders)


def _judge(settings: dict[str, Any]) -> "Judge":
    """The judge that is trained; ConfigError: it is no such."""
    from grmeval.errors import ConfigError, nearest
    from grmeval.judges import JUDGES, make_judge

    name = settings.get("judge", "pointwise")
    able = [n for n, judge in JUDGES.items() if not judge.head and not judge.needs.principles]
    if name not in able:
        raise ConfigError(f"--judge {name!r}: not one that is trained so; {nearest(name, able)}")
    return make_judge(name, settings.get("template"), settings.get("system"))


def _grid(grid: str | None, out: Path) -> list[tuple[list[str], Path]]:
    """(what is set besides, where) of each training."""
    from grmeval.errors import ConfigError

    if grid is None:
        return [([], out)]
    name, _, values = grid.partition("=")
    each = [value.strip() for value in values.split(",")]
    if not all(each) or len(set(each)) < len(each):
        raise ConfigError(
            f"--grid {grid!r}: expected one setting and its values, such as rl.beta=0,0.01,0.02,0.08"
        )
    key = name.rpartition(".")[2]
    return [([f"{name}={value}"], out / f"{key}-{value}") for value in each]


def _tell(folders: "list[TrainingFolder]") -> None:
    """What the trainings of a grid ended with, side by side, on standard output."""
    from grmeval.report.training import side_by_side

    print("\n".join(side_by_side(folders)))
