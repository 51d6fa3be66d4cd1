"""Two runs of the same rows: differences, tests and flips by hand, and rows that are not the same."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grmeval.errors import ConfigError, DataError, Incomplete
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import Comparison, Gap, compare, score
from grmeval.store import RunFolder
from tests.benches.test_rewardbench_2 import files as two_files
from tests.benches.test_rewardbench_2 import row as two_row
from tests.helpers import Quiet, sampled
from tests.score.table.test_accuracy import SCRIPT, Script, Scripted
from tests.score.table.test_accuracy import run as rmb_run
from tests.score.table.test_benchmark_figures import CELLS, SCORES, copy

WON, LOST, TIE, SILENT = [9, 2], [2, 9], [5, 5], "length"
Said = list[int] | str


def bench(folder: Path, rows: Sequence[Mapping[str, Any]], toml: str = "") -> Path:
    """A benchmark of one's own; a row is a pair of which the first is good, unless it says else."""
    (folder / "mine").mkdir(parents=True, exist_ok=True)
    pair = {"responses": ["a", "b"], "quality": [1, 0]}
    lines = [json.dumps(pair | {"prompt": f"{row['id']}?"} | dict(row)) for row in rows]
    (folder / "mine" / "rows.jsonl").write_text("\n".join(lines))
    source = 'id = "mine"\ntitle = "Mine"\nsource = {packaged = "mine"}\n'
    table = '[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\n'
    if any("subset" in row for row in rows):
        table += 'subset = "subset"\n'
    (folder / "mine.toml").write_text(source + toml + table)
    return folder / "mine.toml"


def judged(path: Path | str, script: Script, k: int = 1, **settings: Any) -> RunFolder:
    """A run of a benchmark in which the judge says what the script says."""
    where = Path(str(path)).parent / "results" if str(path).endswith("toml") else None
    values = {"bench": str(path), "engine": "fake", "k": k, "results": where} | settings
    plan = prepare(configure({n: v for n, v in values.items() if v is not None}))
    return extend(plan, Quiet(), Engines(lambda seed: Scripted(script)))


def said(names: Sequence[str], verdicts: Sequence[Said]) -> dict[str, list[Said]]:
    return {name: [verdict] for name, verdict in zip(names, verdicts, strict=True)}


def row(result: Comparison, name: str = "overall", vote: str = "sum") -> Gap:
    return next(each for each in result.rows if each.name == name and each.vote == vote)


def two_sided(wins: int, losses: int) -> float:
    """McNemar's exact p: of a fair coin."""
    n = wins + losses
    ways = sum(comb(n, i) for i in range(min(wins, losses) + 1))
    return min(1.0, 2 * ways / float(2**n))


# ---------------------------------------------------------------------- by hand


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, RunFolder]:
    """Two subsets of 12 pairs: in x 8 won and 1 lost, in y 2 won and 2 lost."""
    names = [f"{subset}{at:02}" for subset in "xy" for at in range(12)]
    path = bench(
        tmp_path_factory.mktemp("pairs"), [{"id": name, "subset": name[0]} for name in names]
    )
    before = [LOST] * 8 + [WON] * 4 + [LOST] * 2 + [WON] * 2 + [TIE] * 4 + [WON] * 4
    after = [WON] * 8 + [LOST] + [WON] * 3 + [WON] * 2 + [LOST] * 2 + [TIE] * 4 + [WON] * 4
    one = judged(path, said(names, before))
    return one, judged(path, said(names, after), seed=1)


