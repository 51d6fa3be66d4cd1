"""JSON files that know their own damage: run.json, and NAME.json of rewards."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grmeval.files import write_json

__all__ = ["content_id", "read_record", "write_record"]

CHECKSUM = "checksum"
"""The field that holds the `content_id` of the others."""


def content_id(content: Mapping[str, Any]) -> str:
    """12 hex digits of the hash over all fields."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Put a record in place of `path`, with its checksum."""
    content = json.loads(json.dumps(record))
    write_json(path, content | {CHECKSUM: content_id(content)})


def read_record(path: Path) -> dict[str, Any]:
    """A record, less its checksum; one of before has none. ValueError: no record, or damaged.

    OSError where it cannot be read.
    """
    record = dict(json.loads(path.read_text(encoding="utf-8")))
    checksum = record.pop(CHECKSUM, None)
    if checksum not in (None, content_id(record)):
        raise ValueError(
            f"its content is not what was written (whoever changed it takes the field {CHECKSUM!r} out)"
        )
    return record
