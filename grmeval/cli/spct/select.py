"""`grmeval spct select RUN`: stored judgements become a data set for fine-tuning."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli.options import LATEST, AsJson, Results, Run
from grmeval.cli.spct import spct


@spct.command()
def select(
    *,
    run: Run = LATEST,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the data set.", metavar="SFT")
    ],
    hinted: Annotated[
        str | None,
        typer.Option("--hinted", help="The hinted run of the same items.", metavar="RUN"),
    ] = None,
    mix: Annotated[
        Path | None,
        typer.Option(
            "--mix",
            help="General instruction data: .jsonl or .parquet; rows of messages, or prompt and completion.",
            metavar="FILE",
        ),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            "--ratio",
            help="Rows of --mix for each selected sample. The paper's is 5.75.",
            metavar="R",
        ),
    ] = None,
    max_per_item: Annotated[
        int | None,
        typer.Option("--max-per-item", min=1, help="Samples of an item at most. [default: all]"),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Of what --max-per-item and --mix choose.")
    ] = 0,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Select the judgements to train on, by the paper's rejection.

    Incorrect samples go, and all those of an item whose samples are all correct; a hinted sample goes only if
    it is incorrect. Writes train.jsonl (prompt without the hint, completion, provenance), select.md and
    select.json. The same command again does nothing, another one into the same folder is refused.
    """
    from grmeval.cli.output import consoles, print_json, show_tables, taken
    from grmeval.cli.settings import results_folder
    from grmeval.report.select import select_table
    from grmeval.store import RunFolder, find_run
    from grmeval.train.select import Choices, Sources
    from grmeval.train.select import select as make

    choices = Choices(mix and mix.expanduser(), ratio, max_per_item, seed)
    where = results_folder(results)
    folder = RunFolder(taken(run, where))
    other = RunFolder(find_run(hinted, where)) if hinted else None
    found = make(Sources(folder, other), choices, out.expanduser())
    if as_json:
        print_json(found)
    else:
        show_tables(lambda width: select_table(found, width))
    said = "written to" if found.new else "is there already, by the same settings:"
    consoles()[1].print(f"{said} {found.path}", soft_wrap=True)
