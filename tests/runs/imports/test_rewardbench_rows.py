"""Files of the RewardBench tools: best of n with its scores, and a file's results against its scores."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import DataError
from grmeval.runs.imports import import_scores
from grmeval.runs.imports.make_run import Imported
from grmeval.score import score
from tests.helpers import rows
from tests.runs.imports.test_import_pools import data
from tests.runs.imports.test_make_run import as_csv

Row = dict[str, Any]


def official(scores: Sequence[float]) -> float:
    """What RewardBench 2's tool writes into `results`: the share of the highest, if the first has it."""
    highest = [score == max(scores) for score in scores]
    return highest[0] / sum(highest)


def result(name: str, subset: str, scores: Sequence[float], correct: int = 1, **more: Any) -> Row:
    """A row of RewardBench 2's tool: a text a response, and no `j`."""
    return {
        "text": [f"user: {name}? assistant: {i}" for i in range(len(scores))],
        "scores": list(scores),
        "results": official(scores),
        "id": name,
        "subset": subset,
        "num_correct": correct,
    } | more


RESULTS = [
    result("1", "Factuality", [3.5, 1, 2, 0.25]),
    result("1", "Math", [2, 2, 1, 0]),
    result("ref:7", "Ties", [5, 1, 2]),
    result("tied:7", "Ties", [5, 6, 5, 1, 2], correct=3),
    result("ref:8", "Ties", [1, 2]),
    result("tied:8", "Ties", [3, 3, 1, 2], correct=2),
]
SETTINGS = {"model": "org/judge", "model_type": "Seq. Classifier", "chat_template": None}


def taken(path: Path, content: Sequence[Row], bench: str = "rewardbench-2") -> Imported:
    """As the tool writes it: an object of columns, with the model's settings beside."""
    columns = {name: [row[name] for row in content] for name in content[0]}
    if path.suffix == ".csv":
        path.write_bytes(as_csv(content))
    else:
        path.write_text(json.dumps(columns | SETTINGS, indent=4), "utf-8")
    copy = data(path.parent) if bench == "rewardbench-2" else None
    return import_scores(path, bench, "org/judge", copy, path.parent / "r")


def test_results_of_rewardbench_2_become_a_run(tmp_path: Path) -> None:
    found = taken(tmp_path / "v2.json", RESULTS)
    stored = {(r["subset"], r["id"]): r["scores"] for r in rows(found.folder.path)}
    assert stored["Factuality", "1"] == [3.5, 1, 2, 0.25]
    assert stored["Ties", "tied:7@1"] == [6]
    sections = {row.name: row.value for row in score(found.folder).rows if row.level == "section"}
    assert (sections["Factuality"], sections["Math"]) == (1, 0.5)
    # Right: tied:7, tied:8 and ref:7. Both gaps of 7 exceed its spread, of 8 only that of tied.
    assert sections["Ties"] == pytest.approx(0.3 + 0.3 / 2 + 0.2 + 0.2 / 2, abs=0.01)
    (note,) = found.notes
    assert note == (
        f"{tmp_path / 'v2.json'}: its own results: 2 of 2 are what its scores earn under ties: share, "
        "the rule in force"
    )


def test_the_same_as_csv_and_with_each_score_in_a_list(tmp_path: Path) -> None:
    first = taken(tmp_path / "v2.json", RESULTS)
    assert taken(tmp_path / "v2.csv", RESULTS).folder.path == first.folder.path
    nested = [row | {"scores": [[score] for score in row["scores"]]} for row in RESULTS]
    assert taken(tmp_path / "nested.json", nested).folder.path == first.folder.path


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scores": None}, "scores: null beside results: which response won is not told"),
        (
            {"num_correct": 5},
            "num_correct: expected a whole number from 1 to the 4 scores, found 5",
        ),
        ({"num_correct": "one"}, "num_correct: expected a whole number"),
        ({"num_correct": 2}, r"quality .*: \[1, 1, 0, 0\] here, \[1, 0, 0, 0\] in the rows of"),
        ({"results": 2}, "results: expected a number from 0 to 1, found 2"),
        ({"scores": "high"}, "scores: expected a list"),
        ({"scores": [1, 2, 3]}, "number of responses: 3 here, 4 in the rows of rewardbench-2"),
    ],
)
def test_a_mistake_in_a_result_is_named(tmp_path: Path, changed: Row, message: str) -> None:
    with pytest.raises(DataError, match=rf"v2.json, row 2: .*{message}"):
        taken(tmp_path / "v2.json", [RESULTS[0], RESULTS[1] | changed])
    assert not (tmp_path / "r").exists()


# ---------------------------------------------------------------------- its results, under which rule

PAIRS = {"hep-go": [(2, 1), (1, 1), (1, 1)], "donotanswer": [(1, 2), (3, 3)]}


def pairs(wins: float, ties: float) -> list[Row]:
    """Rows of RewardBench's tool, a win and a tie paid so."""
    paid = {True: wins, False: 0.0}
    return [
        {"id": i, "subset": subset, "scores_chosen": chosen, "scores_rejected": rejected}
        | {"results": ties if chosen == rejected else paid[chosen > rejected]}
        for subset, found in PAIRS.items()
        for i, (chosen, rejected) in enumerate(found)
    ]


@pytest.mark.parametrize(
    ("wins", "ties", "notes"),
    [
        (1, 0.5, ["5 of 5 are what its scores earn under ties: half, the rule in force"]),
        (
            1,
            0,
            [
                "2 of 5 are what its scores earn under ties: half, the rule in force; "
                "not donotanswer 1 of 2, hep-go 2 of 3",
                "all of them under ties: wrong: `grmeval score RUN --ties wrong`",
            ],
        ),
        (
            0.75,
            0,
            [
                "1 of 5 are what its scores earn under ties: half, the rule in force; "
                "not donotanswer 1 of 2, hep-go 3 of 3",
                "no rule gives all of them (wrong 4, share 1, half 1); the first that wrong does not: "
                "{file}, row 1: results 0.75 where the scores earn 1",
            ],
        ),
    ],
)
def test_the_rule_that_a_files_results_follow_is_named(
    tmp_path: Path, wins: float, ties: float, notes: list[str]
) -> None:
    file = tmp_path / "v1.json"
    found = taken(file, pairs(wins, ties), "rewardbench")
    first, *more = (note.replace("{file}", str(file)) for note in notes)
    assert list(found.notes) == [f"{file}: its own results: {first}", *more]


def test_results_without_scores_are_held_against_nothing(tmp_path: Path) -> None:
    bare = [{n: row[n] for n in ("id", "subset", "results")} for row in pairs(1, 0.5)]
    assert taken(tmp_path / "v1.json", bare, "rewardbench").notes == ()
    assert taken(tmp_path / "v1.csv", bare, "rewardbench").new == 0
