"""Diagnosis: known faults of a fake judge come back, loops count the same, what does not apply is said."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binom

from grmeval.errors import ConfigError, Incomplete
from grmeval.items import Sample
from grmeval.report.diagnose import diagnosis_json, write_diagnosis
from grmeval.runs.imports import import_scores
from grmeval.score import score
from grmeval.score.diagnosis import Diagnosis, Finding, Part, diagnose
from grmeval.store import JournalWriter, RunFolder
from tests.benches.test_judgebench import files as judgebench_files
from tests.benches.test_judgebench import row as judgebench_row
from tests.benches.test_ppe import HUMAN, REPOSITORIES, battle, copy, question
from tests.benches.test_rewardbench_2 import files as rewardbench_2
from tests.benches.test_rewardbench_2 import row as ties_row
from tests.helpers import SHARED, on_official_rows, rows, sampled
from tests.score.table.test_accuracy import Script
from tests.score.table.test_accuracy import run as scripted
from tests.score.table.test_benchmark_figures import CELLS, SECRET
from tests.score.table.test_benchmark_figures import copy as realmistake

Z = 3.29
"""Standard errors that a true value is within, but for one time in a thousand."""


def part(found: Diagnosis, name: str) -> Part:
    (mine,) = [each for each in found.parts if each.name == name]
    return mine


def number(found: Diagnosis, name: str, *wanted: str) -> Finding:
    """The one finding of a part whose kind, name and measure hold these words."""
    mine = [
        row
        for row in part(found, name).findings
        if set(wanted) <= {row.kind, row.name, row.measure}
    ]
    assert len(mine) == 1, [(row.kind, row.name, row.measure) for row in mine]
    return mine[0]


def near(row: Finding, truth: float) -> bool:
    return abs(row.value - truth) < Z * row.error


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return sampled(tmp_path_factory.mktemp("plain"), k=16, engine_args={"accuracy": 0.6})


# ---------------------------------------------------------------------- known faults come back


@pytest.mark.parametrize("bias", [0, 1, 3, -2])
def test_an_order_bias_comes_back_in_points_of_the_score(tmp_path: Path, bias: int) -> None:
    folder = sampled(tmp_path, k=16, engine_args={"order_bias": bias})
    found = diagnose(folder)
    for kind, title in (("pairs", "slot 1 less slot 2"), ("best-of-n", "slot 1 less the rest")):
        assert near(number(found, "position", kind, title, "mean score"), bias)
        led = number(found, "position", kind, title, "accuracy")
        assert (led.low > 0, led.high < 0) == (bias > 0, bias < 0) if bias else near(led, 0)
    more = number(found, "reversal", "reversed less same")
    assert more.low > 0 if bias else near(more, 0)


@pytest.mark.parametrize(("bias", "lean"), [(0, 0), (3, 1), (-3, -1)])
def test_a_length_bias_comes_back_with_its_sign(tmp_path: Path, bias: int, lean: int) -> None:
    found = diagnose(sampled(tmp_path, k=16, engine_args={"length_bias": bias}))
    more = number(found, "length", "pairs", "longer less shorter")
    r = number(found, "length", "pairs", "rank correlation")
    longest = number(found, "length", "pairs", "longest, not best")
    shortest = number(found, "length", "pairs", "shortest, not best")
    for row in (more, r):
        assert (row.low > 0, row.high < 0) == (lean > 0, lean < 0) if lean else near(row, 0)
    apart = longest.value - shortest.value
    assert lean * apart > 0.3 if lean else abs(apart) < 0.1


@pytest.mark.parametrize("accuracy", [0.5, 0.8])
def test_position_does_not_matter_to_a_fair_judge(tmp_path: Path, accuracy: float) -> None:
    found = diagnose(sampled(tmp_path, k=16, engine_args={"accuracy": accuracy, "ties": 0}))
    for slot in ("slot 1", "slot 2"):
        assert near(number(found, "position", "pairs", slot, "accuracy"), accuracy)
    # Two samples agree when both are right or both are wrong.
    same = number(found, "agreement", "pairs", "two judgements")
    assert near(same, accuracy**2 + (1 - accuracy) ** 2)
    assert near(number(found, "reversal", "orders reversed"), 1 - same.value)


def test_rates_of_failure_come_back(tmp_path: Path) -> None:
    rates = {"no_score": 0.1, "truncated": 0.05, "wrong_count": 0.02}
    found = diagnose(sampled(tmp_path, k=16, engine_args=rates))
    for reason, rate in rates.items():
        row = number(found, "output", "all", f"invalid: {reason}")
        low, high = binom.interval(0.999, row.count, rate)
        assert low <= round(row.value * row.count) <= high
    whole = number(found, "output", "all", "invalid")
    assert whole.value == pytest.approx(
        sum(number(found, "output", "all", f"invalid: {reason}").value for reason in rates)
    )
    assert number(found, "output", "all", "truncated").value > 0


@pytest.mark.parametrize(("spread", "k"), [(0.0, 1), (0.5, 1), (0.5, 4)])
def test_the_split_of_the_variance_is_known(tmp_path: Path, spread: float, k: int) -> None:
    """An item's accuracy p is Beta with mean 0.6: of k = 1, items give spread x pq, samples the rest / N."""
    settings = {"accuracy": 0.6, "spread": spread, "ties": 0}
    found = diagnose(sampled(tmp_path, k=16, engine_args=settings), k=k)
    by_samples = number(found, "variance", f"k={k} of 16", "by samples").value
    error = number(found, "variance", f"k={k} of 16", "error").value
    assert number(found, "variance", f"k={k} of 16", "2x items").value == pytest.approx(
        error / np.sqrt(2)
    )
    more = number(found, "variance", f"k={k} of 16", "2x samples").value
    assert more**2 == pytest.approx(error**2 * (1 - by_samples / 2))
    if k == 1:
        inside, between = 0.24 * (1 - spread) / 16, 0.24 * spread
        expected = inside / (inside + between)
        # 75 items: the total is known to about 3.29 x sqrt(2 / 75) = 54 %.
        assert expected / 1.54 < by_samples <= min(1.0, expected / 0.46)
    else:
        assert 0 < by_samples < 0.5


