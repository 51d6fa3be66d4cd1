"""Judgements of another program: what they become, and every mistake that a file of them can hold."""

import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval.benches import load
from grmeval.errors import ConfigError, DataError, StoreError
from grmeval.runs.imports import import_scores
from grmeval.runs.imports.judgement_file import EXPORTED, read_judgements
from grmeval.runs.imports.make_run import REWARDS, Imported
from grmeval.score import Accuracy, compare, scale, score
from grmeval.store import SAMPLES, RunFolder, SampleKey, reading_judge, sample_schema
from grmeval.store.fold import write_samples
from grmeval.store.samples import read_rows
from tests.helpers import SHARED, on_official_rows, rows

Rows = Sequence[dict[str, Any]]

SPEC = """
id = "{id}"
title = "Own"
[source]
github = "no/where"
[[tables]]
files = "*"
shape = "neutral"
subset = "subset"
[[sections]]
name = "A"
subsets = ["a*"]
[[sections]]
name = "B"
subsets = ["b"]
[expected]
a1 = 2
b = 1
"""

# a1/x is won, a1/y is lost, b/x is a tie of three: one of them is good.
GOOD: Rows = (
    {"subset": "a1", "id": "x", "j": 0, "scores": [3, 2], "quality": [1, 0]},
    {"subset": "a1", "id": "x", "j": 1, "scores": [1.5, 1.25]},
    {"subset": "a1", "id": "y", "j": 0, "scores": [7, 8]},
    {"subset": "a1", "id": "y", "j": 1, "scores": None, "quality": [1, 0]},
    {"subset": "b", "id": "x", "j": 1, "scores": [5, 5, 5], "quality": [0, 1, 0]},
    {"subset": "b", "id": "x", "j": 0, "scores": [5, 5, 5]},
)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    """A benchmark of three items whose rows nobody has."""
    path = tmp_path / "own.toml"
    path.write_text(SPEC.format(id="own"), "utf-8")
    return str(path)


def written(path: Path, content: Rows) -> Path:
    """The rows in the format that the ending says."""
    lines = "".join(json.dumps(row) + "\n" for row in content).encode()
    if ".csv" in path.suffixes:
        lines = as_csv(content)
    if path.suffix == ".parquet":
        names = dict.fromkeys(name for row in content for name in row)
        pq.write_table(pa.table({n: [row.get(n) for row in content] for n in names}), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(list(content)), "utf-8")
    else:
        how: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.compress, ".gz": gzip.compress}
        path.write_bytes(how.get(path.suffix, bytes)(lines))
    return path


def as_csv(content: Rows) -> bytes:
    """Lists as JSON; what is not there as an empty cell."""
    names = list(dict.fromkeys(name for row in content for name in row))
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow(names)
    for row in content:
        cells = (row.get(name) for name in names)
        lines.writerow(json.dumps(cell) if isinstance(cell, list) else cell for cell in cells)
    return file.getvalue().encode()


def taken(spec: str, path: Path, content: Rows = GOOD, **more: Any) -> Imported:
    file = written(path, content)
    return import_scores(file, spec, "judge/one", more.get("data"), path.parent / "results")


def numbers(result: Accuracy) -> list[tuple[Any, ...]]:
    return [
        (r.name, r.items, r.value, r.low, r.high, r.tied, r.samples, r.reasons)
        for r in result.rows
        if r.items
    ]


# ---------------------------------------------------------------------- what becomes of a file


def test_a_file_becomes_a_run(tmp_path: Path, spec: str) -> None:
    found = taken(spec, tmp_path / "s.jsonl")
    assert (found.new, found.notes) == (6, ())
    folder = found.folder
    assert folder.path.relative_to(tmp_path).parts[:3] == ("results", "own", "judge--one")
    assert folder.record["asked"] == {"k": 2, "limit": None}
    items = {(row["subset"], row["id"]): row for row in folder.items().to_pylist()}
    assert [row["quality"] for row in items.values()] == [[1, 0], [1, 0], [0, 1, 0]]
    assert [row["response_chars"] for row in items.values()] == [[0, 0], [0, 0], [0, 0, 0]]
    assert len({row["cluster"] for row in items.values()}) == 3
    assert len({row["content_hash"] for row in items.values()}) == 3
    stored = {(row["subset"], row["id"], row["j"]): row for row in rows(folder.path)}
    assert stored["a1", "x", 1]["scores"] == [1.5, 1.25]
    assert stored["a1", "x", 1]["order"] == []
    assert (stored["a1", "y", 1]["scores"], stored["a1", "y", 1]["invalid"]) == (None, "no_score")
    assert {row["finish"] for row in stored.values()} == {"stop"}
    assert not (folder.path / REWARDS).exists()


