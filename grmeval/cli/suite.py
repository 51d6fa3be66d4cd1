"""`grmeval suite`: a paper's tables, with models of yours."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.child import run_child
from grmeval.cli.options import Results, key_values, model_names, option, written_to

if TYPE_CHECKING:
    from grmeval.runs.suite import Choices, Planner, Suite
    from grmeval.score import Prices

_FREE = (
    *("allow_identical", "base_url", "concurrency", "engine"),
    *(
        "chat_template_kwargs",
        "data_parallel",
        "dtype",
        "engine_args",
        "max_model_len",
        "max_tokens",
        "meta_engine_args",
    ),
    *(
        "seed",
        "limit_seed",
        "structured",
        "system",
        "tensor_parallel",
        "top_p",
        "trust_remote_code",
    ),
)
"""Settings that a suite leaves to its user; any other would make other runs than the paper's."""


def _suite_names(incomplete: str) -> list[str]:
    from grmeval.runs.suite import suites

    return [name for name in suites() if name.startswith(incomplete)]


@app.command()
def suite(
    name: Annotated[
        str,
        typer.Argument(
            help="Suite: deepseek-grm, or a .toml of yours.",
            metavar="SUITE",
            autocompletion=_suite_names,
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="NAME: the first model of the suite; ROLE=NAME another one; repeatable. A preset, a folder, "
            "or a hub id.",
            autocompletion=model_names,
        ),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", help="Only this table, and the runs it takes; repeatable."),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="Samples an item at most: rows of more are made of k."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Only the first N items of each benchmark."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="Local copy of rows, as BENCH=PATH; repeatable."),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting of every run, as in grmeval.toml, such as max_tokens=512; repeatable.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    fake: Annotated[
        bool,
        typer.Option("--fake", help="The fake engine in place of every model: all answer alike."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the commands, and what they would ask; nothing is run or fetched.",
        ),
    ] = False,
    to: Annotated[
        list[Path] | None, written_to(default="suites/ in the folder of run folders")
    ] = None,
    results: Results = None,
    prices: Annotated[Path | None, option("prices")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
) -> None:
    """Run a paper's tables with your models, beside its own numbers.

    grmeval suite deepseek-grm --model my-org/my-grm --model meta=my-org/my-meta-rm --dry-run

    What can be done is done, run by run, each a `grmeval run` of its own; the rest says what it lacks. The
    same command goes on after a kill.
    """
    from grmeval.cli.settings import price_file
    from grmeval.errors import ConfigError, Incomplete
    from grmeval.report.signs import Signs
    from grmeval.runs.suite import Planner, read_suite

    stem, asked = read_suite(name)
    costs = price_file(prices)
    asked = _only(asked, table or [])
    choices = _choices(asked, model or [], data or [], more, fake, k, limit, results)
    planner = Planner(asked, choices, fetch=not dry_run)
    with Signs() as signs:
        signs.at(f"planning the {len(asked.runs)} runs of {stem}")
        for run in asked.runs:  # mistakes are found before a model is loaded
            planner.plan(run)
    if dry_run:
        _show_dry(planner)
        return
    _something_to_do(planner)
    failed = _do(planner)
    _show(stem, planner, costs, as_json, to)
    if mistakes := [run for run, code in failed.items() if code == ConfigError.exit_code]:
        raise ConfigError(f"could not be run (see above): {', '.join(mistakes)}")
    unheard = {job.run for job in planner.jobs.values() if job.broken}
    if failed or unheard:
        said = [f"{run} (exit code {code})" for run, code in failed.items()]
        said += [f"the hub gave no rows or no model for {len(unheard)} runs"] * bool(unheard)
        raise Incomplete(f"not finished: {'; '.join(said)}; the same command goes on")


def _something_to_do(planner: "Planner") -> None:
    """ConfigError where every run lacks something."""
    from grmeval.errors import ConfigError
    from grmeval.report.suite_dry_run import lacking_lines

    jobs = planner.jobs.values()
    if all(job.lacks and not job.broken for job in jobs):
        raise ConfigError("nothing can be run here:\n" + "\n".join(lacking_lines(jobs)))


def _only(asked: "Suite", tables: list[str]) -> "Suite":
    """The suite with the tables that were named, and what they take."""
    from grmeval.errors import ConfigError, nearest
    from grmeval.report.suite import needed

    names = [table.table for table in asked.tables]
    for wanted in tables:
        if wanted not in names:
            raise ConfigError(f"--table {wanted!r}: {nearest(wanted, names)}")
    kept = tuple(table for table in asked.tables if table.table in (tables or names))
    return needed(asked.model_copy(update={"tables": kept}))


def _choices(
    asked: "Suite",
    models: list[str],
    data: list[str],
    more: list[str] | None,
    fake: bool,
    k: int | None,
    limit: int | None,
    results: Path | None,
) -> "Choices":
    from grmeval.benches import expand
    from grmeval.cli.settings import data_of, read_settings, results_folder
    from grmeval.errors import ConfigError, nearest
    from grmeval.runs import OF_A_SERVER
    from grmeval.runs.suite import Choices

    file = read_settings(None)
    settings: dict[str, Any] = {}
    for said, values in (("grmeval.toml: ", file), ("--set ", key_values(more, "--set") or {})):
        own = () if said.startswith("--") else ("bench", "data", "model", "prices", "results")
        for setting in values.keys() - {*_FREE, *own}:
            raise ConfigError(
                f"{said}{setting}: a suite says that itself, or has a flag for it; {nearest(setting, _FREE)}"
            )
        for setting in values.keys() & set(_FREE):
            value, before = values[setting], settings.get(setting)
            both = isinstance(value, dict) and isinstance(before, dict)
            settings[setting] = before | value if both else value
    settings |= {"results": results_folder(results)}
    settings |= {"limit": limit} if limit else {}
    if fake:
        settings = {n: v for n, v in settings.items() if n not in OF_A_SERVER} | {"engine": "fake"}
    benches = expand(dict.fromkeys(bench for run in asked.runs.values() for bench in run.bench))
    return Choices(_roles(asked, models), settings, data_of(benches, data, file.get("data", {})), k)


def _roles(asked: "Suite", models: list[str]) -> dict[str, str]:
    """Role -> model; a bare name is the first role's."""
    from grmeval.errors import ConfigError, nearest

    found = {}
    for text in models:
        role, equals, name = text.partition("=")
        if not equals:
            role, name = next(iter(asked.models)), text
        if role not in asked.models or not name:
            raise ConfigError(
                f"--model {text}: expected NAME or ROLE=NAME; {nearest(role, list(asked.models))}"
            )
        found[role] = name
    return found


def _show_dry(planner: "Planner") -> None:
    from grmeval.cli.output import consoles
    from grmeval.report.suite_dry_run import dry_table
    from grmeval.runs.suite import commands

    out, _ = consoles()
    jobs = list(planner.jobs.values())
    for run in planner.suite.runs:
        for _, words in commands([job for job in jobs if job.run == run]):
            out.print(f"grmeval {shlex.join(words)}", soft_wrap=True)
    table, notes = dry_table(jobs)
    out.print()
    out.print(table)
    for note in notes:
        out.print(note, soft_wrap=True)


def _do(planner: "Planner") -> dict[str, int]:
    """Run what can be run, one command after the other; gives those that failed, and their exit codes."""
    from grmeval.cli.output import consoles
    from grmeval.runs.suite import commands

    _, err = consoles()
    failed: dict[str, int] = {}
    for at, run in enumerate(planner.suite.runs, start=1):
        ready = [job for job in planner.due(run) if not job.waits]
        for jobs, words in commands(ready):
            if all(job.work and job.work.done for job in jobs):
                continue
            err.print(
                f"[{at}/{len(planner.suite.runs)} {run}] grmeval {shlex.join(words)}",
                soft_wrap=True,
            )
            if code := run_child(words, quiet=True):
                failed[run] = max(code, failed.get(run, 0))
            elif lost := [job.path for job in jobs if job.path and not job.path.exists()]:
                raise RuntimeError(f"{run}: made another run than {lost[0]}")
    return failed


def _show(
    stem: str, planner: "Planner", prices: "Prices | None", as_json: bool, to: list[Path] | None
) -> None:
    import sys

    from grmeval.cli.output import show_tables, told
    from grmeval.report.grid import json_text
    from grmeval.report.suite import cells_of, suite_json, suite_tables, write_suite
    from grmeval.score.suite import make_row
    from grmeval.store import run_id

    asked = planner.suite
    limit = planner.choices.settings.get("limit")
    made = {
        (table.table, row.row): make_row(asked, row, planner.jobs, limit, prices)
        for table in asked.tables
        for row in table.rows
    }
    cells = cells_of(asked, made)
    tables, notes = suite_tables(asked, planner.jobs.values(), made, cells)
    label = next((one.model for one in made.values() if one.model), None)
    if label:
        # What tells one set of tables from another: a part, or another model, replaces no whole.
        told_apart = {
            "tables": [table.model_dump(mode="json") for table in asked.tables],
            "runs": sorted(str(job.path) for job in planner.jobs.values() if job.path),
            "k": planner.choices.k,
            "limit": limit,
        }
        folder = planner.choices.settings["results"] / "suites" / stem / label
        places = to or [folder / run_id(told_apart)]
        paths = [path for each in places for path in write_suite(each, asked, cells, notes)]
    if as_json:
        sys.stdout.write(json_text(suite_json(asked, cells, notes)))
    else:
        show_tables(lambda width: (tables, notes))
        if label:
            told(paths)
