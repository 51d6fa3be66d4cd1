"""What may be put away below a results folder, and its way into the trash there: nothing is deleted."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from grmeval.errors import StoreError
from grmeval.files import is_left_behind
from grmeval.store.find import TRASH, all_runs, has_samples
from grmeval.store.lock import lock

__all__ = ["check_unwritten", "empty_runs", "left_behind", "put_away", "trash_folder"]


def empty_runs(results: Path) -> Iterator[tuple[Path, str]]:
    """(folder, why) of runs that hold no sample, and of those whose making was cut short."""
    for run in all_runs(results):
        if not has_samples(run):
            yield run, "no sample"
    for locks in sorted(results.glob("*/*/*/locks")):
        if not (locks.parent / "run.json").exists():
            yield locks.parent, "no run.json: its making was cut short"


def left_behind(results: Path) -> Iterator[tuple[Path, str]]:
    """(file, why) of temporary files whose writers, processes of this machine, are gone."""
    for path in sorted(results.rglob(".grmeval-*")):
        if TRASH not in path.relative_to(results).parts and is_left_behind(path):
            yield path, "temporary file of a process that is gone"


def check_unwritten(run: Path) -> None:
    """StoreError says who writes (or reads) a run at this moment."""
    with _held(run):
        pass


def trash_folder(results: Path) -> Path:
    """Where what is put away now goes; not made yet."""
    return results / TRASH / time.strftime("%Y%m%dT%H%M%S")


def put_away(path: Path, results: Path, trash: Path) -> Path:
    """Move a run's folder, or a file, to its place below `trash`; gives that place.

    StoreError: a process is at it, or it cannot be moved.
    """
    target = trash / path.relative_to(results)
    with _held(path) if path.is_dir() else contextlib.nullcontext():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        except OSError as error:
            raise StoreError(f"{path}: cannot be moved: {error.strerror or error}") from None
    return target


@contextlib.contextmanager
def _held(run: Path) -> Iterator[None]:
    """Hold every lock of a run: of writers, of those who fold or read, of meta RMs."""
    locks = run / "locks"
    names = {path.stem for path in locks.glob("*.lock")} | {"store"}
    with contextlib.ExitStack() as held:
        for name in sorted(names):
            held.enter_context(lock(locks / name, 0.0))
        yield
