"""Runs that are alike but for their seed: grouped, averaged, and compared as groups."""

import csv
import json
from math import isnan
from pathlib import Path

import numpy as np
import pytest

from grmeval.measure import over_seeds, panel
from grmeval.score import compare, score, seed_groups
from grmeval.store import RunFolder, drop_name, give_name
from tests.helpers import ask, grmeval, sampled

SEEDS = (2, 0, 1)
WEAK = {"accuracy": 0.6}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Three seeds of one judge, then two of a weaker one, one of another temperature."""
    top = tmp_path_factory.mktemp("seeds")
    found = [sampled(top, k=2, limit=30, seed=seed) for seed in SEEDS]
    found += [sampled(top, k=2, limit=30, seed=seed, engine_args=WEAK) for seed in (0, 1)]
    return [*found, sampled(top, k=2, limit=30, temperature=0.7)]


def test_groups_are_runs_of_equal_settings_but_the_seed(runs: list[RunFolder]) -> None:
    one, weak, hot = seed_groups(runs)
    assert (one.places, one.seeds) == ((1, 2, 0), (0, 1, 2))
    assert (weak.places, weak.seeds) == ((3, 4), (0, 1))
    assert (hot.places, hot.seeds) == ((5,), (0,))
    assert len({one.name, weak.name, hot.name}) == 3
    assert seed_groups([runs[0], runs[3], runs[5]]) == ()
    assert compare(runs[0], runs[3]).seeds == ()


def test_a_group_has_its_first_runs_name_if_no_other_has_one(runs: list[RunFolder]) -> None:
    model = seed_groups(runs)[0].name
    try:
        give_name(runs[1].path, "step-100")  # seed 0
        give_name(runs[5].path, "hot")
        assert [group.name for group in seed_groups(runs)][::2] == ["step-100", "hot"]
        give_name(runs[0].path, "step-100-s2")
        assert seed_groups(runs)[0].name == model
        assert "step-100-s2 less the first" in ask("compare", *(run.path for run in runs[:3][::-1]))
    finally:
        for at in (0, 1, 5):
            drop_name(runs[at].path)


def test_runs_of_one_seed_and_two_limit_seeds_are_of_two_groups(tmp_path: Path) -> None:
    named = [(0, 0), (1, 1), (0, 1), (1, 0), (2, 0)]
    found = [sampled(tmp_path, k=1, seed=seed, limit_seed=limit) for seed, limit in named]
    first, other = seed_groups(found)
    assert (first.places, other.places) == ((0, 3, 4), (2, 1))
    assert (first.seeds, other.seeds) == ((0, 1, 2), (0, 1))
    assert first.name != other.name
    # Where no seed is there twice, the limit seed is none of the settings.
    assert [group.places for group in seed_groups(found[:2])] == [(0, 1)]


def test_runs_in_which_items_stopped_early_are_a_group_of_their_own(tmp_path: Path) -> None:
    fixed = [sampled(tmp_path, k=8, limit=10, seed=seed) for seed in (0, 1)]
    early = sampled(tmp_path, k=8, limit=10, seed=2, adaptive=True)
    assert [group.places for group in seed_groups([*fixed, early])] == [(0, 1), (2,)]
    assert seed_groups([fixed[0], early]) == ()
    whole = sampled(tmp_path, k=8, limit=10, seed=2)
    assert [group.seeds for group in seed_groups([*fixed, whole])] == [(0, 1, 2)]


def test_means_and_spread_are_those_of_the_runs_own_numbers(runs: list[RunFolder]) -> None:
    found = compare(*runs)
    rows = [row for row in found.seeds if row.level == "overall"]
    own = [score(run).rows[0].value for run in runs]
    assert [row.mean for row in rows] == pytest.approx(
        [np.mean(own[:3]), np.mean(own[3:5]), own[5]]
    )
    assert [row.spread for row in rows[:2]] == pytest.approx(
        [np.std(own[:3], ddof=1), np.std(own[3:5], ddof=1)]
    )
    assert [len(row.seeds) for row in rows] == [3, 2, 1]
    assert rows[1].difference == pytest.approx(np.mean(own[3:5]) - np.mean(own[:3]))
    assert rows[1].difference_low < rows[1].difference < rows[1].difference_high
    assert 0 < rows[1].p < 1
    # The first group is compared with nothing, and of one seed there is no spread.
    assert isnan(rows[0].difference)
    assert rows[2].difference == pytest.approx(own[5] - np.mean(own[:3]))
    assert all(map(isnan, (rows[2].spread, rows[2].low, rows[2].difference_low, rows[2].p)))
    assert {row.level for row in found.seeds} == {"overall", "section", "subset"}


def test_limits_of_a_section_are_those_of_its_items(runs: list[RunFolder]) -> None:
    """Written out for one section: a micro average over items, one prompt each; two seeds, in pairs."""
    some = [runs[1], runs[2], runs[3], runs[4]]
    _, row = [r for r in compare(*some).seeds if (r.level, r.name) == ("section", "Code")]
    credit = []
    for run in some:
        verdicts = [v for v in score(run).verdicts.to_pylist() if v["section"] == "Code"]
        credit.append([v["credit"] for v in sorted(verdicts, key=lambda v: v["id"])])
    size = len(credit[0])
    made = panel(
        np.array(credit), np.ones((4, size)), np.arange(size), np.zeros(size, int), np.ones(1)
    )
    wanted = over_seeds(made, [2, 3], [0, 1], alike=True)
    assert row.items == size
    assert (row.difference, row.error) == pytest.approx((wanted.value, wanted.error))
    assert row.difference_low == pytest.approx(max(-1, wanted.low))


def test_compare_prints_a_block_and_writes_it(runs: list[RunFolder], tmp_path: Path) -> None:
    words = ("compare", *(run.path for run in runs[:5]))
    shown = ask(*words, "--to", tmp_path / "seeds")
    assert "over seeds, vote sum" in " ".join(shown.split())
    assert "seeds: runs alike but for --seed; SD: over seeds" in shown
    head = next(line for line in shown.splitlines() if "SD" in line)
    assert " ".join(head.split()) == "group seeds mean acc % SD 95 % diff 95 % p items"
    with (tmp_path / "seeds-seeds.csv").open() as file:
        table = list(csv.DictReader(file))
    ask(*words, "--to", tmp_path / "one.csv")
    assert (tmp_path / "one-seeds.csv").exists()
    ask(*words, "--to", tmp_path / "page.md")
    assert not [*tmp_path.glob("page-*")]
    page = (tmp_path / "page.md").read_text()
    ask(*words, "--to", tmp_path / "page.tex")
    paper = (tmp_path / "page.tex").read_text()
    assert page.count("## over seeds") == paper.count("% over seeds") == 1
    assert paper.count("\\begin{tabular}") == paper.count("\\end{tabular}") == 2
    for text in (page, paper):
        assert sum(f"{100 * float(row['mean']):.1f}" in text for row in table) == len(table)
    narrow = grmeval(*words, env={"COLUMNS": "62"}).stdout
    assert "left out at 62 columns: items, seeds, 95 %, p (COLUMNS=160 shows them)" in narrow
    found = json.loads(ask(*words, "--json"))["seeds"]
    assert [row["mean"] for row in found] == pytest.approx([float(row["mean"]) for row in table])
    assert found[0]["seeds"] == [0, 1, 2]
    assert found[0]["difference"] is None


def test_a_panel_of_seeds_says_what_each_is_by_itself(runs: list[RunFolder]) -> None:
    where = ("--results", runs[0].path.parents[2])
    shown = ask("panel", *(run.path for run in runs[:3]), *where)
    own = [score(run).rows[0].value for run in runs[:3]]
    mean, apart = 100 * np.mean(own), 100 * np.std(own, ddof=1)
    last = shown.splitlines()[-1]
    assert last.startswith(
        f"fake, 3 seeds, each by itself: mean {mean:.1f} %, SD over seeds {apart:.1f}"
    )
    assert last.endswith("(vote sum, k=2)")
    (row,) = json.loads(ask("panel", *(r.path for r in runs[:3]), *where, "--json"))["seeds"]
    assert row["mean"] == pytest.approx(np.mean(own))
    unlike = json.loads(ask("panel", runs[0].path, runs[3].path, *where, "--json"))
    assert "seeds" not in unlike
