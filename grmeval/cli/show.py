"""`grmeval show RUN`: the story of a run, or of one item in it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, Results, Run


@app.command()
def show(
    run: Run = LATEST,
    item: Annotated[
        str | None, typer.Option("--item", help="Item: id, or subset/id, with its judgements.")
    ] = None,
    j: Annotated[
        int | None, typer.Option("--j", min=0, help="Only sample j of the item. [default: all]")
    ] = None,
    texts: Annotated[
        bool, typer.Option("--texts", help="The item's conversation and responses as well.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Copy of the benchmark, for --texts. [default: the one that was judged]"
        ),
    ] = None,
    results: Results = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Show a run, or an item's judgements in it."""
    from grmeval.cli.settings import results_folder
    from grmeval.errors import ConfigError
    from grmeval.report.story import as_json_text, item_story, run_story
    from grmeval.report.story_lines import item_text, run_text
    from grmeval.store import RunFolder, find_run

    if item is None and (j is not None or texts or data):
        raise ConfigError("--j, --texts and --data are of one item: name it with --item ID")
    if data and not texts:
        raise ConfigError("--data is where --texts takes the texts from: add --texts")
    folder = RunFolder(find_run(run, results_folder(results)))
    if item is None:
        whole = run_story(folder)
        sys.stdout.writelines([as_json_text(whole)] if as_json else run_text(whole))
    else:
        story = item_story(folder, item, j=j, texts=texts, data=data)
        sys.stdout.writelines([as_json_text(story)] if as_json else item_text(story))
