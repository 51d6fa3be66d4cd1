"""Several benchmarks under one heading, and published rows beside what a run found."""

import csv
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import Group, groups
from grmeval.report.published import published_for
from grmeval.score import Accuracy, Row, score, together
from grmeval.store import RunFolder
from tests.benches.test_ppe import HUMAN, REPOSITORIES, battle, copy, question
from tests.benches.test_rewardbench import rows as rewardbench
from tests.helpers import grmeval, sampled
from tests.score.table.test_accuracy import rmb

OVERALL = groups()["grm-overall"].members
VOTING, DOUBTED = "DeepSeek-GRM-27B Voting@32", "DeepSeek-BTRM-27B"

# ---------------------------------------------------------------------- the command line


def copies(folder: Path) -> list[object]:
    """Small copies of the four benchmarks, and the words that name them."""
    for name in OVERALL:
        (folder / name).mkdir()
    sizes = {"alpacaeval-easy": 4, "llmbar-natural": 5, "donotanswer": 3, "hep-go": 4}
    rewardbench(folder / "rewardbench", sizes)
    winners = ("model_a", "model_b", "tie", "model_a", "tie (bothbad)", "model_b", "model_a")
    people = [battle(str(at), winner) for at, winner in enumerate(winners)]
    copy(folder / "ppe-preference", {HUMAN: people})
    five = [question(f"q{at}", [1, 0, 1], [(0, 1), (1, 2)]) for at in range(3)]
    copy(folder / "ppe-correctness", dict.fromkeys(REPOSITORIES, five))
    # RMB lacks a whole cell.
    pairs = {f"{area}/x:{at}": 1 for area in ("Helpfulness/A", "Harmlessness") for at in range(4)}
    rmb(folder / "rmb", pairs, {f"Helpfulness/A/x:{at}": 2 for at in range(3)})
    return [word for name in OVERALL for word in ("--data", f"{name}={folder / name}")]


@pytest.fixture(scope="module")
def overall(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[object], str, Any]:
    """(results, the words that made them, what was printed, the same as JSON)."""
    folder = tmp_path_factory.mktemp("overall")
    words: list[object] = ["run", "--bench", "grm-overall", "--engine", "fake", "--k", 2]
    words += [*copies(folder), "--results", folder / "r", "--beside", VOTING, "--beside", DOUBTED]
    printed = grmeval(*words)
    assert printed.returncode == 0, printed.stderr
    again = grmeval(*words, "--json")
    assert again.returncode == 0, again.stderr
    return folder / "r", words, printed.stdout, json.loads(again.stdout)


def test_four_tables_and_their_mean(overall: tuple[Path, list[object], str, Any]) -> None:
    _, _, printed, found = overall
    assert [each["run"]["identity"]["bench"] for each in found] == [*OVERALL, "grm-overall"]
    titles = ["RewardBench", "PPE Preference", "PPE Correctness", "RMB", "Overall of arXiv"]
    places = [printed.index(f"{title} ") for title in titles]
    assert places == sorted(places)
    tops = [each["rows"][0] for each in found]
    assert all(0 < row["value"] < 1 for row in tops)
    mean = tops.pop()
    assert mean["value"] == pytest.approx(sum(row["value"] for row in tops) / 4)
    low = sum((row["value"] - row["low"]) ** 2 for row in tops)
    high = sum((row["high"] - row["value"]) ** 2 for row in tops)
    assert mean["low"] == pytest.approx(mean["value"] - sqrt(low) / 4)
    assert mean["high"] == pytest.approx(mean["value"] + sqrt(high) / 4)
    assert mean["error"] == pytest.approx(sqrt(sum(row["error"] ** 2 for row in tops)) / 4)
    assert mean["method"] == "mover"
    for name in ("items", "expected", "samples", "invalid", "clusters"):
        assert mean[name] == sum(row[name] for row in tops)
    members = {row["name"]: row["value"] for row in found[-1]["rows"][1:]}
    assert members == dict(zip(OVERALL, (row["value"] for row in tops), strict=True))


def test_what_the_mean_lacks_is_said(overall: tuple[Path, list[object], str, Any]) -> None:
    _, _, printed, found = overall
    notes = found[-1]["notes"]
    troubles = [line for line in notes if line.startswith("overall is INCOMPLETE: ")]
    assert [line.partition(": ")[2] for line in troubles] == [
        "rewardbench: overall, 16 of 2,985 items",
        "ppe-preference: overall, 5 of 16,036 items",
        "ppe-correctness: overall, 30 of 12,775 items",
        "rmb: overall (3 of 4 sections), 11 of 20,917 items",
    ]
    assert all(line in printed for line in notes)
    assert notes[0].startswith(
        "overall: mean of rewardbench, ppe-preference, ppe-correctness, rmb;"
    )
    runs = [each["about"]["run_id"] for each in found]
    assert runs[-1] is None
    assert [f"{name}: run {run}" for name, run in zip(OVERALL, runs, strict=False)] == notes[-4:]