def test_a_judge_of_items_all_alike_is_not_too_sure(plain: RunFolder) -> None:
    # Every item is won by 60 % of its samples: a vote of 16 is right far more often.
    found = diagnose(plain)
    over = number(found, "calibration", "all", "agree less right")
    assert over.high < 0
    assert part(found, "calibration").says[0].startswith("the vote is not too sure")
    # Items that it always judges wrong: its samples agree all the same.
    apart = sampled(plain.path.parent / "apart", k=8, engine_args={"accuracy": 0.6, "spread": 0.9})
    said = part(diagnose(apart), "calibration").says[0]
    assert said.startswith("the vote is too sure: ")
    assert said.endswith("agreement less the share that is right (p <0.001, q <0.001)")
    one = diagnose(sampled(plain.path.parent / "sure", k=8, engine_args={"accuracy": 1.0}))
    assert number(one, "calibration", "all", "expected calibration error").value == 0


# ---------------------------------------------------------------------- by plain loops


def kept(folder: RunFolder) -> tuple[dict[tuple[str, str], Any], list[dict[str, Any]]]:
    items = pq.read_table(folder.path / "items.parquet").to_pylist()
    return {(item["subset"], item["id"]): item for item in items}, rows(folder.path)


def credit(scores: Sequence[float], quality: Sequence[int]) -> float:
    winners = [q for s, q in zip(scores, quality, strict=True) if s == max(scores)]
    return sum(winners) / len(winners)


