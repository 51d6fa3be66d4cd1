"""`show --wrong` and its like: which items, by how much, with which votes; and numbers in judgements."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.items import Key, Sample
from grmeval.runs import configure, prepare
from grmeval.score import list_items, score
from grmeval.store import JournalWriter, RunFolder, item_samples
from tests.benches.test_rewardbench_2 import TIES, ties_run
from tests.helpers import ask, grmeval, sampled

Rows = dict[str, dict[str, Any]]


def own_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows of pairs (or as given) with a prompt that says which row it is."""
    usual = {"subset": "s", "responses": ["good", "bad"], "quality": [1, 0]}
    text = [{"prompt": f"Question {row['id']}?\nMore."} | usual | row for row in rows]
    path.write_text("\n".join(map(json.dumps, text)), "utf-8")
    return path


def judged(
    run: RunFolder, given: dict[str, list[tuple[float, ...] | None]], subset: str = "s"
) -> None:
    """Put judgements, in the item's order, into a run that has none; None: it could not be read."""
    with JournalWriter(run.path / "journal" / "0000.jsonl") as journal:
        for name, samples in given.items():
            for j, scores in enumerate(samples):
                journal.write(
                    Sample(
                        subset=subset,
                        id=name,
                        j=j,
                        order=(),
                        scores=scores,
                        invalid=None if scores else "no_score",
                        form="boxed" if scores else None,
                        finish="stop",
                        prompt_tokens=1,
                        cached_tokens=0,
                        tokens=1,
                        parser=1,
                        launch="0000",
                        thinking="",
                        text="text",
                    )
                )


def made(folder: Path, rows: list[dict[str, Any]], given: dict[str, Any], k: int) -> RunFolder:
    """A run on these rows whose samples are `given`."""
    bench = own_rows(folder / "own.jsonl", rows)
    values = {"bench": str(bench), "engine": "fake", "k": k, "results": folder / "results"}
    run = prepare(configure(values)).folder()
    judged(run, given)
    return run


