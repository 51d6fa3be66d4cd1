"""`grmeval spct sample` and `grmeval spct select`, on the fake engine: from items to a data set."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from grmeval.items import Key
from grmeval.store import RunFolder, item_samples
from grmeval.train.reward import correct
from tests.helpers import ask, grmeval

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tasks" / "sample.jsonl"
FAKE = ("--engine", "fake", "--engine-arg", "accuracy=0.7", "--engine-arg", "no_score=0.1")


class Made(NamedTuple):
    """A results folder with the two runs of a command."""

    results: Path
    run: Path
    hinted: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The packaged items as a training set: 3 samples each, and one that is told the truth."""
    results = tmp_path_factory.mktemp("spct") / "results"
    found = json.loads(
        ask("spct", "sample", training_set(results.parent), *FAKE, "--results", results, "--json")
    )
    return Made(results, Path(found["run"]), Path(found["hinted"]))


def training_set(folder: Path) -> Path:
    """A folder such as `spct data` makes."""
    made = folder / "DATA"
    made.mkdir()
    shutil.copy(DATA, made / "items.jsonl")
    head = 'id = "mine"\ntitle = "Mine"\n[source]\npackaged = "items.jsonl"\n'
    table = '[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\nsubset = "subset"\n'
    (made / "bench.toml").write_text(head + table, "utf-8")
    return made


def select(made: Made, out: Path, *more: object, code: int = 0) -> str:
    words = ("spct", "select", made.run, "--hinted", made.hinted, "-o", out)
    return ask(*words, "--results", made.results, *more, code=code)


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "train.jsonl").read_text("utf-8").splitlines()]


def facts(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "select.json").read_text("utf-8"))
    return found


# ---------------------------------------------------------------------- sample


def test_two_runs_are_made_and_the_same_command_asks_for_nothing_more(made: Made) -> None:
    plain, hinted = RunFolder(made.run), RunFolder(made.hinted)
    assert len(plain.done()) == 3 * 75
    assert len(hinted.done()) == 75
    assert "hint" not in plain.record["identity"]["judge"]
    assert hinted.record["identity"]["judge"]["hint"] == 1
    again = grmeval(
        "spct", "sample", made.results.parent / "DATA", *FAKE, "--results", made.results
    )
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("no model is loaded") == 2
    assert f"grmeval spct select {made.run.name} --hinted {made.hinted.name} -o SFT" in again.stdout


def test_the_plain_run_is_that_of_run(made: Made) -> None:
    bench = made.results.parent / "DATA" / "bench.toml"
    found = grmeval("run", "--bench", bench, *FAKE, "--k", "3", "--results", made.results)
    assert found.returncode == 0, found.stderr
    assert f"{made.run}: every sample is there" in found.stderr


def test_names_and_only_samples_without_a_hint(tmp_path: Path) -> None:
    words = ("spct", "sample", DATA, "--engine", "fake", "--limit", "5", "--results", tmp_path)
    ask(*words, "--name", "mine", "--k", "2")
    shown = ask("runs", "--results", tmp_path)
    assert "mine" in shown
    assert "mine-hinted" in shown
    found = json.loads(ask(*words, "--no-hinted", "--seed", "1", "--json"))
    assert found.keys() == {"run"}
    assert len(RunFolder(Path(found["run"])).done()) == 15


@pytest.mark.parametrize(
    "words",
    [
        ("score",),
        ("scale-curve",),
        ("diagnose",),
        ("show", "--wrong"),
        ("compare", "PLAIN"),
        ("baseline", "--to", "b.json"),
        ("panel", "PLAIN"),
        ("principles", "--to", "p.jsonl"),
        ("meta-score", "--engine", "fake"),
    ],
)
def test_a_hinted_run_is_no_measurement(made: Made, words: tuple[str, ...], tmp_path: Path) -> None:
    command, *more = words
    others = [made.run if word == "PLAIN" else word for word in more]
    others = [tmp_path / word if str(word).startswith(("b.", "p.")) else word for word in others]
    said = ask(command, made.hinted, *others, "--results", made.results, code=2)
    assert "a hinted run: its prompts named the best response" in said


