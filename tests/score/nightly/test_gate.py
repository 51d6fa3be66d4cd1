"""The gate: arithmetic by hand, absolute limits at their edge, and never a pass on another run."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from grmeval.errors import ConfigError, Incomplete
from grmeval.measure import Contrast, advice, decide, decide_sections, smallest_margin
from grmeval.measure.paired import panel
from grmeval.runs import again, extend
from grmeval.score import Absolute, Check, Gated, baseline_of, gate, read_baseline, write_baseline
from grmeval.score.arrays import read_run
from grmeval.score.nightly.noise import sample_noise
from grmeval.score.verdicts import Rules, judge_run
from grmeval.store import RunFolder
from tests.helpers import Quiet, grmeval, rows, sampled, unchecked
from tests.score.nightly.test_baseline import detection, rmb_rows, some_without_labels
from tests.score.table.test_accuracy import SCRIPT, rmb
from tests.score.table.test_accuracy import run as scripted


def found(result: Gated, kind: str, name: str | None = None) -> Check:
    return next(c for c in result.checks if c.kind == kind and name in (None, c.name))


def noise_of(folder: RunFolder, k: int) -> float:
    run = read_run(folder, k)
    verdicts = judge_run(run, "sum", [k], Rules("wrong", "wrong", "official"))
    return sample_noise(run, verdicts, "sum", k)


# ------------------------------------------------------------------ by hand


PAIRS = {f"Helpfulness/A/x:p{at}": 1 for at in range(6)} | {
    f"Harmlessness/S1:s{at}": 1 for at in range(4)
}
Said = list[list[int] | str]
RIGHT: Said = [[9, 2]]
WRONG: Said = [[2, 9]]
SILENT: Said = ["error"]


def told(*wrong: str) -> dict[str, list[list[int] | str]]:
    """One sample an item, right but for those named."""
    names = [name.split(":")[1] for name in PAIRS]
    return {name: list(WRONG if name in wrong else RIGHT) for name in names}


def pairs_run(folder: Path, *wrong: str) -> RunFolder:
    folder.mkdir()
    rmb(folder, PAIRS, {})
    return scripted(folder, told(*wrong), 1)


def test_value_baseline_and_difference_are_those_of_a_hand(tmp_path: Path) -> None:
    old = baseline_of(pairs_run(tmp_path / "old", "p0", "s0"))
    result = gate(
        pairs_run(tmp_path / "new", "p0", "p1", "s1"), old, max_drop=0.02, max_drop_section=0.5
    )
    overall = found(result, "overall", "overall (2 of 4 sections)")
    # Two cells of weight one half: 5/6 and 3/4, then 4/6 and 3/4.
    assert overall.baseline == pytest.approx((5 / 6 + 3 / 4) / 2)
    assert overall.value == pytest.approx((4 / 6 + 3 / 4) / 2)
    assert overall.difference == pytest.approx(-1 / 12)
    assert overall.limit == 0.02
    assert overall.verdict == result.verdict == "inconclusive"
    cells = {c.name: (c.baseline, c.value) for c in result.checks if c.kind == "section"}
    assert cells["Helpfulness pairs"] == pytest.approx((5 / 6, 4 / 6))
    assert cells["Harmlessness pairs"] == pytest.approx((3 / 4, 3 / 4))


def contrast(
    old: Sequence[float], new: Sequence[float], cells: Sequence[int], alpha: float
) -> Contrast:
    """Both columns as `measure` compares them, each item its own prompt."""
    credit = np.array([old, new])
    cell = np.array(cells)
    weights = np.ones(max(cells) + 1)
    made = panel(credit, np.ones_like(credit), np.arange(len(cells)), cell, weights)
    return made.contrast((-1, 1), level=1 - 2 * alpha)


@pytest.mark.parametrize(("alpha", "looks"), [(0.05, 1), (0.05, 2), (0.2, 1)])
def test_limits_and_verdicts_are_those_of_measure(tmp_path: Path, alpha: float, looks: int) -> None:
    old = baseline_of(pairs_run(tmp_path / "old", "p0", "s0"))
    new = pairs_run(tmp_path / "new", "p0", "p1", "s1")
    result = gate(new, old, max_drop=0.2, max_drop_section=0.3, alpha=alpha, looks=looks)
    before = [0, 1, 1, 1, 1, 1, 0, 1, 1, 1]
    after = [0, 0, 1, 1, 1, 1, 1, 0, 1, 1]
    expected = contrast(before, after, [0] * 6 + [1] * 4, alpha / looks)
    overall = found(result, "overall")
    assert (overall.low, overall.high) == pytest.approx((expected.low, expected.high))
    assert overall.verdict == decide(expected, 0.2, alpha / looks)
    helpful = contrast(before[:6], after[:6], [0] * 6, alpha / looks)
    harmless = contrast(before[6:], after[6:], [0] * 4, alpha / looks)
    cells = {"Helpfulness pairs": helpful, "Harmlessness pairs": harmless}
    checks = [c for c in result.checks if c.kind == "section"]
    for check in checks:
        assert (check.low, check.high) == pytest.approx(
            (cells[check.name].low, cells[check.name].high)
        )
    ordered = [cells[check.name] for check in checks]
    verdicts = decide_sections(ordered, [0.3] * 2, alpha / looks).sections
    assert tuple(check.verdict for check in checks) == verdicts
    at_each = [line for line in result.footer if "one-sided limits" in line]
    assert (f"{looks} looks" in at_each[0]) == (looks > 1)


def test_sections_are_adjusted_by_holm(tmp_path: Path) -> None:
    """Two sections of 60: alone each drop would be told at 5 %, one of two only at 2.5 %."""
    size, fell = 60, 9
    known = {f"Helpfulness/A/x:p{at}": 1 for at in range(size)}
    known |= {f"Harmlessness/S1:s{at}": 1 for at in range(size)}
    made = {}
    for name, wrong in (("old", 0), ("new", fell)):
        (tmp_path / name).mkdir()
        rmb(tmp_path / name, known, {})
        script = {k.split(":")[1]: RIGHT for k in known} | {f"p{at}": WRONG for at in range(wrong)}
        made[name] = scripted(tmp_path / name, script, 1)
    old = baseline_of(made["old"])
    helpful = contrast([1.0] * size, [0.0] * fell + [1.0] * (size - fell), [0] * size, 0.05)
    # A margin that lies between the limits at 5 % and at 2.5 %.
    reach = [helpful.high, helpful.value + 2.001 * helpful.error]
    margin = -sum(reach) / 2
    assert decide(helpful, margin) == "regressed"
    result = gate(made["new"], old, max_drop=0.9, max_drop_section=margin)
    assert found(result, "section", "Helpfulness pairs").verdict == "inconclusive"
    assert result.verdict == "inconclusive"
    lower = gate(made["new"], old, max_drop=0.9, max_drop_section=margin / 2)
    assert found(lower, "section", "Helpfulness pairs").verdict == "regressed"
    assert lower.verdict == "regressed"


def test_the_worst_check_is_the_verdict(tmp_path: Path) -> None:
    old = baseline_of(pairs_run(tmp_path / "old"))
    new = pairs_run(tmp_path / "new")
    assert gate(new, old, max_drop=0.9).verdict == "passed"
    over = gate(new, old, max_drop=0.9, absolute=Absolute(tokens=8.9))
    assert over.verdict == "regressed"
    assert found(over, "overall").verdict == "passed"
    unsure = gate(new, old, max_drop=0.0)
    assert unsure.verdict == "inconclusive"
    assert gate(new, old, max_drop=0.0, absolute=Absolute(tokens=8.9)).verdict == "regressed"


def test_better_is_told_and_passes(tmp_path: Path) -> None:
    worst = pairs_run(tmp_path / "worst", *(name.split(":")[1] for name in PAIRS))
    best = pairs_run(tmp_path / "best")
    assert gate(best, baseline_of(worst)).verdict == "improved"
    assert gate(worst, baseline_of(best)).verdict == "regressed"


# ------------------------------------------------------------------ absolute limits


def test_absolute_limits_allow_what_is_equal(tmp_path: Path) -> None:
    folder = scripted(tmp_path, SCRIPT, 2)
    base = baseline_of(folder)
    # 10 judgements, 3 invalid, 2 of them cut, 9 tokens each but for those.
    at_limit = Absolute(0.3, 0.2, 6.3)
    result = gate(folder, base, max_drop=0.99, absolute=at_limit)
    checks = [c for c in result.checks if c.kind == "absolute"]
    assert [(c.name, c.value, c.verdict) for c in checks] == [
        ("invalid judgements", 0.3, "passed"),
        ("truncated judgements", 0.2, "passed"),
        ("tokens per judgement", 6.3, "passed"),
    ]
    assert checks[0].said == "30 %, at most 30 % allowed"
    for at, under in enumerate((0.299, 0.199, 6.29)):
        limits = Absolute(*(under if i == at else None for i in range(3)))
        one = gate(folder, base, max_drop=0.99, absolute=limits)
        assert one.verdict == "regressed"
        assert len([c for c in one.checks if c.kind == "absolute"]) == 1


@pytest.mark.parametrize("tenth", [3, 7, 57])
def test_a_limit_in_percent_is_met_exactly(tmp_path: Path, tenth: int) -> None:
    """tenth in 1,000 judgements against tenth / 10 %: 0.1 is no binary fraction."""
    rows_ = tmp_path / "rows.jsonl"
    said = [
        {"id": f"{at}", "prompt": f"{at}?", "chosen": "a", "rejected": "b"} for at in range(1000)
    ]
    rows_.write_text("".join(json.dumps(row) + "\n" for row in said))
    names = [str(at) for at in range(1000)]
    script = {name: SILENT if int(name) < tenth else RIGHT for name in names}
    folder = scripted(tmp_path, script, 1, bench=str(rows_), data=None)
    limits = Absolute(invalid=(tenth / 10) / 100)
    result = gate(folder, baseline_of(folder), max_drop=0.99, absolute=limits)
    assert found(result, "absolute").value == tenth / 1000
    assert found(result, "absolute").verdict == "passed"


def test_a_run_without_token_counts_meets_no_limit_on_them(tmp_path: Path) -> None:
    folder = scripted(tmp_path, {name: ["error", "error"] for name in SCRIPT}, 2)
    result = gate(folder, baseline_of(folder), max_drop=0.99, absolute=Absolute(tokens=100))
    assert result.verdict == found(result, "absolute").verdict == "broken"


# ------------------------------------------------------------------ never a pass


def refused(result: Gated, said: str) -> None:
    assert result.verdict == "broken"
    (check,) = result.checks
    assert (check.kind, check.verdict) == ("data", "broken")
    assert said in check.said, check.said


def own(folder: Path, change: Callable[[list[dict[str, Any]]], Any], **settings: Any) -> RunFolder:
    """A run on 20 rows of one's own, after a change."""
    known = [
        {"id": f"{at}", "subset": "ab"[at % 2], "prompt": f"{at}?", "chosen": "x", "rejected": "y"}
        for at in range(20)
    ]
    change(known)
    folder.mkdir()
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in known))
    return sampled(folder / "r", bench=str(path), **{"k": 2} | settings)


