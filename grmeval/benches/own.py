"""A user's own file as a benchmark: a TOML, or rows whose columns say how they are laid out."""

import re
from pathlib import Path

from grmeval.benches.rows import read_rows
from grmeval.benches.spec import BenchSpec, Source, Table
from grmeval.errors import DataError

__all__ = ["OWN_ROWS", "own_file", "spec_of_rows"]

OWN_ROWS = (".jsonl", ".json", ".parquet")


def own_file(bench: str) -> Path | None:
    """The path that `--bench` names, if it names one."""
    path = Path(bench).expanduser()
    return path if path.suffix in (".toml", *OWN_ROWS) else None


def spec_of_rows(path: Path) -> BenchSpec:
    """What a file of rows is, by the columns that any of its rows has; DataError where that is nothing."""
    columns = _columns(path)
    subset = "subset" if "subset" in columns else None
    if "responses" in columns:
        table = Table(files="*", shape="neutral", subset=subset, subset_name=path.stem)
    elif {"chosen", "rejected"} <= columns:
        if "quality" in columns:
            raise DataError(
                f"--bench {path}: 'quality' beside 'chosen' and 'rejected': drop it, or give 'responses'"
            )
        table = Table(
            files="*",
            shape="pair",
            subset=subset,
            subset_name=path.stem,
            best="chosen",
            others="rejected",
        )
    else:
        raise DataError(
            f"--bench {path}: neither a column 'responses' (a list, beside 'prompt' or 'conversation') "
            f"nor 'chosen' and 'rejected'; found: {', '.join(sorted(columns))}"
        )
    return BenchSpec(
        id=re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._") or "rows",
        title=path.name,
        metric="micro average over the rows",
        source=Source(packaged=path.name),
        tables=(table,),
    )


def _columns(path: Path) -> set[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"--bench {path}: cannot be read: {error.strerror or error}") from None
    columns: set[str] = set()
    for number, row in enumerate(read_rows(str(path), content), start=1):
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise DataError(f"--bench {path}, row {number}: expected an object, found a {kind}")
        columns |= row.keys()
    if not columns:
        raise DataError(f"--bench {path}: no rows in it")
    return columns