@pytest.mark.parametrize("orders", ["balanced", "random"])
def test_slots_flips_and_tokens_are_what_a_loop_counts(tmp_path: Path, orders: str) -> None:
    faults = {"order_bias": 1, "no_score": 0.2}
    folder = sampled(tmp_path, k=5, orders=orders, engine_args=faults)
    items, samples = kept(folder)
    found = diagnose(folder)
    pairs = [s for s in samples if s["scores"] and items[s["subset"], s["id"]]["n"] == 2]
    for slot in (0, 1):
        given = [s["scores"][s["order"][slot]] for s in pairs]
        row = number(found, "position", "pairs", f"slot {slot + 1}", "mean score")
        assert row.value == pytest.approx(np.mean(given))
        assert row.count == len(given)
        quality = {id(s): items[s["subset"], s["id"]]["quality"] for s in pairs}
        there = [s for s in pairs if quality[id(s)][s["order"][slot]] == 1]
        won = [credit(s["scores"], quality[id(s)]) for s in there]
        row = number(found, "position", "pairs", f"slot {slot + 1}", "accuracy")
        assert row.value == pytest.approx(np.mean(won))
        assert row.count == len(won)
    by_item: dict[Any, list[Any]] = {}
    for s in pairs:
        by_item.setdefault((s["subset"], s["id"]), []).append(s)
    shares = []
    for mine in by_item.values():
        differ = [
            np.sign(a["scores"][0] - a["scores"][1]) != np.sign(b["scores"][0] - b["scores"][1])
            for a, b in combinations(mine, 2)
            if a["order"] != b["order"]
        ]
        shares += [np.mean(differ)] if differ else []
    row = number(found, "reversal", "orders reversed")
    assert row.value == pytest.approx(np.mean(shares))
    assert row.items == len(shares)
    for subset in {s["subset"] for s in samples}:
        tokens = [s["tokens"] for s in samples if s["subset"] == subset]
        mean = number(found, "output", "subset", subset, "tokens")
        assert mean.value == pytest.approx(np.mean(tokens))
        tail = number(found, "output", "subset", subset, "p95")
        assert tail.value == pytest.approx(np.percentile(tokens, 95))
    counts = Counter(value for s in samples for value in s["scores"] or ())
    for value, count in counts.items():
        assert number(found, "scores", "", f"{value:g}", "share").count == count


def test_lengths_are_those_of_the_responses(plain: RunFolder) -> None:
    items, samples = kept(plain)
    accuracy: dict[str, list[float]] = {"longer": [], "shorter": []}
    for key, item in items.items():
        if item["n"] == 2:
            best, other = (item["response_chars"][item["quality"].index(q)] for q in (1, 0))
            mine = [s["scores"] for s in samples if (s["subset"], s["id"]) == key and s["scores"]]
            side = "longer" if best > other else "shorter" if best < other else None
            if side:
                accuracy[side].append(
                    float(np.mean([credit(scores, item["quality"]) for scores in mine]))
                )
    found = diagnose(plain)
    for side, values in accuracy.items():
        row = number(found, "length", "pairs", f"the best is {side}")
        assert row.value == pytest.approx(np.mean(values))
        assert row.items == len(values)


def test_a_vote_is_that_of_score(plain: RunFolder) -> None:
    """The k=8 of 16 samples, ties shared: the same mean over subsets, here over all items alike."""
    found = diagnose(plain, k=8)
    table = score(plain, k=8, ties="share", on_invalid="share").verdicts.to_pylist()
    singles = [row["credit"] for row in table]
    row = number(found, "variance", "k=8 of 16", "accuracy")
    # Pairs and singles are exact there; best-of-4 is drawn in both.
    assert row.value == pytest.approx(np.mean(singles), abs=0.01)
    assert row.items == 75


BONS: Script = {
    "p1": [[9, 2], [3, 5]],
    "p2": [[4, 4], [6, 6]],
    "p3": [[2, 9], "length"],
    "b1": [[5, 5, 1], [8, 7, 1]],  # 13 : 12 : 2, right
    "b2": [[1, 9, 2, 2], "error"],  # wrong
}


def test_regret_and_ties_by_hand(tmp_path: Path) -> None:
    found = diagnose(scripted(tmp_path, BONS, 2))
    assert number(found, "regret", "given away").value == pytest.approx(1 / 2)
    assert number(found, "regret", "picked at random").value == pytest.approx((1 / 3 + 1 / 4) / 2)
    assert number(found, "scores", "pairs", "k=1", "tied").value == pytest.approx(1 / 3)
    assert number(found, "scores", "best-of-n", "k=1", "tied").value == pytest.approx(1 / 4)
    assert number(found, "scores", "best-of-n", "k=2", "tied").value == 0


# ---------------------------------------------------------------------- what does not apply


def no_nan(found: Diagnosis) -> None:
    for each in found.parts:
        assert all(not isnan(row.value) for row in each.findings), each.name
        assert each.findings or each.absent, each.name


