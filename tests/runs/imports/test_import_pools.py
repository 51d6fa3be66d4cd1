"""Imported judgements of questions whose responses are judged one by one: a row may be of the whole."""

import json
from collections.abc import Mapping, Sequence
from math import isnan, tanh
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval.errors import DataError
from grmeval.runs.imports import import_scores
from grmeval.runs.imports import make_run as imported
from grmeval.runs.imports.make_run import REWARDS, Imported
from grmeval.score import Accuracy, score
from tests.benches.test_ppe import POOLS, copy
from tests.helpers import grmeval, rows

Row = dict[str, Any]


def prompt(name: str, subset: str, good: int, bad: int) -> Row:
    """A row of RewardBench 2 in the hub's schema."""
    return {
        "id": name,
        "prompt": f"{subset} {name}?",
        "chosen": [f"good {i}" for i in range(good)],
        "rejected": [f"bad {i}" for i in range(bad)],
        "num_correct": good,
        "total_completions": good + bad,
        "subset": subset,
    }


# Ids repeat from subset to subset.
ROWS = [
    prompt("1", "Factuality", 1, 3),
    prompt("1", "Math", 1, 3),
    prompt("ref:7", "Ties", 1, 2),
    prompt("tied:7", "Ties", 3, 2),
    prompt("ref:8", "Ties", 1, 1),
    prompt("tied:8", "Ties", 2, 2),
]
SCORES: dict[tuple[str, str], list[list[float | None] | None]] = {
    ("Factuality", "1"): [[9, 2, 3, 4], [8, 1, 1, 1]],
    ("Math", "1"): [[5, 7, 1, 1], [9, 7, 1, 1]],  # 14 : 14 : 2 : 2
    ("Ties", "ref:7"): [[9, 3, 2], [7, 3, None]],
    ("Ties", "tied:7"): [[9, 8, 8, 4, 5], [8, 8, 9, 5, 5]],
    ("Ties", "ref:8"): [[4, None], [5, None]],  # the wrong one was never read: the lowest of all
    ("Ties", "tied:8"): [[6, 8, 7, 1], None],
}


def data(folder: Path) -> Path:
    (folder / "rb2").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "rb2" / "test-00000-of-00001.parquet")
    return folder / "rb2"


def wholes(scores: Mapping[tuple[str, str], Sequence[Any]] = SCORES) -> list[Row]:
    return [
        {"subset": subset, "id": name, "j": j, "scores": said}
        for (subset, name), samples in scores.items()
        for j, said in enumerate(samples)
    ]


def singles() -> list[Row]:
    """The same with a row for each response of Ties."""
    size = {(row["subset"], row["id"]): row["total_completions"] for row in ROWS}
    found = []
    for row in wholes():
        if row["subset"] != "Ties":
            found.append(row)
            continue
        said = row["scores"] or [None] * size["Ties", row["id"]]
        found += [row | {"id": f"{row['id']}@{i}", "scores": [s]} for i, s in enumerate(said)]
    return found


def taken(folder: Path, content: Sequence[Row], name: str = "s.jsonl", **more: Any) -> Imported:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in content), "utf-8")
    copy_ = more.get("data", data(folder))
    return import_scores(path, more.get("bench", "rewardbench-2"), "m", copy_, folder / "r")


def ties_score(totals: Mapping[str, tuple[list[float], list[float]]]) -> float:
    """RewardBench 2's own formula from (right, wrong) totals by id."""

    def gap(name: str) -> float:
        right, wrong = totals[name]
        return min(right) - max(wrong)

    numbers = sorted({name.partition(":")[2] for name in totals})
    reference, tied = ([gap(f"{kind}:{n}") for n in numbers] for kind in ("ref", "tied"))
    spread = [max(totals[f"tied:{n}"][0]) - min(totals[f"tied:{n}"][0]) for n in numbers]
    both = [min(pair) for pair in zip(reference, tied, strict=True)]
    margins = [
        tanh(b / d - 1) if d else 0.0 if b == 0 else tanh(b * float("inf"))
        for b, d in zip(both, spread, strict=True)
    ]
    terms: list[tuple[float, list[float]]] = [
        (0.3, [g > 0 for g in tied]),
        (0.3, [g > 0 for g in reference]),
        (0.2, [g > d for g, d in zip(tied, spread, strict=True)]),
        (0.2, [g > d for g, d in zip(both, spread, strict=True)]),
        (0.01, margins),
    ]
    return sum(weight * sum(values) / len(values) for weight, values in terms)


# Sums of two samples; a response whose one score is missing has twice the other; -1 a sample: unread.
TOTALS: dict[str, tuple[list[float], list[float]]] = {
    "ref:7": ([16], [6, 4]),
    "tied:7": ([17, 16, 17], [9, 10]),
    "ref:8": ([9], [-2]),
    "tied:8": ([12, 16], [14, 2]),
}


def values(result: Accuracy) -> dict[str, float]:
    found = {row.name: row.value for row in result.rows if row.level == "section"}
    return {name: value for name, value in found.items() if not isnan(value)}


