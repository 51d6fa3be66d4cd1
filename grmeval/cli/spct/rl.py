"""`grmeval spct rl`: train a judge by the rewards of its own judgements."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli.options import Results, bench_names, takes
from grmeval.cli.spct import spct
from grmeval.cli.training import Config, DryRun, Out, Sets, TrainedModel, is_finished, leave_card

if TYPE_CHECKING:
    from grmeval.judges import Judge
    from grmeval.train.folder import TrainingFolder
    from grmeval.train.rl_items import RlItems


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
    gpu: Annotated[
        str | None,
        typer.Option(
            "--gpu",
            help="With --dry-run: the GPU whose bound is wanted, such as h100-sxm.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train by GRPO: +1 where a judgement ranks the best response first, -1 otherwise.

    grmeval spct rl DATA --config smol --lora rft/model -o trained

    The same command goes on from the last checkpoint in OUT. OUT/model is the adapter (with [lora]) or the
    weights; on several GPUs: accelerate launch -m grmeval spct rl ...
    """
    from grmeval.cli.settings import results_folder
    from grmeval.errors import ConfigError
    from grmeval.report.signs import Signs
    from grmeval.store import RunFolder, find_run
    from grmeval.train.rl_items import bench_of, read_items
    from grmeval.train.settings import read_config

    if gpu and not dry_run:
        raise ConfigError("--gpu: is of --dry-run")
    if drop_wrong and filter_run is None:
        raise ConfigError("--drop-wrong: says what --filter RUN leaves out; name a run")
    trainings = [
        (read_config(config, [*(sets or ()), *more], "rl", model__name=model), place)
        for more, place in _grid(grid, out)
    ]
    judge = _judge(settings)
    run = RunFolder(find_run(filter_run, results_folder(results))) if filter_run else None
    with Signs() as signs:
        signs.at(f"reading {data}")
        items = read_items(bench_of(data), judge, run, drop_wrong)
        if dry_run:
            _forecast(trainings[0][0], judge, items, lora, gpu, signs)
            return
        folders = [_train(asked, judge, items, lora, place, signs) for asked, place in trainings]
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


def _train(
    config: Any, judge: "Judge", items: "RlItems", lora: Path | None, out: Path, signs: Any
) -> "TrainingFolder":
    from grmeval.report.training import TrainingProgress
    from grmeval.train.rl import prepare_rl
    from grmeval.train.rl import rl as train

    signs.at("measuring the prompts")
    prepared = prepare_rl(config, judge, items, lora)
    signs.at(f"loading {prepared.model.label}")
    finished = is_finished(out)
    folder = train(prepared, out, TrainingProgress(signs))
    signs.so_far(None)
    leave_card(folder, finished)
    return folder


def _forecast(
    config: Any, judge: "Judge", items: "RlItems", lora: Path | None, gpu: str | None, signs: Any
) -> None:
    """Print what the (first) training would take."""
    from grmeval.cli.output import show_tables
    from grmeval.engines.gpus import find_gpu
    from grmeval.report.training_forecast import forecast_tables
    from grmeval.train.forecast import forecast
    from grmeval.train.rl import make_rl_trainer, prepare_rl

    prepared = prepare_rl(config, judge, items, lora)
    signs.at("counting parameters, and taking a few steps where the weights are here")
    found = forecast(prepared, find_gpu(gpu) if gpu else None, gpu is None, make_rl_trainer)
    signs.so_far(None)
    show_tables(lambda width: forecast_tables(found, config.title, width))


def _tell(folders: "list[TrainingFolder]") -> None:
    """What the trainings of a grid ended with, side by side, on standard output."""
    from grmeval.report.training import side_by_side

    print("\n".join(side_by_side(folders)))
