"""PPE: the hub's columns, battles and their ties, conflict pairs of five sets, pools and best-of-K."""

import io
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval.benches import load
from grmeval.errors import ConfigError, DataError
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.runs import configuration as chosen
from grmeval.score import Accuracy, Row, score
from grmeval.store import RunFolder
from tests.helpers import Quiet, grmeval
from tests.hub import COMMIT, Hub, serve
from tests.score.table.test_accuracy import Script, Scripted

Rows = Sequence[dict[str, Any]]

HUMAN = "PPE-Human-Preference-V1"
SETS = {
    "MMLU-Pro": "mmlu-pro",
    "MATH": "math",
    "GPQA": "gpqa",
    "MBPP-Plus": "mbpp-plus",
    "IFEval": "ifeval",
}
REPOSITORIES = {f"PPE-{name}-Best-of-K": name for name in SETS}


def battle(name: str, winner: Any, models: str = "ada bob", **more: Any) -> dict[str, Any]:
    """A row of PPE Preference."""
    model_a, model_b = models.split()
    return {
        "question_id": name,
        "model_a": model_a,
        "model_b": model_b,
        "winner": winner,
        "prompt": f"Battle {name}?",
        "response_1": f"first {name}",
        "response_2": f"second {name}",
        "language": "English",
        "hard_prompt": False,
        "conv_metadata": {"turns": 1},
    } | more


def question(
    name: str, scores: Any, pairs: Any = ((0, 1),), model: str = "gpt", **more: Any
) -> dict[str, Any]:
    """A row of a best-of-K set: as many responses as scores."""
    responses = {f"response_{i + 1}": f"{name} by {model}, {i}" for i in range(len(scores))}
    return {
        "question_id": name,
        "model_name": model,
        "prompt": f"Solve {name}.",
        **responses,
        "scores": scores,
        "sampled_conflict_pairs": [list(pair) for pair in pairs],
        "conflict_pairs": [[90, 91]],
        "ground_truth": "42",
        "mean_score": 0.5,
    } | more


def parquet(rows: Rows) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), buffer)
    return buffer.getvalue()


def files(repository: str) -> str:
    split = "test" if repository == HUMAN else "train"
    return f"data/{split}-00000-of-00001.parquet"


def copy(folder: Path, tables: Mapping[str, Rows]) -> Path:
    """The datasets side by side in one folder, as they are downloaded."""
    for repository, rows in tables.items():
        path = folder / repository / files(repository)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(parquet(rows))
    return folder


def on_hub(tables: Mapping[str, Rows]) -> Hub:
    """The same on a hub, with files beside that nobody needs."""
    return Hub(
        files={
            ("dataset", f"lmarena-ai/{repository}"): {
                files(repository): parquet(rows),
                "README.md": b"card",
                "data/dev-00000-of-00001.parquet": b"never asked for",
            }
            for repository, rows in tables.items()
        }
    )


def run(hub: Hub, folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    words = ("run", "--engine", "fake", "--k", 2, "--results", folder / "r", *words)
    own = {"GRMEVAL_CACHE": str(folder / "cache")}
    return grmeval(*words, env=hub.environment(folder / "hf") | own)


def benches(*names: str) -> list[str]:
    return [word for name in names for word in ("--bench", name)]


def judged(folder: Path, bench: str, data: Path, script: Script, k: int, **more: Any) -> RunFolder:
    """A run in this process whose every judgement is written in the script."""
    settings = {"bench": bench, "data": data, "engine": "fake", "k": k, "results": folder / "r"}
    prepared = prepare(configure(settings | more))
    return extend(prepared, Quiet(), Engines(lambda seed: Scripted(script)))


def named(result: Accuracy, name: str, level: str = "") -> Row:
    (found,) = [row for row in result.rows if row.name == name and level in ("", row.level)]
    return found


# ---------------------------------------------------------------------- from the hub

BATTLES = [
    battle("1", "model_a"),
    battle("2", "model_b"),
    battle("3", "tie"),
    battle("4", "tie (bothbad)"),
    battle("5", "model_a", response_2=None),
]
# One question answered by two models, a pair that is drawn twice, labels as bools and as numbers.
FIVE = {
    "MMLU-Pro": [
        question("q", [True, False, True, False], [(0, 1), (3, 2), (0, 1)]),
        question("q", [False, False, True, False], [(2, 0)], model="llama"),
    ],
    "MATH": [question("7", [0, 1, 1, 0], [(0, 1), (2, 3)])],
    "GPQA": [question("q", [1, 0, 0, 0], [(0, 1), (1, 2)])],  # places 1 and 2 are both wrong
    "MBPP-Plus": [question("q", [0.0, 1.0, 0.0, 1.0], [(0, 1)])],
    "IFEval": [question("q", [False, False, False, True], [(3, 0)])],
}
EVERYTHING: dict[str, Rows] = {HUMAN: BATTLES} | {r: FIVE[name] for r, name in REPOSITORIES.items()}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Path, dict[str, Any]]]:
    """(the hub, a folder, what a perfect judge's run of four benchmarks printed as JSON)."""
    folder = tmp_path_factory.mktemp("ppe")
    names = ("ppe-preference", "ppe-correctness", "ppe-correctness-math", "ppe-correctness-pool")
    with serve(on_hub(EVERYTHING)) as hub:
        found = run(hub, folder, *benches(*names), "--engine-arg", "accuracy=1", "--json")
        assert found.returncode == 0, found.stderr
        printed = json.loads(found.stdout)
        yield hub, folder, {each["run"]["identity"]["bench"]: each for each in printed}


