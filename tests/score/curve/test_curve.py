"""Curves over k: gains, slopes, other runs and a greedy one beside, by hand or by brute force."""

import json
import math
from dataclasses import fields
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from grmeval.errors import ConfigError, DataError, Incomplete
from grmeval.measure import wilson
from grmeval.report.grid import csv_text, json_object, json_text
from grmeval.score import CurveRow, Scaling, scale, score
from grmeval.store import RunFolder
from tests.helpers import sampled
from tests.score.table.test_accuracy import SCRIPT, Script
from tests.score.table.test_accuracy import run as rmb_run
from tests.score.table.test_benchmark_figures import SCORES
from tests.score.test_compare import LOST, OTHER, SILENT, WON, bench, judged, realmistake, said

NAMES = [f"{at:02}" for at in range(24)]


def margins(seed: int, k: int) -> Any:
    """Score of the good response less the other's, [24, k]."""
    return np.random.default_rng(seed).integers(-3, 5, (24, k))


def script(found: Any) -> Script:
    return {
        name: [[5 + max(m, 0), 5 - min(m, 0)] for m in row.tolist()]
        for name, row in zip(NAMES, found, strict=True)
    }


def vote_at(found: Any, k: int) -> float:
    """Sum vote over all subsets of k: the share of items won, ties wrong."""
    every = [found[:, list(s)].sum(axis=1) > 0 for s in combinations(range(found.shape[1]), k)]
    return float(np.mean(every))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, RunFolder, RunFolder]:
    """Runs of 4 and of 2 samples, random orders, and a greedy one."""
    path = bench(
        tmp_path_factory.mktemp("c"),
        [{"id": name, "subset": "xy"[int(name) % 2]} for name in NAMES],
    )
    more = {"orders": "random"}
    return (
        judged(path, script(margins(1, 4)), 4, **more),
        judged(path, script(margins(2, 2)), 2, seed=1, **more),
        judged(path, script(margins(3, 1)), 1, temperature=0.0, **more),
    )


def overall(result: Scaling, run: RunFolder, vote: str = "sum") -> dict[int, CurveRow]:
    """The overall's points by k."""
    mine = (run.path.name, vote, "overall")
    return {row.k: row for row in result.rows if (row.run_id, row.vote, row.level) == mine}


# ---------------------------------------------------------------------- values and differences


def test_values_and_differences_by_brute_force(
    three: tuple[RunFolder, RunFolder, RunFolder],
) -> None:
    deep, shallow, greedy = three
    result = scale(deep, shallow, greedy=greedy)
    points, others = overall(result, deep), overall(result, shallow)
    assert (list(points), list(others)) == ([1, 2, 4], [1, 2])
    value = {k: vote_at(margins(1, 4), k) for k in points}
    other = {k: vote_at(margins(2, 2), k) for k in others}
    alone = vote_at(margins(3, 1), 1)
    assert {k: row.value for k, row in points.items()} == pytest.approx(value)
    assert {k: row.value for k, row in others.items()} == pytest.approx(other)
    for k, row in points.items():
        assert row.gain == pytest.approx(value[k] - value[1], abs=1e-12)
        assert row.over_greedy == pytest.approx(value[k] - alone)
        assert (row.over_first, math.isnan(row.over_first_low)) == (0, True)
    for k, row in others.items():
        assert row.gain == pytest.approx(other[k] - other[1], abs=1e-12)
        assert row.over_first == pytest.approx(other[k] - value[k])
        assert row.over_first_low < row.over_first < row.over_first_high
    assert [row.subsets for row in points.values()] == ["exact", "exact", "1 subset"]
    assert [row.subsets for row in others.values()] == ["exact", "1 subset"]
    assert f"vs greedy: run {greedy.path.name}" in result.footer
    assert result.about["greedy"] == greedy.path.name


def test_an_order_of_runs_only_turns_the_sign(
    three: tuple[RunFolder, RunFolder, RunFolder],
) -> None:
    deep, shallow, _ = three
    forth, back = scale(deep, shallow), scale(shallow, deep)
    for k in (1, 2):
        one, other = overall(forth, shallow)[k], overall(back, deep)[k]
        assert one.over_first == pytest.approx(-other.over_first)
        assert one.over_first_low == pytest.approx(-other.over_first_high)
    # The first run has no k = 4 to stand beside.
    assert math.isnan(overall(back, deep)[4].over_first)


