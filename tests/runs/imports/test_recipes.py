"""The recipes of docs/benchmarks.md, as they stand there: files of other shapes become files to import."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.benches.test_judgebench import files, row
from tests.helpers import ask
from tests.test_docs import blocks


def block(word: str) -> str:
    (found,) = (each for each in blocks("benchmarks.md") if word in each)
    return found


def test_pairs_in_two_orders(tmp_path: Path) -> None:
    """JudgeBench's own count: a decision that names the label +1, its opposite -1, none 0; right above 0."""
    label = {"p1": "A>B", "p2": "B>A", "p3": "A>B", "p4": "B>A", "p5": "A>B"}
    first, second = ({"decision": decision} for decision in ("A>B", "B>A"))
    told: dict[str, list[Any]] = {
        "p1": [first, second],  # A in both orders: right
        "p2": [first, second],  # A in both: wrong
        "p3": [first, first],  # the first shown in both: level
        "p4": [None, first],  # B in the one that there is: right
        "p5": [{"decision": None}, first],  # B in the one that there is: wrong
    }
    copy = files(tmp_path, gpt=[row(name, "livebench-math", label[name]) for name in label])
    lines = [
        {"pair_id": name, "source": "livebench-math", "label": label[name], "judgments": games}
        for name, games in told.items()
    ]
    (tmp_path / "judged-pairs.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    with contextlib.chdir(tmp_path):
        exec(compile(block("judged-pairs.jsonl").partition("\ngrmeval")[0], "docs", "exec"), {})
    words = ("--bench", "judgebench", "--model", "m", "--data", copy, "--results", tmp_path / "r")
    result = json.loads(ask("import", "scores", tmp_path / "judged.jsonl", *words, "--json"))
    overall = result["rows"][0]
    assert (overall["value"], overall["items"], overall["tied"]) == (2 / 5, 5, 1)
    assert overall["reasons"] == {"no_score": 2}


def test_best_of_n_with_its_quality(tmp_path: Path) -> None:
    (tmp_path / "judged.jsonl").write_text(block('"q1"'))
    (tmp_path / "my-best-of-n.toml").write_text(block("my-best-of-n").partition("grmeval")[0])
    words = ("--bench", tmp_path / "my-best-of-n.toml", "--model", "my-judge", "--json")
    found = ask("import", "scores", tmp_path / "judged.jsonl", *words, "--results", tmp_path / "r")
    overall = json.loads(found)["rows"][0]
    assert overall["value"] == pytest.approx(1 / 2)
    assert (overall["items"], overall["tied"]) == (1, 1)
