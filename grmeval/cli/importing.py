"""`grmeval import scores FILE`: judgements that another program made become a run."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import AsJson, Results, bench_names, option

importing = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Bring in judgements made elsewhere."
)
app.add_typer(importing, name="import")


@importing.command()
def scores(
    file: Annotated[
        Path,
        typer.Argument(
            help="One row a judgement, .jsonl, .json, .csv (each also .xz, .gz) or .parquet: id, scores "
            "and, optionally, j (of an item's several judgements: 0, 1, …), subset, invalid, "
            "text, thinking, order, tokens, prompt_tokens, meta_reward, "
            "quality, cluster, group; or a file of per-item results of the RewardBench tools."
        ),
    ],
    bench: Annotated[
        str,
        typer.Option(
            "--bench",
            help="Benchmark that was judged: an id, or a file of yours.",
            autocompletion=bench_names,
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", help="Name of the judge that made the judgements.")
    ],
    data: Annotated[Path | None, option("data")] = None,
    as_stored: Annotated[
        bool,
        typer.Option(
            "--as-stored",
            help="CSV texts as they stand, as of `export --as-stored`: an apostrophe before what a "
            "spreadsheet would run is part of the text, no guard to take off.",
        ),
    ] = False,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Make a run of judgements that another program made, and score it.

    Where the benchmark's rows are not here, `quality` (1 = good, 0 = not, one a response) says what is
    right: grmeval import scores judged.jsonl --bench rewardbench --model my-org/my-judge
    """
    from grmeval.benches import expand
    from grmeval.cli.output import consoles, print_accuracy_json, show_accuracy
    from grmeval.cli.record import keep
    from grmeval.cli.settings import data_of, read_settings, results_folder
    from grmeval.errors import ConfigError
    from grmeval.runs.imports import import_scores
    from grmeval.score import score

    benches = expand([bench])
    if len(benches) > 1:
        raise ConfigError(f"--bench {bench}: a file is of one benchmark: {', '.join(benches)}")
    given = [str(data)] if data else []
    source = data_of(benches, given, read_settings(None).get("data", {})).get(benches[0])
    found = import_scores(
        file.expanduser().absolute(),
        benches[0],
        model,
        source and source.expanduser().absolute(),
        results_folder(results).expanduser().absolute(),
        as_stored,
    )
    _, err = consoles()
    there = (
        f"{found.new:,} judgements imported" if found.new else "these judgements are there already"
    )
    err.print(f"{found.folder.path}: {there}", soft_wrap=True)
    for note in found.notes:
        err.print(note, soft_wrap=True)
    result = score(found.folder)
    show_accuracy(result, keep(found.folder, result)[0], quiet=as_json)
    if as_json:
        print_accuracy_json([result])
