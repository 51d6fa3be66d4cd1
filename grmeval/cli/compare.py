"""`grmeval compare A B`: paired differences of runs that judged the same rows."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import BOOTSTRAP, RESULTS, RUN, option


@app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(help=f"{RUN} Each is compared with the first.", metavar="FIRST RUN..."),
    ],
    k: Annotated[
        int | None,
        typer.Option(
            "--k", min=1, help="Samples an item. [default: the most that all were asked for]"
        ),
    ] = None,
    limit: Annotated[int | None, option("limit", "--limit", min=1)] = None,
    vote: Annotated[list[str] | None, option("vote", "--vote")] = None,
    k_meta: Annotated[int | None, option("k_meta", "--k-meta", min=1)] = None,
    protocol: Annotated[str, option("protocol", "--protocol")] = "official",
    ties: Annotated[str | None, option("ties", "--ties")] = None,
    on_invalid: Annotated[str | None, option("on_invalid", "--on-invalid")] = None,
    prices: Annotated[Path | None, option("prices", "--prices")] = None,
    flips: Annotated[
        bool, typer.Option("--flips", help="List the items whose verdict changed.")
    ] = False,
    bootstrap: Annotated[int | None, typer.Option("--bootstrap", min=100, help=BOOTSTRAP)] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="Write NAME.csv, .md and .json of the table too.", metavar="NAME"
        ),
    ] = None,
    results: Annotated[Path | None, typer.Option("--results", help=RESULTS)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare runs of the same rows, item by item.

    Runs with other rows are refused; one with more samples is read by subsets of k.
    """
    from grmeval.cli.output import print_json, show_comparison
    from grmeval.cli.settings import price_file, results_folder
    from grmeval.runs.find import find_run
    from grmeval.runs.store import RunFolder
    from grmeval.score import compare as compare_runs

    where = results_folder(results)
    result = compare_runs(
        *(RunFolder(find_run(run, where)) for run in runs),
        k=k,
        limit=limit,
        votes=vote,
        protocol=protocol,
        ties=ties,
        on_invalid=on_invalid,
        k_meta=k_meta,
        prices=price_file(prices),
        bootstrap=bootstrap,
    )
    if to and to.suffix in (".csv", ".md", ".json"):
        to = to.with_suffix("")
    show_comparison(result, to, quiet=as_json, flips=flips)
    if as_json:
        print_json(result)