def by_name(printed: dict[str, Any], *levels: str) -> dict[str, Any]:
    return {row["name"]: row for row in printed["rows"] if row["level"] in levels}


@pytest.mark.long
def test_only_the_files_that_are_read_are_asked_for(
    served: tuple[Hub, Path, dict[str, Any]],
) -> None:
    hub, folder, _ = served
    asked = [line for line in hub.asked if line.startswith("GET") and "/resolve/" in line]
    assert sorted(asked) == sorted(
        f"GET /datasets/lmarena-ai/{name}/resolve/{COMMIT}/{files(name)}" for name in EVERYTHING
    )
    (record,) = (folder / "r" / "ppe-correctness").glob("*/*/run.json")
    origin = json.loads(record.read_text())["launches"][0]["data"].split(", ")
    assert origin == [f"hub:lmarena-ai/{name}@{COMMIT}" for name in REPOSITORIES]


def test_battles_come_from_the_hub(served: tuple[Hub, Path, dict[str, Any]]) -> None:
    printed = served[2]["ppe-preference"]
    overall = by_name(printed, "overall")["overall"]
    # Two of the five were ties for the person: of a complete copy they are not expected either.
    assert (overall["value"], overall["items"], overall["expected"]) == (1, 3, 16_036)
    notes = " ".join(printed["notes"])
    assert "one for all responses alike): 2 of 5" in notes
    assert "odd rows kept in the denominator: 1 " in notes
    assert "incomplete data: 16,033 of 16,038 items" in notes


def test_five_sets_come_from_five_repositories(served: tuple[Hub, Path, dict[str, Any]]) -> None:
    printed = served[2]["ppe-correctness"]
    items = {name: row["items"] for name, row in by_name(printed, "section").items()}
    # The pair of GPQA whose responses are both wrong has no verdict.
    assert items == {"MMLU-Pro": 4, "MATH": 2, "GPQA": 1, "MBPP-Plus": 1, "IFEval": 1}
    overall = by_name(printed, "overall")["overall"]
    assert (overall["value"], overall["items"]) == (1, 9)
    assert "one for all responses alike): 1 of 10" in " ".join(printed["notes"])


def test_one_set_alone_is_a_benchmark(served: tuple[Hub, Path, dict[str, Any]]) -> None:
    printed = served[2]["ppe-correctness-math"]
    assert printed["title"].startswith("PPE Correctness: MATH · ")
    assert list(by_name(printed, "section")) == ["MATH"]
    assert by_name(printed, "overall")["overall"]["expected"] == 2560


def test_pools_come_from_the_same_five(served: tuple[Hub, Path, dict[str, Any]]) -> None:
    printed = served[2]["ppe-correctness-pool"]
    areas = {name: row["value"] for name, row in by_name(printed, "section").items()}
    # A perfect judge has the oracle's curve: right from the first right response on.
    assert areas == pytest.approx(
        {"MMLU-Pro": (1 + 0.5) / 2, "MATH": 0.75, "GPQA": 1, "MBPP-Plus": 0.75, "IFEval": 0.25}
    )
    figures = by_name(printed, "figure")
    assert len(figures) == 20
    for name in SETS:
        assert figures[f"{name}: best-of-4 (end value)"]["value"] == 1
        assert figures[f"{name}: highest best-of-K"]["value"] == 1
        assert figures[f"{name}: loss to the oracle"]["value"] == 0
        assert figures[f"{name}: ROC-AUC of the totals"]["value"] == 1


