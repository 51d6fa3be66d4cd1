"""A folder with a data set that was selected: what says that it is whole, and which set it is.

train.jsonl    the rows, see rows.py
select.md      kept and dropped, by rule
select.json    the same, the settings, the hash of train.jsonl; written last
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grmeval.errors import ConfigError, StoreError
from grmeval.files import is_left_behind, write_text
from grmeval.store import read_record, write_record
from grmeval.train.select.rejection import RULES

__all__ = [
    "ROWS",
    "SELECTED",
    "Selection",
    "check_folder",
    "footer",
    "markdown",
    "selection_before",
    "title",
    "write_selection",
]

ROWS, TABLE, SELECTED = "train.jsonl", "select.md", "select.json"


@dataclass(frozen=True)
class Selection:
    """What is in the folder. `table`: rule -> samples without a hint, with one; `kept` is the first rule.

    `settings` say which set this is; `sha256` is that of train.jsonl. `new`: it was made just now.
    """

    path: str
    settings: Mapping[str, Any]
    about: Mapping[str, Any]
    items: int
    items_kept: int
    table: Mapping[str, Sequence[int]]
    rows: Mapping[str, int]
    notes: Sequence[str]
    sha256: str
    grmeval: str
    new: bool = True


def write_selection(out: Path, found: Selection) -> None:
    """Say what is in train.jsonl, and that it is whole."""
    write_text(out / TABLE, markdown(found))
    record = asdict(found)
    write_record(out / SELECTED, {n: v for n, v in record.items() if n not in ("path", "new")})


def markdown(found: Selection) -> str:
    """The table as Markdown, for people and for a model's card."""
    lines = [
        f"# {title(found)}",
        "",
        "| | samples | hinted |",
        "|---|---|---|",
        *(f"| {rule} | {plain:,} | {hinted:,} |" for rule, (plain, hinted) in found.table.items()),
        "",
        *(f"- {note}" for note in footer(found)),
    ]
    return "\n".join(lines) + "\n"


def title(found: Selection) -> str:
    """What was selected from."""
    models = ", ".join(found.about["models"])
    return f"{found.about['bench']} · {models} · {found.settings['k']} samples an item"


def footer(found: Selection) -> list[str]:
    """What is said below the table."""
    dropped = {rule: why for rule, why in RULES.items() if any(found.table[rule])}
    general = f", {found.rows['general']:,} of them general data" if found.rows["general"] else ""
    return [
        *(f"{rule}: {why}" for rule, why in dropped.items()),
        f"{found.items_kept:,} of {found.items:,} items, {sum(found.rows.values()):,} rows{general}",
        *found.notes,
        f"{ROWS}: sha256 {found.sha256}",
    ]


def check_folder(out: Path) -> None:
    """ConfigError: OUT is no folder of this command's."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"-o {out}: is a file; name a folder")
    if out.is_dir() and not (out / SELECTED).exists():
        others = [
            p.name for p in out.iterdir() if p.name not in (ROWS, TABLE) and not is_left_behind(p)
        ]
        if others:
            raise ConfigError(f"-o {out}: holds other files ({min(others)}); name a new folder")


def selection_before(out: Path, settings: Mapping[str, Any]) -> Selection | None:
    """The set that is there, by the same settings; ConfigError: by others. StoreError: it is damaged."""
    path = out / SELECTED
    if not path.exists():
        return None
    try:
        found = Selection(path=str(out / ROWS), new=False, **read_record(path))
        stored = dict(found.settings)
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(
            f"{path}: damaged: {error}; move the folder away to make it again"
        ) from None
    if unlike := [name for name in settings if stored.get(name) != settings[name]]:
        raise ConfigError(
            f"-o {out}: holds a set made otherwise (other {', '.join(unlike)}); name a new folder"
        )
    try:
        with (out / ROWS).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"{out / ROWS}: cannot be read: {error.strerror or error}") from None
    if digest != found.sha256:
        raise StoreError(
            f"{out / ROWS}: is not what was written (sha256); move the folder away to make it again"
        )
    return found