def test_a_slope_is_the_least_squares_line_on_log2_k(
    three: tuple[RunFolder, RunFolder, RunFolder],
) -> None:
    deep, _, _ = three
    result = scale(deep, ks=[1, 2, 3, 4], votes=["sum", "majority"])
    for slope in result.slopes:
        rows = [
            row
            for row in result.rows
            if (row.vote, row.level, row.name) == (slope.vote, slope.level, slope.name)
        ]
        line = np.polyfit(np.log2([row.k for row in rows]), [row.value for row in rows], 1)
        assert slope.value == pytest.approx(line[0])
        assert slope.low < slope.value < slope.high
    assert {slope.level for slope in result.slopes} == {"overall", "section"}
    assert scale(deep, ks=[2]).slopes == ()


def test_points_are_the_tables_numbers_at_every_level(tmp_path: Path) -> None:
    folders = [rmb_run(tmp_path, SCRIPT, 2), rmb_run(tmp_path, OTHER, 2, seed=1)]
    result = scale(*folders)
    tables = {
        (folder.path.name, k, row.vote, row.level, row.name): row
        for folder in folders
        for k in (1, 2)
        for row in score(folder, k=k, votes=["sum", "majority"]).rows
    }
    for row in result.rows:
        known = tables[row.run_id, row.k, row.vote, row.level, row.name]
        assert (row.value, row.low, row.high) == pytest.approx((known.value, known.low, known.high))
        assert (row.items, row.clusters, row.metric) == (known.items, known.clusters, known.metric)
    assert len(result.rows) == 2 * 2 * 2 * 5


def test_a_section_dropped_whole_is_in_no_difference(tmp_path: Path) -> None:
    """Harmlessness: b2 is silent in the first run, p3 in the second."""
    folders = [rmb_run(tmp_path, SCRIPT, 2), rmb_run(tmp_path, OTHER, 2, seed=1)]
    result = scale(*folders, votes=["sum"], ks=[2], on_invalid="drop", bootstrap=200)
    one, other = (overall(result, folder)[2] for folder in folders)
    assert one.value == pytest.approx((0.5 + 1 + 0) / 3)
    assert other.value == pytest.approx((0.5 + 1 + 1) / 3)
    assert other.over_first == 0  # of Helpfulness alone
    assert one.low < one.value < one.high
    (told,) = [line for line in result.footer if line.startswith("left out of differences: ")]
    whole = "Harmlessness best-of-n, Harmlessness pairs"
    assert told.endswith(f"2 items that only some could read, all of {whole} among them")


# ---------------------------------------------------------------------- ties


def test_ties_are_counted_and_a_dip_is_explained(tmp_path: Path) -> None:
    """a is won by two samples of three, b by one, c by all."""
    path = bench(tmp_path, [{"id": name, "subset": "xxy"[at]} for at, name in enumerate("abc")])
    ups: Script = {"a": [WON, WON, LOST], "b": [WON, LOST, LOST], "c": [WON, WON, WON]}
    folder = judged(path, ups, 3, orders="random")
    result = scale(folder, ks=[1, 2, 3], votes=["majority"])
    assert [row.tied for row in overall(result, folder, "majority").values()] == pytest.approx(
        [0, 4 / 9, 0]
    )
    values = {(row.name, row.k): (row.value, row.tied) for row in result.rows}
    assert {name for name, _ in values} == {"overall", "all"}
    # Won outright at k = 1: 2/3, 1/3 and 1; at k = 2: 1/3, 0 and 1.
    assert values["overall", 1][0] == pytest.approx(2 / 3)
    assert values["overall", 2][0] == pytest.approx(4 / 9)
    (said,) = (line for line in result.footer if line.startswith(result.dip))
    assert said == f"{result.dip}; --ties share draws the curve without that"
    assert result.dip.startswith(
        "falls at k=2 (majority): more votes tie there (majority: 44.4 % at k=2, 0.0 % at k=1)"
    )
    assert "--" not in result.dip  # it stands inside the figure
    shared = scale(folder, ks=[1, 2, 3], votes=["majority"], ties="share")
    assert not shared.dip
    assert not any("falls at" in line for line in shared.footer)
    assert overall(shared, folder, "majority")[2].value == pytest.approx(2 / 3)
    # No even k, no dip; and what no tie explains is not explained.
    assert not scale(folder, ks=[1, 3], votes=["majority"]).dip
    lost = judged(path, {name: [WON, LOST, LOST] for name in "abc"}, 3, orders="random", seed=1)
    assert not scale(lost, ks=[1, 3], votes=["majority"]).dip
    row = score(folder, k=2, votes=["majority"]).rows[0]
    assert row.tied_share == pytest.approx(4 / 9)


# ---------------------------------------------------------------------- the first k


