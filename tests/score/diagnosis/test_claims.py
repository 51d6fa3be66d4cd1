"""Claims: a fair judge is called biased no more often than the rate says, a planted bias is found."""

from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from grmeval.measure import benjamini_hochberg
from grmeval.score.arrays import Block
from grmeval.score.diagnosis import Part, diagnose
from grmeval.score.diagnosis.claims import declared, looked_at
from grmeval.score.diagnosis.findings import RATE
from grmeval.score.diagnosis.observed import Kind, Observed
from grmeval.score.diagnosis.position_and_length import length, position, reversal
from grmeval.score.diagnosis.summary import MOST_LINES
from tests.helpers import sampled


def judged(
    rng: np.random.Generator, items: int, n: int, k: int, by_order: float, by_length: float
) -> Kind:
    """Items of n responses in rotated orders; whole scores of unlike spread, moved by the biases."""
    best = np.arange(n) == rng.integers(n, size=items)[:, None]
    chars = rng.lognormal(6, 1, (items, n)).astype(np.int64)
    start = rng.integers(n, size=(items, 1, 1))
    order = ((start + np.arange(k)[:, None] + np.arange(n)) % n).astype(np.int16)
    skill, spread = rng.normal(0.7, 1, items), rng.uniform(0.3, 2, items)
    noise = spread[:, None, None] * rng.normal(size=(items, k, n))
    lead = (skill[:, None] * best + by_length * (chars == chars.max(axis=1, keepdims=True)))[
        :, None
    ]
    scores = 5 + lead + noise
    np.put_along_axis(
        scores,
        order[..., :1].astype(np.int64),
        np.take_along_axis(scores, order[..., :1].astype(np.int64), 2) + by_order,
        2,
    )
    there = np.ones((items, k), dtype=bool)
    block = Block(np.arange(items), scores.round().clip(1, 10), there, there, best, False)
    name, cluster = "pairs" if n == 2 else "best-of-n", 1000 * n + np.arange(items)
    return Kind(name, block, order, chars, np.ones(items, dtype=bool), cluster, 5.5)


