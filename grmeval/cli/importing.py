"""`grmeval import`: judgements of another program become a run, answers to a run's requests its samples."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import RUN, AsJson, Results, bench_names, option

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


REASONS = 8
"""Why requests failed: so many reasons are told."""


@importing.command()
def answers(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="What came back for `grmeval export RUN --what requests`: OpenAI's batch format, .jsonl "
            "(also .xz, .gz); files of errors as well.",
            metavar="FILE...",
        ),
    ],
    into: Annotated[
        str | None,
        typer.Option("--into", help=f"{RUN} [default: the one that the answers name]"),
    ] = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Take answers of a batch into the run that asked, and score it.

    They are read as an engine's are. Requests that failed stay missing; a sample that is there is never
    replaced; answers to another run's requests are refused before anything is written.
    """
    from grmeval.cli.output import consoles, print_accuracy_json, show_accuracy, taken
    from grmeval.cli.record import keep, say
    from grmeval.cli.settings import results_folder
    from grmeval.errors import Incomplete
    from grmeval.runs.imports import import_answers, run_named
    from grmeval.score import answer
    from grmeval.score.verdicts import ask
    from grmeval.store import RunFolder, asked_part, has_samples, largest, origin, parts_of

    where = results_folder(results).expanduser().absolute()
    files = [file.expanduser().absolute() for file in files]
    folder = RunFolder(taken(into or run_named(files), where))
    found = import_answers(folder, files)
    _, err = consoles()
    there = f", {found.there:,} are there already" if found.there else ""
    err.print(f"{folder.path}: {found.new:,} answers imported{there}", soft_wrap=True)
    for line in _failures(found.failed):
        err.print(line, soft_wrap=True)
    if not has_samples(folder.path):
        raise Incomplete(f"{folder.path}: no sample yet; {origin(folder.record['identity']).grows}")
    (looked,) = parts_of([folder], asked_part(folder))
    asked = ask(looked, k=largest(looked).k)._replace(limit=largest(looked).limit)
    result = answer(looked, asked)
    paths, sentence = keep(looked, result)
    record = ask(looked)
    shown = answer(looked, record) if result.missing and record != asked else result
    show_accuracy(shown, paths, quiet=as_json)
    say(sentence)
    if as_json:
        print_accuracy_json([shown])
    if result.missing:
        grows = origin(folder.record["identity"]).grows
        raise Incomplete(f"{result.missing:,} samples of k={asked.k} are missing; {grows}")


def _failures(failed: dict[str, list[str]]) -> list[str]:
    """Reasons why requests failed, the most frequent first, each with its first rows."""
    sorted_by_count = sorted(failed.items(), key=lambda reason: -len(reason[1]))
    lines = [
        f"{len(rows):,} failed: {reason} ({'; '.join(rows[:3])}{' …' if len(rows) > 3 else ''})"
        for reason, rows in sorted_by_count[:REASONS]
    ]
    if rest := sorted_by_count[REASONS:]:
        lines.append(f"{sum(len(rows) for _, rows in rest):,} failed for other reasons")
    return lines
