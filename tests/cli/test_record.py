"""A look never replaces the record of a run: its saved tables follow the largest question, or --save."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.runs import again as again_with
from grmeval.runs import extend
from grmeval.store import RunFolder, latest, record_of, saved, size_of
from tests.helpers import Quiet, ask, grmeval, sampled, unchecked

FAKE = ("run", "--engine", "fake")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A record of k = 4 of 20 items."""
    ask(*FAKE, "--k", 4, "--limit", 20, "--results", tmp_path)
    return latest(tmp_path)


def files(run: Path) -> dict[str, bytes]:
    """Tables and figures, whole."""
    ending = (".csv", ".md", ".json", ".svg", ".png")
    names = [p for p in run.iterdir() if p.suffix in ending and p.name != "run.json"]
    return {p.name: p.read_bytes() for p in [*names, run / "verdicts.parquet"]}


def again(run: Path, *words: object) -> str:
    """The same run, asked once more; what was said on standard error."""
    found = grmeval(*FAKE, *words, "--results", run.parents[2])
    assert found.returncode == 0, found.stderr
    return found.stderr


def record(run: Path) -> tuple[int, int | None, tuple[str, ...]]:
    return record_of(RunFolder(run))[:3]


def test_a_look_leaves_every_file_and_says_what_the_record_is(run: Path) -> None:
    ask("diagnose", run)
    ask("scale-curve", run)
    before = files(run)
    assert {"accuracy.json", "diagnose.json", "scaling.csv", "verdicts.parquet"} <= before.keys()
    looks: list[tuple[object, ...]] = [
        (*FAKE, "--k", 2, "--limit", 20),
        (*FAKE, "--k", 4, "--limit", 8),
        (*FAKE, "--k", 4, "--limit", 20, "--vote", "majority"),
        (*FAKE, "--k", 4, "--limit", 20, "--ties", "share"),
        ("score", run, "--k", 2),
        ("diagnose", run, "--k", 2),
        ("diagnose", run, "--vote", "majority", "--json"),
        ("scale-curve", run, "--ks", "1,2"),
        ("scale-curve", run, "--protocol", "paper", "--json"),
    ]
    for words in looks:
        where = ("--results", run.parents[2]) if words[0] == "run" else ()
        found = grmeval(*words, *where)
        assert found.returncode == 0, found.stderr
        assert (
            "nothing is written: the run's record is of k=4, --limit 20, vote sum" in found.stderr
        ), words
        assert found.stderr.endswith("; --save replaces it\n"), words
    assert files(run) == before


def test_commands_that_are_told_nothing_speak_of_the_record(run: Path) -> None:
    again(run, "--k", 2, "--limit", 8, "--vote", "majority")
    asked = RunFolder(run).record["asked"]
    assert asked == {"k": 2, "limit": 8}  # the last command; the record is another
    scored = json.loads(ask("score", run, "--json"))
    assert (scored["rows"][0]["k"], scored["about"]["limit"]) == (4, 20)
    about = json.loads(ask("diagnose", run, "--json"))["about"]
    assert (about["k"], about["limit"], about["vote"]) == (4, 20, "sum")
    found = grmeval("export", run, "--what", "verdicts")
    assert {(row["k"], row["vote"]) for row in map(json.loads, found.stdout.splitlines())} == {
        (4, "sum")
    }
    assert "the run's record: k=4, --limit 20, vote sum" in found.stderr
    curve = json.loads(ask("scale-curve", run, "--json"))
    assert curve["about"]["limit"] == 20
    (line,) = json.loads(ask("runs", "--results", run.parents[2], "--json"))["runs"]
    assert (line["k"], line["limit"], line["items"]) == (4, 20, 20)


