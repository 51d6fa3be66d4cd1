"""`grmeval data`: bring the rows of benchmarks here, check them, and tell what two sets share."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.against import Ngram, Threshold, benches_of, local_copies
from grmeval.cli.options import bench_names

if TYPE_CHECKING:
    from grmeval.benches import Verified

data = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Fetch and check rows of benchmarks; tell what two sets share.",
)
app.add_typer(data, name="data")

INCOMPLETE = 3
Benches = Annotated[
    list[str],
    typer.Argument(
        metavar="BENCH",
        help="Benchmarks: an id, a group (all), or a file of yours.",
        autocompletion=bench_names,
    ),
]


@data.command()
def fetch(benches: Benches) -> None:
    """Download rows into the cache: from the hub, or the official archive from GitHub.

    HF_TOKEN opens gated data sets; HF_ENDPOINT and GRMEVAL_GITHUB name mirrors.
    """
    from grmeval.benches import expand, fetch
    from grmeval.cli.output import consoles

    out, _ = consoles()

    def one(bench: str) -> None:
        for copy in fetch(bench):
            out.print(f"{bench}: {copy.origin} is at {copy.path}", soft_wrap=True)

    codes, _ = _each(expand(benches), one)
    raise typer.Exit(max(codes))


@data.command()
def verify(
    benches: Benches,
    copies: Annotated[
        list[str] | None,
        typer.Option(
            "--data", help="Local copy: PATH, or BENCH=PATH for each benchmark; repeatable."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON, with all names.")] = False,
) -> None:
    """Check rows: counts, schema, duplicates, odd rows, hashes.

    No text of a row is printed. Exit code 0: complete, 2: unreadable, 3: items are missing.
    """
    from grmeval.benches import expand, verify
    from grmeval.cli.settings import data_of, read_settings
    from grmeval.report.data import data_json, data_text

    names = expand(benches)
    places = data_of(names, copies or [], read_settings(None).get("data", {}))
    results: list[Verified] = []

    def one(bench: str) -> None:
        results.append(verify(bench, places.get(bench)))
        if not as_json:
            sys.stdout.writelines([*(["\n"] if results[1:] else []), *data_text(results[-1])])

    codes, errors = _each(names, one)
    if as_json:
        sys.stdout.write(data_json(results, errors))
    codes += [INCOMPLETE for found in results if found.missing]
    raise typer.Exit(max(codes))


@data.command()
def overlap(
    rows: Annotated[
        str,
        typer.Argument(
            help="Rows that may hold texts of others: a benchmark, a training set (its folder), a file.",
            autocompletion=bench_names,
        ),
    ],
    others: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCH", help="Whose texts are looked for in them.", autocompletion=bench_names
        ),
    ],
    copies: Annotated[
        list[str] | None,
        typer.Option("--data", help="Local copy of rows, as NAME=PATH; repeatable."),
    ] = None,
    ngram: Ngram = 13,
    threshold: Threshold = 0.4,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Tell which prompts and responses of benchmarks other rows hold, whole or in part.

    Whole: the same words, whatever their case, spaces and punctuation. In part: --threshold of a text's words
    lie in --ngram words in a row that both have. Items are named, no text is printed.
    """
    from grmeval.benches import expand, load
    from grmeval.benches.overlap import Overlaps
    from grmeval.cli.output import show_tables
    from grmeval.errors import ConfigError
    from grmeval.report.grid import json_text
    from grmeval.report.overlap import overlap_tables
    from grmeval.report.signs import Signs

    mine, names = expand([rows]), expand(others)
    if len(mine) > 1:
        raise ConfigError(
            f"{rows}: is a group; name one benchmark or file of rows, then the others"
        )
    places = local_copies(mine, names, copies)
    compared = list[dict[str, Any]]()
    with Signs() as signs:
        signs.at(f"reading {', '.join(Path(name).name for name in names)}")
        wanted = Overlaps(ngram, threshold)
        for name, other in benches_of(names, places, compared):
            wanted.add(name, other.items)
        signs.at(f"looking for them in {rows}")
        loaded = load(mine[0], places.get(mine[0]))
        found = wanted.find(loaded.items)
    overlaps = [each.record() for each in found.overlaps]
    if as_json:
        about = {"rows": loaded.spec.id, "items": len(loaded.items), "origin": loaded.origin}
        about |= {"content_hash": loaded.content_hash, "ngram": ngram, "threshold": threshold}
        sys.stdout.write(json_text(about | {"against": compared, "overlaps": overlaps}))
        return
    title = f"texts of benchmarks in {loaded.spec.title}, {len(loaded.items):,} items"
    show_tables(lambda width: overlap_tables(overlaps, title, width, examples=True))


def _each(benches: list[str], act: Callable[[str], None]) -> tuple[list[int], dict[str, str]]:
    """(exit codes, errors by benchmark): one that fails does not keep the others from their turn."""
    from grmeval.cli.output import consoles
    from grmeval.errors import GrmevalError

    _, err = consoles()
    codes, errors = [0], dict[str, str]()
    for bench in benches:
        try:
            act(bench)
        except GrmevalError as error:
            err.print(f"error: {error}", soft_wrap=True)
            codes.append(error.exit_code)
            errors[bench] = str(error)
    return codes, errors
