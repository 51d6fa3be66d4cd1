"""`grmeval doctor`: what this machine has, and what to do where something is missing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import Results

if TYPE_CHECKING:
    from rich.table import Table

    from grmeval.doctor import Check

PROBLEM = 3


@app.command()
def doctor(
    results: Results = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Look at this machine: memory, disk, GPU, vLLM, model, hub.

    Says what was found, whether it will do, and what to do if not; nothing is changed.
    Exit code 0: no problem (a note is none), 3: at least one problem.
    """
    import json
    from dataclasses import asdict

    from grmeval.cli.output import consoles
    from grmeval.cli.settings import results_folder
    from grmeval.doctor import Check, examine
    from grmeval.errors import ConfigError

    try:
        checks = examine(results_folder(results))
    except ConfigError as error:
        broken = Check("problem", str(error), "mend grmeval.toml, or move it away")
        checks = {"settings": broken} | examine(Path("results"))
    states = [check.state for check in checks.values()]
    counts = {"problems": states.count("problem"), "notes": states.count("note")}
    if as_json:
        rows = [{"name": name, **asdict(check)} for name, check in checks.items()]
        print(json.dumps({**counts, "checks": rows}, indent=1))
    else:
        out, _ = consoles()
        out.print(_table(checks))
        out.print(", ".join(f"{noun}: {count}" for noun, count in counts.items()))
    if counts["problems"]:
        raise typer.Exit(PROBLEM)


def _table(checks: "dict[str, Check]") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "note": "yellow", "problem": "bold red"}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found, and -> what to do", overflow="fold")
    for name, check in checks.items():
        text = check.found + (f"\n-> {check.advice}" if check.advice else "")
        table.add_row(name, Text(check.state, styles[check.state]), Text(text))
    return table
