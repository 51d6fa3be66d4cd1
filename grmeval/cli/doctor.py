"""`grmeval doctor`: what this machine has, and what to do where something is missing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import option

if TYPE_CHECKING:
    from rich.table import Table

    from grmeval.doctor import Check

PROBLEM = 3
WIDEST = 80


@app.command()
def doctor(
    results: Annotated[Path, option("results", "--results")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Look at this machine: Python, memory, disk, GPU, vLLM, demo model, hub.

    Says what was found, whether it will do, and what to do if not; nothing is changed.
    Exit code 0: no problem (a note is none), 3: at least one problem.
    """
    import json
    import sys
    from dataclasses import asdict

    from grmeval.cli.output import consoles
    from grmeval.doctor import examine

    encoding = getattr(sys.stdout, "encoding", None)
    checks = examine(results, encoding)
    problems = sum(check.state == "problem" for check in checks)
    notes = sum(check.state == "note" for check in checks)
    if as_json:
        content = {
            "problems": problems,
            "notes": notes,
            "checks": [asdict(check) for check in checks],
        }
        print(json.dumps(content, indent=1))
    else:
        out, _ = consoles()
        out.width = min(out.width, WIDEST)
        out.print(_table(checks, encoding or "ascii"))
        out.print(f"{_count(problems, 'problem')}, {_count(notes, 'note')}")
    if problems:
        raise typer.Exit(PROBLEM)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _table(checks: "list[Check]", encoding: str) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "note": "yellow", "problem": "bold red"}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found, and -> what to do", overflow="fold")
    for check in checks:
        lines = [check.found, *([f"-> {check.advice}"] if check.advice else [])]
        # A folder's name may hold letters that this output has not.
        text = "\n".join(lines).encode(encoding, "replace").decode(encoding, "replace")
        table.add_row(check.name, Text(check.state, styles[check.state]), Text(text))
    return table
