"""Baselines: small, sorted, the same bytes for the same run, and refused where they are not whole."""

import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import ConfigError, Incomplete, StoreError
from grmeval.score import Gated, baseline_of, gate, read_baseline, write_baseline
from grmeval.store import RunFolder
from tests.benches import test_judgebench as judgebench
from tests.benches import test_rewardbench_2 as rewardbench_2
from tests.helpers import sampled
from tests.score.table import test_benchmark_figures as realmistake
from tests.score.table.test_accuracy import SCRIPT, rmb
from tests.score.table.test_accuracy import run as scripted

ENGINE = {"accuracy": 0.6, "no_score": 0.15, "truncated": 0.1}


def rmb_rows(folder: Path) -> dict[str, Any]:
    pairs = {f"{area}/x:p{at}": 1 for area in ("Helpfulness/A", "Harmlessness") for at in range(9)}
    bons = {f"{area}/x:b{at}": 3 for area in ("Helpfulness/A", "Harmlessness") for at in range(6)}
    return {"bench": "rmb", "data": rmb(folder, pairs, bons)}


def four_ways_and_ties(folder: Path) -> dict[str, Any]:
    row = rewardbench_2.row
    rows = [row(subset, f"{subset}{at}") for subset in ("Math", "Focus") for at in range(5)]
    for at in range(4):
        rows += [row("Ties", f"tied:{at}", 3, 2), row("Ties", f"ref:{at}", 1, 3)]
    return {"bench": "rewardbench-2", "data": rewardbench_2.files(folder, rows)}


def games(folder: Path) -> dict[str, Any]:
    row = judgebench.row
    sources = ("mmlu-pro-law", "livebench-math", "livecodebench")
    rows = [row(f"{source}{at}", source) for source in sources for at in range(5)]
    return {"bench": "judgebench", "data": judgebench.files(folder, gpt=rows, claude=rows)}


def detection(folder: Path) -> dict[str, Any]:
    names = [f"{at}{':error' * (at % 2)}" for at in range(8)]
    cells = {
        (realmistake.MATH, realmistake.GPT): names,
        (realmistake.FACTS, realmistake.GPT): names,
    }
    return {"bench": "realmistake", "data": realmistake.copy(folder, cells)}


def some_without_labels(folder: Path) -> dict[str, Any]:
    """A micro average over rows of one's own, a third of them unlabelled."""
    rows: list[dict[str, Any]] = [
        {"id": str(at), "prompt": f"{at}?", "responses": ["a", "b"]} for at in range(12)
    ]
    for row in rows[:8]:
        row["quality"] = [1, 0]
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"bench": str(path)}


Made = Callable[[Path], dict[str, Any]]
KINDS: dict[str, tuple[Made, dict[str, Any], dict[str, Any]]] = {
    "a mean of cells": (rmb_rows, {}, {}),
    "groups": (rmb_rows, {"layout": "pairs"}, {}),
    "judged apart": (rmb_rows, {"layout": "single"}, {}),
    "dropped": (rmb_rows, {}, {"on_invalid": "drop"}),
    "shared": (rmb_rows, {}, {"protocol": "paper"}),
    "picked": (rmb_rows, {}, {"ties": "random"}),
    "another vote": (rmb_rows, {}, {"vote": "majority"}),
    "a part": (rmb_rows, {}, {"limit": 12}),
    "ties score": (four_ways_and_ties, {}, {}),
    "games and a micro average": (games, {}, {}),
    "ROC-AUC": (detection, {}, {}),
    "ROC-AUC, wrong end": (detection, {}, {"on_invalid": "wrong"}),
    "ROC-AUC, dropped": (detection, {}, {"on_invalid": "drop"}),
    "unlabelled rows": (some_without_labels, {}, {}),
    "unlabelled rows, dropped": (some_without_labels, {}, {"on_invalid": "drop"}),
}


