"""--subset and --section: a part is asked, scored and compared, and never taken for the whole benchmark."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import Filter
from grmeval.report.accuracy import write_accuracy
from grmeval.score import score
from grmeval.store import RunFolder, parts_of
from tests.helpers import ask, grmeval, sampled

FACTS = {"facts-pairs", "facts-best-of-4", "facts-single"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run with its tables, and another one to compare it with."""
    top = tmp_path_factory.mktemp("filters")
    whole = sampled(top, k=3)
    write_accuracy(whole.path, score(whole))
    sampled(top, k=3, engine_args={"accuracy": 0.9})
    return top


@pytest.fixture(scope="module")
def runs(results: Path) -> tuple[Path, Path]:
    """(the whole run, the other one)."""
    found = [path.parent for path in results.glob("*/*/*/run.json")]
    first, second = sorted(found, key=lambda path: (path / "accuracy.json").exists(), reverse=True)
    return first, second


def table(run: Path, *words: object) -> dict[str, dict[str, Any]]:
    """Rows of `score` by name."""
    found = json.loads(ask("score", run, *words, "--json"))
    return {row["name"]: row for row in found["rows"]}


def bytes_of(run: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in run.iterdir()
        if path.is_file() and path.name != "run.json"
    }


# ---------------------------------------------------------------------- looking


def test_figures_of_a_section_are_those_of_its_row(runs: tuple[Path, Path]) -> None:
    whole, part = table(runs[0]), table(runs[0], "--section", "Facts")
    alike = ("value", "low", "high", "items", "clusters", "expected", "samples", "tied")
    for name in ("Facts", *FACTS):
        assert [part[name][field] for field in alike] == [whole[name][field] for field in alike]
    assert part["these alone"]["value"] == whole["Facts"]["value"]
    assert set(part) == {"these alone", "Facts", *FACTS}


def test_the_mean_of_what_is_kept_has_its_weights(runs: tuple[Path, Path]) -> None:
    whole = table(runs[0])
    part = table(runs[0], "--section", "Facts", "--section", "Code")
    assert part["these alone"]["value"] == pytest.approx(
        (whole["Facts"]["value"] + whole["Code"]["value"]) / 2
    )
    pairs = table(runs[0], "--subset", "*-pairs")
    wanted = [whole[f"{area}-pairs"]["value"] for area in ("facts", "code", "arithmetic")]
    wanted += [whole[f"{area}-pairs"]["value"] for area in ("instructions", "safety")]
    assert pairs["these alone"]["value"] == pytest.approx(sum(wanted) / 5)
    assert "Facts (1 of 3 subsets)" in pairs


def test_no_number_of_a_part_is_taken_for_the_benchmarks(runs: tuple[Path, Path]) -> None:
    text = ask("score", runs[0], "--section", "Facts")
    assert text.startswith("grmeval sample, section Facts alone · fake · k=3")
    assert "of section Facts alone, NOT the benchmark's own number; formed as that is" in text
    found = json.loads(ask("score", runs[0], "--section", "Facts", "--json"))
    assert found["about"]["only"] == {"subset": [], "section": ["Facts"]}
    for words in (("scale-curve", runs[0]), ("compare", *runs), ("diagnose", runs[0], "--all")):
        found_text = ask(*words, "--section", "Facts")
        assert "section Facts alone" in found_text
        assert "overall: mean of five areas" not in found_text


def test_a_look_at_a_part_writes_nothing(runs: tuple[Path, Path]) -> None:
    before = bytes_of(runs[0])
    for words in (("scale-curve",), ("diagnose",)):
        found = grmeval(*words, runs[0], "--subset", "facts-pairs")
        assert (found.returncode, "nothing is written" in found.stderr) == (0, True)
    found = grmeval("scale-curve", *runs, "--results", runs[0].parents[2], "--section", "Facts")
    assert "nothing is written" in found.stderr
    assert not (runs[0].parents[2] / "scaling").exists()
    assert "are of the whole benchmark" in ask(
        "score", runs[0], "--section", "Facts", "--save", code=2
    )
    assert bytes_of(runs[0]) == before


