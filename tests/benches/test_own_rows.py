"""A user's own rows: a file of them, or a TOML beside them; with labels or without."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval.benches import expand, find_spec, load
from grmeval.errors import ConfigError, DataError
from grmeval.runs.store import RunFolder
from grmeval.score import scale, score
from tests.helpers import sampled

ROWS: list[dict[str, Any]] = [
    {"prompt": f"Question {i}", "responses": ["yes", "no", "perhaps"], "quality": [1, 0, 0]}
    for i in range(4)
]
TOML = """
id = "mine"
title = "Mine"
[source]
packaged = "rows"
[[tables]]
files = "*.jsonl"
shape = "neutral"
id = "uid"
conversation = "prompt"
"""


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_rows_without_ids_are_numbered_and_the_file_names_the_subset(tmp_path: Path) -> None:
    loaded = load(str(lines(tmp_path / "My rows.jsonl", ROWS)))
    assert [(i.subset, i.id) for i in loaded.items] == [("My rows", str(n)) for n in range(1, 5)]
    assert (loaded.spec.id, loaded.spec.title) == ("my-rows", "My rows.jsonl")
    assert loaded.items[0].conversation[0].content == "Question 0"


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet"])
def test_the_three_kinds_of_files_give_the_same_items(tmp_path: Path, ending: str) -> None:
    rows = [row | {"id": f"r{i}", "subset": "a"} for i, row in enumerate(ROWS)]
    path = tmp_path / f"rows{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == ".json":
        path.write_text(json.dumps(rows), "utf-8")
    else:
        lines(path, rows)
    expected = load(str(lines(tmp_path / "other" / "rows.jsonl", rows)))
    assert load(str(path)).content_hash == expected.content_hash


def test_chosen_and_rejected_are_pairs(tmp_path: Path) -> None:
    row = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5", "id": 7}
    (item,) = load(str(lines(tmp_path / "p.jsonl", [row]))).items
    assert (item.id, item.responses, item.quality) == ("7", ("4", "5"), (1, 0))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prompt": "a", "answer": "b"}], r"row 1: neither a column 'responses'.*found: answer"),
        ([{"responses": ["a"]}], r"row 1: no column 'prompt'; found: responses"),
        ([ROWS[0], {"prompt": "a"}], r"row 2: no column 'responses'; found: prompt"),
        ([ROWS[0] | {"quality": [1]}], r"column 'quality': expected 3 of 0 or 1, found \[1\]"),
        ([ROWS[0] | {"responses": []}], "expected a list of one or more"),
        ([ROWS[0] | {"id": None}], "column 'id': expected an id, found None"),
        ([ROWS[0] | {"id": "x"}] * 2, r"row 2: id 'x' is already taken by rows.jsonl, row 1"),
        ([], "found no rows"),
        ([["a"]], "a row that is a list"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(str(lines(tmp_path / "rows.jsonl", rows)))


def test_a_toml_names_rows_that_lie_beside_it(tmp_path: Path) -> None:
    lines(tmp_path / "rows" / "b.jsonl", [row | {"uid": i} for i, row in enumerate(ROWS)])
    lines(tmp_path / "rows" / "a.jsonl", [ROWS[0] | {"uid": 0}])
    (tmp_path / "mine.toml").write_text(TOML, "utf-8")
    loaded = load(str(tmp_path / "mine.toml"))
    assert {item.subset for item in loaded.items} == {"a", "b"}
    assert (loaded.spec.ties, loaded.missing, len(loaded.items)) == ("wrong", {}, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id = ", "not a TOML file"),
        (TOML.replace("shape", "shap"), r"tables.0.shap: Extra inputs are not permitted"),
        (TOML.replace('"neutral"', '"triple"'), r"tables.0.shape: Input should be"),
        ('extends = "rewardbenhc"\n' + TOML, "no packaged benchmark 'rewardbenhc'"),
        (TOML.replace('"mine"', '"../x"'), "id: String should match"),
    ],
)
def test_a_toml_that_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=said):
        find_spec(str(tmp_path / "mine.toml"))


def test_a_toml_may_extend_a_packaged_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "rewardbench"\nid = "mine"\nties = "wrong"\n')
    mine, theirs = find_spec(str(tmp_path / "mine.toml"))[0], find_spec("rewardbench")[0]
    assert mine == theirs.model_copy(update={"id": "mine", "ties": "wrong"})


def test_groups_and_names_are_taken_once() -> None:
    every = expand(["all"])
    assert {"rewardbench", "rmb"} <= set(every)
    assert "sample" not in every
    assert expand(["rmb", "all", "rmb"]) == ["rmb", *[b for b in every if b != "rmb"]]
    with pytest.raises(ConfigError, match="did you mean 'rewardbench'"):
        expand(["rewardbnch"])


# ---------------------------------------------------------------------- rows without labels


def unlabelled(tmp_path: Path, rows: list[dict[str, Any]], **settings: Any) -> RunFolder:
    path = lines(tmp_path / "rows.jsonl", rows)
    return sampled(tmp_path / "results", bench=str(path), k=4, **settings)


def test_unlabelled_rows_get_votes_and_ranks_but_no_accuracy(tmp_path: Path) -> None:
    rows = [{name: row[name] for name in ("prompt", "responses")} for row in ROWS]
    folder = unlabelled(tmp_path, rows)
    result = score(folder)
    assert [(row.items, row.samples) for row in result.rows] == [(0, 16)] * 3
    assert result.rows[0].name == "overall"
    assert result.missing == 0
    assert any("rows without a label: 4 of 4" in line for line in result.footer)
    samples = pq.read_table(folder.path / "samples.parquet").to_pylist()
    for verdict in result.verdicts.to_pylist():
        added = [sum(s["scores"][i] for s in samples if s["id"] == verdict["id"]) for i in range(3)]
        assert verdict["totals"] == added
        assert verdict["ranks"] == [1 + sum(b > a for b in added) for a in added]
        assert verdict["credit"] is None
    with pytest.raises(DataError, match="no labels"):
        scale(folder)


def test_labelled_rows_among_others_are_scored(tmp_path: Path) -> None:
    rows = [ROWS[0], ROWS[1] | {"quality": None}, ROWS[2], ROWS[3]]
    folder = unlabelled(tmp_path, rows, engine_args={"accuracy": 1})
    result = score(folder, votes=("sum", "majority"))
    assert [row.items for row in result.rows] == [3] * 6
    assert [row.accuracy for row in result.rows] == [1.0] * 6
    assert [len(v["ranks"]) for v in result.verdicts.to_pylist()] == [3] * 8
    assert [row.items for row in scale(folder, ks=[1]).rows] == [3] * 4


def test_sections_that_were_edited_are_scored_anew_in_the_same_run(tmp_path: Path) -> None:
    lines(tmp_path / "rows" / "a.jsonl", [ROWS[0] | {"uid": 0}])
    lines(tmp_path / "rows" / "b.jsonl", [ROWS[0] | {"uid": 0}])
    toml = tmp_path / "mine.toml"
    toml.write_text(TOML, "utf-8")
    before = sampled(tmp_path / "results", bench=str(toml), k=2)
    toml.write_text(
        TOML
        + '[[sections]]\nname = "A"\nsubsets = ["a"]\n[[sections]]\nname = "B"\nsubsets = ["b"]\n'
    )
    after = sampled(tmp_path / "results", bench=str(toml), k=2)
    assert after.path == before.path
    assert [row.name for row in score(after).rows if row.level == "section"] == ["A", "B"]
    assert len(after.record["launches"]) == 1