def test_its_score_is_what_one_counts_by_hand(tmp_path: Path, spec: str) -> None:
    folder = taken(spec, tmp_path / "s.jsonl").folder
    result = score(folder)
    found = {row.name: row for row in result.rows}
    assert (found["a1"].value, found["b"].value, found["overall"].value) == (0.5, 0, 0.25)
    assert (found["a1"].invalid, found["b"].tied, result.missing) == (1, 1, 0)
    story = result.footer[-1]
    assert "judge judge/one; file " in story
    assert "unknown orders; import" in story
    assert not any("read by fallback" in line for line in result.footer)
    assert {row.k for row in scale(folder).rows} == {1, 2}


def test_what_is_missing_of_the_expected_is_said(tmp_path: Path, spec: str) -> None:
    folder = taken(spec, tmp_path / "s.jsonl", GOOD[:2]).folder
    said = folder.record["spec"]
    assert (said["expected"], said["left_out"]) == ({"a1": 1}, {"a1": 1, "b": 1})
    result = score(folder)
    assert sum("judges nothing of 2 items" in line for line in result.footer) == 1
    assert {row.name: row.expected for row in result.rows if row.items} == {
        **{"overall (1 of 2 sections)": 1, "A": 1, "a1": 1}
    }


@pytest.mark.parametrize(
    "name", ["s.json", "s.parquet", "s.csv", "s.jsonl.xz", "s.csv.xz", "s.jsonl.gz"]
)
def test_format_and_order_of_rows_change_nothing(tmp_path: Path, spec: str, name: str) -> None:
    first = taken(spec, tmp_path / "s.jsonl")
    again = taken(spec, tmp_path / name, GOOD[::-1])
    assert (again.folder.path, again.new) == (first.folder.path, 0)
    assert len(again.folder.record["launches"]) == 1


def test_columns_are_rows_too(tmp_path: Path, spec: str) -> None:
    columns = {name: [row.get(name) for row in GOOD] for name in GOOD[0]}
    (tmp_path / "c.json").write_text(json.dumps(columns), "utf-8")
    again = import_scores(tmp_path / "c.json", spec, "judge/one", None, tmp_path / "results")
    assert again.folder.path == taken(spec, tmp_path / "s.jsonl").folder.path


def test_everything_that_a_row_may_say_is_stored(tmp_path: Path, spec: str) -> None:
    whole = {
        "subset": "a1",
        "id": 7,
        "j": 0,
        "scores": [2, None, 1],
        "quality": [1, 0, 0],
        "order": [2, 0, 1],
        "text": "half \ud800 a character, \x1b[31m, nul \x00",
        "thinking": "hm",
        "tokens": 5,
        "prompt_tokens": 9,
        "meta_reward": -0.5,
        "cluster": "c",
        "group": 1,
    }
    failed = {"subset": "a1", "id": 7, "j": 1, "scores": [None] * 3, "invalid": "truncated"}
    folder = taken(spec, tmp_path / "s.jsonl", [failed, whole]).folder
    one, other = rows(folder.path)
    assert one["scores"] == [2.0, None, 1.0]
    assert one["text"] == "half ? a character, \x1b[31m, nul \x00"
    told = {name: one[name] for name in ("id", "order", "thinking", "tokens", "prompt_tokens")}
    assert told == {
        "id": "7",
        "order": [2, 0, 1],
        "thinking": "hm",
        "tokens": 5,
        "prompt_tokens": 9,
    }
    assert (other["scores"], other["invalid"], other["form"]) == (None, "truncated", None)
    (item,) = folder.items().to_pylist()
    assert (item["cluster"], item["group"], item["n"]) == ("c", "1", 3)
    assert pq.read_table(folder.path / REWARDS).to_pylist() == [
        {"subset": "a1", "id": "7", "j": 0, "reward": -0.5}
    ]