def test_differences_p_q_and_flips_by_hand(pairs: tuple[RunFolder, RunFolder]) -> None:
    result = compare(*pairs)
    overall, x, y = row(result), row(result, "x"), row(result, "y")
    assert [g.first for g in (overall, x, y)] == pytest.approx([10 / 24, 4 / 12, 6 / 12])
    assert [g.value for g in (overall, x, y)] == pytest.approx([17 / 24, 11 / 12, 6 / 12])
    assert x.difference == pytest.approx(7 / 12)
    assert (x.won, x.lost, x.items, x.clusters) == (8, 1, 12, 12)
    assert (y.difference, y.won, y.lost) == (0, 2, 2)
    assert [g.test for g in (overall, x, y)] == ["mcnemar"] * 3
    assert overall.p == pytest.approx(two_sided(10, 3))
    assert (x.p, y.p) == pytest.approx((two_sided(8, 1), 1.0))
    # Two tests: the smaller p counts twice, the larger once.
    assert (x.q, y.q) == pytest.approx((2 * two_sided(8, 1), 1.0))
    assert math.isnan(overall.q)
    assert math.isnan(row(result, "all").q)
    assert all(g.low <= g.difference <= g.high for g in result.rows)
    assert overall.detectable > 2.8 * overall.error
    flips = [(flip.id, flip.subset, flip.first, flip.value) for flip in result.flips]
    lost = [("x08", "x", 1, 0), ("y02", "y", 1, 0), ("y03", "y", 1, 0)]
    won = [(f"x0{at}", "x", 0, 1) for at in range(8)] + [("y00", "y", 0, 1), ("y01", "y", 0, 1)]
    assert flips == lost + won


def test_the_difference_of_b_less_a_mirrors_a_less_b(pairs: tuple[RunFolder, RunFolder]) -> None:
    forth, back = compare(*pairs), compare(*reversed(pairs))
    for one, other in zip(forth.rows, back.rows, strict=True):
        mirrored = (-other.difference, -other.high, -other.low, other.value, other.first)
        assert (one.difference, one.low, one.high, one.first, one.value) == pytest.approx(mirrored)
        assert (one.p, one.error, one.won, one.lost) == (
            other.p,
            other.error,
            other.lost,
            other.won,
        )
    assert {flip.id for flip in forth.flips} == {flip.id for flip in back.flips}


def test_a_tie_that_is_half_a_point_is_no_flip(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "abc"])
    one = judged(path, said("abc", [LOST, TIE, WON]))
    other = judged(path, said("abc", [TIE, WON, WON]), seed=1)
    result = compare(one, other, ties="half")
    assert row(result).difference == pytest.approx(1 / 3)
    assert (row(result).won, row(result).lost, result.flips) == (0, 0, ())
    assert row(result).test == "sign-flip"  # a half is neither right nor wrong
    assert row(compare(one, other)).won == 1


# ---------------------------------------------------------------------- the same numbers as the table


def equal_to_scores(*folders: RunFolder, **how: Any) -> Comparison:
    """Every number of a comparison is that of the accuracy table, at every level that it has."""
    result = compare(*folders, **how)
    tables = [
        {(r.level, r.name, r.metric): r for r in score(folder, **how).rows if r.level != "figure"}
        for folder in folders
    ]
    seen = 0
    for gap in result.rows:
        at = next(i for i, folder in enumerate(folders) if folder.path.name == gap.run_id)
        first, mine = (tables[each].get((gap.level, gap.name, gap.metric)) for each in (0, at))
        if math.isnan(gap.difference):
            assert gap.items == 0
            continue
        assert first
        assert mine
        assert (gap.first, gap.value) == pytest.approx((first.value, mine.value), abs=1e-12)
        assert gap.difference == pytest.approx(mine.value - first.value, abs=1e-12)
        # Dropped items weigh nothing in their own run alone.
        assert gap.items == max(first.items, mine.items) or how.get("on_invalid") == "drop"
        seen += 1
    assert seen
    return result


OTHER: Script = dict(SCRIPT) | {
    "p1": [[2, 9], [3, 5]],
    "p2": [[6, 4], [6, 6]],
    "p3": ["length", "length"],
    "b2": [[9, 1, 1, 1], "error"],
    "b1#2": [[1, 5], [8, 9]],
    "b2#3": [[8, 7], [7, 7]],
}


@pytest.mark.parametrize("layout", ["list", "pairs"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"ties": "share", "on_invalid": "share"},
        {"ties": "half", "on_invalid": "half"},
        {"ties": "random"},
        {"protocol": "paper"},
        {"k": 1},
    ],
)
def test_rmb_is_what_its_tables_say(tmp_path: Path, layout: str, how: dict[str, Any]) -> None:
    one = rmb_run(tmp_path, SCRIPT, 2, layout=layout)
    other = rmb_run(tmp_path, OTHER, 2, layout=layout, seed=1)
    result = equal_to_scores(one, other, **how)
    assert row(result).test == "sign-flip"
    assert {each.level for each in result.rows} == {"overall", "section", "subset"}


