"""`grmeval scale-curve`: accuracy over k from the samples that runs already hold."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import BOOTSTRAP, RESULTS, RUN, option


@app.command("scale-curve")
def scale_curve(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"{RUN} Several must have judged the same rows. [default: latest]",
            metavar="[RUN]...",
            show_default=False,
        ),
    ] = None,
    ks: Annotated[
        str | None, typer.Option("--ks", help="Values of k: 1,2,4,8. [default: powers of 2]")
    ] = None,
    limit: Annotated[int | None, option("limit", "--limit", min=1)] = None,
    vote: Annotated[
        list[str] | None, option("vote", "--vote", default="sum and majority, or the judge's")
    ] = None,
    k_meta: Annotated[int | None, option("k_meta", "--k-meta", min=1)] = None,
    protocol: Annotated[str, option("protocol", "--protocol")] = "official",
    ties: Annotated[str | None, option("ties", "--ties")] = None,
    on_invalid: Annotated[str | None, option("on_invalid", "--on-invalid")] = None,
    prices: Annotated[Path | None, option("prices", "--prices")] = None,
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
    bootstrap: Annotated[int | None, typer.Option("--bootstrap", min=100, help=BOOTSTRAP)] = None,
    results: Annotated[Path | None, typer.Option("--results", help=RESULTS)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Draw accuracy over k from stored samples.

    vote@k is the mean over subsets of the samples at hand, exact where it can be.
    """
    from grmeval.cli.output import print_json, show_scaling
    from grmeval.cli.settings import price_file, results_folder
    from grmeval.errors import ConfigError
    from grmeval.runs.find import find_run
    from grmeval.runs.store import RunFolder
    from grmeval.score import scale

    try:
        chosen = [int(k) for k in ks.split(",")] if ks else None
    except ValueError:
        raise ConfigError(f"--ks {ks!r}: expected whole numbers such as 1,2,4,8") from None
    where = results_folder(results)
    found = [find_run(run, where) for run in runs or ["latest"]]
    folders = [RunFolder(path) for path in {path.resolve(): path for path in found}.values()]
    result = scale(
        *folders,
        ks=chosen,
        limit=limit,
        votes=vote,
        protocol=protocol,
        ties=ties,
        on_invalid=on_invalid,
        k_meta=k_meta,
        prices=price_file(prices),
        first=first,
        greedy=RunFolder(find_run(greedy, where)) if greedy else None,
        bootstrap=bootstrap,
    )
    stem = folders[0].path / "scaling"
    if len(folders) > 1:  # their common files belong to none of them
        length = 12 if len(folders) <= 8 else 4  # of a file's name there is an end
        stem = where / "scaling" / "-".join(folder.path.name[:length] for folder in folders)
    show_scaling(result, stem, quiet=as_json)
    if as_json:
        print_json(result)
