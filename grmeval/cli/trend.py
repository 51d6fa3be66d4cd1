"""`grmeval trend FOLDER`: the history of a benchmark, night by night."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import AsJson, option, written_to


@app.command()
def trend(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder with run folders, or files of `grmeval baseline`, below it."),
    ] = Path("results"),
    bench: Annotated[
        str | None, typer.Option("--bench", help="Benchmark, where there are several.")
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="Samples an item. [default: the smallest asked for]"),
    ] = None,
    vote: Annotated[
        str | None, option("vote", default="sum; majority of a panel of unlike scales", many=False)
    ] = None,
    to: Annotated[list[Path] | None, written_to(figure=True, default="FOLDER/trend")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how a benchmark's number moved from night to night.

    Each night's change is paired with the night before where both judged the same rows.
    """
    from grmeval.cli.output import print_json, show_trend
    from grmeval.score import trend as history

    result = history(folder, bench=bench, k=k, vote=vote)
    show_trend(result, to or [folder / "trend"], quiet=as_json, asked=bool(to))
    if as_json:
        print_json(result)
