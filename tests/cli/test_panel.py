"""`grmeval panel` as a user types it: what every other command makes of it, mistakes, a kill."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from grmeval.store import RunFolder, SampleKey, all_runs, sample_schema
from grmeval.store.fold import write_samples
from grmeval.store.samples import read_rows
from tests.helpers import grmeval, journaled, rows, running, sampled, unchecked, until_there_are


def asked(*words: object, code: int = 0) -> str:
    found = grmeval(*words)
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three judges of one kind, and what is no member beside them: another benchmark, layout and limit."""
    place = tmp_path_factory.mktemp("panel")
    bench = place / "pairs.jsonl"
    row = {"prompt": "2 + 2?", "responses": ["4", "5"], "quality": [1, 0]}
    bench.write_text("".join(json.dumps(row | {"id": f"q{i}"}) + "\n" for i in range(20)), "utf-8")
    for seed in (1, 2, 3):
        sampled(place, k=4, seed=seed)
    sampled(place, k=2, layout="pairs")
    for judge in ("pointwise", "index"):
        sampled(place, k=2, bench=str(bench), judge=judge)
    return place


def members(results: Path, bench: str = "sample", layout: str = "list") -> list[Path]:
    """Runs by seed, then by judge."""
    found = []
    for path in all_runs(results):
        identity = RunFolder(path).record["identity"]
        if (identity["bench"], identity["layout"]) == (
            bench,
            layout,
        ) and path.parent.name == "fake":
            found.append((identity["seed"], identity["judge"]["name"], path))
    return [path for *_, path in sorted(found)]


@pytest.fixture(scope="module")
def trio(results: Path) -> Path:
    asked("panel", *members(results), "--name", "trio", "--results", results)
    (found,) = (path for path in all_runs(results) if path.parent.name == "trio")
    return found


def test_its_table_is_that_of_score(results: Path, trio: Path) -> None:
    told = json.loads(asked("panel", *members(results), "--results", results, "--json"))
    assert told["rows"] == json.loads(asked("score", trio, "--json"))["rows"]
    assert told["rows"][0]["k"] == 12
    again = grmeval("panel", *members(results), "--results", results)
    assert f"{trio}: every judgement is there" in again.stderr
    footer = " ".join(again.stdout.split())
    for member in members(results):
        assert f"fake {member.name}" in footer
    two = asked("panel", *members(results), "--results", results, "--vote", "majority", "--k", 2)
    assert "k=6" in two
    asked("panel", *members(results), "--results", results)


@pytest.mark.parametrize(
    "words",
    [
        ("scale-curve", "TRIO", "MEMBER", "--vote", "majority"),
        ("compare", "TRIO", "MEMBER", "--flips"),
        ("gate", "TRIO", "--baseline", "TRIO", "--max-drop", 50),
        ("baseline", "TRIO", "--to", "FILE.json"),
        ("diagnose", "TRIO"),
        ("show", "TRIO"),
        ("show", "TRIO", "--item", "code-pair-01", "--texts"),
        ("export", "TRIO", "--to", "FILE.csv"),
        ("export", "TRIO", "--what", "verdicts", "--to", "FILE.jsonl"),
        ("principles", "TRIO", "--to", "FILE.jsonl"),
        ("meta-score", "TRIO", "--engine", "fake"),
        ("runs",),
    ],
    ids=lambda words: " ".join(map(str, words[:2])),
)
def test_every_command_reads_it(
    results: Path, trio: Path, tmp_path: Path, words: tuple[object, ...]
) -> None:
    known = {"TRIO": trio, "MEMBER": members(results)[0]}
    meant = [known.get(str(word), str(word).replace("FILE", str(tmp_path / "x"))) for word in words]
    where = ["--results", results] if words[0] != "principles" else []
    said = asked(*meant, *where)
    if words[0] == "runs":
        assert "trio" in said
    if words[0] == "meta-score":
        found = grmeval("score", trio, "--vote", "meta", "--results", results)
        assert found.returncode == 0, found.stderr


def test_nights_hold_it_beside_its_members(results: Path, trio: Path) -> None:
    said = asked("trend", results, "--bench", "sample", "--k", 2)
    assert "trio" in said