@pytest.mark.long
def test_rows_outlive_the_hub(served: tuple[Hub, Path, dict[str, Any]]) -> None:
    hub, folder, _ = served
    hub.status = 503
    words = ("--bench", "ppe-correctness", "--bench", "ppe-correctness-math")
    found = run(hub, folder, *words, "--engine-arg", "accuracy=1")
    hub.status = 200
    assert found.returncode == 0, found.stderr
    assert found.stderr.count("every sample is there") == 2


def renamed(rows: Rows, column: str) -> Rows:
    return [{f"new_{n}" if n == column else n: v for n, v in row.items()} for row in rows]


def test_every_renamed_column_is_named_beside_the_names_found(tmp_path: Path) -> None:
    columns = {
        HUMAN: "winner",
        "PPE-MATH-Best-of-K": "scores",
        "PPE-GPQA-Best-of-K": "sampled_conflict_pairs",
        "PPE-IFEval-Best-of-K": "response_1",
        "PPE-MBPP-Plus-Best-of-K": "response_2",
        "PPE-MMLU-Pro-Best-of-K": "model_name",
    }
    tables = {r: renamed(EVERYTHING[r], column) for r, column in columns.items()}
    ids = ["ppe-preference", *(f"ppe-correctness-{subset}" for subset in SETS.values())]
    with serve(on_hub(tables)) as hub:
        found = run(hub, tmp_path, *benches(*ids))
    assert found.returncode == 2
    said = found.stderr.splitlines()
    for repository, column in columns.items():
        (line,) = [each for each in said if f"lmarena-ai--{repository}/" in each]
        assert f"{files(repository)}, row 1: no column '{column}'; found: " in line
        shown = line.partition("found: ")[2].split(", ")
        assert shown == sorted(tables[repository][0])
    assert not (tmp_path / "r").exists()


def test_who_names_no_model_is_told_of_all_five_repositories(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chosen, "at_hand", lambda spec, beside: False)
    said = chosen._and_rows("ppe-correctness", None)
    assert said.count("lmarena-ai/PPE-") == 5
    assert said.endswith("or a local copy: --data PATH")
    assert "lmarena-ai/PPE-Human-Preference-V1" in chosen._and_rows("ppe-preference", None)
    assert "RMB-Reward-Model-Benchmark" in chosen._and_rows("rmb", None)


# ---------------------------------------------------------------------- rows


@pytest.mark.parametrize("column", ["response_2", "model_a", "model_b", "prompt", "question_id"])
def test_a_column_of_the_battles_is_missing(tmp_path: Path, column: str) -> None:
    data = copy(tmp_path, {HUMAN: renamed(BATTLES, column)})
    with pytest.raises(DataError, match=f"row 1: no column '{column}'; found: .*, new_{column}"):
        load("ppe-preference", data)


@pytest.mark.parametrize("winner", ["draw", "Model_a", None, 1, ["model_a"], {"is": "tie"}])
def test_an_unknown_winner_is_named(tmp_path: Path, winner: Any) -> None:
    data = copy(tmp_path, {HUMAN: [battle("1", winner)]})
    with pytest.raises(DataError, match=r"row 1: column 'winner': expected one of 'model_a', "):
        load("ppe-preference", data)


@pytest.mark.parametrize("response", [None, "", " \n"])
def test_an_empty_response_is_kept_and_flagged(tmp_path: Path, response: str | None) -> None:
    rows = [battle("1", "model_b", response_1=response), battle("2", "model_a")]
    first, second = load("ppe-preference", copy(tmp_path, {HUMAN: rows})).items
    assert (first.responses[0].strip(), first.quality) == ("", (0, 1))
    assert (first.flags, second.flags) == (("empty_response",), ())


def pairs_of(folder: Path, row: dict[str, Any], bench: str = "ppe-correctness-math") -> Any:
    return load(bench, copy(folder, {"PPE-MATH-Best-of-K": [row]})).items