def test_an_import_that_was_killed_goes_on(tmp_path: Path, spec: str) -> None:
    folder = taken(spec, tmp_path / "s.jsonl").folder
    whole, names = rows(folder.path), sample_schema().names
    kept = [(SampleKey(*row[:3]), row) for row in read_rows(folder.path, names)][::2]
    write_samples(folder.path, kept)
    again = taken(spec, tmp_path / "s.jsonl")
    assert again.new == 3
    assert rows(folder.path) == whole
    assert [launch["samples"] for launch in again.folder.record["launches"]] == [6, 3]


def test_other_judgements_are_another_run_and_do_not_merge(tmp_path: Path, spec: str) -> None:
    one = taken(spec, tmp_path / "s.jsonl").folder
    changed = [*GOOD[:-1], GOOD[-1] | {"scores": [5, 5, 6]}]
    other = taken(spec, tmp_path / "t.jsonl", changed).folder
    assert one.path != other.path
    with pytest.raises(ConfigError, match="their identities differ in file"):
        one.merge(other)


def test_imported_texts_are_not_read_again(tmp_path: Path, spec: str) -> None:
    with pytest.raises(ConfigError, match="no text is read again"):
        reading_judge(taken(spec, tmp_path / "s.jsonl").folder)


# ---------------------------------------------------------------------- the benchmark's rows at hand


def judged(good: Callable[[int], float] = float) -> list[dict[str, Any]]:
    """One judgement of every item of the packaged sample: its score is its quality."""
    return [
        {"subset": i.subset, "id": i.id, "j": 0, "scores": [good(q) for q in i.quality or ()]}
        for i in load("sample").items
    ]


def test_rows_at_hand_give_items_their_labels(tmp_path: Path) -> None:
    found = taken("sample", tmp_path / "s.jsonl", judged(lambda quality: 1 + 9 * quality))
    assert found.folder.record["identity"]["data"] == load("sample").content_hash
    assert score(found.folder).rows[0].value == 1


def test_items_that_the_file_is_silent_about_are_no_part_of_the_run(tmp_path: Path) -> None:
    whole, found = (
        taken("sample", tmp_path / f"{size}.jsonl", judged()[:size]).folder for size in (75, 70)
    )
    result = score(found)
    assert (found.items().num_rows, result.missing, result.rows[0].expected) == (70, 0, 70)
    assert sum(found.record["spec"]["left_out"].values()) == 5
    # --limit takes of a part what it takes of the whole.
    ranks = [
        {(r["subset"], r["id"]): r["rank"] for r in run.items().to_pylist()}
        for run in (whole, found)
    ]
    assert ranks[1].items() <= ranks[0].items()
    gaps = compare(whole, found)
    assert (gaps.rows[0].items, gaps.rows[0].difference) == (70, 0)
    left_out = f"on the 70 rows that every run judged; left out: 5 of run {whole.path.name}"
    assert sum(left_out in line for line in gaps.footer) == 1
    curve = scale(found, whole)
    assert {row.items for row in curve.rows if row.level == "overall"} == {70}
    assert sum(left_out in line for line in curve.footer) == 1


def test_what_has_one_verdict_is_left_out_together_or_not_at_all(tmp_path: Path) -> None:
    row: dict[str, Any] = {"prompt": "?", "chosen": "a", "rejected": "b"}
    own = [row | {"id": i, "group": "g" if i < 2 else None} for i in range(4)]
    bench = str(written(tmp_path / "rows.jsonl", own))
    folder = taken(bench, tmp_path / "s.jsonl", [{"id": 0, "j": 0, "scores": [2, 1]}]).folder
    assert folder.items()["id"].to_pylist() == ["0", "1"]
    assert score(folder).missing == 1