def test_critiques_of_a_hinted_run_are_refused(made: Made) -> None:
    bench = made.results.parent / "DATA" / "bench.toml"
    words = (
        "--judge",
        "critique-scalar",
        "--critiques",
        made.hinted,
        "--engine",
        "fake",
        "--k",
        "1",
    )
    said = ask("run", "--bench", bench, *words, "--results", made.results, code=2)
    assert "a hinted run" in said


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ('{"prompt": "a", "responses": ["x", "y"]}', "1 of 1 items have no labels"),
        ('{"prompt": "a", "responses": ["x", "y"], "quality": [1, 1]}', "single out no response"),
    ],
)
def test_items_without_a_truth_are_refused(rows: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(rows + "\n", "utf-8")
    words = (
        "spct",
        "sample",
        tmp_path / "rows.jsonl",
        "--engine",
        "fake",
        "--results",
        tmp_path / "r",
    )
    for more in ((), ("--no-hinted",)):
        assert why in ask(*words, *more, code=2)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("sample", "--judge", "scalar", "--engine", "fake"),
            "a head writes no texts to learn from",
        ),
        (("all", "--engine", "fake"), "a group of benchmarks; name one set of items"),
        (
            (".", "--engine", "fake"),
            "a folder, and has no bench.toml; `grmeval spct data` makes such",
        ),
        (("sample", "--engine", "fake", "--layout", "single"), "judged one by one"),
        (("nosuch", "--engine", "fake"), "is not known"),
    ],
)
def test_mistakes_of_sampling(words: tuple[str, ...], why: str, tmp_path: Path) -> None:
    assert why in ask("spct", "sample", *words, "--results", tmp_path, code=2)


# ---------------------------------------------------------------------- select


def test_rows_are_what_was_asked_and_answered_with_where_they_come_from(
    made: Made, tmp_path: Path
) -> None:
    shown = select(made, tmp_path / "SFT")
    found, about = rows(tmp_path / "SFT"), facts(tmp_path / "SFT")
    runs = {"sample": RunFolder(made.run), "hinted": RunFolder(made.hinted)}
    items = {
        Key(i["subset"], i["id"]): i for i in map(json.loads, DATA.read_text("utf-8").splitlines())
    }
    kept = Counter[str]()
    for row in found:
        source = row["provenance"]
        key = Key(source["subset"], source["id"])
        (sample,) = (s for s in item_samples(runs[source["source"]], key) if s["j"] == source["j"])
        assert source["origin"] == runs[source["source"]].path.name
        assert source["model"] == "fake"
        assert source["hinted"] == (source["source"] == "hinted")
        assert source["order"] == sample["order"]
        assert row["completion"] == [{"role": "assistant", "content": sample["text"].strip()}]
        assert correct(sample["scores"], items[key]["quality"])
        (turn,) = row["prompt"]
        assert turn["role"] == "user"
        assert "Hint:" not in turn["content"]
        places = [turn["content"].index(items[key]["responses"][i]) for i in sample["order"]]
        assert places == sorted(places)
        kept[source["source"]] += 1
    assert about["table"]["kept"] == [kept["sample"], kept["hinted"]]
    assert about["rows"] == {"sample": kept["sample"], "hinted": kept["hinted"], "general": 0}
    assert [sum(column) for column in zip(*about["table"].values(), strict=True)] == [225, 75]
    content = (tmp_path / "SFT" / "train.jsonl").read_bytes()
    assert about["sha256"] == hashlib.sha256(content).hexdigest()
    for rule in ("kept", "unreadable", "incorrect", "too easy"):
        assert all(about["table"][rule]) or rule == "too easy"
        assert f"| {rule} | {about['table'][rule][0]:,} |" in (
            tmp_path / "SFT" / "select.md"
        ).read_text("utf-8")
        assert rule in shown


def test_prompts_are_those_of_grmeval_prompt(made: Made, tmp_path: Path) -> None:
    select(made, tmp_path / "SFT")
    bench = made.results.parent / "DATA" / "bench.toml"
    seen = set[str]()
    for row in rows(tmp_path / "SFT"):
        source = row["provenance"]
        if source["j"] in (0, 1) and source["subset"] not in seen:
            seen.add(source["subset"])
            name = f"{source['subset']}/{source['id']}"
            words = ("prompt", bench, "--item", name, "--j", source["j"], "--json")
            assert json.loads(ask(*words))["messages"] == row["prompt"]
    assert len(seen) == 15


def test_the_same_command_does_nothing_and_another_one_is_refused(
    made: Made, tmp_path: Path
) -> None:
    out = tmp_path / "SFT"
    select(made, out)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()}
    found = grmeval(
        *("spct", "select", made.run, "--hinted", made.hinted, "-o", out, "--results", made.results)
    )
    assert found.returncode == 0
    assert "is there already" in found.stderr
    assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in out.iterdir()} == before
    said = select(made, out, "--max-per-item", "1", code=2)
    assert "holds a set made otherwise (other max_per_item)" in said
    said = ask("spct", "select", made.run, "-o", out, "--results", made.results, code=2)
    assert "other hinted" in said
    (out / "train.jsonl").write_bytes(b"{}\n")
    assert "is not what was written" in select(made, out, code=3)
    (out / "select.json").write_text("{", "utf-8")
    assert "select.json: damaged" in select(made, out, code=3)