@pytest.mark.parametrize("scores", [[False, True, True], [0, 1, 1], [0.0, 1.0, 1.0]])
def test_conflict_pairs_are_places_from_0(tmp_path: Path, scores: Any) -> None:
    items = pairs_of(tmp_path, question("q", scores, [(1, 0), (0, 2), (1, 0), (1, 2)]))
    assert [(item.id, item.quality) for item in items] == [
        ("q:gpt:0", (1, 0)),
        ("q:gpt:1", (0, 1)),
        ("q:gpt:2", (1, 0)),
        ("q:gpt:3", (1, 1)),
    ]
    assert items[1].responses == ("q by gpt, 0", "q by gpt, 2")
    assert items[0].responses == items[2].responses
    assert len({item.cluster for item in items}) == 1


def test_two_models_may_answer_one_question(tmp_path: Path) -> None:
    rows = [question("q", [1, 0], model=model) for model in ("gpt", "llama")]
    items = load("ppe-correctness-math", copy(tmp_path, {"PPE-MATH-Best-of-K": rows})).items
    assert [item.id for item in items] == ["q:gpt:0", "q:llama:0"]
    assert items[0].cluster == items[1].cluster
    copy(tmp_path, {"PPE-MATH-Best-of-K": [rows[0], rows[0]]})
    with pytest.raises(DataError, match=r"row 2: id 'q:gpt:0' is already taken by .*, row 1"):
        load("ppe-correctness-math", tmp_path)


@pytest.mark.parametrize(
    "pairs", [[[0, 3]], [[-1, 0]], [[0]], [[0, 1, 2]], [[0.0, 1.0]], [[None, 1]], ["01"]]
)
def test_places_out_of_range_are_named(tmp_path: Path, pairs: Any) -> None:
    row = question("q", [1, 0, 1]) | {"sampled_conflict_pairs": pairs}
    with pytest.raises(
        DataError,
        match=r"row 1: column 'sampled_conflict_pairs': expected pairs of places from 0 to 2, found",
    ):
        pairs_of(tmp_path, row)


@pytest.mark.parametrize("pairs", [None, 3, "0, 1"])
def test_conflict_pairs_are_a_list(tmp_path: Path, pairs: Any) -> None:
    row = question("q", [1, 0, 1]) | {"sampled_conflict_pairs": pairs}
    with pytest.raises(DataError, match="column 'sampled_conflict_pairs': expected pairs"):
        pairs_of(tmp_path, row)


@pytest.mark.parametrize("scores", [[1, 0], [1, 0, 2], [1, 0, None], [0.5, 0, 1], "101", None])
@pytest.mark.parametrize("bench", ["ppe-correctness-math", "ppe-correctness-pool"])
def test_scores_are_a_0_or_1_for_each_response(tmp_path: Path, bench: str, scores: Any) -> None:
    row = question("q", [1, 0, 1]) | {"scores": scores}
    with pytest.raises(DataError, match="column 'scores': expected 3 numbers, each 0 or 1, found"):
        pairs_of(tmp_path, row, bench)


def test_a_gap_in_the_responses_is_named(tmp_path: Path) -> None:
    row = question("q", [1, 0, 1, 0])
    del row["response_3"]
    with pytest.raises(DataError, match=r"no column 'response_3'; found: .*response_4"):
        pairs_of(tmp_path, row)


def test_five_folders_side_by_side_are_a_copy(tmp_path: Path) -> None:
    copy(tmp_path, {name: EVERYTHING[name] for name in REPOSITORIES})
    loaded = load("ppe-correctness", tmp_path)
    found = {subset: [i.id for i in loaded.items if i.subset == subset] for subset in SETS.values()}
    assert {subset: len(ids) for subset, ids in found.items()} == {
        "mmlu-pro": 4,
        "math": 2,
        "gpqa": 2,
        "mbpp-plus": 1,
        "ifeval": 1,
    }
    assert {item.subset: item.conversation[0].content for item in loaded.items}[
        "math"
    ] == "Solve 7."
    pools = load("ppe-correctness-pool", tmp_path)
    assert {(i.subset, i.pool) for i in pools.items if i.subset != "mmlu-pro"} == {
        ("math", "7:gpt"),
        ("gpqa", "q:gpt"),
        ("mbpp-plus", "q:gpt"),
        ("ifeval", "q:gpt"),
    }


