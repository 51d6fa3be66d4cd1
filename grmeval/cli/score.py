"""`grmeval score RUN`: read a run folder again; no model is needed."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import option


@app.command()
def score(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="Score as if k samples had been asked.")
    ] = None,
    limit: Annotated[int | None, option("limit", "--limit", min=1)] = None,
    vote: Annotated[list[str] | None, option("vote", "--vote")] = None,
    ties: Annotated[str, option("ties", "--ties")] = "official",
    on_invalid: Annotated[str, option("on_invalid", "--on-invalid")] = "official",
    save: Annotated[
        bool, typer.Option("--save", help="Put the tables in place of those in the run folder.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Score a run again: vote, k, rules; no model needed."""
    from grmeval.cli.output import show_accuracy
    from grmeval.errors import Incomplete
    from grmeval.runs.store import RunFolder
    from grmeval.score import score as score_run

    folder = RunFolder(run)
    result = score_run(
        folder, k=k, limit=limit, votes=vote or ["sum"], ties=ties, on_invalid=on_invalid
    )
    show_accuracy(result, folder.path if save else None, as_json)
    if result.missing:
        raise Incomplete(
            f"{result.missing:,} samples of this k are missing; `grmeval run` asks for them"
        )