def nothing(known: list[dict[str, Any]]) -> None:
    pass


def swapped(known: list[dict[str, Any]]) -> None:
    known[0]["chosen"], known[0]["rejected"] = known[0]["rejected"], known[0]["chosen"]


def moved(known: list[dict[str, Any]]) -> None:
    known[0]["subset"] = "c"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda known: known[0].update(prompt="another?"), "a: 10 rows, not all the same ids"),
        (lambda known: known[1].update(rejected="z"), "b: 10 rows, not all the same ids"),
        (swapped, "a: 10 rows, not all the same ids"),
        (lambda known: known[0].update(id="new"), "a: 10 rows, not all the same ids"),
        (lambda known: known.pop(0), "a: 9 rows here, 10 in the baseline"),
        (lambda known: known.append(known[0] | {"id": "more"}), "a: 11 rows here, 10 in"),
        (moved, "c: 1 rows here, 0 in the baseline"),
    ],
)
def test_other_rows_are_no_pass(tmp_path: Path, change: Any, said: str) -> None:
    base = baseline_of(own(tmp_path / "old", nothing))
    refused(gate(own(tmp_path / "new", change), base, max_drop=0.99), said)


def test_another_benchmark_or_layout_is_no_pass(tmp_path: Path) -> None:
    known = rmb_rows(tmp_path)
    base = baseline_of(sampled(tmp_path / "r", k=2, **known))
    refused(
        gate(sampled(tmp_path / "s", k=2), base, max_drop=0.99), "benchmark sample here, rmb in"
    )
    apart = sampled(tmp_path / "p", k=2, layout="pairs", **known)
    refused(gate(apart, base, max_drop=0.99), "layout pairs here, list in the baseline")


