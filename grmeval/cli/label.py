"""`grmeval label RUN NAME`: what people call a run."""

from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import RUN, Results


@app.command()
def label(
    run: Annotated[str, typer.Argument(help=RUN)],
    name: Annotated[
        str | None,
        typer.Argument(
            help="Its name from now on: one word that no other run has. [default: none, it is taken away]",
            show_default=False,
        ),
    ] = None,
    results: Results = None,
) -> None:
    """Name a run, or take its name away.

    The name may stand wherever a RUN is asked for. It is a line of its own in the run's folder: the
    run-id and what was sampled stay as they are.
    """
    from grmeval.cli.output import consoles
    from grmeval.cli.settings import results_folder
    from grmeval.store import drop_name, find_run, give_name

    path = find_run(run, results_folder(results))
    if name is None:
        drop_name(path)
    else:
        give_name(path, name)
    said = f"is now called {name}" if name else "has no name now"
    consoles()[1].print(f"{path}: {said}", soft_wrap=True)