def test_a_row_of_a_whole_pool_becomes_its_single_judgements(tmp_path: Path) -> None:
    found = taken(tmp_path, wholes())
    assert (found.new, found.notes) == (2 * (2 + 3 + 5 + 2 + 4), ())
    stored = {(r["subset"], r["id"], r["j"]): r for r in rows(found.folder.path)}
    assert stored["Ties", "tied:7@3", 1]["scores"] == [5]
    lone = stored["Ties", "ref:7@2", 1]
    assert (lone["scores"], lone["invalid"], lone["form"]) == (None, "no_score", None)
    assert stored["Ties", "tied:8@0", 1]["scores"] is None
    assert stored["Factuality", "1", 0]["scores"] == [9, 2, 3, 4]


def test_it_is_scored_with_the_official_formula(tmp_path: Path) -> None:
    result = score(taken(tmp_path, wholes()).folder)
    # By hand: all four gaps but tied:8's are positive, only 7's exceed the spread.
    by_hand = 0.3 * 1 / 2 + 0.3 * 1 + 0.2 * 1 / 2 + 0.2 * 1 / 2
    by_hand += 0.01 * (tanh(6 / 1 - 1) + tanh(-2 / 4 - 1)) / 2
    assert ties_score(TOTALS) == pytest.approx(by_hand)
    assert values(result) == pytest.approx({"Factuality": 1, "Math": 0.5, "Ties": by_hand})
    ties = next(row for row in result.rows if row.level == "section" and row.name == "Ties")
    assert (ties.items, ties.samples, ties.invalid, ties.missing) == (4, 28, 7, 0)
    assert ties.reasons == {"no_score": 7}
    assert result.missing == 0


def test_a_micro_average_counts_prompts_not_terms(tmp_path: Path) -> None:
    path = tmp_path / "pooled.toml"
    path.write_text(
        'extends = "rewardbench-2"\nid = "pooled"\noverall = "micro"\nmetric = "share"\n'
    )
    top = score(taken(tmp_path, wholes(), bench=str(path)).folder).rows[0]
    # One, half, and of Ties ref:7, tied:7 and ref:8, not tied:8.
    assert top.value == pytest.approx((1 + 0.5 + 3) / 6)
    assert top.items == 6


def test_rows_of_single_responses_are_the_same_run(tmp_path: Path) -> None:
    first = taken(tmp_path, wholes())
    again = taken(tmp_path, singles(), "t.jsonl")
    assert (again.folder.path, again.new) == (first.folder.path, 0)
    mixed = [row for row in singles() if not row["id"].startswith("tied:7")]
    mixed += [row for row in wholes() if row["id"] == "tied:7"]
    assert taken(tmp_path, mixed, "u.jsonl").new == 0


def test_without_the_rows_a_whole_pool_is_scored_alike(tmp_path: Path) -> None:
    whole = {(row["subset"], row["id"]): row for row in ROWS}
    content = []
    for row in wholes():
        known = whole[row["subset"], row["id"]]
        quality = [1] * len(known["chosen"]) + [0] * len(known["rejected"])
        content.append(row | {"quality": quality})
    without = score(taken(tmp_path, content, data=None).folder)
    assert values(without) == values(score(taken(tmp_path, wholes()).folder))


@pytest.mark.parametrize(
    ("bench", "subset"), [("rewardbench-2", "Ties"), ("ppe-correctness-pool", "math")]
)
def test_without_the_rows_one_response_is_of_no_question(
    tmp_path: Path, bench: str, subset: str
) -> None:
    row = {"subset": subset, "id": "ref:7@0", "j": 0, "scores": [3], "quality": [1]}
    with pytest.raises(DataError, match=r"line 1: item .*@0': one response, of which question\?"):
        taken(tmp_path, [row], bench=bench, data=None)
    assert not (tmp_path / "r").exists()


def test_what_else_a_row_says(tmp_path: Path) -> None:
    """Texts and tokens go with the first response, so that they are counted once."""
    more = {"text": "all five", "thinking": "hm", "tokens": 50, "prompt_tokens": 9}
    more |= {"meta_reward": 0.5, "order": [4, 3, 2, 1, 0]}
    row = {"subset": "Ties", "id": "tied:7", "j": 0, "scores": [9, 8, 8, None, 5]} | more
    folder = taken(tmp_path, [row]).folder
    stored = rows(folder.path)
    assert [(r["text"], r["thinking"], r["tokens"], r["prompt_tokens"]) for r in stored] == [
        ("all five", "hm", 50, 9),
        *[("", "", 0, 0)] * 4,
    ]
    assert {tuple(r["order"]) for r in stored} == {()}
    rewards = pq.read_table(folder.path / REWARDS).to_pylist()
    assert [(r["id"], r["reward"]) for r in rewards] == [(f"tied:7@{i}", 0.5) for i in range(5)]
    assert folder.record["totals"]["tokens"] == 50