def test_one_response_items_have_no_slots_lengths_or_ties(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(
            f'{{"id": "{i}", "prompt": "p{i}", "responses": ["r{i}"], "quality": [{i % 2}]}}\n'
            for i in range(30)
        )
    )
    found = diagnose(sampled(tmp_path / "r", bench=str(path), k=4))
    no_nan(found)
    for name in ("position", "reversal", "length", "regret"):
        assert not part(found, name).findings
        assert len(part(found, name).absent) == 1
    assert part(found, "scores").absent == ("one response cannot tie",)
    assert number(found, "agreement", "single responses", "random picks").value == 0.5
    assert number(found, "variance", "k=1 of 4", "accuracy").items == 30


def test_rows_without_labels_have_what_needs_no_truth(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(f'{{"id": "{i}", "prompt": "p{i}", "responses": ["a", "bb"]}}\n' for i in range(9))
    )
    found = diagnose(sampled(tmp_path / "r", bench=str(path), k=4, engine_args={"order_bias": 4}))
    no_nan(found)
    names = {row.measure for each in found.parts for row in each.findings}
    assert "accuracy" not in names
    assert number(found, "position", "slot 1 less slot 2").low > 0
    assert number(found, "agreement", "two judgements").items == 9
    assert not part(found, "calibration").findings
    assert any("without a label: 9 of 9" in note for note in found.footer)


def test_an_imported_file_may_know_neither_orders_nor_lengths(tmp_path: Path) -> None:
    file = tmp_path / "judged.jsonl"
    lines = [
        f'{{"id": "{i}", "j": {j}, "scores": [{i + j}.5, {9 - i}], "quality": [1, 0]}}\n'
        for i in range(8)
        for j in range(3)
    ]
    file.write_text("".join(lines))
    (tmp_path / "own.toml").write_text(
        'id = "own"\ntitle = "Own"\n[source]\n[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\n'
        'subset_name = "all"\n'
    )
    taken = import_scores(file, str(tmp_path / "own.toml"), "them", None, tmp_path / "r")
    found = diagnose(taken.folder)
    no_nan(found)
    assert part(found, "position").absent == ("pairs: the orders of the judgements are not known",)
    assert part(found, "length").absent == ("pairs: the lengths of the responses are not known",)
    assert not part(found, "reversal").findings
    assert part(found, "output").absent == ("tokens: not known of these judgements",)
    assert number(found, "agreement", "pairs", "two judgements").items == 8


def test_several_best_responses_share_a_judgement(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(
            f'{{"id": "{i}", "prompt": "p{i}", "responses": ["a", "bb", "c"], '
            f'"quality": [1, {i % 2}, 0]}}\n'
            for i in range(10)
        )
    )
    folder = sampled(tmp_path / "r", bench=str(path), k=3, engine_args={"order_bias": 2})
    items, samples = kept(folder)
    found = diagnose(folder)
    for slot in range(3):
        paid = weight = 0.0
        for s in samples:
            quality = items[s["subset"], s["id"]]["quality"]
            part_of_it = quality[s["order"][slot]] / sum(quality)
            weight += part_of_it
            paid += part_of_it * credit(s["scores"], quality)
        row = number(found, "position", f"slot {slot + 1}", "accuracy")
        assert row.value == pytest.approx(paid / weight)
        assert row.count == round(weight)


def test_ties_of_rewardbench_2(tmp_path: Path) -> None:
    answers = [ties_row("Ties", f"{name}:{i}", n, 3) for i in range(4) for name, n in TIED]
    data = rewardbench_2(tmp_path, [*answers, *(ties_row("Math", f"m{i}") for i in range(4))])
    found = diagnose(sampled(tmp_path / "r", bench="rewardbench-2", data=data, k=4))
    no_nan(found)
    assert number(found, "output", "section", "Ties", "judgements").value == 4 * (5 + 4) * 4


TIED = (("tied", 2), ("ref", 1))


def test_pools_are_compared_by_totals(tmp_path: Path) -> None:
    five = [question(f"q{at}", [1, 0, 1, 0], [(0, 1)]) for at in range(6)]
    data = copy(tmp_path, dict.fromkeys(REPOSITORIES, five))
    found = diagnose(sampled(tmp_path / "r", bench="ppe-correctness-pool", data=data, k=4))
    no_nan(found)
    assert (
        "pools: each response is judged alone, so it has no slot" in part(found, "position").absent
    )
    assert number(found, "agreement", "pools", "two judgements").items == 30
    assert number(found, "regret", "pools", "always a best one").value == 1


