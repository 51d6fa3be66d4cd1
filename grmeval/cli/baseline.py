"""`grmeval baseline RUN`: keep what a run earned, for gates of later nights."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, Results, Run, option, takes


@app.command()
@takes("limit", "vote", "k_meta", "protocol", "ties", "on_invalid", bounded=True)
def baseline(
    *,
    run: Run = LATEST,
    to: Annotated[
        Path, typer.Option("--to", help="The file to write; it is text, sorted, made for git.")
    ],
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="Samples an item. [default: the record's]")
    ] = None,
    vote: Annotated[
        str | None, option("vote", default="sum; majority of a panel of unlike scales", many=False)
    ] = None,
    settings: dict[str, Any],
    results: Results = None,
) -> None:
    """Write a finished run's credits as a baseline.

    It holds ids and numbers, no text of the benchmark. `grmeval gate` compares with it.
    """
    from grmeval.cli.output import consoles, taken, told
    from grmeval.cli.settings import results_folder
    from grmeval.report.gate import held
    from grmeval.score import baseline_of, write_baseline
    from grmeval.store import RunFolder

    found = baseline_of(
        RunFolder(taken(run, results_folder(results))),
        k=k,
        vote=vote,
        **settings,
    )
    before = _before(to)
    write_baseline(found, to)
    told([to])
    said = held(found)
    if before and before != said:
        said += f"; replaces {before}"
    for note in (said, *found.notes):
        consoles()[1].print(note, soft_wrap=True)


def _before(to: Path) -> str | None:
    """What a file that is to be replaced holds; None: there is none."""
    from grmeval.errors import ConfigError
    from grmeval.report.gate import held
    from grmeval.score import read_baseline

    if not to.is_file():
        return None
    try:
        return held(read_baseline(to))
    except ConfigError:
        return "a file that was no baseline of this grmeval"