def listed(*words: object) -> Rows:
    found = json.loads(ask("show", *words, "--json"))
    return {row["id"]: row for row in found["rows"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Six pairs, two samples each: won, lost, tied, half unread, unread, and one without a label."""
    rows: list[dict[str, Any]] = [{"id": name} for name in ("won", "lost", "tied", "half", "mute")]
    given: dict[str, Any] = {
        "won": [(9, 2), (5, 6)],
        "lost": [(3, 8), (4, 5)],
        "tied": [(7, 5), (5, 7)],
        "half": [(2, 6), None],
        "mute": [None, None],
        "open": [(1, 9), (1, 9)],
    }
    folder = tmp_path_factory.mktemp("listed")
    return made(folder, [*rows, {"id": "open", "quality": None}], given, 2)


# ---------------------------------------------------------------------- the list


def test_each_flag_lists_its_items(run: RunFolder) -> None:
    for flags, ids in (
        (["--wrong"], ["lost", "half"]),
        (["--tied"], ["tied"]),
        (["--invalid"], ["half", "mute"]),
        (["--tied", "--invalid"], ["half", "tied", "mute"]),
        (["--subset", "*"], ["lost", "half", "tied", "won", "mute", "open"]),
    ):
        assert list(listed(run.path, *flags)) == ids


def test_a_row_says_verdict_margin_and_votes(run: RunFolder) -> None:
    found = listed(run.path, "--subset", "*")
    told = {n: (row["outcome"], row["margin"], row["votes"]) for n, row in found.items()}
    assert told == {
        "won": ("right", 6, [14, 8]),
        "lost": ("wrong", -6, [7, 13]),
        "tied": ("tied", 0, [12, 12]),
        "half": ("wrong", -4, [2, 6]),
        "mute": ("silent", None, [None, None]),
        "open": ("", None, [2, 18]),
    }
    assert (found["half"]["invalid"], found["half"]["samples"]) == (1, 2)
    assert found["won"]["prompt"] == "Question won? More."
    assert (found["open"]["quality"], found["won"]["quality"]) == (None, [1, 0])


def test_the_lists_add_up_to_the_table(run: RunFolder) -> None:
    (overall,) = (row for row in score(run).rows if row.level == "overall")
    outcomes = [row.outcome for row in list_items(run, outcomes=("right", "tied", "silent")).rows]
    assert overall.value == pytest.approx(outcomes.count("right") / overall.items)
    assert (overall.tied, overall.silent) == (outcomes.count("tied"), outcomes.count("silent"))


def test_k_and_vote_are_those_of_score(run: RunFolder) -> None:
    one = listed(run.path, "--wrong", "--k", 1)
    assert list(one) == ["lost", "half"]
    assert one["lost"]["votes"] == [3, 8]
    assert "of the first 1 samples; `score` at this k is the mean" in ask(
        "show", run.path, "--wrong", "--k", 1
    )
    assert listed(run.path, "--tied", "--vote", "majority")["won"]["votes"] == [1, 1]


def test_the_list_fits_80_columns_and_counts_at_the_end(run: RunFolder) -> None:
    found = grmeval("show", run.path, "--wrong", "--invalid", env={"COLUMNS": "80"})
    lines = found.stdout.splitlines()
    assert lines[-1] == "3 of 6 items"
    cells = [line.split() for line in lines if line.startswith("s ")]
    assert cells[0] == ["s", "lost", "wrong", "-6", "*7", "13", "Question", "lost?", "More."]
    assert cells[1][:7] == ["s", "half", "wrong", "-4", "*2", "6", "1/2"]
    assert cells[2][:7] == ["s", "mute", "silent", "-", "*-", "-", "2/2"]
    assert max(len(line) for line in lines[: lines.index(lines[-1]) - 6]) <= 80
    assert "without a verdict, in no list of right and wrong: 1 items" in found.stdout


def test_long_names_are_whole(tmp_path: Path) -> None:
    name = "a-rather-long-id-such-as-data-sets-have-0123456789-0123456789-0123456789"
    run = made(tmp_path, [{"id": name}], {name: [(1, 2)]}, 1)
    narrow = grmeval("show", run.path, "--wrong", env={"COLUMNS": "80"}).stdout
    lines = [line.split() for line in narrow.splitlines()[3:]]
    start = next(at for at, cells in enumerate(lines) if cells[0] == "s")
    folded = "".join(
        cells[1 if at == 0 else 0] for at, cells in enumerate(lines[start : start + 2])
    )
    assert folded == name
    environment = {"COLUMNS": "200"}
    assert f" {name} " in grmeval("show", run.path, "--wrong", env=environment).stdout


def test_prompts_are_left_out_where_rows_are_gone(tmp_path: Path) -> None:
    run = made(tmp_path, [{"id": "x"}], {"x": [(1, 2)]}, 1)
    (tmp_path / "own.jsonl").unlink()
    text = ask("show", run.path, "--wrong")
    assert "1 of 1 items" in text
    assert "no prompts: " in text
    assert "no such file" in ask("show", run.path, "--wrong", "--texts", code=2)
    assert "prompts" not in ask("show", run.path, "--wrong", "--no-texts")


def test_hostile_prompts_and_ids_stay_on_their_lines(tmp_path: Path) -> None:
    name = "x\x1b[31m\nforged"
    rows = [{"id": name, "prompt": "a\x1b]0;owned\x07\nb \u202e"}]
    run = made(tmp_path, rows, {name: [(1, 2)]}, 1)
    text = ask("show", run.path, "--wrong")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not [line for line in text.splitlines() if line.startswith("forged")]


# ---------------------------------------------------------------------- kinds of items


def test_single_responses_are_held_against_the_threshold(tmp_path: Path) -> None:
    single = {"responses": ["one"]}
    rows = [{"id": "good", "quality": [1]} | single, {"id": "bad", "quality": [0]} | single]
    rows += [{"id": "fooled", "quality": [0]} | single]
    given = {"good": [(8.0,), (4.0,)], "bad": [(2.0,), (3.0,)], "fooled": [(9.0,), (5.0,)]}
    run = made(tmp_path, rows, given, 2)
    found = listed(run.path, "--subset", "*")
    assert {n: (r["outcome"], r["margin"], r["votes"]) for n, r in found.items()} == {
        "good": ("right", 0.5, [6]),
        "bad": ("right", 3, [2.5]),
        "fooled": ("wrong", -1.5, [7]),
    }
    text = ask("show", run.path, "--wrong")
    assert (
        "single responses: their mean, * a good one; right and margin by the threshold 5.5" in text
    )
    assert "less the best other's" not in text


def test_several_best_responses_and_many_responses(tmp_path: Path) -> None:
    eight = {"responses": [f"r{i}" for i in range(8)], "quality": [0, 1, 1, 0, 0, 0, 0, 0]}
    given = {"x": [(1, 9, 2, 3, 4, 5, 6, 7)]}
    run = made(tmp_path, [{"id": "x"} | eight], given, 1)
    text = ask("show", run.path, "--subset", "*")
    assert " *9 7 of 8 " in text
    assert listed(run.path, "--subset", "*")["x"]["margin"] == 2


def test_ties_are_right_where_every_right_one_is_above(tmp_path: Path) -> None:
    """The table of the formula's own test, which says of each prompt whether it is accurate."""
    run = ties_run(tmp_path, list(TIES))
    found = listed(run.path, "--subset", "*")
    right = {"tied:1", "ref:1", "tied:2", "ref:3", "ref:4", "tied:5", "ref:5", "ref:7"}
    assert {name for name, row in found.items() if row["outcome"] == "right"} == right
    assert {row["outcome"] for row in found.values()} == {"right", "wrong"}
    assert (found["tied:1"]["margin"], found["ref:2"]["margin"]) == (3, 0)
    assert (found["tied:3"]["margin"], found["ref:3"]["margin"]) == (-1, None)
    assert found["ref:3"]["votes"] == [9, None]
    assert list(listed(run.path, "--wrong")) == ["tied:3", "tied:6", "ref:2", "tied:4"]
    text = ask("show", run.path, "--wrong")
    assert "Ties: right where every right response is above every other" in text


def test_a_group_is_listed_item_by_item(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1, layout="pairs", subset=("facts-best-of-4",))
    found = listed(folder.path, "--subset", "*best*", "--limit", 75)
    here = {name for name, row in found.items() if row["subset"] == "facts-best-of-4"}
    assert len(here) == 9
    assert "items of a group are listed one by one" in ask("show", folder.path, "--wrong")


def test_items_without_all_their_samples_are_in_no_list(tmp_path: Path) -> None:
    rows = [{"id": "x"}, {"id": "y"}]
    run = made(tmp_path, rows, {"x": [(1, 2), (1, 2)], "y": [(1, 2)]}, 2)
    assert list(listed(run.path, "--wrong")) == ["x"]
    text = ask("show", run.path, "--wrong")
    assert "without a verdict, in no list of right and wrong: 1 items" in text
    assert "unfinished: 1 items" in text


# ---------------------------------------------------------------------- flips


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    top = tmp_path_factory.mktemp("flips")
    return (
        sampled(top, k=2).path,
        sampled(top, k=2, engine_args={"accuracy": 0.95}).path,
    )


def test_flips_are_those_of_compare(pair: tuple[Path, Path]) -> None:
    flips = json.loads(ask("compare", *pair, "--json"))["flips"]
    found = json.loads(ask("show", pair[1], "--flipped", pair[0], "--json"))["rows"]
    assert {(row["subset"], row["id"]): row["flip"] for row in found} == {
        (flip["subset"], flip["id"]): flip["value"] - flip["first"] for flip in flips
    }
    assert flips
    text = ask("show", pair[1], "--flipped", pair[0], "--section", "Facts")
    assert "won" in text
    assert "as `compare` counts them" in text


def test_flags_combine_with_flips(pair: tuple[Path, Path]) -> None:
    flipped = listed(pair[1], "--flipped", pair[0])
    wrong = listed(pair[1], "--wrong")
    assert set(listed(pair[1], "--flipped", pair[0], "--wrong")) == {*flipped, *wrong}


def test_verdicts_of_single_responses_flip_by_the_threshold(tmp_path: Path) -> None:
    """ROC-AUC is of no one item: `compare` has no flips of it, a list has those of the verdicts."""
    toml = tmp_path / "own.toml"
    own_rows(tmp_path / "r.jsonl", [{"id": "x", "responses": ["a"], "quality": [1]}])
    toml.write_text(
        'id = "auc"\ntitle = "AUC"\noverall = "roc-auc"\n[source]\npackaged = "r.jsonl"\n'
        '[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\nsubset = "subset"\n'
    )
    runs = []
    for seed, said in ((0, 3.0), (1, 8.0)):
        values = {"bench": str(toml), "engine": "fake", "k": 1, "seed": seed, "results": tmp_path}
        folder = prepare(configure(values)).folder()
        judged(folder, {"x": [(said,)]})
        runs.append(folder.path)
    assert json.loads(ask("compare", *runs, "--json"))["flips"] == []
    assert listed(runs[1], "--flipped", runs[0])["x"]["flip"] == 1


# ---------------------------------------------------------------------- one item


def test_a_judgements_numbers_are_explained(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2, subset=("facts-best-of-4",))
    text = ask("show", folder.path, "--item", "facts-best-of-4-01")
    for sample in item_samples(folder, Key("facts-best-of-4", "facts-best-of-4-01")):
        first, *others = [index + 1 for index in sample["order"]]
        said = f"Response 1 in this text = response {first} of the item; "
        said += "; ".join(f"Response {at} = response {of}" for at, of in enumerate(others, start=2))
        assert said in " ".join(text.split())
    assert "scores are in the item's own order, texts number responses as they were shown" in (
        " ".join(text.split())
    )
    assert "  response 1 (quality " in text


def test_items_of_other_layouts_say_what_they_are_of(tmp_path: Path) -> None:
    pairs = sampled(tmp_path, k=1, layout="pairs", subset=("facts-best-of-4",))
    name = next(key.id for key in sorted(pairs.done()))
    whole, _, other = name.partition("#")
    said = f"response 1 is the best one of {whole}, response 2 its response {int(other) + 1}"
    assert said in " ".join(ask("show", pairs.path, "--item", name).split())
    single = sampled(tmp_path, k=1, layout="single", subset=("facts-best-of-4",))
    text = ask("show", single.path, "--item", "facts-best-of-4-01@2")
    assert "response 3 of facts-best-of-4-01, judged by itself" in text
    assert "Response 1 in this text = the item's one response" in text
    found = ask("show", single.path, "--item", "facts-best-of-4-01", code=2)
    assert "judged one by one, each under a name of its own: facts-best-of-4/facts-best" in found


def test_slashes_in_names_are_told_apart(tmp_path: Path) -> None:
    rows = [{"id": "b/c", "subset": "a"}, {"id": "c", "subset": "a/b"}, {"id": "c", "subset": "d"}]
    run = made(tmp_path, rows, {}, 1)
    found = ask("show", run.path, "--item", "a/b/c", code=2)
    assert "say which: --subset a --item b/c, --subset a/b --item c" in found
    assert "item a/b/c" in ask("show", run.path, "--item", "b/c")
    assert "say which: a/b/c, d/c" in ask("show", run.path, "--item", "c", code=2)
    assert "subset   a/b\n" in ask("show", run.path, "--item", "c", "--subset", "a/b")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--item", "won", "--wrong"], "--item opens one item"),
        (["--item", "won", "--vote", "sum"], "--item opens one item"),
        (["--k", "2"], "which items? --wrong, --tied, --invalid, --flipped RUN, or --subset '*'"),
        (["--wrong", "--j", "1"], "--j is of one item"),
        (["--wrong", "--vote", "sum", "--vote", "mean"], "a list is of one vote"),
        (["--wrong", "--vote", "som"], "did you mean 'sum'?"),
        (["--wrong", "--subset", "t"], "--subset 't' of"),
        (["--flipped", "nowhere"], "RUN 'nowhere'"),
    ],
)
def test_mistakes_of_a_list(run: RunFolder, words: list[str], message: str) -> None:
    assert message in ask("show", run.path, *words, "--results", run.path.parents[2], code=2)


def test_nothing_flips_between_a_run_and_itself(run: RunFolder) -> None:
    assert "name another run" in ask("show", run.path, "--flipped", run.path, code=2)