def test_the_first_k_alone(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "abc"])
    ups: Script = {"a": [WON, LOST, LOST], "b": [LOST, [9, 1], LOST], "c": [SILENT, WON, WON]}
    folder = judged(path, ups, 3)
    first = scale(folder, ks=[1, 2, 3], votes=["sum"], first=True)
    # a: 7, 0, -7; b: -7, 1, -6; c: nothing, 7, 14.
    assert [row.value for row in first.rows if row.level == "overall"] == pytest.approx(
        [1 / 3, 2 / 3, 1 / 3]
    )
    assert [row.gain for row in first.rows if row.level == "overall"] == pytest.approx(
        [0, 1 / 3, 0]
    )
    assert {row.subsets for row in first.rows} == {"the first k"}
    assert first.footer[0] == "vote@k: of the first k samples alone"
    assert first.rows[2].value == score(folder).rows[0].value
    # Silent in its first sample, c is dropped there alone; half of the rest is right at k = 1.
    dropped = scale(folder, ks=[1, 2], votes=["sum"], first=True, on_invalid="drop")
    values = [(row.value, row.items) for row in dropped.rows if row.level == "overall"]
    assert values == [(0.5, 2), (pytest.approx(2 / 3), 3)]


# ---------------------------------------------------------------------- an AUC


def test_an_auc_and_its_gain(tmp_path: Path) -> None:
    twice = {name: [*verdicts, *verdicts] for name, verdicts in SCORES.items()} | {"m1": [[8], [9]]}
    (folder,) = realmistake(tmp_path, twice, k=2)
    result = scale(folder, votes=["sum"])
    rows = overall(result, folder)
    assert rows[1].value == pytest.approx(15.5 / 24)
    assert rows[2].value == pytest.approx(15.5 / 24)
    assert (rows[1].gain, rows[2].gain) == pytest.approx((0, 0), abs=1e-12)
    assert (rows[1].subsets, rows[2].subsets) == ("exact", "1 subset")
    # Responses that all hold an error have no curve, and so no gain.
    nothing = [row for row in result.rows if row.name == "Answerability classification"]
    assert all(math.isnan(row.value) and math.isnan(row.gain) for row in nothing)


def test_an_auc_over_drawn_subsets_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    many: Script = {name: [[s] for s in rng.integers(1, 10, 12).tolist()] for name in SCORES}
    (folder,) = realmistake(tmp_path, many, k=12)
    result = scale(folder, votes=["sum"], ks=[2, 6, 12])
    found = {k: (row.subsets, row.noise) for k, row in overall(result, folder).items()}
    assert found[2] == ("exact", 0)  # 66 subsets
    assert (found[6][0], math.isnan(found[6][1])) == ("256 subsets", True)  # of 924
    assert found[12] == ("1 subset", 0)
    assert score(folder, k=2).footer != score(folder, k=6).footer
    assert any("else Monte Carlo" in line for line in score(folder, k=6).footer)


# ---------------------------------------------------------------------- resamples


def test_resamples_are_near_the_closed_form_and_paired(tmp_path: Path) -> None:
    names = [f"{at:04}" for at in range(900)]
    rng = np.random.default_rng(4)
    right = rng.random((900, 4)) < rng.beta(3, 1.5, 900)[:, None]
    verdicts: Script = {
        name: [WON if r else LOST for r in row] for name, row in zip(names, right, strict=True)
    }
    folder = judged(bench(tmp_path, [{"id": name} for name in names]), verdicts, 4, orders="random")
    plain, drawn = scale(folder, votes=["sum"]), scale(folder, votes=["sum"], bootstrap=4000)
    for one, other in zip(plain.rows, drawn.rows, strict=True):
        assert one.value == other.value
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.3 * one.error)
        if one.k > 1:
            width = one.gain_high - one.gain_low
            assert (other.gain_low, other.gain_high) == pytest.approx(
                (one.gain_low, one.gain_high), abs=0.08 * width
            )
            # Paired: what is hard at k = 1 is hard at k.
            assert width < 0.8 * 2 * 1.96 * math.hypot(one.error, plain.rows[0].error)
    assert [s.low for s in drawn.slopes] == pytest.approx([s.low for s in plain.slopes], rel=0.1)
    again = scale(folder, votes=["sum"], bootstrap=4000)
    assert str(again.rows) == str(drawn.rows)  # seeded by the run
    top = overall(plain, folder)[4]
    assert (top.low, top.high) == pytest.approx(wilson(round(top.value * 900), 900), abs=0.01)


# ---------------------------------------------------------------------- what is said and refused