def test_one_subset_needs_no_name(tmp_path: Path) -> None:
    own = [{"id": i, "prompt": "?", "chosen": "a", "rejected": "b"} for i in range(3)]
    bench = str(written(tmp_path / "rows.jsonl", own))
    content = [{"id": i, "scores": [2, i]} for i in range(3)]  # no j: one judgement an item
    result = score(taken(bench, tmp_path / "s.jsonl", content).folder)
    assert result.rows[0].value == pytest.approx(2 / 3)
    assert result.rows[0].tied == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"id": "nope"},
            r"item 'arithmetic-best-of-4/nope': sample has no such item; its items .*",
        ),
        ({"subset": "maths"}, r"no such item; its items are such as 'arithmetic-best-of-4/"),
        ({"subset": None}, "no column 'subset', and sample may have several"),
        ({"scores": [1, 2]}, r"number of responses: 2 here, 4 in the rows of sample"),
        (
            {"quality": [1, 1, 0, 0]},
            r"quality .*: \[1, 1, 0, 0\] here, \[.*\] in the rows of sample",
        ),
    ],
)
def test_rows_at_hand_are_the_judge(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    content = sorted(judged(), key=lambda row: str(row["subset"]))
    content[0] |= changed
    with pytest.raises(DataError, match=f"s.jsonl, line 1: .*{message}"):
        taken("sample", tmp_path / "s.jsonl", content)


# ---------------------------------------------------------------------- mistakes


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"score_chosen": 1}, r"unknown column 'score_chosen' \(scores = \[chosen, rejected\]\)"),
        ({"winner": "A"}, r"unknown column 'winner' \(a choice is scores \[1, 0\] or \[0, 1\]\)"),
        ({"score": 1}, r"unknown column 'score' \(did you mean 'scores'\?\); allowed: subset, "),
        (
            {"score": 1, "TEXT": "", "what": 2},
            r"unknown columns 'score' \(.*'scores'\?\), 'TEXT' \(.*'text'\?\), 'what'; allowed",
        ),
        ({"id": None}, "id: expected text or a whole number, found None"),
        ({"id": ""}, "id: expected text or a whole number, found ''"),
        ({"id": True}, "id: expected text or a whole number, found True"),
        ({"j": -1}, "j: expected a whole number from 0 to 99,999, found -1"),
        ({"j": 0.5}, "j: expected a whole number"),
        ({"j": 100_000}, "j: expected a whole number"),
        ({"j": False}, "j: expected a whole number"),
        ({"j": None}, "j: expected a whole number"),
        ({"j": 1}, "item 'a1/x' has a judgement j = 1 already"),
        ({"scores": [1, NAN]}, r"scores: .* \(a failed judgement is null\), found .1, nan"),
        (
            {"scores": [1, INF]},
            r"number from -1e.15 to 1e.15 \(a failed judgement is null\), found",
        ),
        ({"scores": [1, 10**400]}, "scores: expected a number"),
        ({"scores": [1, True]}, "scores: expected a number"),
        ({"scores": [1, "2"]}, "scores: expected a number"),
        ({"scores": []}, "scores: expected a list of 1 to 1,000 values"),
        ({"scores": 3}, "scores: expected a list"),
        ({"scores": [1] * 1001}, "scores: expected a list"),
        (
            {"scores": [1, 2, 3], "quality": None},
            "number of responses: 2 here, 3 in an earlier row",
        ),
        ({"scores": [1, 2, 3]}, "quality: 2 values, but 3 in scores"),
        ({"scores": [None] * 3}, "quality: 2 values, but 3 in scores"),
        ({"order": [0, 0]}, "order: expected each of 0 … n-1 once"),
        ({"order": [1, 2]}, "order: expected each"),
        ({"order": [0]}, "order: 1 values, but 2 in scores"),
        ({"order": [False, True]}, "order: expected each"),
        ({"quality": [1, 2]}, "quality: expected a list of 0 and 1"),
        ({"quality": ["1", 0]}, "quality: expected a list of 0 and 1"),
        ({"invalid": "no_score"}, "invalid: 'no_score' beside scores"),
        ({"scores": None, "invalid": "Ouch!"}, "invalid: expected a short name"),
        ({"text": 3}, "text: expected text, found 3"),
        ({"thinking": ["a"]}, "thinking: expected text"),
        ({"tokens": -1}, "tokens: expected a whole number"),
        ({"prompt_tokens": 2**31}, "prompt_tokens: expected a whole number"),
        ({"meta_reward": "high"}, "meta_reward: expected a number"),
        ({"cluster": 1.5}, "cluster: expected text or a whole number"),
        ({"subset": "c"}, "subset: bench own: no section holds the subset 'c'"),
    ],
)
def test_a_mistake_in_a_row_is_named(
    tmp_path: Path, spec: str, changed: dict[str, Any], message: str
) -> None:
    content = [GOOD[0] | changed, *GOOD[1:]]
    with pytest.raises(DataError, match=f"s.jsonl, line [12]: .*{message}"):
        taken(spec, tmp_path / "s.jsonl", content)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["id", "scores"])