@pytest.mark.parametrize("where", [".", "PPE-MATH-Best-of-K", "PPE-MATH-Best-of-K/data"])
def test_one_set_is_read_out_of_five_folders(tmp_path: Path, where: str) -> None:
    """All five have files of one name: those of the others are not this set's."""
    copy(tmp_path, {name: EVERYTHING[name] for name in REPOSITORIES})
    items = load("ppe-correctness-math", tmp_path / where).items
    assert [item.id for item in items] == ["7:gpt:0", "7:gpt:1"]


def test_datasets_of_other_benchmarks_may_lie_beside(tmp_path: Path) -> None:
    """RewardBench 2 has a file of the same name, with other columns."""
    copy(tmp_path, {HUMAN: BATTLES})
    row = {"id": "1", "prompt": "?", "subset": "Math", "chosen": ["a"], "rejected": ["b", "c", "d"]}
    path = tmp_path / "reward-bench-2" / files(HUMAN)
    path.parent.mkdir(parents=True)
    path.write_bytes(parquet([row]))
    assert len(load("ppe-preference", tmp_path).items) == 5
    assert [item.subset for item in load("rewardbench-2", tmp_path).items] == ["Math"]


def test_a_benchmark_may_keep_sections_of_another(tmp_path: Path) -> None:
    copy(tmp_path, {name: EVERYTHING[name] for name in REPOSITORIES})
    mine = tmp_path / "mine.toml"
    text = 'extends = "{}"\nid = "mine"\nmetric = "two sets"\nkeep = {}\n'
    mine.write_text(text.format("ppe-correctness", '["MATH", "IFEval"]'))
    assert {item.subset for item in load(str(mine), tmp_path).items} == {"math", "ifeval"}
    mine.write_text(text.format("ppe-correctness", '["Math"]'))
    with pytest.raises(ConfigError, match="keep: 'Math': allowed: MMLU-Pro, MATH, GPQA, "):
        load(str(mine), tmp_path)
    mine.write_text(text.format("ppe-correctness", "3"))
    with pytest.raises(ConfigError, match="keep: expected a list of sections: MMLU-Pro, MATH"):
        load(str(mine), tmp_path)
    # Rows whose subset a column says.
    row = {
        "prompt": "?",
        "chosen_model": "a",
        "chosen": "x",
        "rejected": "y",
        "rejected_model": "b",
    }
    rows = [row | {"id": i, "subset": s} for i, s in enumerate(("donotanswer", "hep-go"))]
    (tmp_path / "filtered-0.parquet").write_bytes(parquet(rows))
    mine.write_text(text.format("rewardbench", '["Safety"]'))
    assert [item.subset for item in load(str(mine), tmp_path).items] == ["donotanswer"]


# ---------------------------------------------------------------------- battles, by hand

PEOPLE = [
    battle("won", "model_a"),
    battle("lost", "model_b"),
    battle("even", "model_a"),
    battle("silent", "model_b"),
    battle("tie met", "tie"),
    battle("bad met", "tie (bothbad)"),
    battle("tie missed", "tie"),
    battle("tie silent", "tie (bothbad)"),
]
VERDICTS: Script = {
    "won": [[8, 3], [4, 6]],  # 12 : 9
    "lost": [[8, 3], [5, 6]],  # 13 : 9
    "even": [[5, 3], [5, 7]],  # 10 : 10
    "silent": ["length", "error"],
    "tie met": [[5, 5], [2, 2]],
    "bad met": [[5, 1], [1, 5]],
    "tie missed": [[6, 5], [5, 5]],
    "tie silent": ["length", "length"],
}


def test_battles_by_hand(tmp_path: Path) -> None:
    folder = judged(
        tmp_path, "ppe-preference", copy(tmp_path, {HUMAN: PEOPLE}), VERDICTS, 2, orders="random"
    )
    result = score(folder)
    overall = named(result, "overall")
    assert (overall.value, overall.items, overall.tied, overall.silent) == (0.25, 4, 1, 1)
    assert (overall.samples, overall.invalid) == (16, 4)
    too = named(result, "accuracy with ties (a tie is met by a tie)")
    assert (too.value, too.items, too.metric) == (3 / 8, 8, "accuracy-with-ties")
    assert too.low < 3 / 8 < too.high
    # A rule for ties is about the battles that have a winner; one that met no tie stays unmet.
    shared = score(folder, ties="half", on_invalid="half")
    assert named(shared, "overall").value == (1 + 0 + 0.5 + 0.5) / 4
    assert named(shared, too.name).value == 3 / 8


