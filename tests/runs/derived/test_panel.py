"""A panel of judges: whose samples it holds, what its votes come to by hand, and on average."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

from grmeval.errors import ConfigError, Incomplete
from grmeval.items import Key
from grmeval.runs import again
from grmeval.runs.derived import panel_of
from grmeval.runs.imports import import_scores
from grmeval.score import baseline_of, compare, scale, score
from grmeval.score.diagnosis import diagnose
from grmeval.score.verdicts import check_panel_votes, own_votes, usual_vote
from grmeval.store import JournalWriter, RunFolder, SampleKey, reading_judge, sample_schema
from grmeval.store.fold import write_samples
from grmeval.store.samples import read_rows
from tests.helpers import rows, sampled

Scores = Mapping[tuple[str, int], tuple[int, int] | None]

RESTRICTED = """
id = "kept"
title = "Kept"
[source]
github = "no/where"
restricted = true
[[tables]]
files = "*"
shape = "neutral"
subset = "subset"
[[sections]]
name = "A"
subsets = ["a"]
[expected]
a = 2
"""


def pairs(path: Path, count: int) -> Path:
    """Rows of our own, the first response the better one."""
    row = {"responses": ["good", "bad"], "quality": [1, 0]}
    lines = ({"id": f"q{i}", "prompt": f"Question {i}?"} | row for i in range(count))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def with_scores(folder: RunFolder, scores: Scores) -> RunFolder:
    """The run, its judgements replaced by known ones; None cannot be read."""
    names = sample_schema().names
    found = []
    for row in read_rows(folder.path, names):
        sample = dict(zip(names, row, strict=True))
        given = scores[sample["id"], sample["j"]]
        sample["scores"] = None if given is None else list(map(float, given))
        sample["invalid"] = "no_score" if given is None else None
        found.append((SampleKey(*row[:3]), tuple(sample.values())))
    write_samples(folder.path, found)
    return folder


def made(*members: RunFolder, k: int | None = None, name: str | None = None) -> RunFolder:
    folder, _ = panel_of(members, members[0].path.parents[2], name, k).make()
    return folder


def values(folder: RunFolder, **more: Any) -> dict[str, float]:
    rules: dict[str, Any] = {"ties": "wrong", "on_invalid": "wrong"}
    return {
        row.vote: row.value for row in score(folder, **rules, **more).rows if row.level == "overall"
    }


@pytest.fixture
def two(tmp_path: Path) -> tuple[RunFolder, RunFolder]:
    """Two judges whose sums and majorities disagree."""
    bench = pairs(tmp_path / "three.jsonl", 3)
    one, other = (sampled(tmp_path / "r", bench=str(bench), k=2, seed=seed) for seed in (1, 2))
    with_scores(
        one,
        {
            ("q0", 0): (6, 5),
            ("q0", 1): (6, 5),
            ("q1", 0): (9, 1),
            ("q1", 1): (5, 6),
            ("q2", 0): (8, 2),
            ("q2", 1): (8, 2),
        },
    )
    with_scores(
        other,
        {
            ("q0", 0): (1, 9),
            ("q0", 1): None,
            ("q1", 0): (5, 6),
            ("q1", 1): (5, 6),
            ("q2", 0): None,
            ("q2", 1): None,
        },
    )
    return one, other


# ---------------------------------------------------------------------- what it holds


def test_sample_i_of_member_m_is_sample_i_r_plus_m(tmp_path: Path) -> None:
    failing = {"no_score": 0.2, "truncated": 0.1}
    members = [sampled(tmp_path, k=k, seed=k, engine_args=failing) for k in (2, 4, 3)]
    panel = made(*members)
    stored = {(r["subset"], r["id"], r["j"]): r for r in rows(panel.path)}
    assert len(stored) == 75 * 3 * 2  # whole rounds of the fewest
    launches = {launch["name"]: launch for launch in panel.record["launches"]}
    for place, member in enumerate(members):
        for row in rows(member.path):
            if row["j"] < 2:
                taken = stored.pop((row["subset"], row["id"], row["j"] * 3 + place))
                assert taken | {"j": row["j"]} == row
        (launch,) = (one for one in launches.values() if one["member"] == member.path.name)
        assert launch["label"] == "fake"
        assert launch["engine"] == {"engine": "fake"}
        assert (launch["samples"], launch["tokens"]) == (
            150,
            sum(r["tokens"] for r in rows(member.path) if r["j"] < 2),
        )
    assert not stored
    assert panel.record["asked"] == {"k": 6, "limit": None}
    assert panel.record["identity"]["judge"]["members"] == [m.path.name for m in members]
    assert panel.path.parts[-3:-1] == ("sample", "panel-of-3")


def test_it_grows_with_its_members_and_never_shrinks(tmp_path: Path) -> None:
    def members(k: int) -> list[RunFolder]:
        return [sampled(tmp_path, k=k, seed=seed) for seed in (1, 2)]

    first = made(*members(4), k=2)
    before = rows(first.path)
    assert len(before) == 75 * 4
    grown = made(*members(4))
    assert grown.path == first.path
    assert [row for row in rows(grown.path) if row["j"] < 4] == before
    assert len(rows(grown.path)) == 75 * 8
    assert [launch["samples"] for launch in grown.record["launches"]] == [300, 300]
    record, parquet = (grown.path / "run.json").read_bytes(), grown.path / "samples.parquet"
    stamp = parquet.stat().st_mtime_ns
    with pytest.raises(ConfigError, match=r"there already, as panel-of-2: .*; drop --name"):
        panel_of(members(4), tmp_path, "another-name", 1)
    plan = panel_of(members(4), tmp_path, "panel-of-2")
    assert plan.make()[1] == 0
    assert plan.path == grown.path  # the same panel has its folder already
    assert (grown.path / "run.json").read_bytes() == record
    assert parquet.stat().st_mtime_ns == stamp
    again_small = made(*members(4), k=1)
    assert again_small.record["asked"]["k"] == 2
    assert len(rows(again_small.path)) == 75 * 8
    third = made(*members(6))
    assert len(rows(third.path)) == 75 * 12
    # Each member was asked by two launches by now: those that gave it samples 0 to 3, and 4 and 5.
    assert sorted(launch["samples"] for launch in third.record["launches"]) == [150, 150, 300, 300]


def test_rounds_end_at_the_first_gap_of_any_member(tmp_path: Path) -> None:
    one, other = (sampled(tmp_path, k=3, limit_seed=seed, limit=40) for seed in (1, 2))
    names = sample_schema().names
    # --limit 40 of two limit seeds are other items: only those of both can be judged together.
    mine, theirs = (
        {Key(row["subset"], row["id"]) for row in rows(run.path)} for run in (one, other)
    )
    common = sorted(mine & theirs)
    assert 1 < len(common) < 40
    kept = (row for row in read_rows(one.path, names) if (Key(*row[:2]), row[2]) != (common[0], 1))
    write_samples(one.path, [(SampleKey(*row[:3]), row) for row in kept])
    rounds = panel_of([one, other], tmp_path).rounds
    assert rounds == dict.fromkeys(common, 3) | {common[0]: 1}


def test_a_failure_in_the_middle_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [sampled(tmp_path / "r", k=4, seed=seed) for seed in (1, 2, 3)]
    whole, _ = panel_of(members, tmp_path / "whole").make()
    write, left = JournalWriter.write, iter(range(500))

    def failing(self: JournalWriter, sample: Any) -> None:
        next(left)
        write(self, sample)

    monkeypatch.setattr(JournalWriter, "write", failing)
    plan = panel_of(members, tmp_path / "torn")
    with pytest.raises(StopIteration):
        plan.make()
    monkeypatch.undo()
    torn, new = plan.make()
    assert new == 900 - 500
    assert rows(torn.path) == rows(whole.path)
    assert len(torn.record["launches"]) == 3
    assert score(torn).rows == score(whole).rows


def test_a_panel_of_a_restricted_benchmark_is_marked(tmp_path: Path) -> None:
    (tmp_path / "kept.toml").write_text(RESTRICTED, "utf-8")
    members = []
    for model in ("one", "other"):
        file = tmp_path / f"{model}.jsonl"
        lines = [
            {
                "subset": "a",
                "id": name,
                "j": j,
                "scores": [2 + j, 2],
                "quality": [1, 0],
                "text": model,
            }
            for name in "xy"
            for j in range(2)
        ]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        found = import_scores(file, str(tmp_path / "kept.toml"), model, None, tmp_path / "r")
        members.append(found.folder)
    panel = made(*members)
    assert panel.restricted
    assert (panel.path / "RESTRICTED").is_file()
    assert panel.path.parent.name == "one+other"
    # Nothing is known of the scales of imports, nor what their judgements cost.
    assert own_votes(panel.record["identity"]) == ("majority", "borda")
    curve = scale(panel)
    assert {row.vote for row in curve.rows} == {"majority", "borda"}
    assert all(row.tokens != row.tokens for row in curve.rows)


def test_without_k_it_is_of_all_that_all_have(tmp_path: Path) -> None:
    for seed, k in ((1, 4), (2, 3)):
        sampled(tmp_path, k=k, seed=seed)
    # Read again at a smaller k, a run has no fewer samples.
    members = [sampled(tmp_path, k=1, seed=seed) for seed in (1, 2)]
    panel = made(*members)
    assert panel.record["asked"]["k"] == 6
    assert len(rows(panel.path)) == 75 * 6
    assert made(*members, k=1).record["asked"]["k"] == 2


def test_where_items_of_a_member_stopped_early_all_have_equally_many(tmp_path: Path) -> None:
    """Subsets of what an item was drawn till it stopped are no fresh k: none is taken beyond the fewest."""
    members = [
        sampled(tmp_path, k=16, limit=20, seed=seed, adaptive=early)
        for seed, early in ((1, True), (2, False))
    ]
    depths = Counter((row["subset"], row["id"]) for row in rows(members[0].path)).values()
    least, most = min(depths), max(depths)
    assert least < most
    plan = panel_of(members, tmp_path)
    assert set(plan.rounds.values()) == {least}
    assert plan.asked["asked"]["k"] == 2 * least
    with pytest.raises(ConfigError, match=rf"stopped early .*: --k {least}; .* without --adaptive"):
        panel_of(members, tmp_path, None, least + 1)
    assert len(rows(made(*members).path)) == 20 * 2 * least
    sampled(tmp_path, k=16, limit=20, seed=1)
    assert set(panel_of(members, tmp_path).rounds.values()) == {16}


# ---------------------------------------------------------------------- what its votes come to


def test_votes_are_what_one_counts_by_hand(two: tuple[RunFolder, RunFolder]) -> None:
    panel = made(*two)
    # q0: 13 to 19, but two heads to one; q1: 24 to 19, but one head to three; q2: 16 to 4, two heads.
    assert values(panel, votes=["sum", "majority"]) == {"sum": 2 / 3, "majority": 2 / 3}
    credits = {
        vote: score(panel, votes=[vote], ties="wrong").verdicts["credit"].to_pylist()
        for vote in ("sum", "majority")
    }
    assert credits == {"sum": [0.0, 1.0, 1.0], "majority": [1.0, 0.0, 1.0]}
    (line,) = (row for row in score(panel).rows if row.level == "overall")
    assert (line.samples, line.invalid) == (12, 3)


def test_curves_take_as_many_of_each_member(two: tuple[RunFolder, RunFolder]) -> None:
    panel = made(*two)
    found = scale(panel, ks=[1, 2, 4], votes=["sum"], ties="wrong", on_invalid="wrong")
    at = {row.k: row.value for row in found.rows if row.level == "overall"}
    # k = 1: q0 wins 2 judgements of 4, q1 1, q2 2. k = 2: both members' first or both members' second.
    assert at[1] == pytest.approx((2 / 4 + 1 / 4 + 2 / 4) / 3)
    assert at[2] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert at[4] == pytest.approx(2 / 3)
    assert any("fresh panel's counts of each member and order counts" in n for n in found.footer)


def test_members_of_unlike_orders_share_no_rotation(tmp_path: Path) -> None:
    members = [sampled(tmp_path, k=4, orders=orders) for orders in ("balanced", "random")]
    panel = made(*members)
    assert panel.record["identity"]["orders"] == "mixed"
    footer = scale(panel).footer
    assert any("a fresh panel's counts of each member;" in line for line in footer)


@pytest.mark.long
def test_a_majority_of_three_independent_judges_is_right_as_often_as_it_should(
    tmp_path: Path,
) -> None:
    bench = pairs(tmp_path / "many.jsonl", 1000)
    settings = {"accuracy": 0.7, "spread": 0, "ties": 0}
    members = [
        sampled(tmp_path, bench=str(bench), k=1, seed=seed, engine_args=settings)
        for seed in (1, 2, 3)
    ]
    found = values(made(*members), votes=["majority"])["majority"]
    truth = 0.7**3 + 3 * 0.7**2 * 0.3
    low, high = binom.interval(0.999, 1000, truth)
    print(f"{found:.4f}, expected {truth:.4f}; allowed {low / 1000:.4f}-{high / 1000:.4f}")
    assert low <= 1000 * found <= high


def test_scales_that_differ_leave_votes_that_need_none(tmp_path: Path) -> None:
    bench = str(pairs(tmp_path / "p.jsonl", 12))
    point, plain, index = (
        sampled(tmp_path, bench=bench, k=2, judge=judge)
        for judge in ("pointwise", "pointwise-plain", "index")
    )
    alike, unlike = made(point, plain), made(point, index)
    for identity, votes, usual in (
        (alike.record["identity"], ("sum", "mean", "median", "majority", "borda", "max"), "sum"),
        (unlike.record["identity"], ("majority", "borda"), "majority"),
    ):
        assert own_votes(identity) == votes
        assert usual_vote(identity) == usual
        assert baseline_of(made(point, plain if usual == "sum" else index)).about.vote == usual
    assert [row.vote for row in score(unlike).rows if row.level == "overall"] == ["majority"]
    assert {row.vote for row in compare(unlike, point).rows} == {"majority"}
    assert {row.vote for row in scale(point, unlike).rows} == {"majority", "borda"}
    assert diagnose(unlike).about["vote"] == "majority"
    assert any("scores on unlike scales" in line for line in score(unlike).footer)
    for ask in (score, scale, compare):
        both = (unlike, point) if ask is compare else (unlike,)
        with pytest.raises(ConfigError, match=r"--vote sum: .*unlike scales"):
            ask(*both, votes=["sum"])
    with pytest.raises(ConfigError, match="unlike scales"):
        diagnose(unlike, vote="sum")
    for word, why in (("token-prob", "judges allow sum"), ("sun", "did you mean 'sum'")):
        with pytest.raises(ConfigError, match=why):
            check_panel_votes(alike.record["identity"], [word])


def test_judges_that_pick_are_of_one_scale(tmp_path: Path) -> None:
    bench = str(pairs(tmp_path / "p.jsonl", 6))
    sure, plain = (sampled(tmp_path, bench=bench, k=2, judge=j) for j in ("index-prob", "index"))
    other = sampled(tmp_path, bench=bench, k=2, judge="index-prob", seed=1)
    assert own_votes(made(sure, plain).record["identity"]) == ("majority",)
    panel = made(sure, other)
    assert own_votes(panel.record["identity"]) == ("token-prob", "majority")
    weights = {row["weight"] for row in rows(panel.path)}
    assert weights == {row["weight"] for run in (sure, other) for row in rows(run.path)}
    assert score(panel).rows[0].vote == "token-prob"


def test_a_curve_of_a_panel_whose_items_cannot_all_be_compared_has_votes(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    kept = ("subset", "id", "j", "scores", "order")
    other = sampled(tmp_path, k=2, seed=3)
    lines = [{name: row[name] for name in kept} for row in rows(other.path)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    imported = import_scores(file, "sample", "elsewhere", None, tmp_path).folder
    panel = made(sampled(tmp_path, k=2), imported)  # the sample has single responses too
    assert {row.vote for row in scale(panel).rows} == {"majority"}


# ---------------------------------------------------------------------- what cannot be


def test_what_is_no_panel(tmp_path: Path) -> None:
    one, other = (sampled(tmp_path, k=2, seed=seed) for seed in (1, 2))
    panel = made(one, other)
    for members, more, why in (
        ([one], {}, "two or more runs"),
        ([one, other, one], {}, "twice"),
        ([one, panel], {}, "a panel itself"),
        ([one, other], {"k": 3}, "--k 3: the members have 2 samples"),
        ([one, other], {"name": "  "}, "--name"),
    ):
        with pytest.raises(ConfigError, match=why):
            panel_of(members, tmp_path, **more)
    with pytest.raises(ConfigError, match="read its members again"):
        reading_judge(panel)
    with pytest.raises(ConfigError, match="give its members more samples"):
        again(panel, 8)
    (one.path / "samples.parquet").unlink()
    with pytest.raises(Incomplete, match="no item has a judgement of every member"):
        panel_of([one, other], tmp_path)


def test_names_are_made_safe(tmp_path: Path) -> None:
    members = [sampled(tmp_path, k=1, seed=seed) for seed in (1, 2)]
    assert (
        panel_of(members, tmp_path, "../../out of/here").path.parent.parent == tmp_path / "sample"
    )