def test_a_set_that_was_cut_short_is_made_again(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "SFT"
    select(made, out)
    whole = (out / "train.jsonl").read_bytes()
    (out / "select.json").unlink()
    (out / "train.jsonl").write_bytes(whole[:100])
    select(made, out)
    assert (out / "train.jsonl").read_bytes() == whole


def test_only_so_many_of_an_item_by_the_seed(made: Made, tmp_path: Path) -> None:
    of = dict[str, bytes]()
    for seed in ("0", "0", "1"):
        out = tmp_path / f"SFT{len(of)}"
        select(made, out, "--max-per-item", "1", "--seed", seed)
        names = [(r["provenance"]["subset"], r["provenance"]["id"]) for r in rows(out)]
        assert len(set(names)) == len(names)
        of[out.name] = (out / "train.jsonl").read_bytes()
        assert facts(out)["table"]["over the limit"][0] > 0
    assert of["SFT0"] == of["SFT1"] != of["SFT2"]


def test_without_hints(made: Made, tmp_path: Path) -> None:
    ask("spct", "select", made.run, "-o", tmp_path / "SFT", "--results", made.results)
    assert {row["provenance"]["source"] for row in rows(tmp_path / "SFT")} == {"sample"}
    assert {hinted for _, hinted in facts(tmp_path / "SFT")["table"].values()} == {0}


GENERAL: list[Any] = [
    {"messages": [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"a{i}"}]}
    for i in range(500)
] + [{"prompt": f"p{i}", "completion": f"c{i}"} for i in range(500)]


def general(folder: Path, rows: list[Any] = GENERAL) -> Path:
    path = folder / "general.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n", "utf-8")
    return path


def test_general_data_is_mixed_in_by_a_ratio(made: Made, tmp_path: Path) -> None:
    mix = general(tmp_path)
    found = {}
    for seed in ("0", "1"):
        out = tmp_path / f"SFT{seed}"
        select(made, out, "--mix", mix, "--ratio", "1.5", "--seed", seed)
        mine = [row for row in rows(out) if row["provenance"]["source"] == "general"]
        others = len(rows(out)) - len(mine)
        assert len(mine) == round(1.5 * others) == facts(out)["rows"]["general"]
        for row in mine:
            about = row["provenance"]
            assert (about["origin"], about["hinted"]) == ("general.jsonl", False)
            line = GENERAL[int(about["id"]) - 1]
            asked, answered = row["prompt"][0]["content"], row["completion"][0]["content"]
            said = line.get("messages") or [
                {"content": line["prompt"]},
                {"content": line["completion"]},
            ]
            assert [asked, answered] == [turn["content"] for turn in said]
        assert {len(row["provenance"]) for row in rows(out)} == {8}
        found[seed] = {row["provenance"]["id"] for row in mine}
    assert found["0"] != found["1"]
    assert (
        facts(tmp_path / "SFT0")["settings"]["mix"] == hashlib.sha256(mix.read_bytes()).hexdigest()
    )


@pytest.mark.parametrize(
    ("rows", "more", "why"),
    [
        (GENERAL, (), "add --ratio R"),
        (GENERAL, ("--ratio", "0"), "--ratio 0: rows of general data"),
        (GENERAL[:7], ("--ratio", "9"), "has 7 rows, and --ratio 9 of"),
        ([{"text": "x"}] * 999, ("--ratio", "1"), ": expected 'messages', or 'prompt' and"),
        ([[1]] * 999, ("--ratio", "1"), "line 6: expected 'messages'"),
        (
            [{"messages": [{"role": "user", "content": "q"}]}] * 999,
            ("--ratio", "1"),
            "last turn is 'user'",
        ),
        (
            [
                {
                    "messages": [
                        {"role": "tool", "content": "q"},
                        {"role": "assistant", "content": "a"},
                    ]
                }
            ]
            * 999,
            ("--ratio", "1"),
            "the last turn is 'tool'",
        ),
        ([{"prompt": "q", "completion": " "}] * 999, ("--ratio", "1"), "last turn is empty"),
    ],
)
def test_general_data_that_cannot_be_used(
    rows: list[Any], more: tuple[str, ...], why: str, made: Made, tmp_path: Path
) -> None:
    said = select(made, tmp_path / "SFT", "--mix", general(tmp_path, rows), *more, code=2)
    assert why in said
    assert not (tmp_path / "SFT" / "select.json").exists()
    assert not (tmp_path / "SFT" / "train.jsonl").exists()


