"""One row a line of train.jsonl: what was asked without a hint, what was answered, where it comes from.

A row's provenance: `source` (sample, hinted, general), `hinted`, `origin` (run-id, or the file of general
data), `model`, `subset`, `id` (of general data: its line), `j`, `order` (slot -> response index). All rows
have all of them, with values of one type, so that any reader of JSON lines takes the file.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grmeval.items import Key, Message
from grmeval.train.select.general import GeneralData
from grmeval.train.select.runs import Sampled, Sources, Text
from grmeval.unicode import whole

__all__ = ["HINTS", "THOUGHTS", "training_rows"]

THOUGHTS, HINTS = "thoughts", "hints"
"""What is counted on the way: samples with thinking, hinted ones whose text speaks of a hint."""

_MENTION = re.compile(r"\bhint(?:s|ed)?\b", re.IGNORECASE)


def training_rows(
    sources: Sources,
    kept: Sequence[Mapping[Key, frozenset[int]]],
    general: GeneralData | None,
    wanted: int,
    seed: int,
    seen: Counter[str],
) -> Iterator[dict[str, Any]]:
    """Samples by item, then the hinted ones, then general data. `seen` counts what a note tells."""
    for run, mine in zip(sources.runs, kept, strict=True):
        for text in run.texts(mine):
            yield _row(sources, run, text, seen)
    if general:
        for number, prompt, completion in general.some(wanted, seed):
            origin = {"origin": general.path.name, "model": "", "subset": "", "id": str(number)}
            about = {"source": "general", "hinted": False, **origin, "j": 0, "order": []}
            yield _as_row(prompt, completion, about)


def _row(sources: Sources, run: Sampled, text: Text, seen: Counter[str]) -> dict[str, Any]:
    prompt = sources.prompt(text.key, text.order)
    seen[THOUGHTS] += bool(text.thinking)
    if run.hinted and not any(_MENTION.search(turn.content) for turn in prompt):
        seen[HINTS] += bool(_MENTION.search(text.text))
    about = {
        "source": "hinted" if run.hinted else "sample",
        "hinted": run.hinted,
        "origin": run.run,
        "model": run.model,
        "subset": text.key.subset,
        "id": text.key.id,
        "j": text.j,
        "order": list(text.order),
    }
    return _as_row(prompt, Message("assistant", text.text.strip()), about)


def _as_row(
    prompt: Sequence[Message], completion: Message, about: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "prompt": [{"role": turn.role, "content": whole(turn.content)} for turn in prompt],
        "completion": [{"role": completion.role, "content": whole(completion.content)}],
        "provenance": {n: whole(v) if isinstance(v, str) else v for n, v in about.items()},
    }