def test_save_replaces_the_record_and_a_larger_run_moves_it_on(run: Path) -> None:
    again(run, "--k", 2, "--limit", 8, "--vote", "majority", "--save")
    assert record(run) == (2, 8, ("majority",))
    ask("score", run, "--k", 3, "--vote", "sum", "--save")
    assert record(run) == (3, 8, ("sum",))
    again(run, "--k", 4, "--limit", 20)
    assert record(run) == (4, 20, ("sum",))
    ask("diagnose", run, "--k", 2, "--save")
    ask("scale-curve", run, "--ks", "1,2", "--save")
    assert record(run) == (4, 20, ("sum",))
    assert json.loads((run / "diagnose.json").read_text())["about"]["k"] == 2
    assert {row["k"] for row in json.loads((run / "scaling.json").read_text())["rows"]} == {1, 2}


def test_an_extended_run_moves_its_record(run: Path) -> None:
    """To more samples of more items; of other items alone, or fewer samples, it stays."""
    said = again(run, "--k", 8, "--limit", 8)
    assert "nothing is written: the run's record is of k=4, --limit 20, vote sum" in said
    again(run, "--k", 8, "--limit", 20)
    assert record(run) == (8, 20, ("sum",))
    again(run, "--k", 8)
    assert record(run) == (8, None, ("sum",))
    before = files(run)
    assert "written to" in again(run, "--k", 8, "--limit", size_of(RunFolder(run)))
    assert files(run).keys() == before.keys()  # that limit is all items


def test_two_votes_in_the_record_and_a_look_with_one(run: Path) -> None:
    again(run, "--k", 4, "--limit", 20, "--vote", "sum", "--vote", "majority")
    assert record(run) == (4, 20, ("sum", "majority"))  # nothing is lost: a vote is added
    before = files(run)
    for vote in ("majority", "sum"):
        said = again(run, "--k", 4, "--limit", 20, "--vote", vote)
        assert "record is of k=4, --limit 20, votes sum, majority; --save" in said
    assert files(run) == before
    again(run, "--k", 6, "--limit", 20)  # of votes nothing is said: the record's
    assert record(run) == (6, 20, ("sum", "majority"))
    said = again(run, "--k", 8, "--limit", 20, "--vote", "majority")
    assert "the record is now of k=8, --limit 20, votes sum, majority; --save puts" in said
    assert record(run) == (8, 20, ("sum", "majority"))


@pytest.mark.parametrize(
    "words",
    [("score", "--vote", "majority"), ("diagnose", "--k", 2), ("scale-curve", "--vote", "mean")],
)
def test_another_place_is_written_whatever_the_record_is(
    words: tuple[object, ...], run: Path, tmp_path: Path
) -> None:
    before, name = files(run), tmp_path / "elsewhere"
    for part in ((), ("--subset", "code-*")):
        found = grmeval(*words, *part, run, "--to", name)
        assert found.returncode == 0, found.stderr
        assert f"written to {tmp_path}: elsewhere.csv" in found.stderr
        assert "nothing is written" not in found.stderr
        title = json.loads(name.with_suffix(".json").read_text())["title"]
        assert ("subset code-* alone" in title) == bool(part)
    assert files(run) == before


@pytest.mark.parametrize("command", ["diagnose", "scale-curve"])
def test_files_have_one_place(command: str, run: Path, tmp_path: Path) -> None:
    said = ask(command, run, "--save", "--to", tmp_path / "x", code=2)
    assert "--save is of the files in the run's folder" in said
    assert not list(tmp_path.glob("x*"))


def test_rules_of_the_record_are_kept(run: Path) -> None:
    again(run, "--k", 4, "--limit", 20, "--protocol", "paper", "--save")
    again(run, "--k", 6, "--limit", 20)
    found = json.loads((run / "accuracy.json").read_text())
    assert (found["about"]["ties"], found["about"]["on_invalid"]) == ("share", "share")
    assert "(the paper's)" in ask("score", run)
    assert "(official)" in ask("score", run, "--protocol", "official")


def die(results: Path, after: int, *words: object) -> None:
    """A launch whose engine fails after some samples; speed-only, so it is the same run."""
    found = grmeval(*FAKE, *words, "--results", results, "--engine-arg", f"die_after={after}")
    assert found.returncode == 3, found.stderr