def test_a_part_or_fewer_samples_are_no_pass(tmp_path: Path) -> None:
    whole = own(tmp_path / "old", nothing)
    base = baseline_of(whole)
    part = own(tmp_path / "part", nothing, limit=10)
    refused(gate(part, base, max_drop=0.99), "10 of 20 items have fewer than 2 samples")
    few = own(tmp_path / "few", nothing, k=1)
    refused(gate(few, base, max_drop=0.99), "20 of 20 items have fewer than 2 samples")
    # A baseline of a part, or of fewer samples, is compared with as much.
    assert gate(whole, baseline_of(part), max_drop=0.99).checks[0].said.startswith("10 items")
    assert gate(whole, baseline_of(few), max_drop=0.99).verdict == "passed"
    # Another --limit-seed takes another part.
    other = own(tmp_path / "other", nothing, limit=10, limit_seed=1)
    refused(gate(other, baseline_of(part), max_drop=0.99), "a: 4 rows here, 3 in the baseline")


def test_a_run_that_stopped_or_never_began_is_no_pass(tmp_path: Path) -> None:
    base = baseline_of(own(tmp_path / "old", nothing))
    folder = own(tmp_path / "new", nothing)
    path = folder.path / "samples.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, len(table) - 1), path)
    refused(gate(RunFolder(folder.path), base, max_drop=0.99), "1 of 20 items have fewer")
    path.unlink()
    refused(gate(RunFolder(folder.path), base, max_drop=0.99), "20 of 20 items have fewer")


