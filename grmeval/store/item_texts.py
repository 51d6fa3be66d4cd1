"""A run's items with their texts: loaded again, and held against what was judged."""

from collections.abc import Mapping
from pathlib import Path

from grmeval.benches import load
from grmeval.errors import ConfigError, DataError, GrmevalError
from grmeval.items import Item, Key
from grmeval.store.folder import RunFolder

__all__ = ["judged_items", "judged_responses", "judged_rows"]


def judged_rows(folder: RunFolder, limit: int | None) -> dict[Key, str]:
    """(subset, id) of the run's items inside --limit -> the hash of what was judged."""
    table = folder.items(limit)
    columns = (table[name].to_pylist() for name in ("subset", "id", "content_hash"))
    return {Key(s, i): content for s, i, content in zip(*columns, strict=True)}


def judged_items(
    folder: RunFolder, rows: Mapping[Key, str], data: Path | None, flag: str
) -> dict[Key, Item]:
    """The items of `rows` (key -> content hash), from `data`, or from where they were judged from.

    ConfigError: the run has none (named by the `flag` that asks). DataError: they are not those judged.
    """
    identity, asked = folder.record["identity"], folder.record["config"]
    if not asked.get("texts", True):
        raise ConfigError(
            f"{flag}: this run was imported without the benchmark's rows: it has no texts; import the "
            "file again with --data PATH"
        )
    kept = asked.get("data")
    source = data.expanduser() if data else Path(kept) if kept else None
    loaded = load(asked.get("bench") or identity["bench"], source, identity["layout"])
    found = {item.key: item for item in loaded.items if item.key in rows}
    for key, content in rows.items():
        item = found.get(key)
        if item is None or item.content_hash() != content:
            where = f"--data {source}" if source else "the packaged rows"
            how = "has no such item" if item is None else "has other texts or labels for it"
            raise DataError(
                f"{where}: item {f'{key.subset}/{key.id}'!r} is not the one that was judged: this copy "
                f"{how}; name the copy that the run was made from (--data)"
            )
    return found


def judged_responses(folder: RunFolder) -> dict[Key, tuple[str, ...]] | None:
    """(subset, id) -> the responses that were judged; None where they cannot be had."""
    try:
        items = judged_items(folder, judged_rows(folder, None), None, "--reparse")
    except GrmevalError:
        return None
    return {key: item.responses for key, item in items.items()}