def test_a_section_that_one_run_could_not_read_is_in_neither_number(tmp_path: Path) -> None:
    """b2 is all that Harmlessness best-of-n has; only the second run could read it. p3: only the first."""
    one, other = rmb_run(tmp_path, SCRIPT, 2), rmb_run(tmp_path, OTHER, 2, seed=1)
    result = compare(one, other, on_invalid="drop")
    overall = result.rows[0]
    # Helpfulness alone: pairs 1/2 -> 1/2 (p1 lost, p2 won), best-of-n 1 -> 1.
    assert (overall.first, overall.value, overall.items) == (0.75, 0.75, 3)
    names = ("Harmlessness best-of-n", "Harmlessness pairs")
    for name in names:
        assert (row(result, name).items, math.isnan(row(result, name).value)) == (0, True)
    told = f"leaves out 2 items that only some could read, all of {', '.join(names)} among them"
    assert f"{overall.run} less the first {told}" in result.footer
    assert (overall.won, overall.lost) == (1, 1)


def test_what_one_run_dropped_is_in_no_difference(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "abcd"])
    one = judged(path, said("abcd", [WON, SILENT, LOST, LOST]))
    other = judged(path, said("abcd", [WON, WON, SILENT, LOST]), seed=1)
    result = compare(one, other, on_invalid="drop")
    gap = row(result)
    # a and d: b is silent in one, c in the other.
    assert (gap.first, gap.value) == (0.5, 0.5)
    assert (gap.won, gap.lost, gap.items) == (0, 0, 2)
    assert any("leaves out 2 items that only some could read" in line for line in result.footer)
    assert row(compare(one, other)).won == 1  # silence is wrong: b is won


AUC_OTHER: Script = dict(SCORES) | {"m4": [[9]], "m2": [[9]], "f1": ["error"]}


def realmistake(tmp_path: Path, *scripts: Script, k: int = 1) -> list[RunFolder]:
    copy(tmp_path, CELLS)
    more: dict[str, Any] = {"data": tmp_path, "results": tmp_path / "r"}
    return [judged("realmistake", s, k, seed=at, **more) for at, s in enumerate(scripts)]


@pytest.mark.parametrize("rule", ["half", "wrong", "share"])
def test_an_auc_is_what_its_table_says(tmp_path: Path, rule: str) -> None:
    result = equal_to_scores(*realmistake(tmp_path, SCORES, AUC_OTHER), on_invalid=rule)
    gap = row(result)
    assert (gap.metric, gap.items, gap.test, gap.won, gap.lost) == (
        "roc-auc",
        10,
        "sign-flip",
        0,
        0,
    )
    assert result.flips == ()
    assert {each.level for each in result.rows} == {"overall", "section", "subset", "view"}


def test_responses_that_only_some_could_read_are_in_no_auc(tmp_path: Path) -> None:
    result = compare(*realmistake(tmp_path, SCORES, AUC_OTHER), on_invalid="drop")
    # m4 and f1 are dropped: 8 and 4 against 3 8 6 9 2 5, then against 9 8 6 9 2 5.
    gap = row(result)
    assert (gap.first, gap.value) == pytest.approx(((4.5 + 2) / 12, (3.5 + 1) / 12))
    assert (gap.items, gap.clusters) == (8, 8)
    told = f"{gap.run} less the first leaves out 2 responses that only some could read"
    assert told in result.footer


def ties_data(folder: Path) -> Path:
    """RewardBench 2 in little: two prompts of Ties with their references, and three of Math."""
    ties = [("ref:1", 1), ("tied:1", 2), ("ref:2", 1), ("tied:2", 2)]
    rows = [two_row("Ties", name, right, 1) for name, right in ties]
    return two_files(folder, rows + [two_row("Math", f"m{at}") for at in range(3)])