def test_mistakes_of_selecting(made: Made, tmp_path: Path) -> None:
    words = ("--results", made.results, "-o", tmp_path / "SFT")
    assert "name it with --hinted" in ask("spct", "select", made.hinted, *words, code=2)
    assert "its prompts held no hint" in ask(
        "spct", "select", made.run, "--hinted", made.run, *words, code=2
    )
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine", "utf-8")
    said = ask(
        "spct", "select", made.run, "-o", tmp_path / "full", "--results", made.results, code=2
    )
    assert "holds other files (notes.txt)" in said
    said = ask(
        "spct", "select", made.run, "-o", tmp_path / "full" / "notes.txt", *words[:2], code=2
    )
    assert "is a file; name a folder" in said
    other = json.loads(
        ask(
            *("spct", "sample", DATA, *FAKE, "--judge", "index", "--subset", "*-pairs"),
            *("--results", tmp_path / "other", "--json"),
        )
    )
    said = ask("spct", "select", made.run, "--hinted", other["hinted"], *words, code=2)
    assert "they differ in bench, judge" in said


def test_samples_that_are_missing_and_runs_that_leave_nothing(tmp_path: Path) -> None:
    words = ("spct", "sample", DATA, "--engine", "fake", "--limit", "20", "--results", tmp_path)
    dies = ("--engine-arg", "die_after=30")
    assert "died after 30 samples" in ask(*words, *dies, code=3)
    whole = json.loads(ask(*words, "--json"))
    ask("spct", "select", whole["run"], "--hinted", whole["hinted"], "-o", tmp_path / "SFT")
    short = ("run", "--bench", DATA, "--engine", "fake", "--limit", "20", "--results", tmp_path)
    assert "died after 30" in ask(*short, "--k", "9", *dies, code=3)
    said = ask("spct", "select", whole["run"], "-o", tmp_path / "SFT2", code=3)
    assert "90 of 180 samples are missing" in said
    sure = json.loads(ask(*words, "--engine-arg", "accuracy=1", "--json"))
    said = ask("spct", "select", sure["run"], "-o", tmp_path / "SFT3", code=2)
    assert "nothing is left to train on: 60 too easy" in said


def test_a_restricted_benchmark_is_refused_at_both_ends(tmp_path: Path) -> None:
    bench = training_set(tmp_path) / "bench.toml"
    text = bench.read_text("utf-8")
    made = json.loads(
        ask("spct", "sample", bench.parent, "--engine", "fake", "--results", tmp_path, "--json")
    )
    bench.write_text(text.replace("[source]", "[source]\nrestricted = true"), "utf-8")
    words = ("--bench", bench, "--engine", "fake", "--k", "3", "--results", tmp_path)
    assert grmeval("run", *words).returncode == 0  # it says now that it is restricted
    said = ask("spct", "select", made["run"], "-o", tmp_path / "SFT", "--results", tmp_path, code=2)
    assert "a restricted benchmark" in said
    said = ask("spct", "sample", bench.parent, "--engine", "fake", "--results", tmp_path, code=2)
    assert "a restricted benchmark" in said
    assert not (tmp_path / "SFT").exists()


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "spct-sample.md").read_text("utf-8")
    example = page.split("## A worked example")[1].split("\n## ")[0]
    shown = [line.strip() for line in example.splitlines() if line.startswith("    ")]
    first, second, *table = shown
    ask(*first.split()[1:], "--results", tmp_path / "results")
    out = str(tmp_path / "SFT")
    said = ask(*second.replace("SFT", out).split()[1:], "--results", tmp_path / "results")
    assert [line.strip() for line in said.splitlines() if line.strip()][:-1] == table


def test_help_of_the_group_lists_its_commands() -> None:
    assert {"sample", "select"} <= set(ask("spct", "--help").split())


def test_batch_files_ask_with_the_hint_and_without(tmp_path: Path) -> None:
    words = ("--engine", "batch", "--model", "m", "--limit", "3", "--results", tmp_path)
    done = grmeval("spct", "sample", DATA, *words, "--json")
    assert done.returncode == 3, done.stderr
    asked = {}
    for name, run in json.loads(done.stdout).items():
        lines = ask("export", run, "--what", "requests", "--results", tmp_path).splitlines()
        asked[name] = [json.loads(line)["body"]["messages"][-1]["content"] for line in lines]
    assert (len(asked["run"]), len(asked["hinted"])) == (9, 3)
    assert not any("Hint: " in text for text in asked["run"])
    assert all(text.endswith("do not mention the hint.") for text in asked["hinted"])


def test_shards_are_joined_before_anything_is_selected(tmp_path: Path) -> None:
    words = ("spct", "sample", DATA, "--engine", "fake", "--limit", "10", "--results", tmp_path)
    first = json.loads(ask(*words, "--shard", "1/2", "--json"))
    said = ask("spct", "select", first["run"], "-o", tmp_path / "SFT", code=3)
    assert "15 of 30 samples are missing" in said
    assert json.loads(ask(*words, "--shard", "2/2", "--json")) == first
    ask("spct", "select", first["run"], "--hinted", first["hinted"], "-o", tmp_path / "SFT")
    assert facts(tmp_path / "SFT")["items"] == 10