def test_a_run_without_labels_is_no_pass(tmp_path: Path) -> None:
    def bare(known: list[dict[str, Any]]) -> None:
        for row in known:
            row["responses"] = [row.pop("chosen"), row.pop("rejected")]

    folder = own(tmp_path / "bare", bare)
    with pytest.raises(Incomplete, match="no items with labels"):
        baseline_of(folder)
    base = baseline_of(own(tmp_path / "old", nothing))
    # Even where somebody wrote the digests of its rows into a file.
    forged = replace(base, rows={k: list(v) for k, v in digests(folder).items()})
    refused(gate(folder, forged, max_drop=0.99), "no items with labels")


def digests(folder: RunFolder) -> dict[str, Any]:
    from grmeval.score.verdicts import digests
    from grmeval.store import judged_rows

    return digests(judged_rows(folder, None))


@pytest.mark.parametrize("kind", ["pairs", "ROC-AUC", "some without labels"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda credits: credits.pop(0), "it lacks 1 verdicts of these rows, and has 0 of others"),
        (
            lambda credits: credits.append(["x", "y", "", 1.0, 1.0]),
            "lacks 0 verdicts of these rows, and has 1",
        ),
        (
            lambda credits: credits[0].__setitem__(1, "?"),
            "lacks 1 verdicts of these rows, and has 1 of",
        ),
    ],
)
def test_a_file_with_other_verdicts_is_no_pass(
    tmp_path: Path, kind: str, spoil: Any, said: str
) -> None:
    made = {"pairs": rmb_rows, "ROC-AUC": detection, "some without labels": some_without_labels}
    folder = sampled(tmp_path / "r", k=2, **made[kind](tmp_path))
    file = tmp_path / "base.json"
    write_baseline(baseline_of(folder), file)
    known = json.loads(file.read_text())
    spoil(known["credits"])
    file.write_text(json.dumps(known))
    refused(gate(folder, read_baseline(file), max_drop=0.99), said)


def test_a_file_whose_verdict_was_blanked_is_no_pass(tmp_path: Path) -> None:
    folder = own(tmp_path / "old", nothing)
    file = tmp_path / "base.json"
    write_baseline(baseline_of(folder), file)
    known = json.loads(file.read_text())
    known["credits"][0][3] = None
    file.write_text(json.dumps(known))
    refused(gate(folder, read_baseline(file), max_drop=0.99), "1 verdicts are there only in")


def test_a_section_that_was_dropped_whole_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    rmb(tmp_path / "old", PAIRS, {})
    (tmp_path / "new").mkdir()
    rmb(tmp_path / "new", PAIRS, {})
    silent = told() | {f"s{at}": ["length"] for at in range(4)}
    base = baseline_of(scripted(tmp_path / "old", told(), 1), on_invalid="drop")
    result = gate(scripted(tmp_path / "new", silent, 1), base, max_drop=0.99)
    refused(result, "nothing to compare, in Pairwise_set/Harmlessness/S1")


