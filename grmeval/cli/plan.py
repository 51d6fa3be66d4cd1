"""`grmeval plan`: what a run would take, before anything is loaded; of a run that is there, plan and fact."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.headings import UnderHeadings
from grmeval.cli.make_plans import ASKED, asked_of, make_plans
from grmeval.cli.options import (
    RUN,
    AsJson,
    Benches,
    Config,
    Copies,
    Greedy,
    takes,
    written_to,
)

if TYPE_CHECKING:
    from grmeval.engines.gpus import Gpu
    from grmeval.report.signs import Signs
    from grmeval.score import Compared, Planned
    from grmeval.store import RunFolder


def _gpu_names(incomplete: str) -> list[str]:
    from grmeval.engines.gpus import gpus

    return [name for name in gpus() if name.startswith(incomplete)]


@app.command(cls=UnderHeadings)
@takes(*ASKED)
def plan(
    *,
    run: Annotated[
        str | None,
        typer.Argument(help=f"{RUN} Without one: the run that the options below would make."),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(
            "--gpu",
            help="GPU whose bound is wanted, such as h100-sxm. [default: this machine's; the run's]",
            autocompletion=_gpu_names,
        ),
    ] = None,
    bench: Benches = None,
    data: Copies = None,
    settings: dict[str, Any],
    greedy: Greedy = False,
    config: Config = None,
    to: Annotated[list[Path] | None, written_to()] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a run would take: prompts, tokens, hours, money.

    grmeval plan --bench rmb --model deepseek-grm-27b --k 32 --gpu h200 --prices prices.toml

    Takes every option of `run`, writes no run folder and loads no weights: each prompt is tokenised, what the
    prefix cache shares is counted, judgements are as long as those of stored runs, and a GPU takes at least
    what its bandwidth and FLOPs allow. Samples that are there are not planned again. `grmeval plan RUN` puts
    what happened beside it.
    """
    from grmeval.cli.output import print_json, show_tables, told
    from grmeval.engines.gpus import find_gpu
    from grmeval.report.plan import plan_tables, write_plan
    from grmeval.report.signs import Signs

    chosen = find_gpu(gpu) if gpu else None
    result: Planned | Compared
    with Signs() as signs:
        if run is None:
            asked = settings | asked_of(bench, greedy, settings)
            result = _planned(asked, data or [], config, chosen, signs)
        else:
            _only_of_a_run(settings, bench=bench, data=data, greedy=greedy, config=config)
            result = _compared(run, settings, chosen, signs)
    paths = [path for each in to or () for path in write_plan(each, result)]
    if as_json:
        print_json(result)
        return
    show_tables(lambda width: plan_tables(result, width))
    told(paths)


def _only_of_a_run(settings: dict[str, Any], **others: Any) -> None:
    """ConfigError: an option that a run has answered already."""
    from grmeval.errors import ConfigError

    given = [name for name, value in (settings | others).items() if value]
    for name in given:
        if name not in ("results", "prices"):
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{flag}: a RUN has its own settings; drop it, or drop RUN for a new plan"
            )


def _planned(
    settings: dict[str, Any],
    data: list[str],
    config: Path | None,
    gpu: "Gpu | None",
    signs: "Signs",
) -> "Planned":
    from grmeval.runs.forecast import forecast
    from grmeval.score import price_plan, read_prices

    plans, _ = make_plans(settings, data, config, signs, unseen=True)
    gpu = gpu or _own_gpu()
    found = []
    for each in plans:
        with _counting(signs, each.loaded.spec.id) as watch:
            found.append(forecast(each, gpu, watch))
    return price_plan(found, read_prices(plans[0].config.prices))


def _compared(run: str, settings: dict[str, Any], gpu: "Gpu | None", signs: "Signs") -> "Compared":
    from grmeval.cli.output import taken
    from grmeval.cli.settings import price_file, results_folder
    from grmeval.runs.forecast import forecast_of_run
    from grmeval.score import compare_plan
    from grmeval.store import RunFolder

    folder = RunFolder(taken(run, results_folder(settings.get("results"))))
    prices = price_file(settings.get("prices"))
    with _counting(signs, folder.record["identity"]["bench"]) as watch:
        found = forecast_of_run(folder, gpu or _gpu_of(folder), watch)
    return compare_plan(folder, found, prices)


@contextlib.contextmanager
def _counting(signs: "Signs", bench: str) -> Iterator[Callable[[int], None]]:
    """Says how far the counting of a benchmark's prompts is, whatever ends it."""
    done = 0

    def watch(counted: int) -> None:
        nonlocal done
        done = counted

    what = f"counting the tokens of every prompt of {bench}"
    signs.at(what)
    signs.so_far(lambda: f"{what} …, {done:,} prompts so far")
    try:
        yield watch
    finally:
        signs.so_far(None)


def _own_gpu() -> "Gpu | None":
    """The first of this machine's; None: it has none, or one that is not known."""
    from grmeval.doctor import ask
    from grmeval.engines.gpus import gpu_called

    answer = ask()
    return gpu_called(answer[0].name) if answer and not isinstance(answer, str) else None


def _gpu_of(folder: "RunFolder") -> "Gpu | None":
    """That of a run's launches; None: it had none, or one that is not known."""
    from grmeval.engines.gpus import gpu_called

    devices = [each.get("engine", {}).get("device", "") for each in folder.record["launches"]]
    return next(filter(None, map(gpu_called, reversed(devices))), None)
