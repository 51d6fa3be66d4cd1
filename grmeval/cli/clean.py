"""`grmeval clean`: put away runs that nobody needs, and what killed processes left."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import RUN, Results


@app.command()
def clean(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"{RUN} [default: runs without a sample, and temporary files left behind]",
            metavar="[RUN]...",
            show_default=False,
        ),
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Runs that lack samples of what was asked as well.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Move them without asking.")] = False,
    results: Results = None,
) -> None:
    """Move runs and leftovers into the trash of the results folder.

    Lists what it would move and asks first. Nothing is deleted, and a run that is being written at this
    moment is left alone.
    """
    from grmeval.cli.output import consoles
    from grmeval.cli.settings import results_folder
    from grmeval.errors import ConfigError, StoreError
    from grmeval.store import put_away, trash_folder

    where = results_folder(results).expanduser().absolute()
    if runs and unfinished:
        raise ConfigError("--unfinished is of all runs; name runs, or drop them")
    found = _named(runs, where) if runs else _superfluous(where, unfinished)
    out, err = consoles()
    if not found:
        err.print(f"{where}: nothing to put away", soft_wrap=True)
        return
    for path, why in found.items():
        out.print(f"{path}  {why}", soft_wrap=True)
    if not (yes or _agreed(len(found))):
        err.print("nothing was moved")
        return
    trash, moved, left = trash_folder(where), [], []
    for path in found:
        try:
            moved.append(("mv", str(put_away(path, where, trash)), str(path)))
        except StoreError as error:  # somebody took it up meanwhile
            left.append(str(error))
    if moved:
        err.print(f"{len(moved)} moved to {trash}; to bring one back:", soft_wrap=True)
    for command in moved:
        err.print(shlex.join(command), soft_wrap=True)
    if left:
        raise StoreError("; ".join(left))


def _named(runs: list[str], where: Path) -> dict[Path, str]:
    """StoreError where one is being written: it was asked for, so nothing is moved."""
    from grmeval.errors import ConfigError
    from grmeval.store import check_unwritten, find_run

    found = dict[Path, str]()
    for name in runs:
        path = find_run(name, where).absolute()
        if not path.is_relative_to(where):
            raise ConfigError(f"{path}: not below --results {where}")
        check_unwritten(path)
        found[path] = "named"
    return found


def _superfluous(where: Path, unfinished: bool) -> dict[Path, str]:
    """What may go, and why; one that is being written is told and left."""
    from grmeval.cli.output import consoles
    from grmeval.errors import StoreError
    from grmeval.report.run_list import unfinished_runs
    from grmeval.store import check_unwritten, empty_runs, left_behind

    runs = dict(unfinished_runs(where)) if unfinished else {}
    found = runs | dict(empty_runs(where))
    for path in list(found):
        try:
            check_unwritten(path)
        except StoreError as error:
            consoles()[1].print(f"left alone: {error}", soft_wrap=True)
            del found[path]
    return found | {
        path: why for path, why in left_behind(where) if not found.keys() & set(path.parents)
    }


def _agreed(count: int) -> bool:
    """Ask; ConfigError: nobody is there to answer."""
    from grmeval.errors import ConfigError

    sys.stderr.write(f"move {'these' if count > 1 else 'it'} into the trash? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        sys.stderr.write("\n")
        raise ConfigError("nobody answered, nothing was moved; --yes moves without asking")
    return answer.strip().lower() in ("y", "yes")