def test_two_columns_are_needed(tmp_path: Path, spec: str, name: str) -> None:
    content = [{n: value for n, value in row.items() if n != name} for row in GOOD]
    with pytest.raises(DataError, match=f"s.jsonl, line 1: no column '{name}'; found: "):
        taken(spec, tmp_path / "s.jsonl", content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            [GOOD[0], GOOD[1] | {"quality": [0, 1]}],
            r"quality .*: \[0, 1\] here, \[1, 0\] in an earlier row",
        ),
        (
            [GOOD[0] | {"cluster": "p"}, GOOD[1] | {"cluster": "q"}],
            "cluster: 'q' here, 'p' in an earlier",
        ),
        (
            [GOOD[0] | {"group": "p"}, GOOD[1] | {"group": "q"}],
            "group: 'q' here, 'p' in an earlier",
        ),
        (
            [{k: v for k, v in row.items() if k != "j"} for row in GOOD],
            "line 2: item 'a1/x' has a judgement j = 0 already: number an item's judgements",
        ),
        ([GOOD[0] | {"j": 1}], "j = 1 and none j = 0: number an item's 0, 1, 2"),
        ([GOOD[0], GOOD[1] | {"j": 7}], "j = 7 and none j = 1"),
        ([GOOD[1] | {"j": 0}], "which response is good.*--data PATH.*column 'quality'"),
        ([{"id": 1, "j": 0, "scores": [1]}], "no column 'subset', and own may have several"),
        ([], "s.jsonl: no rows in it"),
        ([3], "line 1: expected an object, found int"),
    ],
)
def test_rows_must_fit_together(tmp_path: Path, spec: str, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        taken(spec, tmp_path / "s.jsonl", content)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.jsonl", b'{"id": 1}\n{"id": \n', "s.jsonl, line 1: no column 'scores'"),
        ("s.jsonl", b'\n{"id": \n', "s.jsonl, line 2: not JSON"),
        ("s.jsonl", b'{"id": "\xff"}\n', "s.jsonl, line 1: not JSON: 'utf-8'"),
        ("s.jsonl", b"[" * 100_000, "s.jsonl, line 1: not JSON"),
        ("s.json", b'{"id": [1, 2], "j": [0]}', "columns of unlike lengths: {'id': 2, 'j': 1}"),
        ("s.json", b"{}", "no rows in it"),
        ("s.json", b"3", "expected a list of rows, found int"),
        ("s.parquet", b"PAR1 no", "s.parquet: cannot be read"),
        ("s.jsonl.xz", b"no", "s.jsonl.xz: cannot be read"),
        ("s.jsonl.xz", lzma.compress(b"[]\n" * 999)[:-9], "line 1: expected an object"),
        ("s.jsonl.gz", b"no", "s.jsonl.gz: cannot be read"),
        ("s.jsonl.gz", gzip.compress(b"\n" * 99, mtime=0)[:-9], "s.jsonl.gz: cannot be read"),
        ("s.jsonl", b'{"id": 1, "j": 0, "id": 2}', "line 1: the key 'id' is there more than once"),
        ("s.json", b'{"id": [1], "id": [2]}', "s.json: the key 'id' is there more than once"),
        ("s.csv", b"id,j,scores,j\n", "s.csv: the column 'j' is there more than once; keep one"),
        ("s.csv", b"id,j,scores\n1,0,[1],7\n", "row 1: 4 cells, but 3 columns"),
        ("s.csv", b'id,j,scores\n1,0,"[1]', "s.csv: cannot be read: unexpected end of data"),
        (
            "s.csv",
            b"id,j,scores\n1,0,1;2\n",
            r"a list .* \(in CSV as JSON: \[7, 3\]\), found '1;2'",
        ),
        ("s.csv", b"id,j,scores\n1,0,[NaN]\n", r"\(a failed judgement is null\), found \[nan\]"),
        ("s.csv", b"id,j,scores\n\xff,0,[1]\n", "s.csv: cannot be read: 'utf-8'"),
        ("s.csv", b"", "no rows in it"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_judgements(tmp_path / name))


def test_a_file_must_be_there_and_of_a_known_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.jsonl: cannot be read: No such file"):
        list(read_judgements(tmp_path / "none.jsonl"))
    for name in ("s.xlsx", "s.parquet.gz", "s.xz"):
        with pytest.raises(ConfigError, match=r"the ending says the format: .jsonl, .json, .csv"):
            list(read_judgements(tmp_path / name))


def test_a_column_of_parquet_is_there_once(tmp_path: Path) -> None:
    columns = [pa.array(["x"]), pa.array([0]), pa.array([[1.0]]), pa.array([1])]
    pq.write_table(pa.table(columns, ["id", "j", "scores", "j"]), tmp_path / "s.parquet")
    with pytest.raises(DataError, match=r"s.parquet: the column 'j' is there more"):
        list(read_judgements(tmp_path / "s.parquet"))


def test_a_judge_has_a_name(tmp_path: Path, spec: str) -> None:
    with pytest.raises(ConfigError, match="--model: name the judge"):
        import_scores(tmp_path / "s.jsonl", spec, " ", None, tmp_path)


def test_results_that_cannot_be_written_are_said(tmp_path: Path, spec: str) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(StoreError, match="see --results"):
        taken(spec, tmp_path / "s.jsonl")


def test_what_export_writes_may_be_there(tmp_path: Path, spec: str) -> None:
    content = [row | dict.fromkeys(EXPORTED, "?") for row in GOOD]
    assert taken(spec, tmp_path / "s.jsonl", content).new == 6


# ---------------------------------------------------------------------- results of the RewardBench tools


RESULTS = {
    "id": [1, 2, 1],
    "subset": ["a1", "a1", "b"],
    "results": [1, 0, 0.5],
    "text_chosen": ["x", [{"role": "user", "content": "x"}], None],
}
SCALARS = {"model": "org/judge", "model_type": "Seq. Classifier", "chat_template": None}


def test_results_alone_say_who_won(tmp_path: Path, spec: str) -> None:
    (tmp_path / "r.json").write_text(json.dumps(RESULTS | SCALARS, indent=4), "utf-8")
    found = import_scores(tmp_path / "r.json", spec, "m", None, tmp_path / "results")
    stored = [(row["subset"], row["id"], row["scores"]) for row in rows(found.folder.path)]
    assert stored == [("a1", "1", [1, 0]), ("a1", "2", [0, 1]), ("b", "1", [1, 1])]
    result = score(found.folder, ties="half")
    assert [row.value for row in result.rows if row.level == "section"] == [0.5, 0.5]


@pytest.mark.parametrize(
    "scores", [([2.5, -1, 3], [0.25, 4, 3]), ([[2.5], [-1], [3]], [[0.25], [4], [3]])]
)
def test_scores_beside_results_are_kept(tmp_path: Path, spec: str, scores: Any) -> None:
    columns = RESULTS | {"scores_chosen": scores[0], "scores_rejected": scores[1]}
    lines = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    found = taken(spec, tmp_path / "r.jsonl", lines)
    assert [row["scores"] for row in rows(found.folder.path)] == [[2.5, 0.25], [-1, 4], [3, 3]]


def test_empty_score_columns_leave_the_results(tmp_path: Path, spec: str) -> None:
    columns = RESULTS | {"scores_chosen": [None] * 3, "scores_rejected": [None] * 3}
    (tmp_path / "r.json").write_text(json.dumps(columns), "utf-8")
    found = import_scores(tmp_path / "r.json", spec, "m", None, tmp_path / "results")
    assert rows(found.folder.path)[2]["scores"] == [1, 1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"results": 0.25}, "results: expected 1, 0 or 0.5, found 0.25"),
        ({"results": True}, "results: expected"),
        ({"results": [1]}, "results: expected"),
        ({"results": NAN}, "results: expected"),
        ({"scores_chosen": "1", "scores_rejected": 1}, "scores: expected a number"),
        ({"scores_chosen": [1, 2], "scores_rejected": 1}, "scores: expected a number"),
        ({"id": None}, "id: expected text"),
    ],
)
def test_results_are_checked(tmp_path: Path, spec: str, changed: Any, message: str) -> None:
    row = {"subset": "a1", "id": 1, "results": 1} | changed
    with pytest.raises(DataError, match=f"r.jsonl, line 1: {message}"):
        taken(spec, tmp_path / "r.jsonl", [row])


