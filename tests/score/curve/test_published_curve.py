"""A published curve from its own judgements: RewardBench 2, eight pointwise samples a response.

The judgements are github.com/composo-ai/llm-judge-criteria-ensembling's (MIT). Its rule: the mean of the
first k scores, nulls skipped; right where the correct response alone has the highest; an item of which
a response has no score at all is left out; the share of all items, pooled.
"""

import json
import lzma
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from grmeval.score import scale, score
from grmeval.store import RunFolder
from tests.helpers import SHARED, grmeval, on_official_rows

MINI = SHARED / "rb2-k8-judge" / "mini.jsonl.xz"
PUBLISHED = "64.76 73.05 74.78 76.81 77.11 77.69 78.55 79.19"
TOML = """
extends = "rewardbench-2"
id = "rewardbench-2-pooled"
overall = "micro"
metric = "share of all items"
"""
RULE: dict[str, Any] = {"ties": "wrong", "on_invalid": "drop"}

pytestmark = on_official_rows(MINI)


@pytest.fixture(scope="module")
def scores() -> Any:
    """[items, responses, samples]; NaN: null."""
    with lzma.open(MINI) as lines:
        return np.array([json.loads(line)["scores"] for line in lines], dtype=float)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("rb2")
    (folder / "rb2.toml").write_text(TOML)
    with lzma.open(MINI) as lines, (folder / "rb2.jsonl").open("w") as out:
        for row in map(json.loads, lines):
            item = {"subset": row["subset"], "id": row["id"], "quality": [1, 0, 0, 0]}
            for j, said in enumerate(zip(*row["scores"], strict=True)):
                out.write(json.dumps(item | {"j": j, "scores": said}) + "\n")
    words = ("--bench", folder / "rb2.toml", "--model", "mini", "--results", folder / "r")
    found = grmeval("import", "scores", folder / "rb2.jsonl", *words, "--json")
    assert found.returncode == 0, found.stderr
    assert "13,840 judgements imported" in found.stderr
    (path,) = (folder / "r").glob("*/*/*/run.json")
    return RunFolder(path.parent)


def means(scores: Any, subset: tuple[int, ...]) -> tuple[Any, Any]:
    """(won outright, whether all four responses have a score) of each item, by a subset of samples."""
    part = scores[:, :, list(subset)]
    read = (~np.isnan(part)).sum(axis=2)
    mean = np.where(read > 0, np.nansum(part, axis=2) / np.maximum(read, 1), np.nan)
    whole = read.all(axis=1)
    won = whole & (mean[:, :1] > mean[:, 1:] + 1e-9).all(axis=1)
    return won.astype(float), whole.astype(float)


def test_the_published_curve_to_the_printed_digit(imported: RunFolder) -> None:
    words = ("--first-k", "--vote", "mean", "--ties", "wrong", "--on-invalid", "drop")
    found = grmeval("scale-curve", imported.path, *words, "--ks", "1,2,3,4,5,6,7,8", "--json")
    assert found.returncode == 0, found.stderr
    printed = json.loads(found.stdout)
    curve = [row for row in printed["rows"] if row["level"] == "overall"]
    assert [row["k"] for row in curve] == list(range(1, 9))
    assert " ".join(f"{100 * row['value']:.2f}" for row in curve) == PUBLISHED
    assert {row["subsets"] for row in curve} == {"the first k"}
    assert printed["notes"][0] == "vote@k: of the first k samples alone"
    assert "ties: wrong; no readable judgement: dropped (not the official rule)" in printed["notes"]
    assert curve[0]["items"] == 1728  # two items have a response whose first score is a null
    assert all(row["low"] < row["value"] < row["high"] for row in curve)


def test_the_published_end_is_the_score(imported: RunFolder) -> None:
    result = score(imported, votes=["mean"], **RULE)
    assert f"{100 * result.rows[0].value:.2f}" == PUBLISHED.split()[-1]
    assert (result.rows[0].items, result.missing) == (1730, 0)


def test_all_subsets_are_what_brute_force_finds(imported: RunFolder, scores: Any) -> None:
    ks = (1, 2, 4, 7, 8)
    curve = scale(imported, ks=ks, votes=["mean"], **RULE)
    overall = {row.k: row for row in curve.rows if row.level == "overall"}
    assert {row.subsets for row in overall.values()} == {"exact", "1 subset"}
    first = {k: float(value) for k, value in enumerate(PUBLISHED.split(), start=1)}
    for k in ks:
        every = [means(scores, subset) for subset in combinations(range(8), k)]
        won, whole = (np.mean(each, axis=0) for each in zip(*every, strict=True))
        row = overall[k]
        assert row.value == pytest.approx(won.sum() / whole.sum(), abs=1e-12)
        # Each subset alone is a curve like the published one; their spread is what is gone.
        alone = [100 * right.mean() / read.mean() for right, read in every]
        assert min(alone) - 0.01 <= first[k] <= max(alone) + 0.01
        assert row.low < row.value < row.high
        half = 1.96 * np.sqrt(row.value * (1 - row.value) / 1730)
        # Averaged verdicts vary less from item to item than single ones.
        assert 0.6 * half < (row.high - row.low) / 2 < 1.02 * half
    assert f"{100 * overall[8].value:.2f}" == PUBLISHED.split()[-1]


def test_sections_are_the_same_by_brute_force(imported: RunFolder, scores: Any) -> None:
    with lzma.open(MINI) as lines:
        subset = np.array([json.loads(line)["subset"] for line in lines])
    curve = scale(imported, ks=[2], votes=["mean"], **RULE)
    found = {row.name: row.value for row in curve.rows if row.level == "section"}
    every = [means(scores, pair) for pair in combinations(range(8), 2)]
    won, whole = (np.mean(each, axis=0) for each in zip(*every, strict=True))
    assert found.keys() == set(subset)
    for name, value in found.items():
        mine = subset == name
        assert value == pytest.approx(won[mine].sum() / whole[mine].sum(), abs=1e-12)
