"""What people type -> the run, or the item, that they mean."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from string import hexdigits

from grmeval.errors import ConfigError
from grmeval.items import Key
from grmeval.store.samples import SAMPLES

__all__ = ["TRASH", "all_runs", "find_item", "find_run", "latest", "name_of"]

NAME = "name"
"""File of a run folder: what people call the run, on one line."""

TRASH = ".trash"
"""Folder of a results folder: what was put away, which is no run any more."""

SHORTEST = 4
"""Characters that a prefix of a run-id needs."""

SHOWN = 8
SHOWN_BELOW = 5
"""Names that a message lists; of the runs in a folder, whose paths are long."""

DEEPEST = 4
"""Folders from a night's, or that of all nights, to a run's: night, benchmark, model, run."""


def all_runs(results: Path) -> list[Path]:
    """The run folders below `results`, the one that was written last first."""
    found = []
    for record in results.glob("*/*/*/run.json"):
        with contextlib.suppress(OSError):  # removed just now
            found.append((record.stat().st_mtime_ns, record.parent))
    return [path for _, path in sorted(found, reverse=True)]


def name_of(run: Path) -> str | None:
    """What people call a run; None: nothing."""
    try:
        return (run / NAME).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeError):
        return None


def latest(results: Path, fits: Callable[[Path], bool] = lambda path: True) -> Path:
    """The run below `results` that was written last, has samples and fits; ConfigError: there is none."""
    for path in all_runs(results):
        if has_samples(path) and fits(path):
            return path
    raise ConfigError(f"--results {results}: no run with samples in it; `grmeval run` makes one")


def find_run(text: str, results: Path) -> Path:
    """The folder of a RUN argument: a path, `latest`, a run-id or its first characters (4 or more), a name
    that people gave a run, that of a model or panel that has one run, or a folder with one run below it.

    ConfigError lists what there is below `results` where that is nothing or several.
    """
    if text == "latest":
        return latest(results)
    path = Path(text).expanduser()
    if (path / "run.json").is_file():
        return path
    runs = all_runs(results)
    matches = [run for run in runs if run.name.startswith(text.lower())]
    exact = [run for run in matches if run.name == text.lower()]
    if len(text) >= SHORTEST and len(exact or matches) == 1:
        return (exact or matches)[0]
    named = [run for run in runs if text in (name_of(run), run.parent.name)]
    if len(named) == 1 and not exact:
        return named[0]
    if text and (inside := _inside(path)):
        return inside
    there = f"--results {results} has {_listed([_below(run, results) for run in runs])}"
    if path.exists() or len(path.parts) > 1:
        raise ConfigError(f"{path}: not a run folder: it has no run.json; {there}")
    if len(text) < SHORTEST and not named and set(text.lower()) <= set(hexdigits):
        raise ConfigError(
            f"RUN {text!r}: a run-id's prefix has {SHORTEST} or more characters; {there}"
        )
    if matches or named:
        several = _listed([_below(run, results) for run in exact or matches or named])
        raise ConfigError(
            f"RUN {text!r}: several runs are meant: {several}; `grmeval runs` says what they are: take a "
            "run-id, or a name (`grmeval label`)"
        )
    names = dict.fromkeys(name for run in runs for name in (run.name, name_of(run)) if name)
    hint = _hint(get_close_matches(text.lower(), names, n=1, cutoff=0.5))
    raise ConfigError(f"RUN {text!r}: no path, no run-id, no name, and not `latest`; {there}{hint}")


def find_item(text: str, keys: Sequence[Key]) -> Key:
    """The item that `text` names: `id`, or `subset/id` where an id occurs in several subsets.

    ConfigError lists the nearest names, or the several.
    """
    whole = [key for key in keys if f"{key.subset}/{key.id}" == text]
    found = whole or [key for key in keys if key.id == text]
    if len(found) == 1:
        return found[0]
    if found:
        # Of a/b/c nothing says where the subset ends: such names are told apart by --subset.
        slashes = len({"/".join(key) for key in found}) < len(found)
        names = [f"--subset {k.subset} --item {k.id}" if slashes else "/".join(k) for k in found]
        raise ConfigError(f"--item {text!r} is in several subsets; say which: {_listed(names)}")
    names = list(dict.fromkeys(f"{k.subset}/{k.id}" if "/" in text else k.id for k in keys))
    close = get_close_matches(text, names, n=3)
    close += [name for name in names if text and text in name and name not in close]
    hint = _hint(close[:3]) or f"; they are such as {_listed(names, 3)}"
    raise ConfigError(f"--item {text!r}: none of the {len(keys):,} items has this id{hint}")


def has_samples(folder: Path) -> bool:
    """Whether anything was ever sampled into a run's folder."""
    journals = (folder / "journal").glob("*.jsonl")
    return (folder / SAMPLES).exists() or any(journal.stat().st_size for journal in journals)


def _inside(path: Path) -> Path | None:
    """The one run below a folder; None: there is none. ConfigError lists several, or names a file."""
    if path.suffix == ".json" and path.is_file():
        raise ConfigError(
            f"{path}: a file, and a run is a folder; a baseline file is for "
            f"`grmeval gate RUN --baseline {path}`"
        )
    held = _held(path)
    if len(held) > 1:
        names = _listed(map(str, held), SHOWN_BELOW)
        raise ConfigError(f"{path}: {len(held):,} runs are below it: {names}; say which")
    return held[0] if held else None


def _held(folder: Path) -> list[Path]:
    """The runs below a folder that is no run itself, by name; what is hidden, such as the trash, is none."""
    below = ("/".join(["*"] * depth) for depth in range(1, DEEPEST + 1))
    found = (record.parent for each in below for record in folder.glob(f"{each}/run.json"))
    return sorted(
        run
        for run in found
        if not any(part.startswith(".") for part in run.relative_to(folder).parts)
    )


def _below(run: Path, results: Path) -> str:
    return run.relative_to(results).as_posix()


def _hint(names: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(map(repr, names))}?" if names else ""


def _listed(names: Iterable[str], most: int = SHOWN) -> str:
    """Names in a message; one that a terminal would act on is shown as Python writes it."""
    every = [name if name.isprintable() else repr(name) for name in names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return (", ".join(every[:most]) or "no runs; `grmeval run` makes one") + more