def close(one: Gated, other: Gated) -> None:
    """The same checks, words and verdicts; numbers to the digits that a baseline keeps."""
    assert one.verdict == other.verdict
    for mine, theirs in zip(one.checks, other.checks, strict=True):
        assert astuple(mine)[:4] == astuple(theirs)[:4]
        assert astuple(mine)[4:] == pytest.approx(astuple(theirs)[4:], abs=1e-7, nan_ok=True)
    assert one.advice == other.advice


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gates_as_the_run_that_it_is_of(tmp_path: Path, kind: str) -> None:
    made, settings, how = KINDS[kind]
    known = made(tmp_path) | {"engine_args": ENGINE} | settings
    old, new = (sampled(tmp_path / f"r{s}", k=2, seed=s, **known) for s in (0, 1))
    if "limit" in how:  # another seed has another part of the items
        args = ENGINE | {"accuracy": 0.5}
        new = sampled(tmp_path / "r1", k=2, **known | {"engine_args": args})
    made_now, file = baseline_of(old, **how), tmp_path / "base.json"
    write_baseline(made_now, file)
    read = read_baseline(file)
    for margin in (0.0, 0.05):
        one, other = (
            gate(new, base, max_drop=margin, max_drop_section=2 * margin)
            for base in (read, made_now)
        )
        close(one, other)
    itself = gate(old, read, max_drop=0.9)
    assert itself.verdict == "passed"
    (overall,) = (check for check in itself.checks if check.kind == "overall")
    assert overall.difference == pytest.approx(0, abs=1e-9)
    assert overall.baseline == pytest.approx(read.figures[0].value, abs=1e-8)


def test_the_same_run_gives_the_same_sorted_bytes(tmp_path: Path) -> None:
    folder = sampled(tmp_path / "r", k=2, **rmb_rows(tmp_path))
    first, second = tmp_path / "a.json", tmp_path / "deep" / "er" / "b.json"
    write_baseline(baseline_of(folder), first)
    write_baseline(baseline_of(RunFolder(folder.path)), second)
    assert first.read_bytes() == second.read_bytes()
    known = json.loads(first.read_text())
    assert known["credits"] == sorted(known["credits"])
    assert list(known["rows"]) == sorted(known["rows"])
    # One verdict a line, so that a diff shows what moved.
    lines = [json.dumps(unit) for unit in known["credits"]]
    assert [line.strip().rstrip(",") for line in first.read_text().splitlines()][-32:-2] == lines


def test_of_restricted_rows_there_is_no_text_in_it(tmp_path: Path) -> None:
    folder = sampled(tmp_path / "r", k=2, **detection(tmp_path), engine_args={"quote": 1})
    write_baseline(baseline_of(folder), tmp_path / "base.json")
    text = (tmp_path / "base.json").read_text()
    assert '"realmistake"' in text
    for secret in (realmistake.SECRET, "explained", "answered as", "Reasoning Correctness"):
        assert secret not in text


def test_what_is_not_finished_is_no_baseline(tmp_path: Path) -> None:
    folder = scripted(tmp_path, SCRIPT, 2)
    with pytest.raises(Incomplete, match=r"5 of 5 items have fewer than 3 samples"):
        baseline_of(folder, k=3)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "a?", "responses": ["b", "c"]}\n')
    with pytest.raises(Incomplete, match="no items with labels"):
        baseline_of(sampled(tmp_path / "none", bench=str(rows), k=1))
    with pytest.raises(ConfigError, match="allowed: sum, mean, majority"):
        baseline_of(folder, vote="best")


def test_an_auc_is_kept_of_all_its_samples(tmp_path: Path) -> None:
    folder = sampled(tmp_path / "r", k=4, **detection(tmp_path))
    with pytest.raises(ConfigError, match="--k 4"):
        write_baseline(baseline_of(folder, k=2), tmp_path / "base.json")
    assert not (tmp_path / "base.json").exists()
    # Beside the run itself every subset counts.
    assert gate(folder, baseline_of(folder, k=2), max_drop=0.9).verdict == "passed"


