"""The principles that a run's judge wrote, an item each: material for the judge that is given some."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.errors import ConfigError
from grmeval.files import write_text
from grmeval.items import Key
from grmeval.judges import principles_in
from grmeval.store import RunFolder, refuse_hinted, sample_batches

__all__ = ["Extracted", "extract_principles"]

COLUMNS = ["subset", "id", "j", "scores", "text"]
BATCH = 4096


class Extracted(NamedTuple):
    """How many items have principles in the file, of how many that have samples."""

    written: int
    items: int


def extract_principles(folder: RunFolder, to: Path, *, right: bool = False) -> Extracted:
    """Write JSON lines (subset, id, principles): of each item's first readable sample that has some.

    `right`: of the first whose scores put a labelled best response strictly first (one response: on the
    right side of the threshold). That looks at the labels: principles so chosen know the answer.
    ConfigError: a restricted benchmark, or a run that holds no principles.
    """
    if folder.restricted:
        raise ConfigError(
            f"{folder.path}: a restricted benchmark: what judges wrote may quote its examples, and is "
            "not put into plain files"
        )
    refuse_hinted(folder)
    if to.suffix != ".jsonl":
        raise ConfigError(f"--to {to}: JSON lines are written; name it .jsonl")
    quality = _quality(folder)
    threshold = folder.spec().threshold
    found: dict[Key, tuple[int, str]] = {}

    def wanted(key: Key, scores: Any) -> bool:
        return scores is not None and (not right or _is_right(scores, quality[key], threshold))

    judged = _collect(folder, wanted, found)
    if not found:
        kind = "right judgement" if right else "readable judgement"
        raise ConfigError(
            f"{folder.path}: no {kind} in it has a `Specific Criteria:` part before its `Analysis:`"
        )
    lines = (
        {"subset": key.subset, "id": key.id, "principles": said}
        for key, (_, said) in sorted(found.items())
    )
    write_text(to, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return Extracted(len(found), judged)


def _collect(
    folder: RunFolder, wanted: Callable[[Key, Any], bool], found: dict[Key, tuple[int, str]]
) -> int:
    """Fill `found` with (j, principles); gives how many items have samples."""
    judged = set[Key]()
    for batch in sample_batches(folder, COLUMNS, BATCH):
        for row in batch.to_pylist():
            key, j = Key(row["subset"], row["id"]), row["j"]
            judged.add(key)
            if key in found and found[key][0] < j:
                continue
            if wanted(key, row["scores"]) and (said := principles_in(row["text"])):
                found[key] = (j, said)
    return len(judged)


def _quality(folder: RunFolder) -> Mapping[Key, list[int] | None]:
    table = folder.items()
    keys = map(Key, table["subset"].to_pylist(), table["id"].to_pylist())
    return dict(zip(keys, table["quality"].to_pylist(), strict=True))


def _is_right(scores: list[float | None], quality: list[int] | None, threshold: float) -> bool:
    if not quality or None in scores:
        return False
    given = [score for score in scores if score is not None]
    if len(given) == 1:
        return (given[0] >= threshold) == bool(quality[0])
    top = max(given)
    leading = [label for label, score in zip(quality, given, strict=True) if score == top]
    return all(leading) and not all(quality)
