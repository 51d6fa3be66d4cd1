"""`grmeval scale-curve`: accuracy over k from the samples that runs already hold."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import option


@app.command("scale-curve")
def scale_curve(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders; by default the latest under --results."),
    ] = None,
    ks: Annotated[
        str | None, typer.Option("--ks", help="Values of k: 1,2,4,8. Default: powers of 2.")
    ] = None,
    vote: Annotated[
        list[str] | None,
        typer.Option("--vote", help="Vote; repeatable. [default: sum and majority]"),
    ] = None,
    ties: Annotated[str, option("ties", "--ties")] = "official",
    on_invalid: Annotated[str, option("on_invalid", "--on-invalid")] = "official",
    results: Annotated[Path, option("results", "--results")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Draw accuracy over k from stored samples.

    vote@k is the mean over subsets of the samples at hand, exact where it can be.
    """
    from grmeval.cli.output import show_scaling
    from grmeval.errors import ConfigError
    from grmeval.runs.store import RunFolder, latest
    from grmeval.score import scale

    try:
        chosen = [int(k) for k in ks.split(",")] if ks else None
    except ValueError:
        raise ConfigError(f"--ks {ks!r}: expected whole numbers such as 1,2,4,8") from None
    for path in runs or [latest(results)]:
        folder = RunFolder(path)
        result = scale(
            folder, ks=chosen, votes=vote or ["sum", "majority"], ties=ties, on_invalid=on_invalid
        )
        show_scaling(result, folder.path, as_json)
