"""Finds the files that ship with the package, and the user's cache."""

from pathlib import Path

__all__ = ["cache_folder", "published", "tasks", "template"]

_HERE = Path(__file__).parent


def tasks() -> Path:
    """The folder of benchmark, model and template files, in a wheel or in a checkout."""
    installed = _HERE / "tasks"
    return installed if installed.is_dir() else _HERE.parent / "tasks"


def template(given: Path) -> Path:
    """The packaged template that a bare name (`smol`) means; a path, or a file of that name, as it is."""
    packaged = tasks() / "templates" / f"{given}.jinja"
    return (
        packaged
        if given.name == str(given) and packaged.is_file() and not given.exists()
        else given
    )


def published() -> Path:
    """The folder of the papers' printed numbers, in a wheel or in a checkout."""
    installed = _HERE / "published"
    return installed if installed.is_dir() else _HERE.parent / "results" / "published"


def cache_folder() -> Path:
    """Where converted models and fingerprints are kept: $GRMEVAL_CACHE, or the user's cache."""
    import os

    if chosen := os.environ.get("GRMEVAL_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "grmeval"