def test_an_interrupted_extension_leaves_the_record_whole(run: Path) -> None:
    before, results = files(run), run.parents[2]
    die(results, 5, "--k", 8, "--limit", 20)
    assert files(run) == before
    assert json.loads(ask("score", run, "--json"))["missing"] == 0
    (line,) = json.loads(ask("runs", "--results", results, "--json"))["runs"]
    assert (line["k"], line["samples"]) == (8, 85)  # what is under way
    again(run, "--k", 8, "--limit", 20)
    assert record(run) == (8, 20, ("sum",))


def test_a_first_run_that_was_interrupted_has_no_record_yet(tmp_path: Path) -> None:
    die(tmp_path, 5, "--k", 4, "--limit", 20)
    run = latest(tmp_path)
    assert saved(RunFolder(run)) is None
    assert "samples of this k are missing" in ask("score", run, code=3)
    again(run, "--k", 4, "--limit", 8)  # the first that is finished is a record
    assert record(run) == (4, 8, ("sum",))
    again(run, "--k", 4, "--limit", 20)
    assert record(run) == (4, 20, ("sum",))


def test_a_shard_of_an_extension_waits_for_the_others(run: Path) -> None:
    before = files(run)
    said = again(run, "--k", 8, "--limit", 20, "--shard", "1/2")
    assert (
        "the record stays k=4, --limit 20, vote sum until every sample of k=8, --limit 20, vote sum is there"
    ) in said
    assert files(run) == before
    again(run, "--k", 8, "--limit", 20, "--shard", "2/2")
    assert record(run) == (8, 20, ("sum",))


def test_the_first_shards_write_what_there_is(tmp_path: Path) -> None:
    for part in ("1/2", "2/2"):
        ask(*FAKE, "--k", 2, "--shard", part, "--results", tmp_path)
        found: dict[str, Any] = json.loads((latest(tmp_path) / "accuracy.json").read_text())
        assert (found["missing"] == 0) == (part == "2/2")


def test_a_panel_obeys_too(tmp_path: Path) -> None:
    members = [sampled(tmp_path, k=4, limit=8, engine_args={"accuracy": a}) for a in (0.6, 0.8)]
    words = ("panel", *(m.path for m in members), "--results", tmp_path)
    ask(*words)
    panel = next(p for p in tmp_path.glob("sample/*/*") if (p / "accuracy.json").exists())
    before = files(panel)
    assert "record is of k=8, --limit 8, vote sum" in grmeval(*words, "--k", 2).stderr
    assert "record is of k=8, --limit 8, vote sum" in grmeval(*words, "--vote", "majority").stderr
    assert files(panel) == before
    ask(*words, "--k", 2, "--save")
    assert record(panel) == (4, 8, ("sum",))


def test_a_run_of_before_has_the_record_that_its_tables_show(run: Path) -> None:
    """An older grmeval kept what was last asked in run.json; its tables say what they are of."""
    content = json.loads(unchecked(run / "run.json").read_text())
    content["asked"] = {"k": 2, "limit": 8}
    (run / "run.json").write_text(json.dumps(content))
    assert record(run) == (4, 20, ("sum",))
    (run / "accuracy.json").write_text("{}")  # or are no tables
    assert record(run) == (2, 8, ())


def test_a_vote_that_is_not_the_judges_first_is_named_wherever_its_number_stands(
    tmp_path: Path,
) -> None:
    words = (*FAKE, "--k", 2, "--limit", 8, "--results", tmp_path)
    assert "vote" not in ask(*words).splitlines()[0]
    ask("score", "--vote", "majority", "--save", "--results", tmp_path)
    (run,) = (path.parent for path in tmp_path.glob("*/*/*/run.json"))
    for shown in (ask("score", run), ask(*words), (run / "accuracy.md").read_text("utf-8")):
        assert "· k=2 · vote majority" in shown.partition("\n\n")[0]
    assert f"{run.name}: acc % is of the vote majority" in ask("runs", "--results", tmp_path)


