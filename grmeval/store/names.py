"""A name that people give a run: a line in a file of its own, no part of its identity or checksums."""

import re
from pathlib import Path

from grmeval.errors import ConfigError
from grmeval.files import write_text
from grmeval.store.find import NAME, all_runs, name_of

__all__ = ["check_name", "drop_name", "give_name"]

_ONE_WORD = re.compile(r"\w[\w.+-]{0,63}")
_RUN_ID = re.compile(r"[0-9a-f]{4,12}")


def check_name(name: str, run: Path) -> None:
    """ConfigError: `name` is no word, means another run already, or reads like a run-id.

    `run`: the folder that is to have it, which need not be there yet.
    """
    if not _ONE_WORD.fullmatch(name):
        raise ConfigError(
            f"name {name!r}: one word of up to 64 letters, digits, '_', '.', '+' and '-'"
        )
    if name == "latest" or name.isdigit() or _RUN_ID.fullmatch(name.lower()):
        raise ConfigError(
            f"name {name!r}: reads like a number, a run-id (4 to 12 of digits and a-f) or `latest`; "
            "take another"
        )
    run = run.resolve()
    for other in all_runs((run / "../../..").resolve()):
        if other.resolve() == run:
            continue
        if name_of(other) == name:
            raise ConfigError(f"name {name!r}: {other} has it; take another")
        if other.parent.name == name:
            raise ConfigError(f"name {name!r}: the model or panel of {other}; take another")


def give_name(run: Path, name: str) -> None:
    """Name a run, whatever its name was; ConfigError as `check_name`, StoreError: it cannot be written."""
    check_name(name, run)
    if name_of(run) != name:
        write_text(run / NAME, f"{name}\n")


def drop_name(run: Path) -> None:
    """Take a run's name away, if it has one."""
    (run / NAME).unlink(missing_ok=True)
