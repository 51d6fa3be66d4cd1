"""`grmeval prompt BENCH`: what a judge is sent."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import bench_names, option

Text = str | None


@app.command()
def prompt(
    bench: Annotated[
        str,
        typer.Argument(help="Benchmark: an id, or a file of yours.", autocompletion=bench_names),
    ],
    item: Annotated[
        Text,
        typer.Option("--item", help="Item: id or subset/id. [default: the first --limit takes]"),
    ] = None,
    data: Annotated[Path | None, option("data", "--data")] = None,
    layout: Annotated[Text, option("layout", "--layout")] = None,
    judge: Annotated[Text, option("judge", "--judge")] = None,
    principles: Annotated[Path | None, option("principles", "--principles")] = None,
    critiques: Annotated[Text, option("critiques", "--critiques")] = None,
    template: Annotated[Path | None, option("template", "--template")] = None,
    system: Annotated[Text, option("system", "--system")] = None,
    orders: Annotated[Text, option("orders", "--orders")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of orders and --limit. [default: 0]")
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
    from grmeval.report.lines import prompt_text
    from grmeval.report.story import prompt_json
    from grmeval.runs.critiques import with_critiques
    from grmeval.runs.preview import preview

    settings = read_settings(None)
    copies = data_of([bench], [str(data)] if data else [], settings.get("data", {}))
    flags = {
        "layout": layout,
        "judge": judge,
        "principles": principles,
        "critiques": critiques,
        "template": template,
        "system": system,
        "orders": orders,
        "seed": seed,
    }
    given = {name: settings.get(name) if flag is None else flag for name, flag in flags.items()}
    given |= {"bench": bench, "data": copies.get(bench)}
    results = results_folder(None)
    config = build(with_critiques({n: v for n, v in given.items() if v is not None}, results))
    found = preview(config, item, j, texts)
    sys.stdout.writelines([prompt_json(found)] if as_json else prompt_text(found))
