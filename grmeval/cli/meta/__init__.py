"""`grmeval meta`: make a meta RM, which `grmeval meta-score` asks. docs/meta.md is its page."""

import typer

from grmeval.cli import app

meta = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make a meta RM out of judged runs.",
)
app.add_typer(meta, name="meta")

from grmeval.cli.meta import train  # noqa: E402, F401  (it adds its command)
