"""`grmeval score RUN`: read a run folder again; no model is needed."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import BESIDE, RESULTS, RUN, option, published_rows


@app.command()
def score(
    run: Annotated[str, typer.Argument(help=RUN)],
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="Score as if k samples had been asked.")
    ] = None,
    limit: Annotated[int | None, option("limit", "--limit", min=1)] = None,
    vote: Annotated[list[str] | None, option("vote", "--vote")] = None,
    k_meta: Annotated[int | None, option("k_meta", "--k-meta", min=1)] = None,
    protocol: Annotated[str, option("protocol", "--protocol")] = "official",
    ties: Annotated[str | None, option("ties", "--ties")] = None,
    on_invalid: Annotated[str | None, option("on_invalid", "--on-invalid")] = None,
    prices: Annotated[Path | None, option("prices", "--prices")] = None,
    reparse: Annotated[
        bool,
        typer.Option(
            "--reparse", help="Read the stored texts again with the parser of this grmeval."
        ),
    ] = False,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Put the tables (and what --reparse read) in place of those in the run folder.",
        ),
    ] = False,
    beside: Annotated[list[str] | None, typer.Option("--beside", help=BESIDE)] = None,
    results: Annotated[Path | None, typer.Option("--results", help=RESULTS)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Score a run again: vote, k, rules; no model needed."""
    from grmeval.cli.output import print_accuracy_json, show_accuracy
    from grmeval.cli.settings import price_file, results_folder
    from grmeval.errors import Incomplete
    from grmeval.runs.find import find_run
    from grmeval.runs.origins import origin
    from grmeval.runs.reparse import rewrite
    from grmeval.runs.store import RunFolder
    from grmeval.score import score as score_run

    printed = published_rows(beside)
    folder = RunFolder(find_run(run, results_folder(results)))
    result = score_run(
        folder,
        k=k,
        limit=limit,
        votes=vote,
        protocol=protocol,
        ties=ties,
        on_invalid=on_invalid,
        k_meta=k_meta,
        prices=price_file(prices),
        reparse=reparse,
    )
    if reparse and save:
        rewrite(folder)
    show_accuracy(result, folder.path if save else None, quiet=as_json, beside=printed)
    if as_json:
        print_accuracy_json([result], printed)
    if result.missing:
        whence = origin(folder.record["identity"]).grows
        raise Incomplete(f"{result.missing:,} samples of this k are missing; {whence}")