# ---------------------------------------------------------------------- real files


MINI = SHARED / "rb2-k8-judge" / "mini.jsonl.xz"
PART = SHARED / "reward-bench-part"


@on_official_rows(MINI)
def test_judgements_of_rewardbench_2_are_stored(tmp_path: Path) -> None:
    """The file has a row an item, scores [4][8], null = error; its ids repeat in other subsets."""
    text = SPEC.format(id="rb2").partition("[[sections]]")[0]
    (tmp_path / "rb2.toml").write_text(text, "utf-8")
    wanted: dict[tuple[str, str, int], list[Any]] = {}
    with (tmp_path / "rb2.jsonl").open("w") as out, lzma.open(MINI) as lines:
        for line in lines:
            row = json.loads(line)
            for j, scores in enumerate(zip(*row["scores"], strict=True)):
                key = {"subset": row["subset"], "id": row["id"], "j": j}
                out.write(json.dumps(key | {"scores": scores, "quality": [1, 0, 0, 0]}) + "\n")
                wanted[row["subset"], row["id"], j] = list(scores)
    bench = str(tmp_path / "rb2.toml")
    found = import_scores(tmp_path / "rb2.jsonl", bench, "mini", None, tmp_path / "results")
    assert (found.folder.items().num_rows, found.new) == (1730, 1730 * 8)
    for row in rows(found.folder.path):
        given = wanted.pop((row["subset"], row["id"], row["j"]))
        assert row["scores"] == (None if given == [None] * 4 else given)
    assert not wanted