def test_battles_at_a_smaller_k_are_a_mean_over_subsets(tmp_path: Path) -> None:
    data = copy(tmp_path, {HUMAN: PEOPLE})
    folder = judged(tmp_path, "ppe-preference", data, VERDICTS, 2, orders="random")
    result = score(folder, k=1)
    # Of one sample: won half the time, lost half the time, even half, silent never.
    assert named(result, "overall").value == (0.5 + 0.5 + 0.5 + 0) / 4
    too = named(result, "accuracy with ties (a tie is met by a tie)")
    assert too.value == pytest.approx((0.5 + 0.5 + 0.5 + 0 + 1 + 0 + 0.5 + 0) / 8)


def test_battles_whose_responses_are_judged_one_by_one_have_the_same_figures(
    tmp_path: Path,
) -> None:
    data = copy(tmp_path, {HUMAN: PEOPLE})
    script: dict[str, Any] = {}
    for name, samples in VERDICTS.items():
        for slot in (0, 1):
            script[f"{name}@{slot}"] = [s if isinstance(s, str) else [s[slot]] for s in samples]
    together = score(
        judged(tmp_path, "ppe-preference", data, VERDICTS, 2, orders="random"), k=2
    ).rows
    apart = score(judged(tmp_path, "ppe-preference", data, script, 2, layout="single"), k=2).rows
    assert [row.name for row in apart] == [row.name for row in together]
    values = [row.value for row in together]
    assert [row.value for row in apart] == pytest.approx(values, nan_ok=True)
    assert sum(row.level == "figure" for row in apart) == 6


# ---------------------------------------------------------------------- the ranking of models


def arena(tmp_path: Path, shown: Any) -> dict[str, Row]:
    """Figures of a judge that says `shown(side, rng)` about 200 battles of four models."""
    rng = np.random.default_rng(5)
    models = ("ada", "bob", "cyd", "dot")  # each wins more often than the ones before
    rows, script = [], {}
    for number in range(200):
        first, second = rng.permutation(4)[:2]
        lead = float(first - second) + rng.normal(scale=1.5)
        winner = "tie" if abs(lead) < 0.4 else "model_a" if lead > 0 else "model_b"
        rows.append(battle(str(number), winner, f"{models[first]} {models[second]}"))
        script[str(number)] = [shown(0 if winner == "tie" else np.sign(lead), rng)]
    data = copy(tmp_path, {HUMAN: rows})
    result = score(judged(tmp_path, "ppe-preference", data, script, 1))
    return {row.metric: row for row in result.rows if row.level == "figure"}


def agreeing(side: float, rng: np.random.Generator) -> list[int]:
    return {1: [7, 3], -1: [3, 7], 0: [5, 5]}[int(side)]


def test_a_perfect_judge_ranks_the_models_as_people_do(tmp_path: Path) -> None:
    found = arena(tmp_path, agreeing)
    assert found["spearman"].name == "Spearman of the ranking of 4 models"
    assert {row.items for row in found.values()} == {200}
    assert (found["spearman"].value, found["kendall"].value) == pytest.approx((1, 1))
    assert found["accuracy-with-ties"].value == 1
    # Judge and people have the same intervals: they separate the same pairs, in the same direction.
    assert found["separability"].value > 0
    assert found["agreement"].value == 1
    assert found["brier"].value < 0.05


def test_a_judge_turned_round_ranks_the_models_backwards(tmp_path: Path) -> None:
    found = arena(tmp_path, lambda side, rng: agreeing(-side, rng))
    assert (found["spearman"].value, found["kendall"].value) == pytest.approx((-1, -1))
    assert found["agreement"].value == -1
    assert found["brier"].value > 0.95


def test_a_guessing_judge_has_figures_in_range(tmp_path: Path) -> None:
    def guessed(side: float, rng: np.random.Generator) -> Any:
        return "length" if rng.random() < 0.1 else rng.integers(1, 10, 2).tolist()

    found = arena(tmp_path, guessed)
    for metric, low in (("spearman", -1), ("kendall", -1), ("agreement", -1)):
        assert low <= found[metric].value <= 1
    for metric in ("separability", "brier", "accuracy-with-ties"):
        assert 0 <= found[metric].value <= 1
    assert found["spearman"].value < 1 or found["brier"].value > 0.05