def test_sections_of_one_class_have_no_area(tmp_path: Path) -> None:
    """ROC-AUC over all, none in any section: a margin for sections compares nothing."""
    from tests.score.table import test_benchmark_figures as realmistake

    cells = {
        (realmistake.MATH, realmistake.GPT): [f"{at}" for at in range(6)],
        (realmistake.FACTS, realmistake.GPT): [f"{at}:error" for at in range(6)],
    }
    data = realmistake.copy(tmp_path, cells)
    folder = sampled(tmp_path / "r", k=1, bench="realmistake", data=data)
    result = gate(folder, baseline_of(folder), max_drop=0.99, max_drop_section=0.99)
    assert found(result, "overall").verdict == "passed"
    assert found(result, "section").verdict == result.verdict == "broken"


def test_one_item_decides_nothing(tmp_path: Path) -> None:
    folder = own(tmp_path / "one", lambda known: known.__delitem__(slice(1, None)))
    result = gate(folder, baseline_of(folder), max_drop=0.01)
    assert result.verdict == "inconclusive"


# ------------------------------------------------------------------ more samples


def test_more_samples_are_read_by_subsets_of_the_baselines_k(tmp_path: Path) -> None:
    made = rmb_rows(tmp_path)
    old = sampled(tmp_path / "old", k=2, **made)
    base = baseline_of(old)
    new = sampled(tmp_path / "new", k=2, seed=1, **made)
    first = gate(new, base, max_drop=0.2)
    assert first.about["samples"] == first.about["k"] == 2
    before = {(r["subset"], r["id"], r["j"]): r["text"] for r in rows(new.path)}
    watcher = Quiet()
    more = extend(again(new, 6), watcher)
    assert watcher.samples == 4 * len(before) // 2
    assert more.path == new.path
    after = {(r["subset"], r["id"], r["j"]): r["text"] for r in rows(new.path)}
    assert before.items() <= after.items()
    assert len(after) == 3 * len(before)
    second = gate(more, base, max_drop=0.2, looks=2)
    assert (second.about["k"], second.about["samples"]) == (2, 6)
    value = found(second, "overall").value
    assert value == pytest.approx(baseline_of(more, k=2).figures[0].value, abs=1e-8)
    assert value != found(first, "overall").value


def test_a_run_is_not_made_again_where_it_would_be_another(tmp_path: Path) -> None:
    folder = own(tmp_path / "a", nothing)
    path = folder.path.parents[3] / "rows.jsonl"
    text = path.read_text()
    path.write_text(text.replace("0?", "zero?", 1))
    with pytest.raises(ConfigError, match="its model, rows or template changed since"):
        again(RunFolder(folder.path), 8)
    path.write_text(text)
    assert again(RunFolder(folder.path), 8).path == folder.path
    assert not list(folder.path.parents[1].glob("[!f]*"))
    elsewhere = tmp_path / "elsewhere"
    folder.path.rename(elsewhere)
    with pytest.raises(ConfigError, match="it was moved"):
        again(RunFolder(elsewhere), 8)