def test_rewards_of_members_stay_with_them(results: Path, tmp_path: Path) -> None:
    one, other = (sampled(tmp_path, k=2, seed=seed) for seed in (1, 2))
    asked("meta-score", one.path, "--engine", "fake", "--name", "meta")
    found = grmeval("panel", one.path, other.path, "--results", tmp_path)
    assert found.returncode == 0, found.stderr
    said = " ".join(found.stderr.split())
    assert f"{one.path}: rewards of meta stay there; `grmeval meta-score " in said


def test_scales_that_differ_are_voted_by_majority(results: Path) -> None:
    index, pointwise = members(results, "pairs")
    told = json.loads(asked("panel", pointwise, index, "--results", results, "--json"))
    assert {row["vote"] for row in told["rows"]} == {"majority"}
    borda = asked("panel", pointwise, index, "--results", results, "--vote", "borda")
    assert "scores on unlike scales" in " ".join(borda.split())
    for word in ("sum", "token-prob"):
        found = grmeval("panel", pointwise, index, "--results", results, "--vote", word)
        assert found.returncode == 2
        assert "unlike scales; allowed: majority, borda" in " ".join(found.stderr.split())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((0,), "a panel takes two or more runs"),
        ((), "Missing argument"),
        ((0, 0), "is in the panel twice"),
        ((0, "trio"), "a panel itself: name its members instead"),
        ((0, "elsewhere"), "did not judge the same rows: bench sample and bench pairs"),
        ((0, "layout"), "layout list and layout pairs"),
        ((0, "limit"), "did not judge the same rows"),
        ((0, "nothing"), "RUN 'nothing'"),
        ((0, 1, "--k", 9), "--k 9: the members have 4 samples an item in common"),
        ((0, 1, "--k", 0), "--k"),
        ((0, 1, "--vote", "sun"), "did you mean 'sum'?"),
        ((0, 1, "--vote", "token-prob"), "the panel's judges allow sum, mean"),
        ((0, 1, "--vote", "meta"), "the panel's judges allow sum, mean"),
        ((0, 1, "--name", " "), "--name: name the panel"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    results: Path, trio: Path, tmp_path: Path, words: tuple[Any, ...], why: str
) -> None:
    named = {
        "trio": trio,
        "elsewhere": members(results, "pairs")[0],
        "layout": members(results, layout="pairs")[0],
    }
    if "limit" in words:  # of one limit seed the first 8; of another they are other items
        named["limit"] = sampled(tmp_path, k=2, limit_seed=9, limit=8).path
    runs = members(results)
    given = [
        runs[word] if isinstance(word, int) and at < 2 else named.get(word, word)
        for at, word in enumerate(words)
    ]
    before = sorted(results.rglob("*"))
    found = grmeval("panel", *given, "--results", results)
    assert found.returncode == 2, found.stderr
    assert why in " ".join(found.stderr.replace("│", " ").split())
    assert "Traceback" not in found.stderr
    assert sorted(results.rglob("*")) == before


def test_it_is_not_read_again_nor_extended(results: Path, trio: Path) -> None:
    for words, why in (
        (("score", trio, "--reparse"), "read its members again"),
        (
            (
                "gate",
                trio,
                "--baseline",
                trio,
                "--max-drop",
                9,
                "--max-drop-section",
                0,
                "--extend",
                64,
            ),
            "give its members more samples",
        ),
    ):
        found = grmeval(*words)
        assert found.returncode == 2, found.stdout
        assert why in " ".join(found.stderr.split())


def test_members_that_are_not_finished_are_said(tmp_path: Path) -> None:
    one, other = (
        sampled(tmp_path, k=2, seed=seed, limit=limit) for seed, limit in ((1, None), (1, 9))
    )
    assert one.path == other.path
    third = sampled(tmp_path, k=2, seed=2)
    names = sample_schema().names
    kept = [row for row in read_rows(third.path, names) if row[1] != "code-pair-01"]
    write_samples(third.path, [(SampleKey(*row[:3]), row) for row in kept])
    changed = json.loads(unchecked(one.path / "run.json").read_text("utf-8"))
    changed["asked"] = {"k": 2, "limit": None}
    (one.path / "run.json").write_text(json.dumps(changed), "utf-8")
    found = grmeval("panel", one.path, third.path, "--results", tmp_path)
    assert found.returncode == 3
    said = " ".join(found.stderr.split())
    more = (
        f"{third.path}: `grmeval run` asks for them; then the same `grmeval panel` takes them over"
    )
    assert f"4 samples are missing; {more}" in said