def ties_script(**changed: list[int]) -> Script:
    """The scores of each prompt's responses, the right ones first; those of Ties are judged one by one."""
    scores = {"ref:1": [9, 2], "tied:1": [9, 8, 2], "ref:2": [2, 9], "tied:2": [9, 3, 4]}
    scores |= {"m0": [9, 2, 2, 2], "m1": [1, 2, 2, 2], "m2": [3, 2, 2, 2]} | changed
    apart: dict[str, list[Said]] = {
        f"{n}@{at}": [[s]] for n, said in scores.items() for at, s in enumerate(said)
    }
    return apart | {name: [said] for name, said in scores.items()}


@pytest.mark.parametrize("overall", ["mean", "micro"])
def test_terms_of_ties_are_weighed_and_an_item_flips_once(tmp_path: Path, overall: str) -> None:
    toml = tmp_path / "rb2.toml"
    toml.write_text(
        f'extends = "rewardbench-2"\nid = "mine"\noverall = "{overall}"\nmetric = "as told"\n'
    )
    changed = {"ref:2": [9, 2], "m0": [1, 2, 2, 2], "tied:1": [9, 8, 8]}
    more: dict[str, Any] = {"data": ties_data(tmp_path), "results": tmp_path / "r"}
    one, other = (
        judged(toml, ties_script(), **more),
        judged(toml, ties_script(**changed), seed=1, **more),
    )
    result = equal_to_scores(one, other)
    ties = next(each for each in result.rows if (each.level, each.name) == ("section", "Ties"))
    # The reference of 2 is won, the tied prompt of 1 lost; the joint terms are no items.
    assert (ties.won, ties.lost, ties.items) == (1, 1, 4)
    assert (row(result, next(r.name for r in result.rows)).won, len(result.flips)) == (1, 3)
    assert {(flip.subset, flip.term) for flip in result.flips} == {
        ("Ties", "tied accuracy"),
        ("Ties", "reference accuracy"),
        ("Math", ""),
    }


def test_games_views_and_the_micro_average_of_judgebench(tmp_path: Path) -> None:
    script: dict[str, Any] = {}
    for model in ("gpt-4o-2024-05-13", "claude-3-5-sonnet-20240620"):
        lines = []
        for at, source in enumerate(["mmlu-pro-law"] * 4 + ["livebench-math"] * 2):
            line = {"pair_id": f"{model}{at}", "source": source, "question": f"{at}?"}
            lines.append(json.dumps(line | {"response_A": "a", "response_B": "b", "label": "A>B"}))
            script[f"{model}{at}"] = [[9, 2], [9, 2]] if at % 2 else [[2, 9], [2, 9]]
        file = tmp_path / "data" / f"dataset=judgebench,response_model={model}.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(lines))
    # One game won by a mile and one lost by a point: even, though the sums are not.
    other = script | {
        "gpt-4o-2024-05-131": [[9, 1], [2, 3]],
        "gpt-4o-2024-05-130": [[9, 1], [9, 1]],
    }
    more: dict[str, Any] = {"data": tmp_path, "results": tmp_path / "r", "k": 2}
    folders = [judged("judgebench", s, seed=at, **more) for at, s in enumerate((script, other))]
    result = equal_to_scores(*folders)
    overall = result.rows[0]
    assert (overall.first, overall.value, overall.items) == (0.5, 0.5, 12)
    assert (overall.won, overall.lost) == (1, 1)
    assert any(each.level == "view" for each in result.rows)
    # The same prompt for both models: 6 prompts.
    assert (overall.clusters, overall.test) == (6, "sign-flip")


def test_rows_without_labels_are_in_no_number(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": "a"}, {"id": "b", "quality": [1, 1]}, {"id": "c"}])
    one = judged(path, said("abc", [LOST, LOST, WON]))
    other = judged(path, said("abc", [WON, WON, WON]), seed=1)
    gap = row(equal_to_scores(one, other))
    assert (gap.first, gap.value, gap.items, gap.won) == (0.5, 1.0, 2, 1)


def test_no_labels_at_all(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name, "quality": [1, 1]} for name in "ab"])
    folders = [judged(path, said("ab", [WON, WON]), seed=seed) for seed in (0, 1)]
    with pytest.raises(DataError, match="its rows have no labels, so there is no accuracy"):
        compare(*folders)


# ---------------------------------------------------------------------- k


