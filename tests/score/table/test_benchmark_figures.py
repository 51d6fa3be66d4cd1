"""ReaLMistake: does a single response's score tell errors from the rest? Its texts stay at home."""

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grmeval.benches import load
from grmeval.errors import DataError
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import Accuracy, Row, scale
from grmeval.score import score as score_run
from grmeval.store import RunFolder
from tests.helpers import Quiet, grmeval
from tests.score.table.test_accuracy import Script, Scripted

MATH, FACTS, ANSWERS = (
    "math_word_problem_generation",
    "finegrained_fact_verification",
    "answerability_classification",
)
GPT, LLAMA = "gpt-4-0613", "Llama-2-70b-chat-hf"
SECRET = "The zebra's invoice"

Cell = tuple[str, str]
Said = list[int] | str


def copy(folder: Path, cells: dict[Cell, list[str]], **more: Any) -> Path:
    """Rows in the archive's layout, `id:label` each."""
    for (task, model), names in cells.items():
        path = folder / "data" / task / f"{model}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            for name in names:
                uid, _, label = name.partition(":")
                row = {
                    "input": f"{SECRET}: check {uid}.",
                    "llm_response": f"{SECRET}, answered as {uid}.",
                    "error_label": label or "no_error",
                    "human_explanation": f"{SECRET} explained",
                    "error_categories": ["Reasoning Correctness"] if label else [],
                    "metadata": {"id": uid, "task_name": task, "llm_response_model": model},
                }
                file.write(json.dumps(row | more) + "\n")
    (folder / "data" / "example.jsonl").write_text('{"input": "not scored"}\n')
    return folder


CELLS: dict[Cell, list[str]] = {
    (MATH, GPT): ["m1", "m2:error", "m3:error"],
    (MATH, LLAMA): ["m4", "m5:error"],
    (FACTS, GPT): ["f1", "f2:error", "f3"],
    (ANSWERS, LLAMA): ["a1:error", "a2:error"],
}
# Without an error: 8, silence, 9, 4. With one: 3, 8, 6, 9, 2, 5.
SCORES: Script = {
    "m1": [[8]],
    "m2": [[3]],
    "m3": [[8]],
    "m4": ["length"],
    "m5": [[6]],
    "f1": [[9]],
    "f2": [[9]],
    "f3": [[4]],
    "a1": [[2]],
    "a2": [[5]],
}


def judged(folder: Path, script: Script, k: int = 1, cells: Any = None) -> RunFolder:
    settings = {"bench": "realmistake", "data": copy(folder, cells or CELLS), "engine": "fake"}
    plan = prepare(configure(settings | {"k": k, "results": folder / "r"}))
    return extend(plan, Quiet(), Engines(lambda seed: Scripted(script)))


def values(result: Accuracy, level: str) -> dict[str, float]:
    found = [row for row in result.rows if row.level == level]
    return {row.name: row.value for row in found if row.value == row.value}


def figures(result: Accuracy, of: str = "") -> dict[str, Row]:
    """By metric: of all responses, or of a section or subset."""
    found = [row for row in result.rows if row.level == "figure"]
    return {row.metric: row for row in found if row.name.rpartition(": ")[0] == of}


def row_of(result: Accuracy, name: str) -> Row:
    return next(row for row in result.rows if row.name == name)


# ---------------------------------------------------------------------- rows


def test_rows_are_single_responses(tmp_path: Path) -> None:
    loaded = load("realmistake", copy(tmp_path, CELLS))
    found = {item.id: (item.subset, item.quality) for item in loaded.items}
    assert len(found) == 10
    assert found["m1"] == (f"{MATH}/{GPT}", (1,))
    assert found["m5"] == (f"{MATH}/{LLAMA}", (0,))
    assert sum(loaded.missing.values()) == 890
    assert load("realmistake", tmp_path / "data").content_hash == loaded.content_hash
    assert not any(item.meta or item.reference for item in loaded.items)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"error_label": "maybe"}, "expected one of 'no_error', 'error', found 'maybe'"),
        ({"error_label": None}, "expected one of 'no_error', 'error', found None"),
        ({"metadata": {}}, r"no column 'metadata.id'; found: "),
        ({"metadata": "m1"}, r"no column 'metadata.id'; found: str"),
        ({"llm_response": ["x"]}, "column 'llm_response': expected text, found list"),
    ],
)
def test_a_mistake_in_a_row_is_named(tmp_path: Path, more: Any, message: str) -> None:
    copy(tmp_path, {(MATH, GPT): ["m1"]}, **more)
    with pytest.raises(DataError, match=rf"{MATH}/{GPT}.jsonl, row 1: .*{message}") as caught:
        load("realmistake", tmp_path)
    assert SECRET not in str(caught.value)


