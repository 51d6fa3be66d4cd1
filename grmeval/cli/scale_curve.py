"""`grmeval scale-curve`: accuracy over k from the samples that runs already hold."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, RUN, AsJson, Bootstrap, Results, takes, written_to


@app.command("scale-curve")
@takes(
    "limit",
    "vote",
    "k_meta",
    "protocol",
    "ties",
    "on_invalid",
    "prices",
    bounded=True,
    vote="sum and majority, or the judge's",
)
def scale_curve(
    *,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"{RUN} Several must have judged the same rows. [default: {LATEST}]",
            metavar="[RUN]...",
            show_default=False,
        ),
    ] = None,
    ks: Annotated[
        str | None, typer.Option("--ks", help="Values of k: 1,2,4,8. [default: powers of 2]")
    ] = None,
    settings: dict[str, Any],
    greedy: Annotated[
        str | None,
        typer.Option(
            "--greedy", help="A greedy run of the same rows to stand beside.", metavar="RUN"
        ),
    ] = None,
    first: Annotated[
        bool,
        typer.Option(
            "--first-k", help="Of the first k samples alone, as published curves mostly are."
        ),
    ] = False,
    bootstrap: Bootstrap = None,
    to: Annotated[
        Path | None, written_to(figure=True, default="scaling.* in the run's folder")
    ] = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Draw accuracy over k from stored samples.

    vote@k is the mean over subsets of the samples at hand, exact where it can be.
    """
    from grmeval.cli.output import print_json, show_scaling
    from grmeval.cli.settings import results_folder, scoring
    from grmeval.errors import ConfigError
    from grmeval.score import scale
    from grmeval.store import RunFolder, find_run

    try:
        chosen = [int(k) for k in ks.split(",")] if ks else None
    except ValueError:
        raise ConfigError(f"--ks {ks!r}: expected whole numbers such as 1,2,4,8") from None
    where = results_folder(results)
    found = [find_run(run, where) for run in runs or [LATEST]]
    folders = [RunFolder(path) for path in {path.resolve(): path for path in found}.values()]
    result = scale(
        *folders,
        ks=chosen,
        **scoring(settings),
        first=first,
        greedy=RunFolder(find_run(greedy, where)) if greedy else None,
        bootstrap=bootstrap,
    )
    stem = folders[0].path / "scaling"
    if len(folders) > 1:  # their common files belong to none of them
        length = 12 if len(folders) <= 8 else 4  # of a file's name there is an end
        stem = where / "scaling" / "-".join(folder.path.name[:length] for folder in folders)
    show_scaling(result, to or stem, quiet=as_json)
    if as_json:
        print_json(result)