def test_runs_show_no_number_of_fewer_samples_than_there_are(tmp_path: Path) -> None:
    for shard in (1, 2):
        words = (*FAKE, "--k", 2, "--shard", f"{shard}/2", "--results", tmp_path / str(shard))
        assert grmeval(*words).returncode == 0
    first, second = (next((tmp_path / str(shard)).glob("*/*/*")) for shard in (1, 2))
    assert ask("runs", "--results", tmp_path / "1").splitlines()[-1].split()[6] != "-"
    assert grmeval("merge", first, second).returncode == 0
    assert ask("runs", "--results", tmp_path / "1").splitlines()[-1].split()[6] == "-"
    ask("score", first, "--save")
    assert ask("runs", "--results", tmp_path / "1").splitlines()[-1].split()[6] != "-"


@pytest.mark.usefixtures("children_here")
def test_a_question_that_lacks_samples_or_rewards_never_replaces_the_record(tmp_path: Path) -> None:
    words = (*FAKE, "--limit", 20, "--results", tmp_path)
    ask(*words, "--k", 4, "--meta-model", "mm")
    (run,) = (path.parent for path in tmp_path.glob("*/*/*/run.json"))
    before = (run / "accuracy.json").read_bytes()
    found = grmeval("score", run, "--k", 8, "--save")
    assert (found.returncode, "samples are missing, and the record lacks none" in found.stderr) == (
        3,
        True,
    )
    found = grmeval(
        *words, "--k", 8
    )  # the record's votes count rewards, which nobody asked for yet
    assert "until every meta reward of k=8" in found.stderr
    assert (run / "accuracy.json").read_bytes() == before
    ask("meta-score", run, "--meta-model", "mm", "--engine", "fake", "--k", 8)
    ask(*words, "--k", 8)
    rows = json.loads((run / "accuracy.json").read_text("utf-8"))["rows"]
    assert {(row["vote"], row["k"]) for row in rows} == {("sum", 8), ("meta:mm", 8)}
    assert json.loads(ask("score", run, "--json"))["rows"] == rows


def test_what_a_part_brought_is_not_that_of_another_nor_of_the_whole(tmp_path: Path) -> None:
    words = (*FAKE, "--results", tmp_path, "--engine-arg", "accuracy=0.6")
    whole = ask(*words, "--k", 4)
    (run,) = (path.parent for path in tmp_path.glob("*/*/*/run.json"))
    ask(*words, "--k", 8, "--section", "Code")
    # A section that was not asked is as in the record, a list of the whole as well.
    facts = json.loads(ask("score", run, "--section", "Facts", "--json"))
    assert {row["k"] for row in facts["rows"]} == {4}
    listed = json.loads(ask("show", run, "--wrong", "--section", "Facts", "--json"))
    assert (listed["about"]["k"], listed["items"]) == (4, 15)
    # The record says what it was made of; the same number is now of more samples, and that is said.
    found = grmeval("score", run, "--subset", "*")
    assert "the saved tables have " in found.stderr
    assert "k=4" in (run / "accuracy.md").read_text("utf-8").splitlines()[0]
    assert "k=4" in whole.splitlines()[0]
    for command in (words, ("score", run), ("diagnose", run), ("scale-curve", run)):
        assert "this is a part of it" in ask(*command, "--section", "Code", "--save", code=2)
    # An extension is of all items, whatever part was asked for last.
    night = (*FAKE, "--results", tmp_path / "n", "--engine-arg", "accuracy=0.6", "--seed", 5)
    ask(*night, "--k", 2)
    ask(*night, "--k", 2, "--section", "Code")
    (other,) = (path.parent for path in (tmp_path / "n").glob("*/*/*/run.json"))
    extend(again_with(RunFolder(other), 8), Quiet())
    assert len(RunFolder(other).done()) == 75 * 8