def test_the_label_has_the_name_that_the_files_give_it(tmp_path: Path) -> None:
    path = copy(tmp_path, {(MATH, GPT): ["m1"]}) / "data" / MATH / f"{GPT}.jsonl"
    path.write_text(path.read_text().replace('"error_label"', '"label"'))
    with pytest.raises(DataError, match=r"no column 'error_label'; found: .*, label, llm_response"):
        load("realmistake", tmp_path)


# ---------------------------------------------------------------------- the AUC, by hand


def test_the_auc_is_pooled_and_by_task_cell_and_view(tmp_path: Path) -> None:
    result = score_run(judged(tmp_path, SCORES))
    overall = result.rows[0]
    # 8: 3 _8_ 6 2 5; silence: half of six; 9: 3 8 6 _9_ 2 5; 4: 3 2.
    assert overall.value == pytest.approx((4.5 + 3 + 5.5 + 2) / 24)
    assert (overall.name, overall.metric, overall.items) == ("overall", "roc-auc", 10)
    assert (overall.samples, overall.invalid, overall.silent, overall.auc) == (10, 1, 1, None)
    assert overall.low < overall.value < overall.high
    assert values(result, "section") == pytest.approx(
        {
            "Math word problem generation": (2.5 + 1.5) / 6,
            "Fine-grained fact verification": (0.5 + 0) / 2,
        }
    )
    assert values(result, "subset") == pytest.approx(
        {f"{MATH}/{GPT}": 1.5 / 2, f"{MATH}/{LLAMA}": 0.5, f"{FACTS}/{GPT}": 0.25}
    )
    assert values(result, "view") == pytest.approx(
        {"responses of GPT-4": (1.5 + 2.5 + 1) / 9, "responses of Llama 2 70B": 1.5 / 3}
    )
    # Responses that all hold an error have no curve.
    nothing = row_of(result, "Answerability classification")
    assert (nothing.items, nothing.expected, nothing.samples) == (0, 300, 2)


@pytest.mark.parametrize(
    ("rule", "expected", "items"),
    [
        ("half", 15 / 24, 10),
        ("share", 15 / 24, 10),
        ("wrong", 12 / 24, 10),  # below everything
        ("drop", 12 / 18, 9),
    ],
)
def test_silence_about_a_good_response(
    tmp_path: Path, rule: str, expected: float, items: int
) -> None:
    result = score_run(judged(tmp_path, SCORES), on_invalid=rule)
    assert result.rows[0].value == pytest.approx(expected)
    assert result.rows[0].items == items
    official = "no readable judgement: half a point (official)"
    assert any(official in line for line in result.footer) == (rule == "half")


@pytest.mark.parametrize(
    ("rule", "expected", "items"),
    [("half", 17.5 / 24, 10), ("wrong", 15.5 / 24, 10), ("drop", 15.5 / 20, 9)],
)
def test_silence_about_an_error(tmp_path: Path, rule: str, expected: float, items: int) -> None:
    """Without f2: 8 beats 3 6 2 5 and half of the 8, 7 beats four, 9 all five, 4 two."""
    script = dict(SCORES) | {"m4": [[7]], "f2": ["error"]}
    result = score_run(judged(tmp_path, script), on_invalid=rule)
    assert result.rows[0].value == pytest.approx(expected)
    assert result.rows[0].items == items


def test_a_perfect_judge_and_a_constant_one(tmp_path: Path) -> None:
    labels = {
        name.partition(":")[0]: not name.endswith("error") for c in CELLS.values() for name in c
    }
    perfect: Script = {name: [[9 if good else 2]] for name, good in labels.items()}
    assert score_run(judged(tmp_path, perfect)).rows[0].value == 1
    constant: Script = {name: [[5]] for name in labels}
    (tmp_path / "c").mkdir()
    assert score_run(judged(tmp_path / "c", constant)).rows[0].value == 0.5


# ---------------------------------------------------------------------- the figures, by hand


def test_finding_errors_by_hand(tmp_path: Path) -> None:
    """At 5.5: m2 a1 a2 are found, m3 m5 f2 are not, f3 is a false alarm, m4 is silent."""
    folder = judged(tmp_path, SCORES)
    wanted = {"accuracy": 5 / 10, "precision": 3 / 4, "recall": 3 / 6, "f1": 2 * 3 / (4 + 6)}
    for rule in ("half", "wrong", "drop"):  # silence is a wrong verdict that names no error
        result = score_run(folder, on_invalid=rule)
        found = figures(result)
        assert {name: row.value for name, row in found.items()} == pytest.approx(wanted)
        assert found["precision"].name == "precision of finding errors (threshold 5.5)"
        assert {name: row.items for name, row in found.items()} == {
            "accuracy": 10,
            "precision": 4,
            "recall": 6,
            "f1": 7,
        }
        assert all(row.low < row.value < row.high for row in found.values())


