"""`grmeval published`: the numbers that papers print."""

import sys
from typing import Annotated

import typer

from grmeval.cli import app


def _tables(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from grmeval.report.published import paper_tables

    return [each.table for each in paper_tables() if each.table.startswith(incomplete)]


@app.command()
def published(
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            help="A table by its number, or `later`. [default: a list of the tables]",
            autocompletion=_tables,
        ),
    ] = None,
    row: Annotated[
        str | None, typer.Option("--row", help="Only rows whose names hold these words.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Which printed means and gains do not add up?")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Print the papers' own numbers; * is a number in doubt."""
    from grmeval.cli.output import consoles
    from grmeval.report.published import (
        flag_lines,
        number_table,
        published_json,
        select,
        table_list,
    )

    if check:
        _check(table, row, as_json)
        return
    found = select(table, row)
    if as_json:
        sys.stdout.writelines([published_json(found)])
        return
    out, _ = consoles()
    if table is None and row is None:
        out.print(table_list(found))
        return
    for each in found:
        out.print(number_table(each))
        flags = flag_lines(each)
        for line in [*flags, ""] if flags else []:
            out.print(line, soft_wrap=not out.is_terminal)


def _check(table: str | None, row: str | None, as_json: bool) -> None:
    from grmeval.cli.output import consoles
    from grmeval.report.published_check import (
        arithmetic_json,
        arithmetic_lines,
        arithmetic_table,
        check_published,
    )

    checks = check_published(table, row)
    if as_json:
        sys.stdout.writelines([arithmetic_json(checks)])
        return
    out, _ = consoles()
    if not all(each.agrees for each in checks):
        out.print(arithmetic_table(checks))
    for line in arithmetic_lines(checks):
        out.print(line)