def test_a_smaller_k_is_the_mean_over_subsets(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "ab"])
    one = judged(path, {"a": [WON, LOST, WON, WON], "b": [LOST] * 4}, 4)
    other = judged(path, {"a": [LOST], "b": [WON]}, seed=1)
    result = equal_to_scores(one, other, k=1)
    assert row(compare(one, other)) == row(result)  # the most that both were asked for
    assert (row(result).first, row(result).value) == pytest.approx((3 / 8, 1 / 2))
    assert {flip.id: (flip.first, flip.value) for flip in result.flips} == {
        "a": (0.75, 0.0),
        "b": (0.0, 1.0),
    }
    assert result.title.endswith("k=1")
    with pytest.raises(ConfigError, match=r"--k 2: .* has 1 samples of some items; take --k 1"):
        compare(one, other, k=2)


def test_an_unfinished_run_is_incomplete(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "ab"])
    one = judged(path, said("ab", [WON, WON]))
    other = judged(path, said("ab", [WON, WON]), seed=1)
    (other.path / "samples.parquet").unlink()
    with pytest.raises(Incomplete, match="some items have no sample yet"):
        compare(one, other)


# ---------------------------------------------------------------------- several runs, one label


def test_three_runs_are_each_less_the_first(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "ab"])
    verdicts = ([LOST, LOST], [WON, LOST], [WON, WON])
    folders = [judged(path, said("ab", each), seed=at) for at, each in enumerate(verdicts)]
    result = compare(*folders, votes=["sum", "majority"])
    overall = [each for each in result.rows if each.level == "overall"]
    assert [(each.run_id, each.vote, each.difference) for each in overall] == [
        (folders[1].path.name, "sum", 0.5),
        (folders[2].path.name, "sum", 1.0),
        (folders[1].path.name, "majority", 0.5),
        (folders[2].path.name, "majority", 1.0),
    ]
    assert [each.run for each in overall[:2]] == [f"fake {f.path.name[:4]}" for f in folders[1:]]
    assert list(result.run) == [folder.path.name for folder in folders]
    assert result.about["first_run"] == folders[0].path.name
    # What rows have in common hides none of their fields.
    assert not result.about.keys() & {field.name for field in fields(Gap)}


def test_one_run_twice_is_refused_and_two_copies_are_told_apart(tmp_path: Path) -> None:
    folder = sampled(tmp_path / "r", k=1, limit=10)
    for others in (
        (),
        (folder,),
        (RunFolder(tmp_path / "r" / ".." / folder.path.relative_to(tmp_path)),),
    ):
        with pytest.raises(ConfigError, match="two or more different runs"):
            compare(folder, *others)
    copies = [sampled(tmp_path / name, k=1, limit=10) for name in ("s", "t")]
    result = compare(folder, *copies)
    assert {each.run_id for each in result.rows} == {folder.path.name}
    assert len({each.run for each in result.rows}) == 2
    assert len(result.run) == 3
    assert all((each.difference, each.p, each.won) == (0, 1, 0) for each in result.rows)
    assert all(each.low < 0 < each.high for each in result.rows)  # agreement is not certainty


# ---------------------------------------------------------------------- other rows


ROWS = [{"id": name, "subset": "x"} for name in "abcde"]
ALL_WON = said("abcde", [WON] * 5)


def two_benches(
    tmp_path: Path, rows: Sequence[Any], toml: str = "", **more: Any
) -> list[RunFolder]:
    one = judged(bench(tmp_path / "one", ROWS), ALL_WON)
    return [one, judged(bench(tmp_path / "two", rows, toml), ALL_WON, **more)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:3], r"2 rows only in the first \(x/d, x/e\)"),
        (
            [*ROWS[:4], {"id": "e", "subset": "y"}],
            r"1 rows only in the first \(x/e\); 1 rows only in ",
        ),
        (
            [*ROWS[:4], ROWS[4] | {"prompt": "other?"}],
            r"1 rows with another prompt, response or label \(x/e\)",
        ),
        (
            [each | {"quality": [0, 1]} for each in ROWS],
            r"5 rows with another prompt, response or label \(x/a, x/b, x/c …\)",
        ),
        ([*ROWS[:4], ROWS[4] | {"responses": ["a", "c"]}], r"1 rows with another prompt, response"),
        ([*ROWS[:4], ROWS[4] | {"cluster": "c"}], r"1 rows with another prompt, response or label"),
    ],
)
def test_other_rows_are_refused_and_named(
    tmp_path: Path, rows: Sequence[Any], message: str
) -> None:
    folders = two_benches(tmp_path, rows)
    with pytest.raises(ConfigError, match=f"did not judge the same rows: {message}"):
        compare(*folders)