def test_ks_that_a_run_does_not_hold(three: tuple[RunFolder, RunFolder, RunFolder]) -> None:
    deep, shallow, greedy = three
    with pytest.raises(ConfigError, match=r"--ks 8,1: .* has 1 to 4 samples an item"):
        scale(deep, ks=[8, 1])
    with pytest.raises(ConfigError, match="--ks 0: "):
        scale(deep, shallow, ks=[0])
    with pytest.raises(ConfigError, match=r"--ks 4: .* has 1 to 2 samples an item"):
        scale(deep, shallow, ks=[4])
    assert list(overall(scale(deep, shallow, ks=[2, 4]), shallow)) == [2]
    with pytest.raises(ConfigError, match="not a greedy run"):
        scale(deep, greedy=shallow)
    # Without k = 1 nothing is gained over it.
    assert math.isnan(overall(scale(deep, ks=[2, 4]), deep)[4].gain)
    assert scale(greedy, greedy=greedy).rows[0].over_greedy == 0


def test_other_rows_are_refused(tmp_path: Path) -> None:
    one = judged(bench(tmp_path / "one", [{"id": n} for n in "ab"]), said("ab", [WON, LOST]))
    rows = [{"id": "a"}, {"id": "b", "prompt": "other?"}]
    two = judged(bench(tmp_path / "two", rows), said("ab", [WON, LOST]), temperature=0.0)
    for how in ({"greedy": two}, {}):
        folders = (one,) if how else (one, two)
        with pytest.raises(ConfigError, match=r"1 rows with another prompt, response or label"):
            scale(*folders, **how)  # type: ignore[arg-type]


def test_unlabelled_and_unfinished_runs(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": "a", "quality": [1, 1]}])
    with pytest.raises(DataError, match="no labels"):
        scale(judged(path, said("a", [WON])))
    folder = judged(bench(tmp_path / "b", [{"id": n} for n in "ab"]), said("ab", [WON, WON]))
    (folder.path / "samples.parquet").unlink()
    with pytest.raises(Incomplete, match="some items have no sample yet"):
        scale(folder)


def test_items_of_unlike_depth_are_not_one_subset(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "ab"])
    folder = judged(path, {"a": [WON, LOST], "b": [WON, WON]}, 2, orders="random")
    file = folder.path / "samples.parquet"
    table = pq.read_table(file)
    gone = pc.and_(pc.equal(table["id"], "b"), pc.equal(table["j"], 1))
    pq.write_table(table.filter(pc.invert(gone)), file)
    (row,) = overall(scale(folder, votes=["sum"]), folder).values()
    # One of a's two samples, and b's only one.
    assert (row.k, row.value, row.subsets) == (1, 0.75, "exact")


def test_orders_of_unlike_runs_are_said_for_each(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "ab"])
    verdicts: Script = {name: [WON, LOST] for name in "ab"}
    folders = [judged(path, verdicts, 2, orders=orders) for orders in ("balanced", "random")]
    lines = [line for line in scale(*folders).footer if "vote@k: mean over" in line]
    assert [line.split(":")[0] for line in lines] == [f"fake {f.path.name[:4]}" for f in folders]
    assert "a fresh run's order counts" in lines[0]
    assert "all subsets" in lines[1]
    (alone,) = (line for line in scale(folders[1]).footer if "vote@k: mean over" in line)
    assert alone.startswith("vote@k: mean over all subsets")


def test_what_k_judgements_cost(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "ab"])
    folder = judged(path, {"a": [WON, SILENT], "b": [WON, WON]}, 2)
    for row in scale(folder, votes=["sum"]).rows:
        # 9 tokens a judgement, 0 of the silent one; each prompt is 1.
        assert row.tokens == pytest.approx(row.k * 27 / 4)
        assert row.prompt_tokens == pytest.approx(row.k)
        assert row.seconds >= 0


# ---------------------------------------------------------------------- files


def test_json_has_no_nan_and_csv_has_one_head(
    three: tuple[RunFolder, RunFolder, RunFolder],
) -> None:
    deep, shallow, greedy = three
    results = [scale(deep), scale(deep, shallow, greedy=greedy), scale(deep, first=True)]
    head = [*(field.name for field in fields(CurveRow)), "limit", "ties", "on_invalid", "greedy"]
    for result in results:
        text = csv_text(result.rows, result.about)
        assert text.splitlines()[0] == ",".join(head)
        assert "nan" not in text
        read = json.loads(json_text(json_object(result)), parse_constant=pytest.fail)
        assert len(read["rows"]) == len(result.rows)
        assert read["rows"][0]["gain_low"] is None
        assert read["slopes"][0]["ks"] == [1, 2, 4]


def test_the_greedy_run_may_be_deeper_and_limited(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    greedy = sampled(tmp_path, k=1, temperature=0.0, limit=20)
    result = scale(folder, greedy=greedy, votes=["sum"])
    assert (result.rows[0].items, result.about["limit"]) == (20, 20)
    alone = score(greedy).rows[0].value
    assert result.rows[0].over_greedy == pytest.approx(result.rows[0].value - alone)
