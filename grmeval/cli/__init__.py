"""The command line: one thin module a command; errors become exit codes here and nowhere else."""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from grmeval.errors import GrmevalError

__all__ = ["app", "main"]

INTERRUPTED = 130


COMMANDS = (
    "run",
    "scale-curve",
    "score",
    "runs",
    "show",
    "export",
    "merge",
    "benches",
    "prompt",
    "doctor",
)
"""In the order of the help text."""


class _Commands(TyperGroup):
    """Runs a command; what it raises on purpose becomes a message and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=COMMANDS.index)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GrmevalError as error:
            if "--debug" in sys.argv:
                raise
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print(
                "interrupted: what is finished is kept; the same command goes on", file=sys.stderr
            )
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Benchmark generative reward models: k sampled judgements, votes, error bars, curves over k.",
    epilog="Exit codes: 0 ok, 1 bug, 2 usage or bad input, 3 samples missing or infrastructure, "
    "130 interrupted (resumable).",
)


def _version(wanted: bool) -> None:
    if wanted:
        from grmeval import __version__

        print(f"grmeval {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print it."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    pass


def main() -> None:
    """The `grmeval` command."""
    from grmeval.cli import (  # noqa: F401  (each adds its command)
        benches,
        doctor,
        export,
        merge,
        prompt,
        run,
        runs,
        scale_curve,
        score,
        show,
    )

    _stop_like_ctrl_c()
    if garbled := [word for word in sys.argv if not word.isascii() and "\ufffd" in _text(word)]:
        print(f"error: {_text(garbled[0])}: not UTF-8 text", file=sys.stderr)
        sys.exit(2)
    try:
        app(prog_name="grmeval")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        print(f"bug in grmeval: {type(error).__name__}: {error}", file=sys.stderr)
        print("run again with `grmeval --debug …` and report the traceback", file=sys.stderr)
        sys.exit(1)


def _text(word: str) -> str:
    """Bytes of an argument that are no UTF-8 reach Python as lone surrogates: shown as \ufffd."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _stop_like_ctrl_c() -> None:
    """Schedulers end a job with SIGTERM: leave as on Ctrl-C, with the journal closed."""
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)