def test_another_limit_is_the_smaller_one(tmp_path: Path) -> None:
    path = bench(tmp_path, ROWS)
    one, limited = judged(path, ALL_WON), judged(bench(tmp_path / "more", ROWS), ALL_WON, limit=2)
    result = compare(one, limited)
    assert (row(result).items, result.about["limit"]) == (2, 2)
    assert "--limit 2: a stratified part of the items" in result.footer
    with pytest.raises(Incomplete, match="--limit N takes the first N"):
        compare(one, limited, limit=3)


def test_the_first_n_of_another_limit_seed_are_other_rows(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": f"{at:02}"} for at in range(40)])
    script: Script = {f"{at:02}": [WON] for at in range(40)}
    folders = [judged(path, script, limit=5, limit_seed=seed) for seed in (0, 1)]
    with pytest.raises(ConfigError, match="rows only in the first"):
        compare(*folders)


def test_another_layout_benchmark_or_metric_is_named(tmp_path: Path) -> None:
    one, other = rmb_run(tmp_path, SCRIPT, 2), rmb_run(tmp_path, SCRIPT, 2, layout="pairs")
    with pytest.raises(ConfigError, match=r"same rows: layout list and layout pairs; .*b2#1"):
        compare(one, other)
    with pytest.raises(ConfigError, match="bench rmb and bench sample; 5 rows only in the first"):
        compare(one, sampled(tmp_path / "s", k=2))
    changed = two_benches(tmp_path / "x", ROWS, "threshold = 6.0\noverall = 'micro'\n")
    with pytest.raises(
        ConfigError, match="the benchmark's overall, threshold changed between them"
    ):
        compare(*changed)


# ---------------------------------------------------------------------- limits


def test_resamples_agree_with_the_closed_form_where_items_are_many(tmp_path: Path) -> None:
    names = [f"{at:04}" for at in range(1200)]
    rng = np.random.default_rng(5)
    before, after = (rng.random(1200) < share for share in (0.6, 0.7))
    path = bench(tmp_path, [{"id": n, "subset": "xyz"[i % 3]} for i, n in enumerate(names)])
    folders = [
        judged(path, said(names, [WON if r else LOST for r in right]), seed=at)
        for at, right in enumerate((before, after))
    ]
    plain, drawn = compare(*folders), compare(*folders, bootstrap=4000)
    overall = row(plain)
    d = after.astype(float) - before
    assert overall.difference == pytest.approx(d.mean())
    assert overall.error == pytest.approx(d.std(ddof=1) / math.sqrt(1200), rel=0.01)
    assert overall.detectable == pytest.approx(2.802 * overall.error, rel=0.005)
    for one, other in zip(plain.rows, drawn.rows, strict=True):
        assert one.difference == other.difference
        assert one.p == other.p
        # A percentile of 4,000 normal draws has a standard error of 0.042 errors: 4 of them.
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.2 * one.error)
    assert "95 %: percentiles over 4,000 resamples of clusters" in drawn.footer


def test_limits_stay_inside_what_a_difference_can_be(tmp_path: Path) -> None:
    path = bench(tmp_path, [{"id": name} for name in "ab"])
    folders = [
        judged(path, said("ab", v), seed=s) for s, v in enumerate([[LOST, LOST], [WON, LOST]])
    ]
    gap = row(compare(*folders))
    assert (gap.low, gap.high) == (-1, 1)


def test_the_rows_are_plain_values(pairs: tuple[RunFolder, RunFolder]) -> None:
    for each in compare(*pairs).rows:
        assert replace(each) == each or math.isnan(each.q)
        assert all(type(value) in (str, int, float) for value in vars(each).values())
