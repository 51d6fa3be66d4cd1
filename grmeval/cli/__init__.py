"""The command line: one thin module a command; what ends one becomes an exit code here."""

import contextlib
import errno
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from grmeval.cli.spellings import SHORT, in_our_words, other_command
from grmeval.errors import ConfigError, GrmevalError, InfrastructureError
from grmeval.interrupts import INTERRUPTED, SAID, leave

__all__ = ["app", "main"]

INFRASTRUCTURE = InfrastructureError.exit_code


GROUPS = {
    "Ask a model": ("run", "plan", "meta-score", "suite"),
    "Score and draw": ("score", "scale-curve", "compare", "diagnose", "panel"),
    "Look at what is there": ("runs", "show", "export", "label", "clean", "merge"),
    "Night after night": ("baseline", "gate", "trend"),
    "Make a judge": ("spct", "meta"),
    "Bring your own": ("import", "data", "principles"),
    "Look things up": ("benches", "judges", "prompt", "published", "doctor"),
}
"""The commands, in the order of the help text and under its headings."""

COMMANDS = tuple(name for names in GROUPS.values() for name in names)


class _Commands(TyperGroup):
    """Lists the commands in one order; whatever ends one becomes an exit code."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        for command in self.commands.values():
            for param in command.params:
                param.opts += [SHORT[name] for name in param.opts if name in SHORT]

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=COMMANDS.index)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        wide = max(map(len, COMMANDS))
        room = formatter.width - wide - 4
        for heading, names in GROUPS.items():
            commands = [(name, self.commands[name]) for name in names if name in self.commands]
            with formatter.section(heading):
                formatter.write_dl(
                    [(f"{name:{wide}}", each.get_short_help_str(room)) for name, each in commands]
                )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] == "help":
            if not args[1:]:
                print(ctx.get_help())
                ctx.exit()
            args = [*args[1:], "--help"]
        if said := other_command(args[0]):
            ctx.fail(said)
        return super().resolve_command(ctx, args)

    def make_context(self, *words: Any, **more: Any) -> Any:
        with _left(), in_our_words():
            return super().make_context(*words, **more)

    def invoke(self, ctx: Any) -> Any:
        with _left(), in_our_words():
            return super().invoke(ctx)


@contextlib.contextmanager
def _left() -> Iterator[None]:
    """What ends a command becomes a message and an exit code; a bug passes, to be said as one."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of a pipe left early (`| head`): nobody is to be told.
        _drop_output()
        raise typer.Exit(128 + signal.SIGPIPE) from None
    except KeyboardInterrupt:
        leave()
        _say(SAID)
        raise typer.Exit(INTERRUPTED) from None
    except (GrmevalError, OSError) as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        if said := _too_long(error):
            _say(f"error: {said}")
            raise typer.Exit(ConfigError.exit_code) from None
        _say(f"error: {error}")
        if isinstance(error, OSError):
            _drop_output()
        code = error.exit_code if isinstance(error, GrmevalError) else INFRASTRUCTURE
        raise typer.Exit(code) from None


def _too_long(error: BaseException | None) -> str | None:
    """What to say where a file's name was too long for the system, whoever met it: it was the user's."""
    while error and not (isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG):
        error = error.__context__
    if not isinstance(error, OSError):
        return None
    name = max(Path(str(error.filename)).parts, key=len, default="")
    typed = (each for each in pairwise(sys.argv) if name and name in each[1])
    flag = next((word for word in next(typed, ())[::-1] if word.startswith("--")), "")
    begin = f"{flag.partition('=')[0]} {name[:40]}…".lstrip()
    return (
        f"{begin}: too long for a name: a file's or a folder's has at most 255 bytes, a path 4,096"
    )


def _drop_output() -> None:
    """What is still buffered has nowhere to go: Python would try again as it exits, and fail (120)."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str) -> None:
    """On standard error; texts of users and of data sets in it make no terminal act,
    and an address shows neither user nor password."""
    from grmeval.report.printable import printable
    from grmeval.secret_keys import without_user

    with contextlib.suppress(OSError):
        print(printable(without_user(message)), file=sys.stderr)


class _Said(logging.Handler):
    """What is no error but must be known, such as a damaged line that was left out."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"note: {record.getMessage()}")


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={
        "help_option_names": ["--help", "-h"],
        "token_normalize_func": lambda name: name.replace("_", "-"),  # --max_tokens is --max-tokens
    },
    help="Benchmark generative reward models: k sampled judgements, votes, error bars, curves over k.",
    epilog="Exit codes: 0 ok, 1 bug, 2 usage or bad input, 3 samples missing or infrastructure, "
    "4 gate inconclusive, 5 gate regressed, 130 interrupted (resumable), 141 the reader of a pipe left.",
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
        baseline,
        benches,
        clean,
        compare,
        data,
        diagnose,
        doctor,
        export,
        gate,
        importing,
        judges,
        label,
        merge,
        meta,
        meta_score,
        panel,
        plan,
        principles,
        prompt,
        published,
        run,
        runs,
        scale_curve,
        score,
        show,
        spct,
        suite,
        trend,
    )
    from grmeval.cli.actions import guard_streams
    from grmeval.cli.child import leave_with_parent

    leave_with_parent()
    logging.getLogger("grmeval").handlers = [_Said()]
    _ready_streams()
    guard_streams()
    if garbled := [word for word in sys.argv if not word.isascii() and "\ufffd" in _text(word)]:
        _say(f"error: {_text(garbled[0])}: not UTF-8 text")
        sys.exit(2)
    try:
        app(prog_name="grmeval")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        _say(f"bug in grmeval: {type(error).__name__}: {error}")
        _say("run again with `grmeval --debug …` and report the traceback")
        sys.exit(1)


def _ready_streams() -> None:
    """A closed stream is one that nobody reads; what its encoding lacks is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _text(word: str) -> str:
    """Bytes of an argument that are no UTF-8 reach Python as lone surrogates: shown as \ufffd."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