# ---------------------------------------------------------------------- conflict pairs, by hand


def test_the_mean_of_five_sets(tmp_path: Path) -> None:
    tables = {
        "MMLU-Pro": [question("q", [1, 0, 0], [(0, 1), (2, 0), (0, 1), (1, 0)])],
        "MATH": [question("q", [1, 0, 1], [(0, 1), (1, 2)])],
        "GPQA": [question("q", [0, 1, 1], [(0, 1), (1, 2)])],  # the second has no verdict
        "MBPP-Plus": [question("q", [0, 1], [(0, 1)])],
        "IFEval": [question("q", [1, 0], [(0, 1)]), question("q", [1, 0], [(1, 0)], model="m")],
    }
    data = copy(tmp_path, {f"PPE-{name}-Best-of-K": rows for name, rows in tables.items()})
    script: dict[str, Any] = {
        "mmlu-pro": ["won", "won", "tied", "lost"],
        "math": ["won", "silent"],
        "gpqa": ["lost", "won"],
        "mbpp-plus": ["won"],
        "ifeval": ["won", "tied"],
    }
    said = {"won": [9, 2], "lost": [2, 9], "tied": [5, 5]}
    items = load("ppe-correctness", data).items
    told = {}
    for subset, verdicts in script.items():
        mine = [item for item in items if item.subset == subset]
        for item, verdict in zip(mine, verdicts, strict=True):
            scores = said.get(verdict)
            told[item.key] = (
                "length" if scores is None else scores if item.quality == (1, 0) else scores[::-1]
            )
    result = score(extend_by_key(tmp_path, data, told))
    found = {row.name: row.value for row in result.rows if row.level == "section"}
    assert found == {"MMLU-Pro": 0.5, "MATH": 0.5, "GPQA": 0, "MBPP-Plus": 1, "IFEval": 0.5}
    overall = named(result, "overall")
    assert overall.value == pytest.approx((0.5 + 0.5 + 0 + 1 + 0.5) / 5)
    assert (overall.tied, overall.silent, overall.items, overall.clusters) == (2, 1, 10, 1)
    assert "ties: wrong; no readable judgement: wrong (official)" in result.footer


def extend_by_key(tmp_path: Path, data: Path, told: Mapping[Any, Any]) -> RunFolder:
    """Ids repeat in the five sets: what is said of a pair goes by its subset, too."""

    class ByKey(Scripted):
        def generate(self, requests: Any) -> Any:
            for request in requests:
                self.script = {request.key.id: [told[request.key]]}
                yield from super().generate([request])

    settings = {"bench": "ppe-correctness", "data": data, "engine": "fake", "k": 1}
    prepared = prepare(configure(settings | {"results": tmp_path / "r"}))
    return extend(prepared, Quiet(), Engines(lambda seed: ByKey({})))


# ---------------------------------------------------------------------- pools, by hand

POOLS = {
    "PPE-MATH-Best-of-K": [
        question("a", [0, 1, 0, 1]),
        question("b", [1, 0, 0, 0]),
        question("c", [0, 0, 1, 1]),
    ]
}
SAID: Script = {
    "a:gpt@0": [[3]],
    "a:gpt@1": [[7]],
    "a:gpt@2": [[7]],
    "a:gpt@3": [[7]],
    "b:gpt@0": [[5]],
    "b:gpt@1": ["length"],
    "b:gpt@2": [[8]],
    "b:gpt@3": [[2]],
    **{f"c:gpt@{slot}": ["error"] for slot in range(4)},
}


def test_a_pool_by_hand(tmp_path: Path) -> None:
    """a: 0, 1, a tie of a right and a wrong one, a tie of two and one. b: 1, 1, 0, 0. c: a guess."""
    curve = np.array([[0, 1, 1 / 2, 2 / 3], [1, 1, 0, 0], [0, 0, 1 / 3, 1 / 2]])
    oracle = np.array([[0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1]])
    result = score(judged(tmp_path, "ppe-correctness-pool", copy(tmp_path, POOLS), SAID, 1))
    assert result.rows[0].name == "overall (1 of 5 sections)"
    math = named(result, "MATH")
    assert math.value == pytest.approx(curve.mean()) == pytest.approx(5 / 12)
    assert (math.items, math.samples, math.invalid, math.missing) == (3, 12, 5, 0)
    figures = {row.metric: row.value for row in result.rows if row.level == "figure"}
    assert figures == pytest.approx(
        {
            "end": (2 / 3 + 0 + 1 / 2) / 3,
            "maximum": 2 / 3,
            "loss": ((oracle - curve).mean(axis=0) ** 2).mean(),
            # Right: 7 7 5 and two unread; wrong: 3 7 8 2 and three unread, which rank last.
            "roc-auc": (2 * 5.5 + 5 + 2 * 1.5) / (5 * 7),
        }
    )
    credits = dict(zip(*(result.verdicts[c].to_pylist() for c in ("id", "credit")), strict=True))
    assert credits == pytest.approx(
        dict(zip(("a:gpt", "b:gpt", "c:gpt"), curve.mean(axis=1), strict=True))
    )


