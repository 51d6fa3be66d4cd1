"""Layouts: an item as one prompt, as pairs, or each response by itself."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grmeval.benches import load
from grmeval.benches.layouts import as_singles
from grmeval.errors import DataError
from grmeval.items import Item
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import Row, scale
from grmeval.score import score as score_run
from grmeval.store import RunFolder
from tests.helpers import Quiet, ask, rows, sampled
from tests.score.table.test_accuracy import Script, Scripted

ROWS: list[dict[str, Any]] = [
    {"id": "won", "responses": ["a", "b"], "quality": [1, 0]},
    {"id": "level", "responses": ["a", "b"], "quality": [0, 1]},
    {"id": "silent", "responses": ["a", "b"], "quality": [1, 0]},
    {"id": "of three", "responses": ["a", "b", "c"], "quality": [1, 0, 0]},
    {"id": "one", "responses": ["a"], "quality": [0]},
    {"id": "open", "responses": ["a", "b"]},
]
SAID: Script = {
    "won@0": [[6], [8]],
    "won@1": [[9], [4]],  # 14 : 13, though the sample of 9 was higher than any
    "level@0": [[6], [8]],
    "level@1": ["length", [7]],  # 7, the one that can be read, twice: 14 : 14
    "silent@0": [[9], [9]],
    "silent@1": ["length", "error"],  # one response without any: nothing can be compared
    "of three@0": [[6], [5]],
    "of three@1": [[4], [6]],
    "of three@2": ["length", [6]],  # 11 : 10 : 12, where a missing one as 0 would lose 11 : 10 : 6
    "one": [[3], [4]],
    "open@0": [[2], [2]],
    "open@1": [[9], [3]],
}


def bench(folder: Path, table: Iterable[dict[str, Any]] = ROWS) -> str:
    path = folder / "rows.jsonl"
    lines = [json.dumps({"prompt": f"{row['id']}?"} | row) for row in table]
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


def judged(folder: Path, script: Script = SAID, k: int = 2, **more: Any) -> RunFolder:
    settings = {"bench": bench(folder), "engine": "fake", "layout": "single"}
    plan = prepare(configure(settings | {"k": k, "results": folder / "r"} | more))
    return extend(plan, Quiet(), Engines(lambda seed: Scripted(script)))


def credits(folder: RunFolder, **how: Any) -> dict[str, Any]:
    table = score_run(folder, **how).verdicts.to_pylist()
    return {row["id"]: row["credit"] for row in table}


# ---------------------------------------------------------------------- items


def test_single_takes_an_item_apart(tmp_path: Path) -> None:
    items = load(bench(tmp_path), layout="single").items
    assert [(item.id, item.pool, item.slot, item.responses, item.quality) for item in items] == [
        ("won@0", "won", 0, ("a",), (1,)),
        ("won@1", "won", 1, ("b",), (0,)),
        ("level@0", "level", 0, ("a",), (0,)),
        ("level@1", "level", 1, ("b",), (1,)),
        ("silent@0", "silent", 0, ("a",), (1,)),
        ("silent@1", "silent", 1, ("b",), (0,)),
        ("of three@0", "of three", 0, ("a",), (1,)),
        ("of three@1", "of three", 1, ("b",), (0,)),
        ("of three@2", "of three", 2, ("c",), (0,)),
        ("one", None, 0, ("a",), (0,)),
        ("open@0", "open", 0, ("a",), None),
        ("open@1", "open", 1, ("b",), None),
    ]
    assert len({item.cluster for item in items}) == 6


def test_list_and_pairs_are_as_they_were(tmp_path: Path) -> None:
    whole = load(bench(tmp_path))
    assert load(bench(tmp_path), layout="list") == whole
    assert [item.id for item in whole.items] == [row["id"] for row in ROWS]
    pairs = load(bench(tmp_path), layout="pairs").items
    three = [item for item in pairs if item.group]
    assert [(item.id, item.group, item.responses) for item in three] == [
        ("of three#1", "of three#", ("a", "b")),
        ("of three#2", "of three#", ("a", "c")),
    ]
    assert [item for item in pairs if not item.group] == [i for i in whole.items if i.n < 3]
    assert {item.pool for item in (*pairs, *whole.items)} == {None}


def test_what_an_item_hashes_to_is_settled() -> None:
    """Run-ids hang on it: a run of an older grmeval is found again."""
    item = Item("b", "s", "i", (), ("x", "y"), quality=(1, 0), cluster="c")
    assert item.content_hash()[:16] == "cb803296b17ed1f1"
    assert len({part.content_hash() for part in (item, *as_singles(item))}) == 3


def test_ids_that_single_needs_are_refused(tmp_path: Path) -> None:
    table = [ROWS[0], {"id": "won@1", "responses": ["a"]}]
    with pytest.raises(DataError, match="--layout single: rows has ids such as x and x#1 or x@1"):
        load(bench(tmp_path, table), layout="single")


def test_a_benchmark_that_judges_one_by_one_does_so_in_every_layout(tmp_path: Path) -> None:
    row = {"id": "tied:1", "subset": "Ties", "prompt": "?", "chosen": ["a", "b"], "rejected": ["c"]}
    path = tmp_path / "test-0.jsonl"
    path.write_text(json.dumps(row))
    (tmp_path / "mine.toml").write_text(
        'extends = "rewardbench-2"\nid = "mine"\n[[tables]]\nfiles = "*test-*.jsonl"\nshape = "ties"\n'
        'id = "id"\nsubset = "subset"\nconversation = "prompt"\nbest = "chosen[]"\n'
        'others = "rejected[]"\n'
    )
    layouts = ("list", "pairs", "single")
    ids = [[i.id for i in load(str(tmp_path / "mine.toml"), path, x).items] for x in layouts]
    assert ids == [["tied:1@0", "tied:1@1", "tied:1@2"]] * 3


# ---------------------------------------------------------------------- verdicts, by hand


def test_totals_of_single_judgements_are_compared(tmp_path: Path) -> None:
    folder = judged(tmp_path)
    result = score_run(folder)
    overall = result.rows[0]
    assert (overall.value, overall.items, overall.tied, overall.silent) == (2 / 5, 5, 1, 1)
    assert (overall.samples, overall.invalid, overall.missing, result.missing) == (24, 4, 0, 0)
    assert overall.reasons == {"engine_error": 1, "truncated": 3}
    assert credits(folder) == {
        "won": 1,
        "level": 0,
        "silent": 0,
        "of three": 0,
        "one": 1,
        "open": None,
    }
    other = credits(folder, ties="share", on_invalid="half")
    assert (other["level"], other["silent"]) == (0.5, 0.5)
    dropped = score_run(folder, on_invalid="drop").rows[0]
    assert (dropped.value, dropped.items) == (2 / 4, 4)


def test_other_votes_of_single_judgements(tmp_path: Path) -> None:
    folder = judged(tmp_path)
    mean = credits(folder, votes=["mean"])
    assert mean == credits(folder)
    # A sample counts where all its responses are read: won 1 : 1, level 0 : 1, of three none (6 : 6).
    majority = credits(folder, votes=["majority"], ties="share")
    assert majority == {
        "won": 0.5,
        "level": 0,
        "silent": 0,
        "of three": pytest.approx(1 / 3),
        "one": 1,
        "open": None,
    }


def test_a_smaller_k_is_a_mean_over_subsets(tmp_path: Path) -> None:
    found = credits(judged(tmp_path), k=1)
    assert found == {
        "won": 0.5,
        "level": 0,  # of the first sample alone it is silent, of the second 8 : 7 for the other
        "silent": 0,
        "of three": 0,
        "one": 1,
        "open": None,
    }
    shares = score_run(judged(tmp_path), k=1).verdicts.to_pylist()
    void = {row["id"]: row["void"] for row in shares}
    assert (void["level"], void["silent"], void["of three"]) == (0.5, 1, 0.5)


def test_all_in_one_prompt_with_the_same_scores_is_the_same_table(tmp_path: Path) -> None:
    said: dict[str, Any] = {
        "won": [[6, 9], [8, 4]],
        "level": [[6, 6], [8, 8]],
        "silent": ["length", "error"],
        "of three": [[6, 4, 6], [5, 6, 6]],
        "one": [[3], [4]],
        "open": [[2, 9], [2, 3]],
    }
    apart: dict[str, Any] = {"one": said["one"]}
    for row in ROWS[:4] + ROWS[5:]:
        for slot in range(len(row["responses"])):
            name = f"{row['id']}@{slot}"
            apart[name] = [s if isinstance(s, str) else [s[slot]] for s in said[row["id"]]]

    def table(folder: RunFolder) -> list[tuple[Any, ...]]:
        def plain(row: Row) -> tuple[Any, ...]:
            return row.name, row.value, row.low, row.high, row.items, row.tied, row.silent, row.k

        return [plain(row) for k in (1, 2) for row in score_run(folder, k=k).rows]

    (tmp_path / "single").mkdir()
    together = judged(tmp_path, said, layout="list", orders="random")
    assert table(judged(tmp_path / "single", apart)) == table(together)


# ---------------------------------------------------------------------- limit, resume, extension


@pytest.mark.parametrize("limit", range(1, 7))
def test_limit_takes_whole_pools(tmp_path: Path, limit: int) -> None:
    folder = judged(tmp_path, limit=limit, k=1)
    taken = {row["id"].partition("@")[0] for row in rows(folder.path)}
    assert len(taken) == limit
    whole = {row["id"]: len(row["responses"]) for row in ROWS}
    assert len(rows(folder.path)) == sum(whole[name] for name in taken)
    assert score_run(folder).missing == 0
    limited = score_run(judged(tmp_path, k=1), limit=limit)
    assert {row["id"] for row in limited.verdicts.to_pylist()} == taken


def test_a_run_is_resumed_and_extended(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"layout": "single", "bench": bench(tmp_path), "seed": 3}
    settings["engine_args"] = {"truncated": 0.2}
    watcher = Quiet()
    sampled(tmp_path / "r", watcher, k=2, limit=3, **settings)
    assert 6 <= watcher.samples < 24
    for _ in range(2):
        at_two = score_run(sampled(tmp_path / "r", watcher, k=2, **settings)).rows[0]
        assert watcher.samples == 24
    folder = sampled(tmp_path / "r", watcher, k=4, **settings)
    assert watcher.samples == 48
    anew = sampled(tmp_path / "anew", k=4, **settings)
    assert rows(folder.path) == rows(anew.path)
    assert str(score_run(folder).rows) == str(score_run(anew).rows)
    # Two of four: a mean over subsets, another number than of the two that were there first.
    assert score_run(folder, k=2).rows[0].samples == 24
    assert any("k=2 from up to 4 stored" in line for line in score_run(folder, k=2).footer)
    curve = scale(folder, votes=["sum"], ks=[2], first=True).rows[0]
    assert (curve.value, curve.low) == (at_two.value, at_two.low)


def test_a_pool_that_lacks_one_judgement_has_no_verdict_and_is_counted(tmp_path: Path) -> None:
    folder = judged(tmp_path)
    path = folder.path / "samples.parquet"
    table = pq.read_table(path)
    at = [(row["id"], row["j"]) for row in table.to_pylist()].index(("won@1", 1))
    pq.write_table(table.take([i for i in range(len(table)) if i != at]), path)
    result = score_run(RunFolder(folder.path))
    assert (result.missing, result.rows[0].items) == (1, 4)
    assert any("unfinished: 1 items have fewer than 2 samples" in s for s in result.footer)
    # What is there of both responses counts at a smaller k.
    assert credits(RunFolder(folder.path), k=1)["won"] == 0
    assert judged(tmp_path).path == folder.path  # asks for the one
    assert score_run(RunFolder(folder.path)).missing == 0


# ---------------------------------------------------------------------- looking at it


def test_every_command_reads_such_a_run(tmp_path: Path) -> None:
    folder = judged(tmp_path)
    ask("score", folder.path, "--save")
    items = [
        json.loads(line) for line in ask("export", folder.path, "--what", "items").splitlines()
    ]
    pools = {(row["id"], row["pool"], row["slot"]) for row in items}
    assert ("of three@2", "of three", 2) in pools
    assert ("one", None, 0) in pools
    verdicts = {
        row["id"]: row
        for row in map(json.loads, ask("export", folder.path, "--what", "verdicts").splitlines())
    }
    # A missing score is its response's mean, so totals of k samples can be compared.
    assert verdicts["level"]["totals"] == [14, 14]
    assert verdicts["of three"]["totals"] == [11, 10, 12]
    assert verdicts["of three"]["ranks"] == [2, 3, 1]
    assert (verdicts["silent"]["totals"], verdicts["silent"]["void"]) == (None, 1)
    assert (verdicts["open"]["ranks"], verdicts["open"]["credit"]) == ([2, 1], None)
    samples = [json.loads(line) for line in ask("export", folder.path).splitlines()]
    assert len(samples) == 24
    mine = {row["j"]: row for row in samples if row["id"] == "of three@2"}
    assert (mine[0]["scores"], mine[1]["scores"], mine[0]["quality"]) == (None, [6], [0])
    story = json.loads(ask("show", folder.path, "--item", "of three@2", "--texts", "--json"))
    assert (story["responses"], story["n"], story["quality"]) == (["c"], 1, [0])
    assert (story["totals"]["mean"], len(story["samples"])) == ([6], 2)
    assert "of three@2" in ask("show", folder.path, "--item", "of three@2")
    assert "of three@0" in ask("show", folder.path, "--item", "of three", code=2)
    ask("scale-curve", folder.path)


def test_totals_of_an_item_do_not_hang_on_the_others(tmp_path: Path) -> None:
    """A sample that cannot be read at all is none; only one response's is made up for."""
    said: dict[str, Any] = dict(SAID) | {"won@0": [[6], "length"], "won@1": [[4], "length"]}
    found = {
        row["id"]: row["totals"] for row in score_run(judged(tmp_path, said)).verdicts.to_pylist()
    }
    assert (found["won"], found["level"]) == ([6, 4], [14, 14])