def test_finding_errors_by_section_and_subset(tmp_path: Path) -> None:
    """Of the math problems m2 is found, m3 and m5 are not, m4 is silent, m1 is right."""
    result = score_run(judged(tmp_path, SCORES))
    wanted = {
        "Math word problem generation": (2 / 5, 1, 1 / 3, 2 / (1 + 3)),
        f"{MATH}/{GPT}": (2 / 3, 1, 1 / 2, 2 / (1 + 2)),
        "Fine-grained fact verification": (1 / 3, 0, 0, 0),
        f"{ANSWERS}/{LLAMA}": (1, 1, 1, 1),
    }
    for of, numbers in wanted.items():
        found = figures(result, of)
        assert list(found) == ["accuracy", "precision", "recall", "f1"]
        assert [row.value for row in found.values()] == pytest.approx(list(numbers))
        assert found["accuracy"].items == row_of(result, of).samples


def test_an_error_that_cannot_be_read_is_not_found(tmp_path: Path) -> None:
    result = score_run(judged(tmp_path, dict(SCORES) | {"m2": ["error"]}))
    found = {metric: row.value for metric, row in figures(result).items()}
    wanted = {"accuracy": 4 / 10, "precision": 2 / 3, "recall": 2 / 6, "f1": 4 / (3 + 6)}
    assert found == pytest.approx(wanted)


def test_a_judge_that_names_no_error(tmp_path: Path) -> None:
    names = [name.partition(":")[0] for cell in CELLS.values() for name in cell]
    result = score_run(judged(tmp_path, {name: [[9]] for name in names}))
    found = {metric: row.value for metric, row in figures(result).items()}
    assert (found["accuracy"], found["recall"], found["f1"]) == (0.4, 0, 0)
    assert np.isnan(found["precision"])  # of none


# ---------------------------------------------------------------------- fewer samples than are there


def brute_force(right: Any, scores: Any, k: int, rule: str) -> float:
    """Mean over every subset of k samples, the same for all responses; NaN: unread."""
    found = []
    for subset in combinations(range(scores.shape[1]), k):
        part = scores[:, list(subset)]
        read = (~np.isnan(part)).sum(axis=1)
        mean = np.where(read > 0, np.nansum(part, axis=1) / np.maximum(read, 1), np.nan)
        wins = []
        for one in mean[right]:
            for other in mean[~right]:
                silent = np.isnan(one) or np.isnan(other)
                lost = {"half": 0.5, "wrong": 0.0}[rule]
                wins.append(lost if silent else (np.sign(one - other) + 1) / 2)
        found.append(np.mean(wins))
    return float(np.mean(found))


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("rule", ["half", "wrong"])
def test_fewer_samples_are_a_mean_over_subsets(tmp_path: Path, k: int, rule: str) -> None:
    rng = np.random.default_rng(8)
    names = [f"x{at}" if at % 3 else f"x{at}:error" for at in range(24)]
    right = np.array([not name.endswith(":error") for name in names])
    scores = rng.integers(1, 8, (24, 4)) + 2.0 * right[:, None]
    scores[rng.random(scores.shape) < 0.25] = np.nan
    script: Script = {
        f"x{at}": ["length" if np.isnan(s) else [int(s)] for s in scores[at]] for at in range(24)
    }
    folder = judged(tmp_path, script, 4, {(MATH, GPT): names[:12], (FACTS, LLAMA): names[12:]})
    result = score_run(folder, k=k, on_invalid=rule)
    assert result.rows[0].value == pytest.approx(brute_force(right, scores, k, rule))
    first = row_of(result, f"{MATH}/{GPT}").value
    assert first == pytest.approx(brute_force(right[:12], scores[:12], k, rule))
    curve = scale(folder, ks=[k], votes=["sum"], on_invalid=rule).rows[0]
    assert (curve.value, curve.metric) == (result.rows[0].value, "roc-auc")
    # Of the first k alone there is one subset.
    alone = scale(folder, ks=[k], votes=["sum"], on_invalid=rule, first=True).rows[0]
    assert alone.value == pytest.approx(brute_force(right, scores[:, :k], k, rule))


