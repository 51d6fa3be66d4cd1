"""`grmeval spct`: make the judge that the toolkit measures, from data to RL. docs/spct.md is its page."""

import typer

from grmeval.cli import app

spct = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make a judge: Self-Principled Critique Tuning (SPCT).",
)
app.add_typer(spct, name="spct")

from grmeval.cli.spct import (  # noqa: E402, F401  (each adds its command)
    card,
    configs,
    rft,
    sample,
    select,
)
