"""Views: some of a benchmark's items, formed as its overall is."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import scale, score
from tests.helpers import Quiet
from tests.score.table.test_accuracy import Scripted

WON, LOST = [[9, 2], [9, 2]], [[2, 9], [2, 9]]


def test_a_view_of_a_micro_average_is_one(tmp_path: Path) -> None:
    """JudgeBench: the leaderboard's number is the share of GPT-4o's pairs, whatever their section."""
    sources = ["mmlu-pro-law"] * 4 + ["livebench-math"] * 2 + ["livecodebench"]
    verdicts = [WON, WON, WON, LOST, LOST, LOST, WON]
    file = tmp_path / "data" / "dataset=judgebench,response_model={}.jsonl"
    file.parent.mkdir()
    script: dict[str, Any] = {}
    for model, flipped in (("gpt-4o-2024-05-13", False), ("claude-3-5-sonnet-20240620", True)):
        lines = []
        for at, (source, verdict) in enumerate(zip(sources, verdicts, strict=True)):
            row = {"pair_id": f"{model}{at}", "source": source, "question": f"{at}?"}
            row |= {"response_A": "a", "response_B": "b", "label": "A>B"}
            lines.append(json.dumps(row))
            script[f"{model}{at}"] = (LOST if verdict is WON else WON) if flipped else verdict
        Path(str(file).format(model)).write_text("\n".join(lines))
    settings = {"bench": "judgebench", "data": tmp_path, "engine": "fake", "k": 2}
    plan = prepare(configure(settings | {"results": tmp_path / "r"}))
    folder = extend(plan, Quiet(), Engines(lambda seed: Scripted(script)))
    result = score(folder)
    found = {row.name: row.value for row in result.rows if row.level in ("overall", "view")}
    assert found["overall (3 of 4 sections)"] == 0.5
    assert (found["GPT-4o pairs"], found["Claude-3.5-Sonnet pairs"]) == pytest.approx(
        (4 / 7, 3 / 7)
    )
    assert found["GPT-4o: Knowledge"] == 0.75
    curve = {row.name: row.value for row in scale(folder, votes=["sum"], ks=[2]).rows}
    assert curve["GPT-4o pairs"] == pytest.approx(4 / 7)


def test_a_view_of_a_mean_of_sections_is_one(tmp_path: Path) -> None:
    """RM-Bench: the level of style is the mean of the domains, however many prompts they have."""
    wins = {"chat": [True, True, False], "code": [False], "math": [True, False]}
    script: dict[str, Any] = {}
    for domain, prompts in wins.items():
        rows = [
            {"id": f"{domain}{at}", "prompt": f"{at}?", "chosen": ["a"], "rejected": ["b"]}
            for at in range(len(prompts))
        ]
        (tmp_path / f"{domain}_filtered.json").write_text(json.dumps(rows))
        script |= {
            f"{domain}{at}:00": [WON[0] if won else LOST[0]] for at, won in enumerate(prompts)
        }
    data = tmp_path / "data"
    data.mkdir()
    for path in tmp_path.glob("*.json"):
        path.rename(data / path.name)
    settings = {"bench": "rm-bench", "data": tmp_path, "engine": "fake", "k": 1}
    plan = prepare(configure(settings | {"results": tmp_path / "r"}))
    result = score(extend(plan, Quiet(), Engines(lambda seed: Scripted(script))))
    found = {row.name: row.value for row in result.rows if row.level == "view"}
    assert found["Normal"] == pytest.approx((2 / 3 + 0 + 1 / 2) / 3)
    assert result.rows[0].value == pytest.approx(found["Normal"])