def imported(results: Path, source: RunFolder, model: str, part: slice) -> Path:
    """An import of these of a run's judgements."""
    columns = ("subset", "id", "j", "scores")
    lines = [{name: row[name] for name in columns} for row in rows(source.path)[part]]
    file = results / f"{model}.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    asked("import", "scores", file, "--bench", "sample", "--model", model, "--results", results)
    return next(path for path in all_runs(results) if path.parent.name == model)


def test_a_partial_import_may_stand_anywhere_among_the_members(tmp_path: Path) -> None:
    """The panel is of the rows in common, as the import itself is: it lacks nothing."""
    whole = sampled(tmp_path, k=1)
    one, other = (
        imported(tmp_path, whole, name, part)
        for name, part in (("one", slice(0, 60)), ("other", slice(20, 75)))
    )
    seen: dict[tuple[Path, ...], dict[str, Any]] = {}
    alone = RunFolder(one).record
    for words, count in (
        ((one, whole.path), 60),
        ((whole.path, one), 60),
        ((one, other), 40),
        ((other, one), 40),
        ((whole.path, other, one), 40),
    ):
        name = f"panel-{len(seen)}"
        found = grmeval("panel", *words, "--name", name, "--results", tmp_path)
        assert (found.returncode, "unfinished" in found.stdout) == (0, False), found.stderr
        assert found.stdout.count("partial import") == 1
        path = next(path for path in all_runs(tmp_path) if path.parent.name == name)
        asked("score", path, "--results", tmp_path)
        record = seen[words] = RunFolder(path).record
        assert RunFolder(path).items().num_rows == count
        assert sum(record["spec"]["left_out"].values()) == 75 - count
    assert seen[one, whole.path]["spec"] == seen[whole.path, one]["spec"] == alone["spec"]
    data = [record["identity"]["data"] for record in seen.values()]
    assert data[0] == data[1] == alone["identity"]["data"] != data[2] == data[3] == data[4]
    asked("compare", whole.path, path, "--results", tmp_path)


def test_samples_that_an_import_has_no_more_of_are_missing(tmp_path: Path) -> None:
    whole = sampled(tmp_path, k=2)
    judged = imported(tmp_path, whole, "one", slice(0, 149))  # one item has one sample alone
    words = ("panel", whole.path, judged, "--results", tmp_path)
    asked(*words)
    found = grmeval(*words, "--k", 2)
    assert found.returncode == 3
    said = " ".join(found.stderr.split())
    assert "1 items have fewer samples of an import, which has no more: a smaller --k takes" in said


def test_another_name_for_a_panel_that_is_there_is_refused(results: Path, trio: Path) -> None:
    before = (trio / "run.json").read_bytes()
    found = grmeval("panel", *members(results), "--name", "duo", "--k", 1, "--results", results)
    assert found.returncode == 2
    said = " ".join(found.stderr.split())
    assert f"--name duo: this panel is there already, as trio: {trio}; drop --name" in said
    assert (trio / "run.json").read_bytes() == before


@pytest.mark.long
def test_killed_in_the_middle_the_same_command_completes_it(tmp_path: Path) -> None:
    long = {"chars": 3000}
    runs = [sampled(tmp_path / "r", k=8, seed=seed, engine_args=long).path for seed in (1, 2)]

    def words(place: str) -> list[object]:
        return ["panel", *runs, "--results", tmp_path / place]

    asked(*words("whole"))
    kills = 0
    for wait in (0, 100, 400, 800):
        with running(*words("torn")) as at_work:
            until_there_are(max(wait, 1), lambda: journaled(tmp_path / "torn"), at_work)
        kills += at_work.returncode == -signal.SIGKILL
    assert kills >= 2
    asked(*words("torn"))
    torn, whole = (next((tmp_path / place).glob("*/*/*")) for place in ("torn", "whole"))
    assert rows(torn) == rows(whole)
    assert len(rows(torn)) == 2 * 8 * 75
    assert (torn / "accuracy.csv").read_bytes() == (whole / "accuracy.csv").read_bytes()
    assert [one["samples"] for one in RunFolder(torn).record["launches"]] == [600, 600]
    assert not list((torn / "journal").iterdir())