def test_all_subsets_are_the_whole(runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert ask("score", runs[0], "--subset", "*") == ask("score", runs[0])
    folder = sampled(tmp_path, k=1, subset=("*",))
    assert "only" not in folder.record["asked"]


def test_a_filter_comes_first_then_the_limit(runs: tuple[Path, Path]) -> None:
    part = table(runs[0], "--section", "Facts", "--limit", 5)
    assert part["Facts"]["items"] == 5
    ranked = sorted(RunFolder(runs[0]).items().to_pylist(), key=lambda row: row["rank"])
    wanted = [row["id"] for row in ranked if row["subset"] in FACTS][:5]
    (folder,) = parts_of([RunFolder(runs[0])], Filter((), ("Facts",)))
    assert sorted(folder.items(5)["id"].to_pylist()) == sorted(wanted)


def test_the_same_part_of_two_runs_is_compared(runs: tuple[Path, Path]) -> None:
    whole = json.loads(ask("compare", *runs, "--json"))
    part = json.loads(ask("compare", *runs, "--section", "Facts", "--json"))
    (wanted,) = (row for row in whole["rows"] if row["name"] == "Facts")
    (found,) = (row for row in part["rows"] if row["name"] == "Facts")
    for field in ("first", "value", "difference", "items", "won", "lost"):
        assert found[field] == wanted[field]
    assert {flip["subset"] for flip in part["flips"]} <= FACTS
    assert [flip for flip in whole["flips"] if flip["subset"] in FACTS] == part["flips"]


@pytest.mark.parametrize("what", ["samples", "items", "verdicts"])
def test_rows_of_a_part_are_exported_as_they_are(runs: tuple[Path, Path], what: str) -> None:
    words = ("export", runs[0], "--what", what)
    everything = ask(*words).splitlines()
    part = ask(*words, "--subset", "facts-pairs", "--section", "Code").splitlines()
    kept = [
        line
        for line in everything
        if json.loads(line)["subset"] == "facts-pairs" or json.loads(line)["section"] == "Code"
    ]
    assert part == kept
    assert 0 < len(part) < len(everything)


@pytest.mark.parametrize(
    "words", [["score"], ["scale-curve"], ["diagnose"], ["export"], ["show"], ["compare"]]
)
def test_an_unknown_name_lists_what_there_is(runs: tuple[Path, Path], words: list[str]) -> None:
    given = [*words, *(runs if words == ["compare"] else runs[:1])]
    found = ask(*given, "--section", "Fact", code=2)
    assert "--section 'Fact' of grmeval sample: no such one" in found
    assert "allowed: Arithmetic, Code, Facts, Instructions, Safety; did you mean 'Facts'?" in found
    assert "did you mean 'facts-pairs'?" in ask(*given, "--subset", "fact-pairs", code=2)


def test_published_numbers_are_of_whole_benchmarks(runs: tuple[Path, Path]) -> None:
    row = "DeepSeek-GRM-27B Voting@32"
    assert "drop one of them" in ask(
        "score", runs[0], "--section", "Facts", "--beside", row, code=2
    )
    words = ("run", "--engine", "fake", "--section", "Facts", "--results", runs[0].parents[2])
    assert "drop one of them" in ask(*words, "--beside", row, code=2)


# ---------------------------------------------------------------------- asking


def test_a_part_is_asked_and_the_run_is_not_called_finished(tmp_path: Path) -> None:
    words = ("run", "--engine", "fake", "--k", 2, "--results", tmp_path)
    found = grmeval(*words, "--section", "Facts")
    assert found.returncode == 0, found.stderr
    assert "section Facts alone" in found.stdout
    assert "nothing is written, the run's tables stay as they are" in found.stderr
    (run,) = (path.parent for path in tmp_path.glob("*/*/*/run.json"))
    folder = RunFolder(run)
    assert {key.subset for key in folder.done()} == FACTS
    assert len(folder.done()) == 15 * 2
    assert len(folder.items()) == 75
    assert not (run / "accuracy.json").exists()
    # What was asked last is what is looked at, as with --limit, and it is said.
    assert "section Facts alone" in ask("score", run)
    assert "samples of this k are missing" in ask("score", run, "--subset", "*", code=3)
    assert "asked     k=2, --section Facts" in ask("show", run)
    line = ask("runs", "--results", tmp_path)
    assert "section Facts alone, as last asked" in line
    assert line.split()[line.split().index(run.name) + 1 :][:6] == [
        *("sample", "fake", "2", "30", "15", "-"),
    ]
    # It is the run of the whole benchmark: only what is missing is asked.
    assert "600 samples" not in grmeval(*words).stderr
    assert [path.parent for path in tmp_path.glob("*/*/*/run.json")] == [run]
    assert [launch["samples"] for launch in RunFolder(run).record["launches"]] == [30, 120]
    assert "only" not in RunFolder(run).record["asked"]
    assert (run / "accuracy.json").exists()


def test_a_part_that_was_asked_after_more_is_finished(tmp_path: Path) -> None:
    words = ("run", "--engine", "fake", "--results", tmp_path)
    ask(*words, "--k", 4, "--limit", 5)
    ask(*words, "--k", 2, "--section", "Facts")
    (line,) = json.loads(ask("runs", "--results", tmp_path, "--finished", "--json"))["runs"]
    assert (line["k"], line["items"], line["part"]) == (2, 15, "section Facts")
    assert not json.loads(ask("runs", "--results", tmp_path, "--unfinished", "--json"))["runs"]


def test_of_a_part_the_first_items_are_asked(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1, section=("Facts",), limit=5)
    ranked = sorted(folder.items().to_pylist(), key=lambda row: row["rank"])
    wanted = [row["id"] for row in ranked if row["subset"] in FACTS][:5]
    assert {key.id for key in folder.done()} == set(wanted)
    part = table(folder.path)
    assert (part["these alone"]["items"], part["these alone"]["missing"]) == (5, 0)
    # Inside what was asked for its limit holds; another part is whole.
    pairs = sum("pair" in name for name in wanted)
    assert table(folder.path, "--subset", "facts-pairs")["facts-pairs"]["items"] == pairs
    assert "15 samples of this k are missing" in ask(
        "score", folder.path, "--section", "Code", code=3
    )


def test_a_limit_that_leaves_nothing_of_a_part_is_said(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1, limit=1)
    there = next(iter(folder.done())).subset
    other = "facts-pairs" if there != "facts-pairs" else "code-pairs"
    found = ask("score", folder.path, "--subset", other, code=2)
    assert "none of these items is inside --limit 1, which was last asked for" in found


def test_shards_of_a_part_share_it(tmp_path: Path) -> None:
    words = ("run", "--engine", "fake", "--k", 1, "--section", "Code", "--results", tmp_path)
    for shard in ("1/2", "2/2"):
        assert grmeval(*words, "--shard", shard).returncode == 0
    (run,) = (path.parent for path in tmp_path.glob("*/*/*/run.json"))
    launches = RunFolder(run).record["launches"]
    assert sum(launch["samples"] for launch in launches) == 15


def test_runs_of_different_parts_need_to_be_told_which(tmp_path: Path) -> None:
    one = sampled(tmp_path, k=1, section=("Facts",)).path
    other = sampled(tmp_path, k=1, subset=("code-pairs",), seed=1).path
    assert "were asked for different parts (--section Facts; --subset code-pairs)" in ask(
        "compare", one, other, code=2
    )


def test_a_part_may_stand_in_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grmeval.toml").write_text('section = "Facts"\nsubset = ["code-pairs"]\nk = 1\n')
    text = ask("run", "--engine", "fake")
    assert "section Facts, subset code-pairs alone" in text
    (tmp_path / "grmeval.toml").write_text("section = 3\n")
    assert "section: expected a word, or a list of words" in ask("run", "--engine", "fake", code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--section", "Fact"], "did you mean 'Facts'?"),
        (["--subset", "facts-pair"], "did you mean 'facts-pairs'?"),
        (["--subset", "Facts"], "that is a section (--section)"),
    ],
)
def test_mistakes_of_run_leave_no_folder(tmp_path: Path, words: list[str], message: str) -> None:
    assert message in ask("run", "--engine", "fake", *words, "--results", tmp_path, code=2)
    assert not list(tmp_path.iterdir())


def test_what_a_part_has_decides_what_it_can_be_voted_by(tmp_path: Path) -> None:
    """Borda compares: of the whole sample, which has single responses, it is refused."""
    words = ("run", "--engine", "fake", "--k", 1, "--vote", "borda", "--results", tmp_path)
    assert "some items have one" in ask(*words, code=2)
    assert "facts-pairs" in ask(*words, "--subset", "facts-pairs")


def test_a_meta_rm_scores_what_was_asked(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2, section=("Facts",), limit=4)
    sampled(tmp_path, k=2, section=("Code",))
    words = ("meta-score", folder.path, "--meta-model", "m", "--engine", "fake", "--json")
    (scored,) = json.loads(ask(*words, "--section", "Facts", "--limit", 4))
    assert scored["new"] == 8
    (scored,) = json.loads(ask(*words))  # what was asked last
    assert scored["new"] == 30