def test_the_packaged_sample_by_single_responses(tmp_path: Path) -> None:
    words = ("run", "--engine", "fake", "--engine-arg", "accuracy=1", "--layout", "single")
    printed = json.loads(ask(*words, "--k", 2, "--results", tmp_path, "--json"))
    assert (printed["rows"][0]["value"], printed["rows"][0]["items"]) == (1, 75)
    assert printed["rows"][0]["samples"] == 2 * (40 * 2 + 15 * 4 + 20)


def test_games_are_not_played_by_single_responses(tmp_path: Path) -> None:
    """JudgeBench's two games are response orders: where there are none the table says so."""
    row = {"pair_id": "p", "source": "livebench-math", "question": "?", "label": "A>B"}
    row |= {"response_A": "a", "response_B": "b"}
    data = tmp_path / "data"
    data.mkdir()
    path = data / "x_response_model=gpt-4o-2024-05-13.jsonl"
    path.write_text(json.dumps(row))
    script: Script = {"p@0": [[9], [5]], "p@1": [[2], [6]], "p": [[9, 2], [5, 6]]}
    apart = score_run(judged(tmp_path, script, bench="judgebench", data=data))
    whole = score_run(judged(tmp_path, script, bench="judgebench", data=data, layout="list"))
    said = "one vote over all samples, NOT the official two games"
    assert [line for line in apart.footer if said in line] == [f"responses judged apart: {said}"]
    assert not [line for line in whole.footer if said in line]
    # 14 : 8 in one vote; one game each way is a tie, which is wrong.
    assert (apart.rows[0].value, whole.rows[0].value) == (1, 0)