def test_games_are_said_not_to_be_played(tmp_path: Path) -> None:
    pairs = [judgebench_row(f"p{at}", "livebench-math") for at in range(6)]
    data = judgebench_files(tmp_path, gpt=pairs)
    found = diagnose(sampled(tmp_path / "r", bench="judgebench", data=data, k=4))
    no_nan(found)
    assert any("two games, one an order, are not played" in note for note in found.footer)


def test_errors_are_found_at_a_threshold_and_no_text_is_written(tmp_path: Path) -> None:
    data = realmistake(tmp_path, CELLS)
    settings = {"chars": 50, "quote": 1.0}
    folder = sampled(tmp_path / "r", bench="realmistake", data=data, k=4, engine_args=settings)
    found = diagnose(folder)
    no_nan(found)
    assert any("decided at the threshold 5.5" in note for note in found.footer)
    assert number(found, "variance", "k=1 of 4", "accuracy").items == sum(map(len, CELLS.values()))
    for path in write_diagnosis(tmp_path / "out", found):
        assert SECRET.encode() not in path.read_bytes()
    assert any(SECRET in s["text"] for s in rows(folder.path))


def test_a_persons_tie_is_in_no_accuracy(tmp_path: Path) -> None:
    people = [battle(str(at), ("model_a", "model_b", "tie")[at % 3]) for at in range(12)]
    data = copy(tmp_path, {HUMAN: people})
    found = diagnose(sampled(tmp_path / "r", bench="ppe-preference", data=data, k=4))
    no_nan(found)
    assert number(found, "variance", "k=1 of 4", "accuracy").items == 8
    assert number(found, "agreement", "pairs", "two judgements").items == 12


# ---------------------------------------------------------------------- the command's words


def test_words_that_do_not_fit(plain: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--k 17: this run has up to 16 samples"):
        diagnose(plain, k=17)
    with pytest.raises(ConfigError, match="--vote 'summ'"):
        diagnose(plain, vote="summ")
    folder = sampled(tmp_path, k=1, limit=4)
    (folder.path / "samples.parquet").unlink()
    with pytest.raises(Incomplete, match="no sample yet"):
        diagnose(folder)


def test_a_limit_leaves_items_out(plain: RunFolder) -> None:
    found = diagnose(plain, limit=20)
    assert number(found, "output", "all", "judgements").value == 20 * 16
    assert "more items help most: --limit leaves some out" in part(found, "variance").says
    assert found.about["limit"] == 20


@pytest.mark.parametrize("vote", ["sum", "mean", "majority"])
def test_twice_the_same(plain: RunFolder, vote: str) -> None:
    first, again = (diagnosis_json(diagnose(plain, vote=vote)) for _ in range(2))
    assert first == again


def test_journals_are_read_before_they_are_folded(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=4, engine_args={"order_bias": 2})
    before = diagnosis_json(diagnose(folder))
    table = pq.read_table(folder.path / "samples.parquet")
    (folder.path / "samples.parquet").unlink()
    name = table["launch"][0].as_py()
    with JournalWriter(folder.path / "journal" / f"{name}.jsonl") as journal:
        for line in table.to_pylist():
            line |= {k: None if line[k] is None else tuple(line[k]) for k in ("order", "scores")}
            journal.write(Sample(**line))
    assert diagnosis_json(diagnose(RunFolder(folder.path))) == before


@pytest.mark.long
@on_official_rows(SHARED / "RMB.tar.xz")
@pytest.mark.parametrize("bias", [0, 2])
def test_on_official_rows(tmp_path: Path, bias: int) -> None:
    settings = {"order_bias": bias, "length_bias": bias, "spread": 0.2, "no_score": 0.03}
    data = SHARED / "RMB.tar.xz"
    folder = sampled(tmp_path, bench="rmb", data=data, k=6, limit=1500, engine_args=settings)
    found = diagnose(folder, k=2)
    no_nan(found)
    for kind, title in (("pairs", "slot 1 less slot 2"), ("best-of-n", "slot 1 less the rest")):
        assert near(number(found, "position", kind, title, "mean score"), bias)
        longer = number(found, "length", kind, "longer less shorter")
        assert longer.low > 0 if bias else near(longer, 0)
    assert number(found, "variance", "k=2 of 6", "by samples").value < 0.6
