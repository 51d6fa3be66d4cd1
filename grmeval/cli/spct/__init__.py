"""`grmeval spct`: make the judge that the other commands measure; one thin module a command."""

import typer

from grmeval.cli import app

spct = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make a judge by self-principled critique tuning: sample, select, train.",
)
app.add_typer(spct, name="spct")

from grmeval.cli.spct import (  # noqa: E402, F401  (each adds its command)
    sample,
    select,
)