def test_more_samples_split_ties(tmp_path: Path) -> None:
    script = {name: [*said, *said] for name, said in SCORES.items()} | {"m1": [[8], [9]]}
    folder = judged(tmp_path, script, 2)
    # Of both samples m1's 8.5 beats m3's 8 and still loses to f2's 9.
    assert score_run(folder).rows[0].value == pytest.approx(15.5 / 24)
    # Of one: level with m3, or level with f2 and above m3.
    assert score_run(folder, k=1).rows[0].value == pytest.approx((15 + 16) / 2 / 24)
    # By majority only the side of 5.5 counts: 8 and 9 are alike, and so are 2, 3, 4 and 5.
    majority = score_run(folder, votes=["majority"]).rows[0]
    assert majority.value == pytest.approx((2 * (3 + 3 * 0.5) + 6 * 0.5 + 3 * 0.5) / 24)


# ---------------------------------------------------------------------- texts stay at home


@pytest.fixture
def restricted(tmp_path: Path) -> RunFolder:
    """A run whose every judgement quotes a response."""
    words = ("run", "--bench", "realmistake", "--data", copy(tmp_path, CELLS), "--engine", "fake")
    ask(*words, "--engine-arg", "quote=1", "--k", 2, "--results", tmp_path / "r")
    (path,) = (tmp_path / "r").glob("*/*/*/run.json")
    return RunFolder(path.parent)


def ask(*words: object, code: int = 0) -> tuple[str, str]:
    found = grmeval(*words)
    assert found.returncode == code, found.stderr
    return found.stdout, found.stderr


def test_a_run_of_restricted_texts_is_marked(restricted: RunFolder) -> None:
    assert restricted.restricted
    assert "do not publish this folder" in (restricted.path / "RESTRICTED").read_text()
    told = json.loads(ask("show", restricted.path, "--json")[0])
    assert told["restricted"] is True
    assert "not to be published" in ask("show", restricted.path)[0]
    # Only judgements may quote the texts: no other file of the folder holds any.
    for path in restricted.path.rglob("*"):
        if path.is_file() and path.name != "samples.parquet" and path.parent.name != "journal":
            assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet", None])
@pytest.mark.parametrize("texts", [[], ["--no-texts"], ["--texts"]])
def test_export_leaves_texts_out(
    restricted: RunFolder, tmp_path: Path, ending: str | None, texts: list[str]
) -> None:
    to = tmp_path / f"out{ending}"
    words = ["export", str(restricted.path), *texts, *(["--to", str(to)] if ending else [])]
    out, err = ask(*words)
    if ending == ".parquet":
        from grmeval.parquet import read_parquet

        out = json.dumps(read_parquet(to).to_pylist())
    elif ending:
        out = to.read_text()
    assert (SECRET in out) == (texts == ["--texts"])
    assert ("texts are left out" in err) == (not texts)
    assert ("thinking" in out) == (texts == ["--texts"])
    assert "scores" in out
    for what in ("items", "verdicts"):
        assert SECRET not in ask("export", restricted.path, "--what", what)[0]


@pytest.mark.parametrize("as_json", [True, False])
def test_an_item_is_shown_without_its_texts(
    restricted: RunFolder, tmp_path: Path, as_json: bool
) -> None:
    words = ["show", str(restricted.path), "--item", "m3", *(["--json"] if as_json else [])]
    out, _ = ask(*words)
    assert SECRET not in out
    assert "restricted benchmark" in out
    out, _ = ask(*words, "--texts")
    # The question, the response, and a judgement that quotes it twice.
    assert out.count("answered as m3") == 3
    if as_json:
        story = json.loads(ask(*words)[0])
        assert [s["text"] for s in story["samples"]] == [None, None]
        assert story["samples"][0]["scores"] is not None
        assert "responses" not in story


def test_other_commands_print_no_texts(restricted: RunFolder) -> None:
    for words in (["score", restricted.path], ["scale-curve", restricted.path, "--json"]):
        out, err = ask(*words)
        assert SECRET not in out + err
    results = restricted.path.parents[2]
    assert SECRET not in "".join(ask("runs", "--results", results))


def test_imported_judgements_of_it_are_restricted_too(tmp_path: Path) -> None:
    row = {"subset": f"{MATH}/{GPT}", "id": "m1", "j": 0, "scores": [3], "quality": [1]}
    content: Sequence[Any] = [row | {"text": SECRET}, row | {"id": "m2", "quality": [0]}]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, content)))
    words = ("--bench", "realmistake", "--model", "m", "--results", tmp_path / "r")
    ask("import", "scores", tmp_path / "s.jsonl", *words)
    (marked,) = (tmp_path / "r").rglob("RESTRICTED")
    out, err = ask("export", marked.parent)
    assert SECRET not in out
    assert "texts are left out" in err
