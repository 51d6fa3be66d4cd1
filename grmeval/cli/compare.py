"""`grmeval compare A B`: paired differences of runs that judged the same rows."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import RUN, AsJson, Bootstrap, Results, takes, written_to


@app.command()
@takes(
    *("subset", "section", "limit"),
    *("vote", "k_meta", "protocol", "ties", "on_invalid", "prices"),
    bounded=True,
)
def compare(
    *,
    runs: Annotated[
        list[str],
        typer.Argument(help=f"{RUN} Each is compared with the first.", metavar="FIRST RUN..."),
    ],
    k: Annotated[
        int | None,
        typer.Option(
            "--k", min=1, help="Samples an item. [default: the smallest of the runs' records]"
        ),
    ] = None,
    settings: dict[str, Any],
    flips: Annotated[
        bool, typer.Option("--flips", help="List the items whose verdict changed.")
    ] = False,
    bootstrap: Bootstrap = None,
    to: Annotated[list[Path] | None, written_to()] = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs of the same rows, item by item.

    Runs with other rows are refused; one with more samples is read by subsets of k. Of runs that differ in
    their seed alone: the mean over seeds, its spread, and differences of such groups.
    """
    from grmeval.cli.output import print_json, show_comparison
    from grmeval.cli.settings import looked_at, scoring
    from grmeval.score import compare as compare_runs

    result = compare_runs(
        *looked_at(runs, results, settings),
        k=k,
        **scoring(settings),
        bootstrap=bootstrap,
    )
    show_comparison(result, to or (), quiet=as_json, flips=flips)
    if as_json:
        print_json(result)
