"""`grmeval prompt BENCH`: what a judge is sent."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import bench_names, option, takes

SHOWN = ("layout", "judge", "principles", "critiques", "template", "system", "orders", "limit_seed")
"""Settings that a prompt shows."""


@app.command()
@takes(*SHOWN)
def prompt(
    *,
    bench: Annotated[
        str,
        typer.Argument(help="Benchmark: an id, or a file of yours.", autocompletion=bench_names),
    ],
    item: Annotated[
        str | None,
        typer.Option("--item", help="Item: id or subset/id. [default: the first --limit takes]"),
    ] = None,
    data: Annotated[Path | None, option("data")] = None,
    settings: dict[str, Any],
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of response orders. [default: 0]")
    ] = None,
    j: Annotated[int, typer.Option("--j", min=0, help="Sample: its response order.")] = 0,
    texts: Annotated[
        bool, typer.Option("--texts", help="Critiques of a restricted benchmark as well.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the messages as JSON.")] = False,
) -> None:
    """Print the chat messages of an item's sample j.

    The model's own chat template comes on top of them. grmeval.toml counts here too.
    """
    from grmeval.cli.settings import data_of, read_settings, results_folder
    from grmeval.config import build
    from grmeval.report.story import prompt_json
    from grmeval.report.story_lines import prompt_text
    from grmeval.runs import preview
    from grmeval.runs.derived import with_critiques

    file = read_settings(None)
    copies = data_of([bench], [str(data)] if data else [], file.get("data", {}))
    own = {"seed": seed} if seed is not None else {}
    given = {name: file[name] for name in (*SHOWN, "seed") if name in file} | settings | own
    given |= {"bench": bench, "data": copies.get(bench)}
    results = results_folder(None)
    config = build(with_critiques(given, results))
    found = preview(config, item, j, texts)
    sys.stdout.writelines([prompt_json(found)] if as_json else prompt_text(found))
