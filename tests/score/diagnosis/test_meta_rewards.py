"""Votes by meta reward over a fake meta RM of known AUC: gains, AUC and k_meta are what they must be."""

import json
from functools import cache
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from grmeval.errors import ConfigError, EngineError, StoreError
from grmeval.measure import Extra, totals
from grmeval.score import (
    Accuracy,
    baseline_of,
    compare,
    gate,
    read_baseline,
    scale,
    score,
    write_baseline,
)
from grmeval.score.arrays import read_run
from grmeval.score.diagnosis import Finding, diagnose
from grmeval.store import RunFolder
from tests.helpers import sampled
from tests.runs.meta.test_score import scored

ITEMS, K, ACCURACY = 300, 8, 0.6
PLAIN: dict[str, Any] = {"accuracy": ACCURACY, "ties": 0.0, "noise": 0.0, "chars": 0}
"""A judge whose every sample of a pair puts one response a single point ahead."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("pairs")
    row = {"prompt": "p", "responses": ["a", "b"], "quality": [1, 0]}
    lines = (json.dumps(row | {"id": str(i), "prompt": f"p{i}"}) + "\n" for i in range(ITEMS))
    (folder / "rows.jsonl").write_text("".join(lines), "utf-8")
    found = sampled(folder / "r", bench=str(folder / "rows.jsonl"), k=K, engine_args=PLAIN)
    for auc in (0.5, 0.7, 0.9):
        scored(found, name=f"m{auc}", auc=auc)
    return found


@cache
def simulated(auc: float, kept: int, times: int = 50_000) -> NDArray[np.float64]:
    """Credits [times] of fresh votes: the best `kept` of K samples, each right with ACCURACY; ties share."""
    rng = np.random.default_rng(5)
    right = rng.random((times, K)) < ACCURACY
    reward = rng.normal(size=(times, K)) + sqrt(2) * NormalDist().inv_cdf(auc) * right
    first = np.argsort(-reward, axis=1)[:, :kept]
    summed = np.take_along_axis(np.where(right, 1, -1), first, axis=1).sum(axis=1)
    credits: NDArray[np.float64] = (np.sign(summed) + 1) / 2
    return credits


def overall(found: Accuracy, vote: str) -> float:
    return next(row.value for row in found.rows if (row.level, row.vote) == ("overall", vote))


@pytest.mark.long
@pytest.mark.parametrize("auc", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("k_meta", [1, None, 6, 8])
def test_the_vote_gains_as_simulated(run: RunFolder, auc: float, k_meta: int | None) -> None:
    votes = (f"meta:m{auc}", "sum")
    found = score(run, votes=votes[:1], k_meta=k_meta, ties="share")
    credits = simulated(auc, k_meta or K // 2)
    value = overall(found, votes[0])
    assert abs(value - credits.mean()) < 3.29 * credits.std() / sqrt(ITEMS)
    gain = value - overall(score(run, votes=["sum"], ties="share"), "sum")
    expected = credits.mean() - simulated(auc, K).mean()
    # Two numbers of the same items: the error of a difference is at most the sum of theirs.
    assert abs(gain - expected) < 3.29 * 2 * 0.5 / sqrt(ITEMS)
    if k_meta == K:
        assert gain == pytest.approx(0)


def number(found: Any, part: str, name: str, measure: str) -> Finding:
    (mine,) = [each for each in found.parts if each.name == part]
    row: Finding
    (row,) = [row for row in mine.findings if (row.name, row.measure) == (name, measure)]
    return row


@pytest.mark.parametrize("auc", [0.5, 0.7, 0.9])
def test_a_diagnosis_finds_the_auc_and_the_gains(run: RunFolder, auc: float) -> None:
    found, part = diagnose(run), f"meta:m{auc}"
    for name in ("all judgements", "judgements of one item"):
        row = number(found, part, name, "AUC")
        assert abs(row.value - auc) < 3.29 * row.error
        assert row.low < row.value < row.high
    for kept in (1, 2, 4, 8):
        row = number(
            found, part, f"all {K}" if kept == K else f"the best {kept} of {K}", "accuracy"
        )
        credits = simulated(auc, kept)
        assert abs(row.value - credits.mean()) < 3.29 * credits.std() / sqrt(ITEMS)
        vote = score(run, votes=[f"meta:m{auc}"], k_meta=kept, ties="share")
        assert row.value == pytest.approx(overall(vote, f"meta:m{auc}"))
    gain = number(found, part, f"k={K}: the best 4 less any 4", "gain")
    any_four = score(run, k=4, ties="share")
    best_four = number(found, part, f"the best 4 of {K}", "accuracy")
    assert gain.value == pytest.approx(best_four.value - overall(any_four, "sum"))
    assert (gain.low > 0) == (auc > 0.5)


def test_pairs_inside_an_item_are_what_loops_count(run: RunFolder) -> None:
    (block,) = read_run(run).blocks
    reward = block.rewards["m0.7"]
    right = block.scores[..., 0] > block.scores[..., 1]
    best = block.best[:, 0][:, None] == right
    shares = []
    for item in range(ITEMS):
        good, bad = reward[item][best[item]], reward[item][~best[item]]
        if len(good) and len(bad):
            shares.append(np.mean([a > b for a in good for b in bad]))
    row = number(diagnose(run), "meta:m0.7", "judgements of one item", "AUC")
    assert row.value == pytest.approx(np.mean(shares))
    assert row.items == len(shares)


def test_k_meta_reaches_every_table(run: RunFolder, tmp_path: Path) -> None:
    vote = "meta:m0.9"
    (block,) = read_run(run).blocks
    extra = Extra(reward=block.rewards["m0.9"], k_meta=3)
    voted = totals("meta", block.scores, block.valid, extra=extra)
    best = np.where(block.best[:, 0], voted[:, 0] - voted[:, 1], voted[:, 1] - voted[:, 0])
    expected = float(((np.sign(best) + 1) / 2).mean())
    asked: dict[str, Any] = {"votes": [vote], "k_meta": 3, "ties": "share"}
    table = score(run, **asked)
    assert overall(table, vote) == pytest.approx(expected)
    assert table.about["k_meta"] == 3
    said = "meta:m0.9: sum of the k_meta samples of highest meta reward (m0.9); k_meta: at most 3, 3 at k=8"
    assert said in table.footer
    curve = scale(run, ks=[8], **asked)
    assert curve.rows[0].value == pytest.approx(expected)
    assert said in curve.footer
    baseline = baseline_of(run, vote=vote, k_meta=3, ties="share")
    assert baseline.about.k_meta == 3
    assert baseline.figures[0].value == pytest.approx(expected)
    write_baseline(baseline, tmp_path / "baseline.json")
    kept = read_baseline(tmp_path / "baseline.json")
    assert kept.about.k_meta == 3
    same = gate(run, kept)
    assert same.checks[1].difference == pytest.approx(0)
    assert said in same.footer


def test_runs_are_compared_at_a_k_meta(tmp_path: Path) -> None:
    runs = [sampled(tmp_path, k=4, seed=seed) for seed in (1, 2)]
    for each in runs:
        scored(each, auc=0.9)
    found = compare(*runs, votes=["meta"], k_meta=1)
    values = [overall(score(each, votes=["meta"], k_meta=1), "meta") for each in runs]
    assert (found.rows[0].first, found.rows[0].value) == pytest.approx(tuple(values))
    assert any("k_meta: at most 1, 1 at k=4" in note for note in found.footer)


def test_what_is_missing_is_said_and_an_unfinished_journal_counts(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=4)
    with pytest.raises(EngineError):
        scored(folder, die_after=120)
    assert not (folder.path / "rewards" / "m.parquet").exists()
    (lacking,) = [n for n in score(folder, votes=["meta"]).footer if "no meta reward" in n]
    assert lacking == (
        "meta: 180 of 300 readable judgements have no meta reward of m and come after all others"
    )
    unfinished = read_run(folder)
    scored(folder)
    for before, after in zip(unfinished.blocks, read_run(folder).blocks, strict=True):
        there = ~np.isnan(before.rewards["m"])
        assert (before.rewards["m"][there] == after.rewards["m"][there]).all()
        assert not np.isnan(after.rewards["m"]).any()
    notes = score(folder, votes=["meta", "meta-weighted", "sum"]).footer
    assert not [note for note in notes if "no meta reward" in note]
    grown = sampled(tmp_path, k=6)
    notes = score(grown, votes=["meta-weighted:m"]).footer
    assert (
        "meta-weighted:m: 150 of 450 readable judgements have no meta reward of m and do not vote"
        in notes
    )
    # Of the first four none lacks one.
    assert not [
        note for note in score(grown, k=4, votes=["meta"]).footer if "no meta reward" in note
    ]


def test_a_file_from_elsewhere_has_four_columns(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    scored(folder)
    path = folder.path / "rewards"
    table = pq.read_table(path / "m.parquet").select(["subset", "id", "j", "reward"])
    pq.write_table(table, path / "theirs.parquet")
    ours, theirs = (
        overall(score(folder, votes=[f"meta:{name}"]), f"meta:{name}") for name in ("m", "theirs")
    )
    assert ours == theirs


def test_words_that_do_not_fit(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--k-meta 3: it is of --vote meta, not of sum"):
        score(run, k_meta=3)
    with pytest.raises(
        ConfigError, match=r"which meta model\? meta:NAME; allowed: m0.5, m0.7, m0.9"
    ):
        score(run, votes=["meta"])
    with pytest.raises(ConfigError, match="`grmeval meta-score` makes them"):
        score(sampled(tmp_path, k=1), votes=["meta"])


def test_a_gate_that_cannot_tell_advises_on_meta_votes(tmp_path: Path) -> None:
    first, second = (sampled(tmp_path, k=4, seed=seed, engine_args=PLAIN) for seed in (1, 2))
    for each in (first, second):
        scored(each, auc=0.7)
    found = gate(second, baseline_of(first, vote="meta:m", k_meta=1), max_drop=0.1)
    assert found.verdict == "inconclusive"
    # What a redraw of the samples does to this vote is known: nothing is left out of the advice.
    assert any("samples" in said for said in found.advice), found.advice


def test_a_sample_drawn_anew_has_no_reward_of_the_old_text(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2, engine_args=PLAIN)
    scored(folder, auc=0.7)
    path = folder.path / "rewards" / "m.parquet"
    table = pq.read_table(path)
    names = ["9999" if at % 2 else name for at, name in enumerate(table["launch"].to_pylist())]
    place = table.column_names.index("launch")
    pq.write_table(table.set_column(place, "launch", pa.array(names, pa.string())), path)
    blocks = read_run(folder).blocks
    lost = sum(int(np.isnan(block.rewards["m"]).sum()) for block in blocks)
    assert lost == len(table) // 2
    said = [
        line for line in score(folder, votes=["meta:m"]).footer if "have no meta reward" in line
    ]
    assert said
    assert f"{lost:,} of {len(table):,}" in said[0]


def test_an_infinite_reward_made_elsewhere_is_named(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1)
    keys = [{"subset": i["subset"], "id": i["id"], "j": 0} for i in folder.items().to_pylist()]
    (folder.path / "rewards").mkdir()
    rows = [key | {"reward": float("-inf")} for key in keys]
    pq.write_table(pa.Table.from_pylist(rows), folder.path / "rewards" / "ext.parquet")
    with pytest.raises(StoreError, match=r"ext.parquet: damaged: a reward must be finite"):
        score(folder, votes=["meta:ext"])


def test_a_vote_that_compares_is_refused_of_single_responses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--vote borda: it compares responses"):
        diagnose(sampled(tmp_path, k=1), vote="borda")
