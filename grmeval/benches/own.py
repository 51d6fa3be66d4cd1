"""A user's own file as a benchmark: a TOML, or rows whose columns say how they are laid out."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grmeval.benches.rows import read_rows
from grmeval.benches.shapes import TALKS
from grmeval.benches.spec import BenchSpec, Source, Table
from grmeval.benches.turns import is_turn
from grmeval.errors import DataError

__all__ = ["BENCH_FILE", "OWN_ROWS", "own_file", "spec_of_rows"]

BENCH_FILE = "bench.toml"
"""What makes a folder a benchmark; `grmeval spct data` writes such."""
OWN_ROWS = (".jsonl", ".json", ".parquet", ".jsonl.gz")

_Columns = Mapping[str, Any]
"""Column -> its first value that is not null."""

ARENA = (
    ("response_a", "response_b"),
    ("conversation_a", "conversation_b"),
    ("response_1", "response_2"),
)
"""Columns of two models' answers, beside which `winner` says whose a person preferred."""

WINNERS = {
    **dict.fromkeys(("model_a", "a", "A"), (1, 0)),
    **dict.fromkeys(("model_b", "b", "B"), (0, 1)),
    **dict.fromkeys(("tie", "tie (bothbad)", "both_bad"), (1, 1)),
}
"""Words of `winner`, as the arenas' files have them."""

# What rows may mean by other names is for the user to say: these are only offered.
PROMPTS = ("question", "instruction", "input", "query", "problem", "context", "messages")
PAIRS = (
    ("chosen_response", "rejected_response"),
    ("response_j", "response_k"),
    ("preferred", "rejected"),
    ("preferred", "dispreferred"),
    ("positive", "negative"),
    ("better", "worse"),
)
HELPSTEER = {str(n): (int(n <= 0), int(n >= 0)) for n in range(-3, 4)}
"""HelpSteer3's `overall_preference`: below 0 the first response is the better one."""


def own_file(bench: str) -> Path | None:
    """The path that `--bench` names, if it names one: of a folder of training items, its bench.toml."""
    path = Path(bench).expanduser()
    if (path / BENCH_FILE).is_file():
        return path / BENCH_FILE
    return path if path.name.endswith((".toml", *OWN_ROWS)) and path.suffix else None


def spec_of_rows(path: Path) -> BenchSpec:
    """What a file of rows is, by the columns that any of its rows has.

    DataError where that is nothing; where the names are others, with the TOML that would read them.
    """
    columns = _columns(path)
    table = _table(columns)
    if not table:
        raise DataError(f"--bench {path}: {_unknown(path, columns)}")
    if table["shape"] != "neutral" and "quality" in columns:
        beside = " and ".join(map(repr, _responses(table)))
        raise DataError(f"--bench {path}: 'quality' beside {beside}: drop it, or give 'responses'")
    prompt = next((name for name in PROMPTS if name in columns), None)
    asked = any(name in columns for name in TALKS) or any(
        _has_turns_before(columns.get(name)) for name in _responses(table)
    )
    if prompt and not asked:
        said = f"no column 'prompt' or 'conversation'; if it is {prompt!r}, this TOML beside it reads it"
        raise DataError(
            f"--bench {path}: {said}:\n\n{_toml(path, columns, {**table, 'conversation': prompt})}"
        )
    own = {
        "files": "*",
        "subset": "subset" if "subset" in columns else None,
        "subset_name": _stem(path),
    }
    return BenchSpec(
        id=_name(path),
        title=path.name,
        metric="micro average over the rows",
        source=Source(packaged=path.name),
        tables=(Table(**own | table),),
    )


def _table(columns: _Columns) -> dict[str, Any]:
    """The shape of rows whose columns have documented names; empty: they have not."""
    if "responses" in columns:
        return {"shape": "neutral"}
    if {"chosen", "rejected"} <= columns.keys():
        return _pair(columns, "chosen", "rejected")
    for two in ARENA:
        if {*two, "winner"} <= columns.keys():
            name = {"id": "question_id"} if "question_id" in columns and "id" not in columns else {}
            return name | {
                "shape": "labelled",
                "responses": two,
                "label": "winner",
                "labels": WINNERS,
            }
    return {}


def _pair(columns: _Columns, best: str, others: str) -> dict[str, Any]:
    """A good response and another one, or lists of them."""
    best, others = (f"{name}[]" if _is_list(columns[name]) else name for name in (best, others))
    shape = "best-of-n" if "[]" in best + others else "pair"
    return {"shape": shape, "best": best, "others": others}


def _is_list(value: Any) -> bool:
    """Whether a cell holds several responses: a list of objects is one, of turns or of content parts."""
    return isinstance(value, list) and bool(value) and not isinstance(value[0], dict)


def _has_turns_before(value: Any) -> bool:
    if _is_list(value):
        value = value[0]
    return isinstance(value, list) and len(value) > 1 and is_turn(value[0])


def _responses(table: Mapping[str, Any]) -> list[str]:
    found = [table[name] for name in ("best", "others") if name in table]
    return [name.removesuffix("[]") for name in found or table.get("responses", ("responses",))]


def _unknown(path: Path, columns: _Columns) -> str:
    """Why the columns say nothing, and what would read them."""
    if {"winner_model_a", "winner_model_b"} <= columns.keys():
        return (
            "'winner_model_a', 'winner_model_b' and 'winner_tie': give one column 'winner' instead: model_a, "
            "model_b or tie"
        )
    table = next((_pair(columns, *two) for two in PAIRS if set(two) <= columns.keys()), None)
    if {"response1", "response2", "overall_preference"} <= columns.keys():
        two = ("response1", "response2")
        label = "overall_preference"
        table = {"shape": "labelled", "responses": two, "label": label, "labels": HELPSTEER}
    if table:
        prompt = next((name for name in (*TALKS, *PROMPTS) if name in columns), "prompt")
        names = ", ".join(map(repr, _responses(table)))
        toml = _toml(path, columns, {**table, "conversation": prompt})
        return f"if {names} are the responses, this TOML beside it reads it:\n\n{toml}"
    return (
        "neither a column 'responses' (a list, beside 'prompt' or 'conversation') nor 'chosen' and "
        "'rejected', nor 'response_a', 'response_b' and 'winner'; found: "
        f'{", ".join(sorted(columns))}; for other names a TOML beside it says best = "COLUMN" and '
        'others = "COLUMN" (docs/benchmarks.md)'
    )


def _toml(path: Path, columns: _Columns, table: Mapping[str, Any]) -> str:
    """A benchmark of the file, for the user to save."""
    head = f"id = {_value(_name(path))}\ntitle = {_value(path.name)}\n"
    subset = {"subset": "subset"} if "subset" in columns else {}
    lines = {"files": "*", **subset, "subset_name": _stem(path), **table}
    body = "\n".join(f"{name} = {_value(value)}" for name, value in lines.items())
    return f"{head}[source]\npackaged = {_value(path.name)}\n[[tables]]\n{body}\n"


def _value(value: Any) -> str:
    """Of JSON a text and a list are TOML too."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_value(k)} = {_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _stem(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem


def _name(path: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", _stem(path).lower()).strip("-._") or "rows"


def _columns(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"--bench {path}: cannot be read: {error.strerror or error}") from None
    columns: dict[str, Any] = {}
    for number, row in enumerate(read_rows(str(path), content), start=1):
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise DataError(f"--bench {path}, row {number}: expected an object, found a {kind}")
        for name, value in row.items():
            if columns.get(name) is None:
                columns[name] = value
    if not columns:
        raise DataError(f"--bench {path}: no rows in it")
    return columns
