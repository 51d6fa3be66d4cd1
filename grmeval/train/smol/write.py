"""Writes made items as a benchmark (bench.toml, items.jsonl, data.json) and as training examples."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from grmeval import resources
from grmeval.benches import Loaded, load
from grmeval.errors import ConfigError
from grmeval.files import write_json, write_text
from grmeval.judges import PointwiseJudge
from grmeval.train.smol.items import Made, make, sft_row, texts_of
from grmeval.train.smol.questions import Split

__all__ = ["SYSTEM", "TEMPLATE", "known_texts", "the_judge", "write_bench", "write_sft"]

TEMPLATE, SYSTEM = "smol", "You grade answers."
"""What a run with the trained model says: `--template`, `--system`."""


def known_texts() -> set[str]:
    """What items must not repeat: the texts of the packaged sample."""
    items = load("sample").items
    return texts_of(
        text
        for item in items
        for text in (*(m.content for m in item.conversation), *item.responses)
    )


def write_bench(
    folder: Path, split: Split, each: int, seed: int, families: Sequence[str]
) -> tuple[list[Made], Loaded]:
    """The items, written and read again as `--bench FOLDER` reads them.

    What lay there before is replaced. ConfigError: a family has not so many items.
    """
    try:
        made = list(make(split, each, seed, families, known_texts()))
    except ValueError as error:
        raise ConfigError(f"--each {each}: {error}") from None
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(json.dumps(one.row, ensure_ascii=False) + "\n" for one in made)
    write_text(folder / "items.jsonl", rows)
    write_text(folder / "bench.toml", _toml(f"smol-{split}", made))
    loaded = load(str(folder / "bench.toml"))
    write_json(
        folder / "data.json",
        {
            "made_by": "python -m grmeval.train.smol",
            "split": split,
            "each": each,
            "seed": seed,
            "families": sorted({one.family for one in made}),
            "items": len(made),
            "subsets": dict(sorted(Counter(one.row["subset"] for one in made).items())),
            "rules": "facts and wordings of the other split, and texts of the packaged sample, left out",
            "hash": loaded.content_hash,
        },
    )
    return made, loaded


def _toml(name: str, made: Sequence[Made]) -> str:
    families = list(dict.fromkeys(one.family for one in made))
    counts = Counter(one.row["subset"] for one in made)
    sections = "".join(
        f'\n[[sections]]\nname = "{family.capitalize()}"\nsubsets = ["{family}-*"]\n'
        for family in families
    )
    expected = "".join(f"{subset} = {count}\n" for subset, count in counts.items())
    return (
        f'id = "{name}"\ntitle = "grmeval {name}"\nlicence = "Apache-2.0"\n'
        'metric = "mean of the families, each a micro average over pairs, best-of-4 and single responses"\n'
        '\n[source]\npackaged = "items.jsonl"\n'
        '\n[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\nsubset = "subset"\n'
        f"{sections}\n[expected]\n{expected}"
    )


def the_judge() -> PointwiseJudge:
    """The judge of the examples: as of a run with `--template smol --system "You grade answers."`."""
    return PointwiseJudge(resources.template(Path(TEMPLATE)), SYSTEM)


def write_sft(folder: Path, made: Sequence[Made], loaded: Loaded, seed: int) -> int:
    """train.jsonl: one example an item, in a drawn order of items; how many there are."""
    judge, rng = the_judge(), random.Random(f"{seed} judgements")
    examples = [
        sft_row(one, item, judge, rng) for one, item in zip(made, loaded.items, strict=True)
    ]
    rng.shuffle(examples)
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in examples)
    write_text(folder / "train.jsonl", text)
    kept = Counter(row["provenance"]["subset"] for row in examples)
    write_json(
        folder / "select.json",
        {"rule": "composed", "seed": seed, "data": loaded.content_hash, "kept": dict(kept)},
    )
    return len(examples)
