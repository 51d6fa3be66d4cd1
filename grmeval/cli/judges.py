"""`grmeval judges`: the judges there are."""

import sys
from typing import Annotated

import typer

from grmeval.cli import app


@app.command()
def judges(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List judges: what each writes, its scores, votes and needs."""
    from grmeval.cli.output import consoles
    from grmeval.report.judges import judge_lines, judges_json, judges_table

    lines = judge_lines()
    if as_json:
        sys.stdout.write(judges_json(lines))
        return
    out, _ = consoles()
    out.print(judges_table(lines))
    out.print(
        "the first vote is the usual one; what a judge is sent: grmeval prompt BENCH --judge NAME"
    )
    out.print("runs of several judges, voted together: grmeval panel RUN RUN")