def test_an_older_record_is_not_made_again(tmp_path: Path) -> None:
    folder = own(tmp_path / "a", nothing)
    record = json.loads(unchecked(folder.path / "run.json").read_text())
    del record["config"]["engine"]
    (folder.path / "run.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="does not say how it was made"):
        again(RunFolder(folder.path), 8)


def test_advice_is_that_of_measure(tmp_path: Path) -> None:
    old = baseline_of(pairs_run(tmp_path / "old", "p0", "s0"))
    result = gate(pairs_run(tmp_path / "new", "p0", "p1", "s1"), old, max_drop=0.2)
    before = [0, 1, 1, 1, 1, 1, 0, 1, 1, 1]
    after = [0, 0, 1, 1, 1, 1, 1, 0, 1, 1]
    made = contrast(before, after, [0] * 6 + [1] * 4, 0.05)
    times = advice(made.value, made.error, 0.2, 0.05, 0.0, 1).items
    decided = 100 * smallest_margin(made.error, 0.05)
    made_at_alpha = found(result, "overall")
    # One sample an item says nothing of what more of them would do.
    assert result.advice == (
        f"this night excludes a drop of {-100 * made_at_alpha.low:.1f} points; at a margin of {decided:.1f} "
        "an equal model passes such a night 4 times in 5",
        f"about {times:.2g} times as many items would decide, 4 times in 5",
    )
    assert result.more_samples is None


@pytest.mark.long
def test_more_samples_are_advised_only_where_they_would_decide(tmp_path: Path) -> None:
    """Items all alike: samples make the noise. Items that are sure or hopeless: they make none."""

    def more(known: list[dict[str, Any]]) -> None:
        known += [known[0] | {"id": f"m{at}", "prompt": f"more {at}?"} for at in range(300)]

    for spread, helps in ((0.0, True), (0.97, False)):
        args = {"accuracy": 0.8, "spread": spread, "ties": 0}
        base = own(tmp_path / f"old{spread}", more, k=32, engine_args=args)
        night = own(tmp_path / f"new{spread}", more, k=8, seed=1, engine_args=args)
        overall = found(gate(night, baseline_of(base, k=8), max_drop=0.0), "overall")
        # A margin that lies just outside of what this night can tell.
        margin = 0.98 * (overall.difference - overall.low) - overall.difference
        result = gate(night, baseline_of(base, k=8), max_drop=margin)
        assert result.verdict == "inconclusive"
        assert result.more_samples is helps
        assert (
            any("samples an item (--extend) would pass" in line for line in result.advice) is helps
        )
        assert any("of this run alone would not" in line for line in result.advice) is not helps


@pytest.mark.long
@pytest.mark.parametrize(("stored", "share"), [(8, 1.0), (16, 0.5)])
def test_the_part_of_the_samples_in_the_noise(tmp_path: Path, stored: int, share: float) -> None:
    """Of items all alike one vote has the variance p (1 - p); twice the samples at least halve it."""

    def more(known: list[dict[str, Any]]) -> None:
        known += [known[0] | {"id": f"m{at}", "prompt": f"more {at}?"} for at in range(300)]

    noise, accuracy = {}, {}
    for spread in (0.0, 0.99):
        args = {"accuracy": 0.6, "spread": spread, "ties": 0}
        folder = own(tmp_path / f"{spread}", more, k=stored, engine_args=args)
        noise[spread] = noise_of(folder, 8)
        accuracy[spread] = baseline_of(folder, k=8).figures[0].value or 0
    alike = accuracy[0.0] * (1 - accuracy[0.0]) / 320
    assert 0.6 * share < noise[0.0] / alike < 1.25 * share
    assert noise[0.99] < 0.05 * alike
    one = own(tmp_path / "one", more, k=1)
    assert isnan(noise_of(one, 1))


def test_extending_a_part_tells_nothing_of_the_rest(tmp_path: Path) -> None:
    """Items of one subset have 16 samples, the others 4: the noise falls by what those 16 bring, no more."""
    args = {"accuracy": 0.6, "spread": 0.0, "ties": 0}

    def noise(k: int, more: int) -> float:
        folder = own(tmp_path / f"k{k}-{more}", many, k=k, engine_args=args)
        if more > k:
            again = {"bench": folder.record["config"]["bench"], "engine_args": args, "k": more}
            sampled(folder.path.parents[2], subset=["a"], **again)
        return noise_of(RunFolder(folder.path), k)

    def many(known: list[dict[str, Any]]) -> None:
        known += [known[at % 2] | {"id": f"m{at}", "prompt": f"more {at}?"} for at in range(180)]

    before, part = noise(4, 4), noise(4, 16)
    # Half of the weight keeps its noise; the other half has that of a mean of 16.
    assert before / 2 < part < 0.75 * before
    assert isnan(
        noise(1, 4)
    )  # one sample says nothing of its spread, and three more of others neither


def test_a_baseline_says_that_a_part_was_extended(tmp_path: Path) -> None:
    folder = own(tmp_path / "a", nothing, k=2)
    assert baseline_of(folder).notes == ()
    sampled(folder.path.parents[2], bench=folder.record["config"]["bench"], k=4, subset=["a"])
    extended = RunFolder(folder.path)
    said = "10 of 20 items hold 4 samples, the others 2"
    assert baseline_of(extended, k=2).notes[0].startswith(said)
    found = grmeval("baseline", folder.path, "--k", 2, "--to", tmp_path / "b.json")
    assert (found.returncode, said in found.stderr) == (0, True), found.stderr
