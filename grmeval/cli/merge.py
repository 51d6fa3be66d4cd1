"""`grmeval merge`: join folders of one run that were sampled apart."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app


@app.command()
def merge(
    into: Annotated[Path, typer.Argument(help="Run folder that takes the samples.")],
    others: Annotated[list[Path], typer.Argument(help="Folders of the same run (shards).")],
) -> None:
    """Join shards of one run: samples that INTO has are kept, the others' are added."""
    from grmeval.runs.store import RunFolder

    target = RunFolder(into)
    for path in others:
        added = target.merge(RunFolder(path))
        print(f"{path}: {added:,} samples added")
