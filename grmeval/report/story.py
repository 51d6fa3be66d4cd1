"""The story of a run, and of one item's judgements in it, as data."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from grmeval.benches import EVERYTHING, Filter
from grmeval.errors import ConfigError
from grmeval.items import Key
from grmeval.report.run_list import run_line
from grmeval.runs import Preview
from grmeval.store import RunFolder, find_item, item_samples, judged_items, reward_records

__all__ = ["as_json_text", "item_story", "prompt_json", "run_story"]

LABELS = ("bench", "subset", "id", "n", "quality", "flags", "group", "cluster", "pool", "slot")


def as_json_text(story: Mapping[str, Any]) -> str:
    """One JSON object, plain ASCII: no terminal acts on it."""
    return json.dumps(story, indent=1, allow_nan=False) + "\n"


def run_story(folder: RunFolder) -> dict[str, Any]:
    """Everything that run.json says, what the last saved table said, and the files with their bytes."""
    record, line = folder.record, run_line(folder)
    files = {
        path.relative_to(folder.path).as_posix(): path.stat().st_size
        for path in sorted(folder.path.rglob("*"))
        if path.is_file() and path.parent.name != "locks"
    }
    return {
        "run": line.run,
        "path": line.path,
        "title": record["spec"]["title"],
        "restricted": folder.restricted,
        "model": line.model,
        "asked": {"k": line.k, "limit": line.limit, "only": record["asked"].get("only", {})},
        "samples": line.samples,
        "items": line.items,
        "accuracy": {
            "metric": line.metric,
            "accuracy": line.accuracy,
            "vote": line.vote,
            "k": line.accuracy_k,
        },
        "written": line.written,
        "identity": record["identity"],
        "config": record["config"],
        "launches": record["launches"],
        "totals": record.get("totals"),
        "rewards": reward_records(folder.path),
        "files": files,
    }


def item_story(
    folder: RunFolder,
    item: str,
    *,
    j: int | None = None,
    texts: bool = False,
    data: Path | None = None,
    only: Filter = EVERYTHING,
) -> dict[str, Any]:
    """An item's facts, its samples (or only the j-th), and the sum per response over all valid ones.

    `item`: id or subset/id, in `only` a part of the benchmark. `texts` loads the benchmark again (from
    `data`, or where it was judged from) for the conversation and the responses; DataError if they are others
    than those judged.
    """
    row, key = _item_row(folder, item, only)
    spec, identity = folder.record["spec"], folder.record["identity"]
    story: dict[str, Any] = {"run": folder.path.name, "bench": identity["bench"]}
    story |= {name: row[name] for name in LABELS if name in row}
    story["layout"] = identity.get("layout", "list")
    story["section"] = spec["sections"][row["section"]]["name"]
    if texts:
        loaded = judged_items(folder, {key: row["content_hash"]}, data, "--texts")[key]
        story["conversation"] = [message._asdict() for message in loaded.conversation]
        story["responses"] = list(loaded.responses)
    samples = item_samples(folder, key)
    if folder.restricted and not texts:
        story["withheld"] = "restricted benchmark: judgements' texts are shown with --texts"
        samples = [sample | {"thinking": None, "text": None} for sample in samples]
    story["totals"] = _totals(samples, row["n"])
    story["samples"] = samples if j is None else _only(samples, j, item)
    return story


def prompt_json(found: Preview) -> str:
    """A preview as one JSON object."""
    messages = [message._asdict() for message in found.messages]
    heads: dict[str, Any] = {}
    if found.chats is not None:
        heads["chats"] = [[message._asdict() for message in chat] for chat in found.chats]
    if found.withheld:
        heads["withheld"] = found.withheld
    subset, name = found.key
    return as_json_text(
        heads
        | {
            "bench": found.bench,
            "subset": subset,
            "id": name,
            "j": found.j,
            "order": list(found.order),
            "messages": messages,
        }
    )


def _item_row(folder: RunFolder, item: str, only: Filter) -> tuple[dict[str, Any], Key]:
    table = folder.items()
    subsets, ids, pools = (table[name].to_pylist() for name in ("subset", "id", "pool"))
    keys = list(map(Key, subsets, ids))
    kept = set(only.kept(folder.spec(), subsets))
    named = [key for key in keys if key.subset in kept]
    if not any(item in (key.id, "/".join(key)) for key in named):
        of_pool = [k for k, pool in zip(keys, pools, strict=True) if _is_pool(item, k, pool, kept)]
        if of_pool:
            names = ", ".join("/".join(key) for key in of_pool)
            raise ConfigError(
                f"--item {item!r}: its responses are judged one by one, each under a name of its own: {names}"
            )
    key = find_item(item, named)
    row: dict[str, Any] = table.slice(keys.index(key), 1).to_pylist()[0]
    return row, key


def _is_pool(item: str, key: Key, pool: str | None, kept: Collection[str]) -> bool:
    return pool is not None and key.subset in kept and item in (pool, f"{key.subset}/{pool}")


def _only(samples: list[dict[str, Any]], j: int, item: str) -> list[dict[str, Any]]:
    chosen = [sample for sample in samples if sample["j"] == j]
    if not chosen:
        have = ", ".join(_spans([sample["j"] for sample in samples])) or "no samples yet"
        raise ConfigError(f"--j {j}: item {item!r} has {have}")
    return chosen


def _spans(numbers: Sequence[int]) -> list[str]:
    """Sorted numbers as `0-7`, `9`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return [str(low) if low == high else f"{low}-{high}" for low, high in spans]


def _totals(samples: list[dict[str, Any]], n: int) -> dict[str, Any]:
    """Sum and mean per response over the valid samples; None where there is none."""
    valid = [sample["scores"] for sample in samples if sample["scores"] is not None]
    given = [[scores[i] for scores in valid if scores[i] is not None] for i in range(n)]
    return {
        "samples": len(samples),
        "valid": len(valid),
        "sum": [sum(scores) if scores else None for scores in given],
        "mean": [sum(scores) / len(scores) if scores else None for scores in given],
    }
