"""Stored judgements -> a data set for supervised fine-tuning: rejection, then general data mixed in."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grmeval import __version__
from grmeval.errors import ConfigError
from grmeval.files import write_with
from grmeval.items import Key
from grmeval.train.select.folder import (
    ROWS,
    Selection,
    check_folder,
    selection_before,
    write_selection,
)
from grmeval.train.select.general import GeneralData
from grmeval.train.select.rejection import KEPT, OVER, RULES, reject
from grmeval.train.select.rows import HINTS, THOUGHTS, training_rows
from grmeval.train.select.runs import Sources

__all__ = ["Choices", "select"]


@dataclass(frozen=True)
class Choices:
    """`ratio`: rows of general data for each selected sample. `max_per_item`: rows of an item, at most."""

    mix: Path | None = None
    ratio: float | None = None
    max_per_item: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """ConfigError: they do not fit together."""
        if (self.mix is None) != (self.ratio is None):
            given, other = ("--mix", "--ratio R") if self.mix else ("--ratio", "--mix FILE")
            raise ConfigError(f"{given}: general data is mixed in by both; add {other}")
        if self.ratio is not None and not 0 < self.ratio < 1000:
            raise ConfigError(
                f"--ratio {self.ratio:g}: rows of general data for each selected sample, above 0 "
                "(the paper's is 5.75)"
            )


def select(sources: Sources, choices: Choices, out: Path) -> Selection:
    """Make the data set, unless it is there already.

    ConfigError: OUT holds another one, or something else. Incomplete: samples are missing. DataError: a row
    of general data cannot be used. Whatever ends this, the next call makes it whole.
    """
    check_folder(out)
    general = GeneralData(choices.mix) if choices.mix else None
    settings = _settings(sources, choices, general)
    if (there := selection_before(out, settings)) is not None:
        return there
    fates = _fates(sources, choices)
    kept = [
        {key: frozenset(js) for key, found in each.items() if (js := _kept(found))}
        for each in fates
    ]
    samples = sum(len(js) for each in kept for js in each.values())
    if not samples:
        raise ConfigError(_nothing(fates))
    wanted = _wanted(samples, choices, general)
    rows = Counter({"sample": 0, "hinted": 0, "general": 0})
    seen = Counter[str]()
    digest = hashlib.sha256()

    def write(path: Path) -> None:
        with path.open("wb") as file:
            for row in training_rows(sources, kept, general, wanted, choices.seed, seen):
                line = json.dumps(row).encode("ascii") + b"\n"
                digest.update(line)
                file.write(line)
                rows[row["provenance"]["source"]] += 1

    write_with(out / ROWS, write)
    result = Selection(
        path=str(out / ROWS),
        settings=settings,
        about=_about(sources),
        items=len(sources.items),
        items_kept=len({key for each in kept for key in each}),
        table=_table(fates),
        rows=dict(rows),
        notes=_notes(sources, seen),
        sha256=digest.hexdigest(),
        grmeval=__version__,
    )
    write_selection(out, result)
    return result


# ------------------------------------------------------------------------------- what is kept


def _fates(sources: Sources, choices: Choices) -> list[dict[Key, dict[int, str]]]:
    """Of each run: item -> sample -> KEPT, or why it is dropped."""
    found: list[dict[Key, dict[int, str]]] = [{} for _ in sources.runs]
    for key, item in sorted(sources.items.items()):
        assert item.quality is not None, "Sources refuses such items"
        scores = [each[key] for each in sources.scores]
        judged = reject(
            item.quality,
            *([each[j] for j in sorted(each)] for each in scores),
            wanted=sources.plain.k,
            threshold=sources.threshold,
        )
        for of_run, mine, fates in zip(found, scores, judged, strict=False):
            of_run[key] = dict(zip(sorted(mine), fates, strict=True))
        _limit([each[key] for each in found], key, choices)
    return found


def _limit(fates: list[dict[int, str]], key: Key, choices: Choices) -> None:
    """Drop what is more than --max-per-item, chosen by the seed."""
    kept = [(at, j) for at, each in enumerate(fates) for j in _kept(each)]
    if choices.max_per_item is not None and len(kept) > choices.max_per_item:
        kept.sort(key=lambda one: _hash(choices.seed, key, *one))
        for at, j in kept[choices.max_per_item :]:
            fates[at][j] = OVER


def _hash(seed: int, key: Key, at: int, j: int) -> bytes:
    name = f"select\0{seed}\0{key.subset}\0{key.id}\0{at}\0{j}"
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _kept(fates: Mapping[int, str]) -> list[int]:
    return [j for j, fate in fates.items() if fate == KEPT]


def _table(fates: Sequence[Mapping[Key, Mapping[int, str]]]) -> dict[str, list[int]]:
    counts = [Counter(fate for each in run.values() for fate in each.values()) for run in fates]
    counts += [Counter()] * (2 - len(counts))
    return {rule: [each[rule] for each in counts] for rule in (KEPT, *RULES)}


def _nothing(fates: Sequence[Mapping[Key, Mapping[int, str]]]) -> str:
    said = ", ".join(
        f"{sum(counts):,} {rule}" for rule, counts in _table(fates).items() if sum(counts)
    )
    return f"nothing is left to train on: {said or 'no samples'}"


def _wanted(samples: int, choices: Choices, general: GeneralData | None) -> int:
    """How many rows of general data; ConfigError: there are fewer."""
    if general is None or choices.ratio is None:
        return 0
    wanted = round(choices.ratio * samples)
    if wanted > general.rows:
        raise ConfigError(
            f"--mix {general.path}: has {general.rows:,} rows, and --ratio {choices.ratio:g} of {samples:,} "
            f"selected samples is {wanted:,}; give more rows, or --ratio {general.rows / samples:.4g}"
        )
    return wanted


def _settings(sources: Sources, choices: Choices, general: GeneralData | None) -> dict[str, Any]:
    """Everything that decides what is in the set."""
    return {
        "run": sources.plain.run,
        "k": sources.plain.k,
        "hinted": sources.hinted.run if sources.hinted else None,
        "judgements": sources.digest(),
        "mix": general.sha256 if general else None,
        "ratio": choices.ratio,
        "max_per_item": choices.max_per_item,
        "seed": choices.seed,
    }


def _about(sources: Sources) -> dict[str, Any]:
    """What a card of the trained model tells of its data."""
    identity = sources.plain.record["identity"]
    return {
        "bench": identity["bench"],
        "judge": identity["judge"]["name"],
        "models": sorted({run.model for run in sources.runs}),
        "temperature": identity.get("temperature"),
        "threshold": sources.threshold,
    }


def _notes(sources: Sources, seen: Counter[str]) -> list[str]:
    notes = []
    if bench := sources.benchmark:
        notes.append(
            f"{bench} is a benchmark: a model trained on this knows its labels, and cannot be measured there"
        )
    if count := seen[THOUGHTS]:
        notes.append(f"{count:,} samples were thought about first: their thinking is left out")
    if count := seen[HINTS]:
        notes.append(
            f"{count:,} hinted samples speak of a hint, which no prompt here holds; they are kept"
        )
    return notes