def test_it_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    found = baseline_of(scripted(tmp_path, SCRIPT, 2))
    file = tmp_path / "base.json"
    file.write_text("x" * 100_000)
    write_baseline(found, file)
    assert read_baseline(file).units == tuple(sorted(found.units))
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="cannot be written"):
        write_baseline(found, tmp_path / "taken" / "base.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="is a folder; name a file to write"):
        write_baseline(found, tmp_path / "folder")
    assert not list((tmp_path / "folder").iterdir())
    assert not list(tmp_path.glob(".*"))


Spoil = Callable[[dict[str, Any]], Any]


def credit(value: Any, column: int = 3) -> Spoil:
    return lambda known: known["credits"][0].__setitem__(column, value)


def about(**values: Any) -> Spoil:
    return lambda known: known["about"].update(values)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (credit(float("nan")), "credits.0.3: Input should be a finite number"),
        (credit(float("inf")), "credits.0.3: Input should be a finite number"),
        (credit("much"), "credits.0.3: Input should be a valid number"),
        (credit(float("nan"), 4), "credits.0.4: Input should be a finite number"),
        (credit(-1.0, 4), "credits.0.4: Input should be greater than or equal to 0"),
        (credit(2.0, 4), "credits.0.4: Input should be less than or equal to 1"),
        (credit(None, 4), "credits.0.4: Input should be a valid number"),
        (lambda known: known["credits"].append(known["credits"][0]), "or one unit twice"),
        (lambda known: known["credits"].clear(), "no unit"),
        (lambda known: known.pop("credits"), "credits: Field required"),
        (lambda known: known.update(more=1), "more: Extra inputs are not permitted"),
        (lambda known: known.update(grmeval_baseline=1), "grmeval_baseline: 1, expected 2"),
        (credit(-3.0), "lies outside 0 to 1"),
        (credit(1.001), "lies outside 0 to 1"),
        (credit(1e154), "lies outside 0 to 1"),
        (about(limit=1e30), "about.limit: Unable to parse input string as an integer"),
        (about(limit=0), "about.limit: Input should be greater than or equal to 1"),
        (about(k_meta=0), "about.k_meta: Input should be greater than or equal to 1"),
        (about(k_meta=-3), "about.k_meta: Input should be greater than or equal to 1"),
        (about(samples=1), "about.samples 1: fewer than k = 2"),
        (about(invalid=10**6), "more than about.judgements"),
        (
            lambda known: known["figures"][0].update(undecided=[1.5, 1]),
            "figures.0.undecided.0: Input should be less than or equal to 1",
        ),
        (credit(0.0, 4), "a weight of 0, but nothing is dropped"),
        (lambda known: known["about"].pop("settings"), "about.settings: Field required"),
        (lambda known: known.pop("grmeval_baseline"), "no baseline of this grmeval"),
        (about(k=0), "about.k: Input should be greater than or equal to 1"),
        (about(vote="sun"), "about.vote 'sun': allowed: sum, mean, majority, median"),
        (about(ties="maybe"), "about.ties 'maybe': allowed: wrong, share"),
        (about(on_invalid="maybe"), "about.on_invalid 'maybe': allowed: wrong, share"),
        (about(tokens=-1), "about.tokens: Input should be greater than or equal to 0"),
    ],
)
def test_a_damaged_file_is_refused_by_field(tmp_path: Path, spoil: Spoil, message: str) -> None:
    file = tmp_path / "base.json"
    write_baseline(baseline_of(scripted(tmp_path, SCRIPT, 2)), file)
    known = json.loads(file.read_text())
    spoil(known)
    file.write_text(json.dumps(known))
    with pytest.raises(ConfigError) as refused:
        read_baseline(file)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"{file}: ")


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\xfe", b"[1]", b"null", b"{}"])
def test_what_is_no_baseline_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "base.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="no baseline"):
        read_baseline(file)


def test_a_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "base.json"
    write_baseline(baseline_of(scripted(tmp_path, SCRIPT, 2)), file)
    whole = file.read_bytes()
    for length in range(0, len(whole) - 1, 97):
        file.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match="no baseline"):
            read_baseline(file)
