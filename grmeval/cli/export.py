"""`grmeval export RUN`: a run's rows for other programs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, Results, Run, takes
from grmeval.cli.record import refuse_damage

if TYPE_CHECKING:
    from grmeval.store import RunFolder


@app.command()
@takes("subset", "section", "k", "limit", bounded=True, k="as last asked for")
def export(
    *,
    run: Run = LATEST,
    settings: dict[str, Any],
    what: Annotated[
        str,
        typer.Option(
            "--what",
            help="Rows: samples (all that are stored), verdicts (of the run's record), items, or requests: "
            "samples that are missing, as a batch file for `vllm run-batch` and hosted batch APIs.",
        ),
    ] = "samples",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="File: .csv, .jsonl or .parquet. [default: JSON lines to standard output]"
        ),
    ] = None,
    texts: Annotated[
        bool | None,
        typer.Option(
            "--texts/--no-texts",
            help="The judgements' text and thinking. [default: yes, but for restricted benchmarks]",
            show_default=False,
        ),
    ] = None,
    as_stored: Annotated[
        bool,
        typer.Option(
            "--as-stored",
            help="CSV: every text as it is stored; else an apostrophe stands before what a spreadsheet "
            "would run (=, +, -, @).",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="What the server calls the model, in requests. [default: as the run]"
        ),
    ] = None,
    no_seeds: Annotated[
        bool,
        typer.Option(
            "--no-seeds", help="Requests without a seed each, where the server takes none."
        ),
    ] = False,
    results: Results = None,
) -> None:
    """Export samples, verdicts, items, or requests of a batch.

    --k and --limit are of requests: `grmeval import answers` takes what comes back into the run. Only with
    --k are items asked for that an adaptive run stopped.
    """
    from grmeval.benches import Filter
    from grmeval.cli.output import taken
    from grmeval.cli.settings import results_folder
    from grmeval.errors import ConfigError
    from grmeval.report.export import REQUESTS, json_lines
    from grmeval.report.export import export as write
    from grmeval.score.verdicts import ask, told
    from grmeval.store import RunFolder, damaged

    if as_stored and (to is None or to.suffix != ".csv"):
        raise ConfigError("--as-stored: only CSV is written otherwise; name a file: --to FILE.csv")
    if what != REQUESTS:
        _refuse_asking({**settings, "model": model, "no-seeds": no_seeds})
    folder = RunFolder(taken(run, results_folder(results)))
    only = Filter.of(settings)
    if what == REQUESTS:
        if texts is not None:
            raise ConfigError("--texts: requests are nothing but texts")
        _export_requests(folder, to, settings, model, not no_seeds)
        return
    if texts is None and folder.restricted and what == "samples":
        print("restricted benchmark: texts are left out; --texts writes them", file=sys.stderr)
    texts = not folder.restricted if texts is None else texts
    if to is None:
        sys.stdout.writelines(json_lines(folder, what, texts, only))
    else:
        rows = write(folder, what, to.expanduser(), texts, as_stored, only)
        print(f"{rows:,} rows written to {to}", file=sys.stderr)
    if what == "verdicts":
        print(f"the run's record: {told(ask(folder))}", file=sys.stderr)
    refuse_damage(damaged(folder) if what == "samples" else ())


def _refuse_asking(given: dict[str, Any]) -> None:
    """ConfigError: an option of requests, where rows that are stored are wanted."""
    from grmeval.errors import ConfigError

    for name in ("k", "limit", "model", "no-seeds"):
        if given.get(name):
            raise ConfigError(f"--{name}: of --what requests; every stored row is exported")


def _export_requests(
    folder: "RunFolder", to: Path | None, settings: dict[str, Any], model: str | None, seeds: bool
) -> None:
    """Write them; what was said of k, limit and part is what the run is asked for from now on."""
    from grmeval.benches import Filter
    from grmeval.files import write_with
    from grmeval.report.export import check_file
    from grmeval.runs import batch_plan, requests, without_stopped
    from grmeval.secret_keys import refuse_secrets

    refuse_secrets("--model ", model)
    if to:
        check_file(to, (".jsonl",))
    plan = batch_plan(folder, settings.get("k"), settings.get("limit"), Filter.of(settings))
    missing = plan.missing(folder.done())
    asked = missing if settings.get("k") else without_stopped(plan, folder, missing)
    if left := sum(len(js) for _, js in missing) - sum(len(js) for _, js in asked):
        said = f"{left:,} samples of items that stopped early (--adaptive) are left out"
        print(f"{said}; --k {plan.config.k} asks for them as well", file=sys.stderr)
    lines = map(_line, requests(plan, asked, model, seeds))
    count = 0

    def write(path: Path) -> None:
        nonlocal count
        with path.open("w", encoding="ascii") as file:
            for line in lines:
                file.write(line)
                count += 1

    k = plan.config.k
    if not plan.missing(folder.done()):
        print(f"nothing is missing of k={k}; --k {2 * k} asks for more", file=sys.stderr)
    elif to is None:
        sys.stdout.writelines(lines)
    else:
        write_with(to.expanduser(), write)
        _tell(to, count, plan.config.structured)
    if settings:
        folder.update(**plan.asked())


def _tell(to: Path, count: int, structured: bool) -> None:
    """What was written, and what to know of it."""
    from grmeval.engines.batch import MOST_BYTES, MOST_REQUESTS

    said = [
        f"{count:,} requests written to {to}; `grmeval import answers FILE` takes what comes back"
    ]
    if count > MOST_REQUESTS or to.expanduser().stat().st_size > MOST_BYTES:
        said.append(
            f"OpenAI takes {MOST_REQUESTS:,} requests and {MOST_BYTES // 10**6} MB a file: `split -l N` "
            "makes several, and answers are imported from several"
        )
    if structured:
        said.append(
            "--structured is in the field structured_outputs, which vLLM's server knows; others refuse it"
        )
    print("\n".join(said), file=sys.stderr)


def _line(request: dict[str, Any]) -> str:
    import json

    return json.dumps(request, separators=(",", ":")) + "\n"