def diagnosed(
    seed: int, pairs: int = 40, k: int = 8, by_order: float = 0, by_length: float = 0
) -> tuple[Part, ...]:
    """Position, reversal and length of pairs and of a third as many best-of-4."""
    rng = np.random.default_rng(seed)
    kinds = tuple(
        judged(rng, items, n, k, by_order, by_length) for items, n in ((pairs, 2), (pairs // 3, 4))
    )
    none: Any = None
    seen = Observed(none, kinds, np.zeros(0, np.int64), np.zeros(0, np.int64))
    return declared([position(seen), reversal(seen), length(seen)])


@pytest.mark.parametrize("runs", [30, pytest.param(2000, marks=pytest.mark.long)])
@pytest.mark.parametrize(("pairs", "k"), [(40, 8), (40, 1), (12, 4), (150, 2)])
def test_a_fair_judge_is_called_biased_at_most_at_the_rate(pairs: int, k: int, runs: int) -> None:
    false = alone = 0
    for seed in range(runs):
        looked = looked_at(diagnosed(seed, pairs, k))
        # Less the flips where no order is judged twice, and what all alike have none of.
        assert 7 <= len(looked) <= 9
        false += any(claim.found for claim in looked)
        alone += any(claim.row.low > 0 or claim.row.high < 0 for claim in looked)
    print(f"{pairs} pairs, k={k}: found {false}, by single intervals {alone} of {runs}")
    assert false <= binom.ppf(0.999, runs, RATE)
    # What single intervals would have called, twice as often at least.
    assert alone > 2 * false


@pytest.mark.parametrize(("bias", "topic"), [("by_order", "position"), ("by_length", "length")])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("runs", [12, pytest.param(50, marks=pytest.mark.long)])
def test_a_planted_bias_is_found_and_no_other(bias: str, topic: str, sign: int, runs: int) -> None:
    found, others = 0, 0
    for seed in range(runs):
        parts = diagnosed(seed, **{bias: sign * 1.5})  # type: ignore[arg-type]
        mine = [claim for claim in looked_at(parts) if claim.found and claim.row.part == topic]
        found += bool(mine)
        assert all((claim.row.value > 0) == (sign > 0) for claim in mine)
        others += any(
            claim.found
            for claim in looked_at(parts)
            if claim.row.part != topic and (topic, claim.row.part) != ("position", "reversal")
        )
    assert found >= runs - 1
    # At 5 % of what is found, the others are false in a few of the runs.
    assert others <= binom.ppf(0.999, runs, 2 * RATE)


@pytest.mark.parametrize("runs", [40, pytest.param(200, marks=pytest.mark.long)])
def test_the_detectable_bias_is_found_with_that_probability(runs: int) -> None:
    """The shift of a mean score is the bias itself: of the size that a fair run names, 80 % are found."""
    sizes = [diagnosed(seed, 60)[0].claims[1].row.detectable for seed in range(runs // 2)]
    bias = float(np.mean(sizes))
    found = 0
    for seed in range(runs):
        claim = diagnosed(1000 + seed, 60, by_order=bias)[0].claims[1]
        assert (claim.row.kind, claim.row.measure) == ("pairs", "mean score")
        found += claim.found
    # Found together with the accuracy, it needs less than alone.
    assert found >= binom.ppf(0.001, runs, 0.8)


def test_q_is_over_all_that_was_looked_at(tmp_path: Path) -> None:
    found = diagnose(sampled(tmp_path, k=8, engine_args={"order_bias": 2}))
    looked = looked_at(found.parts)
    rows = [row for part in found.parts for row in part.findings if not isnan(row.p)]
    assert len(rows) == len(looked) == found.about["looked_at"] == 10
    adjusted = benjamini_hochberg([row.p for row in rows])
    assert [row.q for row in rows] == pytest.approx(adjusted.tolist())
    assert found.about["rate"] == RATE
    # Every claim is a number of its part, and a sentence.
    for part in found.parts:
        for claim in part.claims:
            assert claim.row in part.findings
            assert claim.sentence() in part.says


def test_a_summary_says_what_is_wrong_or_what_would_have_been_seen(tmp_path: Path) -> None:
    biased = diagnose(sampled(tmp_path / "b", k=8, engine_args={"order_bias": 3}))
    head, *lines = biased.summary
    assert head.startswith("found ")
    assert head.endswith(" of 10 numbers looked at; false discovery rate 5 % over all 10")
    assert lines[0].startswith("position: the first slot is favoured: ")
    assert "; do: balanced orders, k a multiple" in lines[1]
    fair = diagnose(sampled(tmp_path / "f", k=8))
    head, *lines = fair.summary
    assert head == "nothing found in 10 numbers looked at; false discovery rate 5 % over all 10"
    assert lines[0].startswith("position: nothing found in 5 numbers; would see ")
    assert lines[3] == "output: all 600 judgements can be read"
    for result in (biased, fair):
        assert len(result.summary) <= MOST_LINES
        assert max(map(len, result.summary)) <= 90
        assert result.summary[-1].endswith(" single 95 % intervals, not corrected")


def test_where_nothing_can_be_tested_it_is_said(tmp_path: Path) -> None:
    found = diagnose(sampled(tmp_path, k=1, limit=1))
    assert not looked_at(found.parts)
    assert found.summary[0] == "no bias could be looked for: no number could be tested"
    assert found.summary[1].startswith("position: not tested")


def test_few_items_are_said_to_see_nothing() -> None:
    parts = diagnosed(0, pairs=6)
    assert all(
        isnan(claim.row.detectable) for claim in looked_at(parts) if claim.row.unit == "points"
    )


@pytest.mark.long
def test_a_fair_fake_judge_is_found_fair(tmp_path: Path) -> None:
    """Whole runs of items that are equally hard: calibration too has nothing to find."""
    runs, false = 200, 0
    for seed in range(runs):
        found = diagnose(sampled(tmp_path / str(seed), k=4, seed=seed))
        false += any(claim.found for claim in looked_at(found.parts))
    print(f"found in {false} of {runs}")
    assert false <= binom.ppf(0.999, runs, RATE)