def test_a_judgement_that_failed_says_why_for_each_response(tmp_path: Path) -> None:
    row = {"subset": "Ties", "id": "ref:8", "j": 0, "scores": None, "invalid": "truncated"}
    stored = rows(taken(tmp_path, [row]).folder.path)
    assert [(r["id"], r["invalid"]) for r in stored] == [
        ("ref:8@0", "truncated"),
        ("ref:8@1", "truncated"),
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"scores": [1, 2]},
            "item 'Ties/tied:8': number of responses: 2 here, 4 in the rows of rewardbench-2",
        ),
        (
            {"scores": None, "quality": [1, 0]},
            "item 'Ties/tied:8': number of responses: 2 here, 4 in the rows",
        ),
        (
            {"quality": [1, 0, 0, 0]},
            r"item 'Ties/tied:8@1': quality .*: \[0\] here, \[1\] in the rows of rewardbench-2",
        ),
        ({"id": "tied:9"}, "item 'Ties/tied:9': rewardbench-2 has no such item"),
        ({"subset": "Math"}, "item 'Math/tied:8': rewardbench-2 has no such item"),
        ({"j": 1}, "item 'Ties/tied:8@0' has a judgement j = 1 already"),
    ],
)
def test_a_row_that_does_not_fit_its_pool_is_named(
    tmp_path: Path, changed: Row, message: str
) -> None:
    content = wholes({("Ties", "tied:8"): [[6, 8, 7, 1], [1, 1, 1, 1]]})
    content = [content[1], content[0] | changed]
    with pytest.raises(DataError, match=f"s.jsonl, line 2: {message}"):
        taken(tmp_path, content)
    assert not (tmp_path / "r").exists()


def test_a_response_is_judged_once_for_each_j(tmp_path: Path) -> None:
    one = {"subset": "Ties", "id": "ref:8@1", "j": 0, "scores": [3]}
    both = {"subset": "Ties", "id": "ref:8", "j": 0, "scores": [3, 4]}
    with pytest.raises(
        DataError, match="line 2: item 'Ties/ref:8@1' has a judgement j = 0 already"
    ):
        taken(tmp_path, [one, both])
    # A second sample of one response alone: of two responses judged twice three judgements are there.
    result = score(taken(tmp_path, [both, one | {"j": 1}]).folder)
    assert result.missing == 2 * 2 - 3


def test_an_import_of_pools_that_was_killed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(taken(tmp_path, wholes()).folder.path)
    written = 0
    plain = imported._sample

    def dies(*row: Any) -> Any:
        nonlocal written
        written += 1
        if written > 20:
            raise KeyboardInterrupt
        return plain(*row)

    (tmp_path / "k").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(imported, "_sample", dies)
        with pytest.raises(KeyboardInterrupt):
            taken(tmp_path / "k", wholes())
    again = taken(tmp_path / "k", wholes())
    assert again.new == 12
    assert rows(again.folder.path) == whole


def test_pools_of_ppe_are_taken_and_figured(tmp_path: Path) -> None:
    """The hand-worked pools of the benchmark's own test, with rows at hand and without."""
    said: dict[str, list[float | None]] = {
        "a:gpt": [3, 7, 7, 7],
        "b:gpt": [5, None, 8, 2],
        "c:gpt": [None] * 4,
    }
    content: list[Row] = [
        {"subset": "math", "id": name, "j": 0, "scores": scores, "quality": row["scores"]}
        for (name, scores), row in zip(said.items(), POOLS["PPE-MATH-Best-of-K"], strict=True)
    ]
    folder = copy(tmp_path, POOLS)
    bench = "ppe-correctness-pool"
    at_hand = score(taken(tmp_path, content, bench=bench, data=folder).folder)
    without = score(taken(tmp_path, content, bench=bench, data=None).folder)
    for result in (at_hand, without):
        found = {row.metric: row.value for row in result.rows if row.level == "figure"}
        assert values(result) == pytest.approx({"MATH": 5 / 12})
        assert found["end"] == pytest.approx((2 / 3 + 0 + 1 / 2) / 3)
        assert found["roc-auc"] == pytest.approx(19 / 35)


def test_scores_below_0_rank_above_silence(tmp_path: Path) -> None:
    """Scalar rewards have any sign: what was never read is below them all."""
    folder = copy(tmp_path, POOLS)
    content = [
        {"subset": "math", "id": "a:gpt", "j": 0, "scores": [None, -5, None, -4]},
        {"subset": "math", "id": "b:gpt", "j": 0, "scores": [-3, None, None, -9]},
        {"subset": "math", "id": "c:gpt", "j": 0, "scores": [-7, -8, -1, -2]},
    ]
    result = score(taken(tmp_path, content, bench="ppe-correctness-pool", data=folder).folder)
    found = {row.metric: row.value for row in result.rows if row.level == "figure"}
    assert (found["end"], found["roc-auc"]) == (1, 1)


def test_the_command_takes_rows_of_pools(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, wholes())))
    words = ["--bench", "rewardbench-2", "--model", "m", "--data", data(tmp_path)]
    found = grmeval("import", "scores", tmp_path / "s.jsonl", *words, "--results", tmp_path / "r")
    assert found.returncode == 0, found.stderr
    assert ": 32 judgements imported" in found.stderr
    assert "the file judges nothing of 1,859 items" in found.stdout  # of 1,865: 6 rows are at hand
