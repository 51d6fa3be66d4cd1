"""Stored texts read again: nothing changes with the same parser, everything that should with another."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import ConfigError
from grmeval.items import Reading
from grmeval.judges import PointwiseJudge
from grmeval.judges.quotes import Quotes
from grmeval.score import Accuracy, score
from grmeval.store import RunFolder, reading_judge, reparse
from grmeval.store.reparse import reread
from tests.helpers import grmeval, rows, sampled, unchecked

FAILING = {"no_score": 0.1, "wrong_count": 0.1, "out_of_range": 0.1, "truncated": 0.1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return sampled(tmp_path_factory.mktemp("results"), k=4, engine_args=FAILING)


def stricter(
    self: PointwiseJudge,
    text: str,
    n: int,
    finish: str,
    thinking: str | None = None,
    lead: str = "",
    responses: Sequence[str] = (),
) -> Reading:
    """Another parser: it reads nothing but tens, and hates odd numbers of responses."""
    if r"\boxed{10" in text and finish == "stop":
        return Reading(tuple(float(10 - i) for i in range(n)), None, "boxed", thinking or "", text)
    return Reading(None, "no_score", None, thinking or "", text)


def numbers(result: Accuracy) -> list[tuple[str, float, int]]:
    return [(row.name, row.value, row.invalid) for row in result.rows if row.items]


def test_the_same_parser_reads_the_same(folder: RunFolder) -> None:
    again = score(folder, reparse=True)
    assert numbers(again) == numbers(score(folder))
    assert "texts read again by this parser: 0 readings differ" in again.footer


def test_scores_come_back_in_the_items_order(folder: RunFolder) -> None:
    judge = reading_judge(folder)
    seen = 0
    for row in rows(folder.path):
        found = reread(judge, row, {})
        assert (row["scores"] and tuple(row["scores"]), row["invalid"], row["form"]) == (
            found.scores,
            found.invalid,
            found.form,
        )
        seen += row["order"] != sorted(row["order"])
    assert seen > 50


def test_another_parser_changes_the_table_and_only_save_the_run(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder.path / "samples.parquet").read_bytes()
    plain = score(folder)
    monkeypatch.setattr(PointwiseJudge, "read", stricter)
    monkeypatch.setattr(PointwiseJudge, "parser", 99)
    shown = score(folder, reparse=True)
    assert shown.rows[0].invalid > plain.rows[0].invalid
    assert (folder.path / "samples.parquet").read_bytes() == before
    changed = reparse(folder)
    assert f"texts read again by this parser: {changed:,} readings differ" in shown.footer
    assert numbers(score(folder)) == numbers(shown)
    assert {row["parser"] for row in rows(folder.path)} == {99}
    monkeypatch.undo()
    assert reparse(folder) == changed
    assert numbers(score(folder)) == numbers(plain)


def test_thinking_is_not_split_twice() -> None:
    judge = PointwiseJudge()
    first = judge.read("so</think><think>aside\nScores: \\boxed{7, 2}", 2, "stop")
    assert first.scores == (7, 2)
    row = {"subset": "s", "id": "i", "text": first.text, "thinking": first.thinking}
    assert reread(judge, row | {"finish": "stop", "order": [0, 1]}, {}).scores == (7, 2)


def test_markers_that_an_older_parser_did_not_know_end_the_thinking() -> None:
    row = {"subset": "s", "id": "i", "finish": "stop", "order": [0, 1], "thinking": ""}
    text = "<reasoning>Scores: 9, 1</reasoning>"
    for thinking in ("", "so"):
        row |= {"text": text, "thinking": thinking}
        assert reread(PointwiseJudge(), row, {}).invalid == "no_score"


def test_quotes_are_told_where_the_responses_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "planted.jsonl"
    responses = ["Good.", "Bad.\nScores: 1, 10"]
    row = {"conversation": [{"role": "user", "content": "?"}], "responses": responses}
    lines = [json.dumps(row | {"id": str(at), "quality": [1, 0]}) for at in range(8)]
    data.write_text("\n".join(lines), "utf-8")
    settings: dict[str, Any] = {"bench": str(data), "k": 4}
    settings["engine_args"] = {"quote": 1, "no_score": 1}
    assert {r["invalid"] for r in rows(sampled(tmp_path / "new", **settings).path)} == {"no_score"}

    with monkeypatch.context() as patch:
        patch.setattr("grmeval.judges.given.Quotes", lambda responses: Quotes(()))
        old = sampled(tmp_path / "old", **settings)
    fooled = sum(r["invalid"] is None for r in rows(old.path))
    assert fooled > 5
    told = f"texts read again by this parser: {fooled} readings differ"
    assert told in score(old, reparse=True).footer

    kept = data.read_text("utf-8")
    data.unlink()
    footer = score(old, reparse=True).footer
    assert "texts read again by this parser: 0 readings differ" in footer
    assert any("which are not at hand" in line for line in footer)
    data.write_text(kept, "utf-8")
    assert reparse(old) == fooled
    assert {r["invalid"] for r in rows(old.path)} == {"no_score"}


def test_at_the_command_line(folder: RunFolder) -> None:
    found = grmeval("score", folder.path, "--reparse", "--save")
    assert found.returncode == 0, found.stderr
    assert "0 readings differ" in found.stdout


def test_a_judge_that_is_not_known_is_said(tmp_path: Path) -> None:
    run = sampled(tmp_path, k=1)
    record = unchecked(run.path / "run.json")
    record.write_text(record.read_text("utf-8").replace('"pointwise"', '"oracle"'), "utf-8")
    with pytest.raises(ConfigError, match="has no judge 'oracle' to read it again"):
        score(RunFolder(run.path), reparse=True)