@on_official_rows(PART)
def test_results_of_rewardbench_meet_its_rows(tmp_path: Path) -> None:
    items = load("rewardbench", PART).items
    outcome = {item.key: at % 3 / 2 for at, item in enumerate(items)}
    columns = {
        "id": [int(item.id) if item.id.isdecimal() else item.id for item in items],
        "subset": [item.subset for item in items],
        "results": list(outcome.values()),
    }
    (tmp_path / "r.json").write_text(json.dumps(columns), "utf-8")
    found = import_scores(tmp_path / "r.json", "rewardbench", "m", PART, tmp_path / "results")
    assert (found.new, found.notes) == (len(items), ())
    for row in score(found.folder).rows:
        if row.level == "subset" and row.items:
            paid = [won for key, won in outcome.items() if key.subset == row.name]
            assert row.value == pytest.approx(sum(paid) / len(paid))


def test_a_file_of_every_corner_is_a_run_or_an_error(tmp_path: Path, spec: str) -> None:
    """Any cell in any column: never anything but a run or a DataError."""
    cells: list[Any] = [None, True, 0, -1, 1.5, NAN, 10**30, "", "x", [], [0], [1, 0], {"a": 1}]
    runs = 0
    for name, cell in product(("id", "j", "scores", "order", "quality", "text", "group"), cells):
        try:
            found = taken(spec, tmp_path / "s.jsonl", [GOOD[0] | {name: cell}])
        except DataError:
            continue
        runs += 1
        assert RunFolder(found.folder.path).items().num_rows == 1
        assert (found.folder.path / SAMPLES).exists()
    assert runs > 10


