"""`grmeval baseline RUN`: keep what a run earned, for gates of later nights."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import RESULTS, RUN, option


@app.command()
def baseline(
    run: Annotated[str, typer.Argument(help=RUN)],
    to: Annotated[
        Path, typer.Option("--to", help="The file to write; it is text, sorted, made for git.")
    ],
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="Samples an item. [default: as asked last]")
    ] = None,
    limit: Annotated[int | None, option("limit", "--limit", min=1)] = None,
    vote: Annotated[
        str | None, option("vote", "--vote", default="sum; majority of a panel of unlike scales")
    ] = None,
    k_meta: Annotated[int | None, option("k_meta", "--k-meta", min=1)] = None,
    protocol: Annotated[str, option("protocol", "--protocol")] = "official",
    ties: Annotated[str | None, option("ties", "--ties")] = None,
    on_invalid: Annotated[str | None, option("on_invalid", "--on-invalid")] = None,
    results: Annotated[Path | None, typer.Option("--results", help=RESULTS)] = None,
) -> None:
    """Write a finished run's credits as a baseline.

    It holds ids and numbers, no text of the benchmark. `grmeval gate` compares with it.
    """
    from grmeval.cli.output import told
    from grmeval.cli.settings import results_folder
    from grmeval.runs.find import find_run
    from grmeval.runs.store import RunFolder
    from grmeval.score import baseline_of, write_baseline

    found = baseline_of(
        RunFolder(find_run(run, results_folder(results))),
        k=k,
        limit=limit,
        vote=vote,
        protocol=protocol,
        ties=ties,
        on_invalid=on_invalid,
        k_meta=k_meta,
    )
    write_baseline(found, to)
    told([to])
