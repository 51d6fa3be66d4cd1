"""A user's own rows: a file of them, or a TOML beside them; with labels or without."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval.benches import expand, find_spec, load
from grmeval.errors import ConfigError, DataError
from grmeval.score import scale, score
from grmeval.store import RunFolder
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


def test_what_a_row_lacks_does_not_hide_what_another_has(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hello"}]
    other = {"conversation": turns, "responses": ["a"], "id": 7, "subset": "geo"}
    items = load(str(lines(tmp_path / "rows.jsonl", [ROWS[0], other]))).items
    assert [(item.subset, item.id) for item in items] == [("rows", "1"), ("geo", "7")]
    assert items[1].conversation[0].content == "Hello"


def test_chosen_and_rejected_are_pairs(tmp_path: Path) -> None:
    row = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5", "id": 7}
    (item,) = load(str(lines(tmp_path / "p.jsonl", [row]))).items
    assert (item.id, item.responses, item.quality) == ("7", ("4", "5"), (1, 0))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prompt": "a", "answer": "b"}], r"neither a column 'responses'.*found: answer"),
        ([{"responses": ["a"]}], r"row 1: no column 'prompt'; found: responses"),
        ([ROWS[0], {"prompt": "a"}], r"row 2: no column 'responses'; found: prompt"),
        ([ROWS[0] | {"quality": [1]}], r"column 'quality': expected 3 numbers, each 0 or 1, found"),
        ([ROWS[0] | {"responses": []}], "expected a list of one or more"),
        ([ROWS[0] | {"id": None}], "column 'id': expected text or a number, found None"),
        ([ROWS[0] | {"id": "x"}] * 2, r"row 2: id 'x' is already taken by rows.jsonl, row 1"),
        ([{"prompt": "a", "chosen": "b", "rejected": "c", "quality": [0, 1]}], "'quality' beside"),
        (
            [ROWS[0] | {"responses": ["a"] * 1001, "quality": None}],
            "1,001 responses; at most 1,000",
        ),
        ([], "no rows in it"),
        ([["a"]], "row 1: expected an object, found a list"),
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
        (
            TOML.replace("shape", "shap"),
            r"tables.0.shap: unknown key; allowed: .* did you mean 'shape'",
        ),
        (TOML.replace('"neutral"', '"triple"'), r"tables.0.shape: Input should be"),
        (
            'extends = "rewardbenhc"\n' + TOML,
            "extends 'rewardbenhc': allowed: .* did you mean 'rewardbench'",
        ),
        (TOML.replace('"mine"', '"../x"'), "id: String should match"),
        (TOML.replace('"mine"', '"rmb"'), "id 'rmb' is a packaged benchmark's"),
        ('extends = "rewardbench"', "id 'rewardbench' is a packaged benchmark's"),
        ('extends = "rmb"\ntables = 3', "tables: expected a table"),
        ('extends = "../tasks/rmb"', "extends '../tasks/rmb': allowed: "),
        (TOML + '[[sections]]\nname = "A"\nsubsets = ["*"]\nweight = inf', "sections.0.weight"),
        (TOML + '[[sections]]\nname = "A"\nsubsets = ["*"]\nweights = {a = 0}', "weights.a"),
        (TOML + "[expected]\na = -4", "expected.a: Input should be greater"),
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


def test_a_packaged_one_that_is_extended_keeps_its_rows(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "sample"\nid = "mine"\n')
    assert len(load(str(tmp_path / "mine.toml")).items) == 75


def test_every_subset_has_a_weight_or_none_has(tmp_path: Path) -> None:
    lines(tmp_path / "rows" / "a.jsonl", [ROWS[0] | {"uid": 0}])
    lines(tmp_path / "rows" / "b.jsonl", [ROWS[0] | {"uid": 0}])
    sections = '[[sections]]\nname = "A"\nsubsets = ["*"]\nweights = {a = 1}\n'
    (tmp_path / "mine.toml").write_text(TOML + sections)
    with pytest.raises(ConfigError, match="section 'A' gives no weight to the subset 'b'"):
        load(str(tmp_path / "mine.toml"))


def test_pairs_keep_apart_what_users_named_alike(tmp_path: Path) -> None:
    best = {"id": "x", "prompt": "?", "responses": ["a", "b", "c"], "quality": [1, 0, 0]}
    pair = {"prompt": "?", "responses": ["a", "b"], "quality": [1, 0]}
    path = lines(tmp_path / "rows.jsonl", [best, pair | {"id": "y", "group": "x"}])
    groups = {item.id: item.group for item in load(str(path), layout="pairs").items}
    assert groups == {"x#1": "x#", "x#2": "x#", "y": "x"}
    lines(path, [best, pair | {"id": "x#1"}])
    with pytest.raises(DataError, match="--layout pairs: rows has ids such as x and x#1"):
        load(str(path), layout="pairs")
    lines(path, [best | {"group": "g"}, pair | {"id": "y", "group": "g"}])
    assert {item.group for item in load(str(path), layout="pairs").items} == {"g"}


def test_optional_columns_hold_for_pairs_and_numbers_are_names(tmp_path: Path) -> None:
    row = {"prompt": "?", "chosen": "a", "rejected": "b", "subset": 3}
    rows = [row | {"cluster": 7}, row | {"cluster": ""}, row | {"group": ""}]
    items = load(str(lines(tmp_path / "rows.jsonl", rows))).items
    assert [item.cluster == "7" for item in items] == [True, False, False]
    assert {(item.subset, item.group) for item in items} == {("3", None)}


def test_folders_behind_links_are_read_once(tmp_path: Path) -> None:
    lines(tmp_path / "own" / "rows" / "real" / "b.jsonl", [ROWS[0] | {"uid": 1}])
    lines(tmp_path / "own" / "rows" / "a.jsonl", [ROWS[0] | {"uid": 1}])
    (tmp_path / "own" / "rows" / "linked").symlink_to("real")
    (tmp_path / "own" / "rows" / "loop").symlink_to(tmp_path / "own")
    (tmp_path / "own" / "mine.toml").write_text(TOML)
    items = load(str(tmp_path / "own" / "mine.toml")).items
    assert [item.subset.rpartition("/")[2] for item in items] == ["a", "b"]


def test_a_toml_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    lines(tmp_path / "real" / "b.jsonl", [ROWS[0] | {"uid": 1}])
    lines(tmp_path / "own" / "rows" / "a.jsonl", [ROWS[0] | {"uid": 1}])
    path = tmp_path / "own" / "mine.toml"
    for key, named in (
        ("root", "../real"),
        ("root", str(tmp_path / "real")),
        ("root", "a/../../real"),
        ("root", "C:\\\\real"),
        ("archive", "../x.zip"),
        ("packaged", "../real"),
        ("packaged", str(tmp_path / "real")),
        ("packaged", "a\\u0000b"),
    ):
        source = {"packaged": "rows"} | {key: named}
        said = "\n".join(f'{name} = "{value}"' for name, value in source.items())
        path.write_text(TOML.replace('packaged = "rows"', said))
        with pytest.raises(ConfigError, match=rf"mine\.toml: source\.{key}: .*expected a path"):
            load(str(path))
    path.write_text(TOML)
    for name, target in (("linked", tmp_path / "real"), ("b.jsonl", tmp_path / "real" / "b.jsonl")):
        link = tmp_path / "own" / "rows" / name
        link.symlink_to(target)
        with pytest.raises(DataError, match=rf"{name}.* leads out of it, to .*real"):
            load(str(path))
        link.unlink()
    path.write_text(TOML.replace('packaged = "rows"', 'packaged = "rows"\nroot = "linked"'))
    (tmp_path / "own" / "rows" / "linked").symlink_to(tmp_path / "real")
    with pytest.raises(DataError, match="linked leads out of it"):
        load(str(path))
    # The hub's cache: a snapshot is made of links to blobs beside it.
    blob = lines(tmp_path / "hub" / "blobs" / "0a1b", [ROWS[0] | {"uid": 1}])
    snapshot = tmp_path / "hub" / "snapshots" / "sha"
    snapshot.mkdir(parents=True)
    (snapshot / "a.jsonl").symlink_to(blob)
    path.write_text(TOML)
    assert len(load(str(path), snapshot).items) == 1


def test_a_column_that_json_cannot_hold_is_named(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["?"], "responses": [["a"]], "when": pa.array([0], pa.date32())})
    (tmp_path / "rows").mkdir()
    pq.write_table(table, tmp_path / "rows" / "a.parquet")
    toml = TOML.replace("*.jsonl", "*.parquet").replace('id = "uid"', 'id = ""\nmeta = ["when"]')
    (tmp_path / "mine.toml").write_text(toml)
    with pytest.raises(DataError, match=r"row 1: columns when: .*date is not JSON serializable"):
        load(str(tmp_path / "mine.toml"))


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
    assert any("all responses alike): 4 of 4" in line for line in result.footer)
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
    assert [row.value for row in result.rows] == [1.0] * 6
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