@pytest.mark.parametrize(
    ("orders", "policy", "credit"),
    [
        (
            [[0, 1], [1, 0]],
            "balanced",
            0,
        ),  # one game each: +1 and -1, although the totals are 14 : 12
        ([[1, 0], [0, 1]], "balanced", 0),
        ([[0, 1], [0, 1]], "unknown", 1),
        ([[], []], "unknown", 1),
    ],
)
def test_orders_in_turn_are_balanced(
    tmp_path: Path, orders: list[list[int]], policy: str, credit: int
) -> None:
    toml = SPEC.format(id="games").replace("[source]", "games = true\n[source]")
    (tmp_path / "games.toml").write_text(toml)
    judged = [
        {"subset": "b", "id": "x", "j": j, "scores": scores, "order": order, "quality": [1, 0]}
        for j, (scores, order) in enumerate(zip([[9, 4], [5, 8]], orders, strict=True))
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, judged)))
    where = (str(tmp_path / "games.toml"), "judge", None, tmp_path / "results")
    folder = import_scores(tmp_path / "x.jsonl", *where).folder
    assert folder.record["identity"]["orders"] == policy
    result = score(folder)
    assert next(row for row in result.rows if row.name == "B").value == credit
    assert any("NOT the official two games" in line for line in result.footer) == bool(credit)


# ---------------------------------------------------------------------- a game that is missing

GAMES = {0: [0, 1], 1: [1, 0]}


def games(tmp_path: Path, played: dict[str, dict[int, Any]], name: str = "x") -> Imported:
    """Pairs of a benchmark of two games: by id the scores of each game that the file has; good first."""
    toml = SPEC.format(id="games").replace("[source]", "games = true\n[source]")
    (tmp_path / "games.toml").write_text(toml)
    judged = [
        {"subset": "b", "id": i, "j": j, "scores": scores, "order": GAMES[j % 2]}
        | {"quality": [1, 0]}
        for i, found in played.items()
        for j, scores in found.items()
    ]
    judged = [row if row["scores"] else row | {"order": None} for row in judged]
    where = (str(tmp_path / "games.toml"), "judge", None, tmp_path / "results")
    return import_scores(written(tmp_path / f"{name}.jsonl", judged), *where)


def test_a_game_that_is_missing_is_unread(tmp_path: Path) -> None:
    """The official count: +1 for a game that is won, -1 for one that is lost, 0 for one without decision."""
    won, lost = [1, 0], [0, 1]
    found = games(
        tmp_path,
        {
            "both": {0: won, 1: won},
            "first alone": {0: won},
            "second alone": {1: won},
            "lost": {1: lost},
            "failed": {0: won, 1: None},
            "level": {0: won, 1: lost},
        },
    )
    assert found.folder.record["identity"]["orders"] == "balanced"
    (note,) = found.notes
    assert note.endswith(
        "3 games are missing (pairs in one order alone): each counts as an unread one, missing_game"
    )
    stored = {(r["id"], r["j"]): r for r in rows(found.folder.path)}
    assert stored["second alone", 0]["invalid"] == "missing_game"
    assert (stored["first alone", 1]["scores"], stored["first alone", 1]["order"]) == (None, [1, 0])
    result = score(found.folder)
    paid = dict(zip(*(result.verdicts[c].to_pylist() for c in ("id", "credit")), strict=True))
    assert paid == {
        **{"both": 1, "first alone": 1, "second alone": 1, "failed": 1},
        **{"lost": 0, "level": 0},
    }
    assert (result.missing, result.rows[0].reasons) == (0, {"missing_game": 3, "no_score": 1})
    again = games(tmp_path, {"both": {0: won, 1: won}}, "y")
    assert again.notes == ()


def test_where_no_pair_has_two_games_none_is_missing(tmp_path: Path) -> None:
    found = games(tmp_path, {"a": {0: [1, 0]}, "b": {0: [0, 1]}})
    assert (found.new, found.notes, score(found.folder).rows[0].value) == (2, (), 0.5)


def test_games_that_all_failed_tell_no_order(tmp_path: Path) -> None:
    found = games(tmp_path, {"a": {0: None, 1: None}})
    assert found.folder.record["identity"]["orders"] == "unknown"


def test_other_gaps_are_mistakes_in_games_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has a judgement j = 4 and none j = 1"):
        games(tmp_path, {"a": {0: [1, 0], 1: [1, 0]}, "b": {0: [1, 0], 4: [1, 0]}})
