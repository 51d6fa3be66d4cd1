"""`grmeval score RUN`: read a run folder again; no model is needed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import (
    LATEST,
    AsJson,
    Beside,
    Results,
    Run,
    published_rows,
    takes,
    written_to,
)


@app.command()
@takes("limit", "vote", "k_meta", "protocol", "ties", "on_invalid", "prices", bounded=True)
def score(
    *,
    run: Run = LATEST,
    k: Annotated[
        int | None,
        typer.Option(
            "--k", min=1, help="Score as if k samples had been asked. [default: as asked last]"
        ),
    ] = None,
    settings: dict[str, Any],
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
    to: Annotated[Path | None, written_to()] = None,
    beside: Beside = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Score a run again: vote, k, rules; no model needed."""
    from grmeval.cli.output import print_accuracy_json, show_accuracy
    from grmeval.cli.settings import results_folder, scoring
    from grmeval.errors import Incomplete, StoreError
    from grmeval.score import score as score_run
    from grmeval.store import RunFolder, find_run, origin
    from grmeval.store import reparse as rewrite

    printed = published_rows(beside)
    folder = RunFolder(find_run(run, results_folder(results)))
    result = score_run(
        folder,
        k=k,
        **scoring(settings),
        reparse=reparse,
    )
    if reparse and save:
        rewrite(folder)
    show_accuracy(result, folder.path if save else None, quiet=as_json, beside=printed, to=to)
    if as_json:
        print_accuracy_json([result], printed)
    if result.damaged:
        raise StoreError(
            f"{'; '.join(result.damaged)}; the command that wrote them asks for what is missing"
        )
    if result.missing:
        whence = origin(folder.record["identity"]).grows
        raise Incomplete(f"{result.missing:,} samples of this k are missing; {whence}")