def test_the_mean_has_files_of_its_own(overall: tuple[Path, list[object], str, Any]) -> None:
    results, _, _, found = overall
    (folder,) = (results / "grm-overall" / "fake").iterdir()
    assert sorted(p.name for p in folder.iterdir()) == [
        "accuracy.csv",
        "accuracy.json",
        "accuracy.md",
    ]
    with (folder / "accuracy.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == ["overall", *OVERALL]
    assert float(table[0]["value"]) == found[-1]["rows"][0]["value"]
    listed = grmeval("runs", "--results", results, "--json")
    assert listed.returncode == 0, listed.stderr
    assert "grm-overall" not in listed.stdout


def test_a_look_at_its_members_leaves_its_files(
    overall: tuple[Path, list[object], str, Any],
) -> None:
    results, asked, _, _ = overall
    (table,) = (results / "grm-overall" / "fake").glob("*/accuracy.csv")
    before = table.read_bytes()
    found = grmeval(*asked, "--k", 1)
    assert "nothing is written, as not every member's record is what is shown" in found.stderr
    assert table.read_bytes() == before


def test_published_rows_are_columns_with_notes(
    overall: tuple[Path, list[object], str, Any],
) -> None:
    _, _, printed, found = overall
    for result in found:
        bench = result["run"]["identity"]["bench"]
        for name, cells in published_for(bench, [VOTING, DOUBTED]).items():
            assert result["beside"][name] == {at: c._asdict() for at, c in cells.items()}
    assert found[0]["beside"][VOTING]["overall"] == {"value": 88.5, "table": "8", "flag": ""}
    assert list(found[1]["beside"]) == [VOTING, DOUBTED]
    rewardbench, preference, _, rmb, mean = tables_of(printed)
    assert line_of(rewardbench, "overall")[-2:] == ["88.5", "*81.7"]
    assert line_of(preference, "overall")[-2:] == ["65.3", "68.3"]
    assert line_of(rmb, "overall (3 of 4 sections)")[-2:] == ["69.7", "57.9"]
    assert line_of(rmb, " Harmlessness pairs")[-2:] == ["77.0", "51.0"]
    assert line_of(mean, "overall")[-2:] == ["71.0", "68.6"]
    # Of a subset nothing is printed.
    assert line_of(rewardbench, "  hep-go")[-1] == "0"
    assert f"[1] {VOTING}, as printed (table 8)" in rewardbench
    assert f"[2] {DOUBTED}, as printed (table 8)" in rewardbench
    (doubt,) = [line for line in rewardbench.splitlines() if line.startswith("[2] * ")]
    assert "two rows look swapped" in doubt


def tables_of(printed: str) -> list[str]:
    """One text a benchmark: its title, table and notes."""
    parts = re.split(r"^(.* · fake · k=2 *)$", printed, flags=re.MULTILINE)
    return [title + text for title, text in zip(parts[1::2], parts[2::2], strict=True)]


def line_of(table: str, name: str) -> list[str]:
    """The words of a row after its name."""
    found = [line[1:] for line in table.splitlines() if line.startswith(f" {name}  ")]
    assert len(found) == 1
    return found[0].removeprefix(name).split()


def test_score_has_them_too(overall: tuple[Path, list[object], str, Any]) -> None:
    results, _, _, found = overall
    run = found[3]["about"]["run_id"]
    words = ("score", run, "--results", results, "--beside", VOTING.lower())
    printed = grmeval(*words)
    assert printed.returncode == 0, printed.stderr
    assert "[1]" in printed.stdout.splitlines()[2]
    assert f"[1] {VOTING}, as printed (table 10)" in printed.stdout
    as_json = json.loads(grmeval(*words, "--json").stdout)
    assert as_json["beside"][VOTING]["overall"]["value"] == 69.7
    assert as_json["beside"].keys() == {VOTING}


@pytest.mark.parametrize("words", [["run", "--engine", "fake"], ["score", "latest"]])
def test_an_unknown_row_is_told_what_is_near_before_anything_is_done(
    tmp_path: Path, words: list[str]
) -> None:
    name = "DeepSeek-GRM-27B Votin@32"
    found = grmeval(*words, "--results", tmp_path / "r", "--beside", VOTING, "--beside", name)
    assert (found.returncode, found.stdout) == (2, "")
    assert f"--beside {name!r}: no published row; near it: " in found.stderr
    assert f"'{VOTING}'" in found.stderr
    assert not (tmp_path / "r").exists()


def test_a_group_without_a_mean_prints_none(
    overall: tuple[Path, list[object], str, Any],
) -> None:
    results, _, _, found = overall
    asked: list[object] = ["run", "--bench", "ppe", "--engine", "fake", "--k", 2]
    for name in groups()["ppe"].members:
        asked += ["--data", f"{name}={results.parent / name}"]
    asked += ["--results", results]
    again = grmeval(*asked, "--json")
    assert again.returncode == 0, again.stderr
    printed = json.loads(again.stdout)
    assert [each["run"] for each in printed] == [each["run"] for each in found[1:3]]
    assert not (results / "ppe").exists()


# ---------------------------------------------------------------------- by hand

PAIR = Group(title="Two", members=("sample", "mine"), mean=True)


def mine(folder: Path, rows: int = 6, **more: Any) -> RunFolder:
    """A run of a complete benchmark of one's own: one row in three is a tie for the person."""
    table = [
        {"id": i, "prompt": f"{i}?", "responses": ["a", "b"], "quality": [1, int(i % 3 == 2)]}
        for i in range(rows)
    ]
    (folder / "mine").mkdir(parents=True, exist_ok=True)
    (folder / "mine" / "rows.jsonl").write_text("\n".join(map(json.dumps, table)))
    (folder / "mine.toml").write_text(
        'id = "mine"\ntitle = "Mine"\nsource = {packaged = "mine"}\nexpected = {rows = 6}\n'
        'tables = [{files = "*.jsonl", shape = "neutral"}]\n'
    )
    settings: dict[str, Any] = {"bench": str(folder / "mine.toml"), "k": 2}
    return sampled(folder / "r", **settings | more)


def both(tmp_path: Path, votes: Sequence[str] = ("sum",), **more: Any) -> Accuracy:
    own = score(mine(tmp_path, **more), votes=votes)
    return together("two", PAIR, [own, score(sampled(tmp_path / "r", k=2), votes=votes)], "fake")


def troubles(result: Accuracy) -> list[str]:
    return [line for line in result.footer if "INCOMPLETE" in line]


def test_complete_members_make_a_complete_mean(tmp_path: Path) -> None:
    """Rows that a person called a tie have no verdict, in a complete copy either."""
    result = both(tmp_path)
    assert troubles(result) == []
    assert [row.name for row in result.rows] == ["overall", "sample", "mine"]
    assert [(row.items, row.expected) for row in result.rows] == [(79, 79), (75, 75), (4, 4)]
    assert result.title == "Two · fake · k=2"
    assert result.about == {"run_id": None, "limit": None, "ties": "wrong", "on_invalid": "wrong"}


def test_a_member_that_lacks_rows_is_named(tmp_path: Path) -> None:
    result = both(tmp_path, rows=4)
    assert troubles(result) == ["overall is INCOMPLETE: mine: overall, 3 of 5 items"]
    assert not math.isnan(result.rows[0].value)


def test_a_member_that_is_a_part_is_named(tmp_path: Path) -> None:
    result = both(tmp_path, limit=3)
    (said,) = troubles(result)
    row = result.rows[2]
    assert said == f"overall is INCOMPLETE: mine: overall, {row.items} of {row.expected} items"
    assert row.items < row.expected


def test_a_member_that_lacks_samples_is_named(tmp_path: Path) -> None:
    own = mine(tmp_path)
    result = together("two", PAIR, [score(own, k=3), score(sampled(tmp_path / "r", k=3))], "fake")
    assert troubles(result) == ["overall is INCOMPLETE: mine: no verdict"]
    assert result.rows[0].name == "overall (1 of 2 benchmarks)"
    assert result.rows[0].value == result.rows[1].value


def test_a_member_without_a_run_is_named(tmp_path: Path) -> None:
    result = together("two", PAIR, [score(mine(tmp_path))], "fake")
    assert troubles(result) == ["overall is INCOMPLETE: sample: no verdict"]
    assert [row.name for row in result.rows] == ["overall (1 of 2 benchmarks)", "mine"]


def test_every_vote_has_its_mean(tmp_path: Path) -> None:
    result = both(tmp_path, votes=("sum", "majority"))
    assert [(row.vote, row.name) for row in result.rows] == [
        (vote, name) for vote in ("sum", "majority") for name in ("overall", "sample", "mine")
    ]
    for at in (0, 3):
        value = (result.rows[at + 1].value + result.rows[at + 2].value) / 2
        assert result.rows[at].value == pytest.approx(value)


def test_the_interval_is_mover_by_hand(tmp_path: Path) -> None:
    result = both(tmp_path)
    first = score(mine(tmp_path))
    known = {"sample": (0.8, 0.7, 0.85, 0.04), "mine": (0.6, 0.5, 0.75, 0.03)}

    def told(row: Row, name: str) -> Row:
        value, low, high, error = known[name]
        return replace(
            row, level="overall", name="overall", value=value, low=low, high=high, error=error
        )

    members = [
        replace(
            first,
            rows=(told(result.rows[at], name),),
            run={"identity": {"bench": name}, "launches": []},
        )
        for at, name in enumerate(known)
    ]
    mean = together("two", PAIR, members, "fake").rows[0]
    assert mean.value == pytest.approx(0.7)
    assert mean.low == pytest.approx(0.7 - sqrt(0.1**2 + 0.1**2) / 2)
    assert mean.high == pytest.approx(0.7 + sqrt(0.05**2 + 0.15**2) / 2)
    assert mean.error == pytest.approx(0.05 / 2)