def by_brute_force(right: Any, scores: Any, k: int) -> dict[str, float]:
    """Every subset of k samples, the same for all; scores [question, response, sample], NaN: unread."""
    size, samples = right.shape[1], scores.shape[2]
    curves, aucs = [], []
    for subset in combinations(range(samples), k):
        part = scores[:, :, list(subset)]
        read = (~np.isnan(part)).sum(axis=2)
        mean = np.where(read > 0, np.nansum(part, axis=2) / np.maximum(read, 1), np.nan)
        curve = np.zeros(right.shape)
        for at, most in np.ndindex(len(right), size):
            seen, good = mean[at, : most + 1], right[at, : most + 1]
            silent = np.isnan(seen).all()
            curve[at, most] = good[silent | (seen == np.fmax.reduce(seen))].mean()
        curves.append(curve)
        ranked = np.where(np.isnan(mean), -1e9, mean)
        wins = np.sign(ranked[right == 1][:, None] - ranked[right == 0])
        aucs.append((wins + 1).mean() / 2)
    whole = np.mean(curves, axis=0)
    oracle = np.maximum.accumulate(right, axis=1).mean(axis=0)
    mean_curve = whole.mean(axis=0)
    return {
        "area": whole.mean(),
        "end": mean_curve[-1],
        "maximum": mean_curve.max(),
        "loss": ((oracle - mean_curve) ** 2).mean(),
        "roc-auc": float(np.mean(aucs)),
    }


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_a_pool_at_every_k_agrees_with_every_subset(tmp_path: Path, k: int) -> None:
    rng = np.random.default_rng(3)
    right = rng.integers(0, 2, (6, 4))
    scores = np.where(rng.random((6, 4, 4)) < 0.2, np.nan, rng.integers(1, 6, (6, 4, 4)))
    rows = [question(f"q{at}", list(map(int, labels))) for at, labels in enumerate(right)]
    script = {
        f"q{at}:gpt@{slot}": [
            "length" if np.isnan(value) else [int(value)] for value in scores[at, slot]
        ]
        for at, slot in np.ndindex(6, 4)
    }
    data = copy(tmp_path, {"PPE-MATH-Best-of-K": rows})
    result = score(judged(tmp_path, "ppe-correctness-pool", data, script, 4), k=k)
    found = {row.metric: row.value for row in result.rows if row.level == "figure"}
    found["area"] = named(result, "MATH").value
    assert found == pytest.approx(by_brute_force(right, scores, k))


def test_pools_of_one_size_beside_pairs_judged_one_by_one(tmp_path: Path) -> None:
    """Two responses by a question's pool, two by a pair: each has its own rule."""
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'extends = "ppe-correctness-pool"\nid = "mine"\nmetric = "?"\n'
        '[[tables]]\nfiles = "*pairs.jsonl"\nshape = "pair"\nbest = "chosen"\nothers = "rejected"\n'
        '[[sections]]\nname = "Pairs"\nsubsets = ["*pairs"]\n'
    )
    data = copy(tmp_path / "data", {"PPE-MATH-Best-of-K": [question("a", [1, 0])]})
    row = {"id": "p", "prompt": "?", "chosen": "x", "rejected": "y"}
    (data / "pairs.jsonl").write_text(json.dumps(row))
    script: Script = {"a:gpt@0": [[2]], "a:gpt@1": [[9]], "p@0": [[9]], "p@1": [[2]]}
    result = score(judged(tmp_path, str(mine), data, script, 1, layout="single"))
    assert (named(result, "MATH").value, named(result, "Pairs").value) == (0.5, 1)
