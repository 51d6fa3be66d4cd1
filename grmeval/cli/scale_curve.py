"""`grmeval scale-curve`: accuracy over k from the samples that runs already hold."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, RUN, AsJson, Bootstrap, Results, takes, written_to
from grmeval.cli.record import Save, looked, one_place, refuse_part, say


@app.command("scale-curve")
@takes(
    "subset",
    "section",
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
        list[Path] | None, written_to(figure=True, default="scaling.* in the run's folder")
    ] = None,
    save: Save = False,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Draw accuracy over k from stored samples.

    vote@k is the mean over subsets of the samples at hand, exact where it can be. Writes scaling.* where it
    is of the run's record; other votes, ks, rules or items are shown, and written with --save.
    """
    from grmeval.cli.output import print_json, show_scaling
    from grmeval.cli.settings import looked_at, results_folder, scoring
    from grmeval.errors import ConfigError
    from grmeval.score import scale

    if ks and runs and all(word.isdigit() and not Path(word).exists() for word in runs):
        listed = ",".join([ks.strip(","), *runs])
        raise ConfigError(f"--ks {ks} {' '.join(runs)}: one word, with commas: --ks {listed}")
    try:
        chosen = [int(k) for k in ks.split(",")] if ks else None
    except ValueError:
        raise ConfigError(f"--ks {ks!r}: expected whole numbers such as 1,2,4,8") from None
    one_place(to, save)
    names = [*(runs or [LATEST]), *([greedy] if greedy else [])]
    found = looked_at(names, results, settings)
    reference = found.pop() if greedy else None
    folders = list({folder.path.resolve(): folder for folder in found}.values())
    refuse_part(not folders[0].whole, save)
    result = scale(
        *folders,
        ks=chosen,
        **scoring(settings),
        first=first,
        greedy=reference,
        bootstrap=bootstrap,
    )
    stem = folders[0].path / "scaling"
    if len(folders) > 1:  # their common files belong to none of them
        length = 12 if len(folders) <= 8 else 4  # of a file's name there is an end
        stem = (
            results_folder(results)
            / "scaling"
            / "-".join(folder.path.name[:length] for folder in folders)
        )
    look = None if to else looked(folders[0], result.usual, save)
    if look and len(folders) > 1 and folders[0].whole:
        look = f"nothing is written: {stem}.* is of the runs as they are; --save replaces it"
    show_scaling(result, to or ([] if look else [stem]), quiet=as_json, asked=bool(to))
    say(look)
    if as_json:
        print_json(result)
