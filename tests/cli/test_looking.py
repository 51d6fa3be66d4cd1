"""`runs`, `show` and `prompt`: what is there is shown, whole, and no foreign text acts on a terminal."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from grmeval import resources
from grmeval.benches import load
from grmeval.cli import prompt, runs, show  # the modules add their commands
from grmeval.errors import ConfigError
from grmeval.items import Key, Message, Sample
from grmeval.report.accuracy import write_accuracy
from grmeval.report.printable import printable
from grmeval.report.story_lines import prompt_text
from grmeval.runs import Preview
from grmeval.runs.limit import limit_ranks
from grmeval.runs.orders import response_order
from grmeval.score import score
from grmeval.store import (
    JournalWriter,
    RunFolder,
    all_runs,
    find_item,
    find_run,
    item_samples,
    latest,
    sample_batches,
)
from tests.helpers import ENVIRONMENT, ask, command, grmeval, left_early, sampled

COMMANDS = (prompt, runs, show)
HOSTILE = (
    '=1+1 \x1b]0;owned\x07\x9b31m "q", \r\nlone\rcr \u202etxet\u2066 \u2028\x85\t[bold]x[/bold]\x00'
)
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def process(*words: object, columns: int = 80) -> subprocess.CompletedProcess[str]:
    return grmeval(*words, env={"COLUMNS": str(columns), "NO_COLOR": "1"})


def rows_file(path: Path, response: str = HOSTILE) -> Path:
    """Rows of the sample's shape with hostile texts, one id in two subsets."""
    rows = [
        {
            "id": name,
            "subset": subset,
            "conversation": [{"role": "user", "content": HOSTILE}],
            "responses": [response, "plain"],
            "quality": [1, 0],
        }
        for subset in ("facts-pairs", "code-pairs")
        for name in ("twice", f"only-{subset}")
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def sample(key: Key, j: int, **changes: Any) -> Sample:
    values: dict[str, Any] = {
        "subset": key.subset,
        "id": key.id,
        "j": j,
        "order": (1, 0),
        "scores": (3.0, 9.0),
        "invalid": None,
        "form": "boxed",
        "finish": "stop",
        "prompt_tokens": 5,
        "cached_tokens": 0,
        "tokens": 7,
        "parser": 1,
        "launch": "0000",
        "thinking": "",
        "text": "text",
    }
    return Sample(**(values | changes))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: the packaged sample, scored; hostile rows with two samples that are not folded."""
    top = tmp_path_factory.mktemp("looking")
    plain = sampled(top / "results", k=2, limit=10)
    write_accuracy(plain.path, score(plain))
    odd = sampled(top / "results", k=2, data=rows_file(top / "rows.jsonl"))
    with JournalWriter(odd.path / "journal" / "0001.jsonl") as journal:
        key = Key("facts-pairs", "only-facts-pairs")
        journal.write(sample(key, 3, text=HOSTILE, thinking=f"thought {HOSTILE}"))
        journal.write(sample(key, 2, scores=None, form=None, invalid="truncated", finish="length"))
        journal.write(sample(key, 0, text="a second row of a key"))
    return top / "results"


@pytest.fixture
def plain(results: Path) -> Path:
    return next(path for path in all_runs(results) if (path / "accuracy.json").exists())


@pytest.fixture
def odd(results: Path) -> Path:
    return next(path for path in all_runs(results) if not (path / "accuracy.json").exists())


# ---------------------------------------------------------------------- finding a run, an item


def test_a_run_has_many_names(results: Path, plain: Path, odd: Path) -> None:
    assert all_runs(results) == [odd, plain]
    assert find_run("latest", results) == latest(results) == odd
    for text in (str(plain), plain.name, plain.name[:4], plain.name[:6].upper()):
        assert find_run(text, results) == plain


def test_a_model_or_panel_with_one_run_is_its_name(tmp_path: Path) -> None:
    for name in ("a/trio/abcd00000001", "a/m/abcd00000002", "b/m/abcd00000003"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").write_text("{}")
    assert find_run("trio", tmp_path) == tmp_path / "a/trio/abcd00000001"
    with pytest.raises(ConfigError, match="RUN 'm'"):
        find_run("m", tmp_path)  # two runs have it


def test_a_folder_with_one_run_below_it_is_that_run(tmp_path: Path) -> None:
    nights = tmp_path / "nights"
    runs = [nights / f"{night}/sample/m/abcd0000000{night}" for night in range(1, 8)]
    for run in (*runs, nights / "1/.trash/sample/m/ffff00000001"):
        run.mkdir(parents=True)
        (run / "run.json").write_text("{}")
    for folder in (nights / "1", nights / "1/sample", nights / "1/sample/m"):
        assert find_run(str(folder), tmp_path / "results") == runs[0]
    with pytest.raises(ConfigError) as several:
        find_run(str(nights), tmp_path / "results")
    first = ", ".join(map(str, runs[:5]))
    assert str(several.value) == f"{nights}: 7 runs are below it: {first} and 2 more; say which"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzzz", "no path, no run-id, no name, and not `latest`; --results"),
        ("abc", "a run-id's prefix has 4 or more characters"),
        ("my2", "no path, no run-id, no name, and not `latest`; --results"),
        ("/nowhere/at/all", "not a run folder: it has no run.json"),
    ],
)
def test_an_unknown_run(results: Path, plain: Path, text: str, message: str) -> None:
    for words in (("show", text), ("show", text, "--item", "x")):
        found = ask(*words, "--results", results, code=2)
        assert message in found
        assert f"sample/fake/{plain.name}" in found


def test_a_mistyped_run_has_its_nearest(results: Path, plain: Path) -> None:
    mistyped = plain.name[:6] + "z" + plain.name[7:]
    assert f"did you mean '{plain.name}'?" in ask("show", mistyped, "--results", results, code=2)


def test_a_prefix_of_several_runs(tmp_path: Path) -> None:
    for name in ("abcd00000001", "abcd00000002", "ffff00000000"):
        folder = tmp_path / "sample" / "m" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
    found = ask("show", "abcd", "--results", tmp_path, code=2)
    assert "several runs are meant" in found
    assert all(f"sample/m/abcd0000000{n}" in found for n in (1, 2))
    assert "ffff" not in found


def test_no_runs_at_all(tmp_path: Path) -> None:
    assert "no runs in it; `grmeval run` makes one" in ask("runs", "--results", tmp_path, code=2)
    assert "no run with samples" in ask("show", "latest", "--results", tmp_path, code=2)
    assert "has no runs" in ask("show", "abcd", "--results", tmp_path, code=2)


def test_an_item_is_named_by_id_or_with_its_subset() -> None:
    keys = [Key("a", "one"), Key("b", "one"), Key("a/b", "two"), Key("c", "a/one")]
    assert find_item("b/one", keys) == Key("b", "one")
    assert find_item("a/b/two", keys) == find_item("two", keys) == Key("a/b", "two")
    assert find_item("a/one", keys) == Key(
        "a", "one"
    )  # a whole name before an id that looks like it
    assert find_item("c/a/one", keys) == Key("c", "a/one")


# ---------------------------------------------------------------------- runs


def test_runs_fit_80_columns_and_say_what_is_known(results: Path, plain: Path, odd: Path) -> None:
    found = process("runs", "--results", results)
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in found.stdout
    first, second = (next(i for i, li in enumerate(lines) if p.name in li) for p in (odd, plain))
    assert first < second
    assert lines[second].split()[:7] == [plain.name, "sample", "fake", "2", "10", "20", "10"]
    assert lines[first].split()[3:8] == ["2", "-", "11", "4", "-"]


def test_runs_as_json(results: Path, plain: Path) -> None:
    lines = json.loads(ask("runs", "--results", results, "--json"))["runs"]
    saved = json.loads((plain / "accuracy.json").read_text())["rows"][0]
    assert lines[1]["accuracy"] == saved["value"]
    assert (lines[1]["run"], lines[1]["vote"], lines[1]["items"]) == (plain.name, "sum", 10)
    assert (lines[0]["samples"], lines[0]["accuracy"], lines[0]["limit"]) == (11, None, None)


def test_a_narrow_list_keeps_what_tells_runs_apart(tmp_path: Path, plain: Path) -> None:
    record = json.loads((plain / "run.json").read_text())
    del record["checksum"]
    record["asked"], record["identity"]["bench"] = {"k": 1024, "limit": 128000}, "rewardbench-prior"
    for at in (4, 8):
        label = f"--models--deepseek-ai--DeepSeek-GRM-27B-awq-int{at}"
        folder = tmp_path / "rewardbench-prior" / label / f"0123456789a{at}"
        folder.mkdir(parents=True)
        record["config"]["label"] = label
        (folder / "run.json").write_text(json.dumps(record))
    narrow = grmeval("runs", "--results", tmp_path, env={"COLUMNS": "80"}).stdout
    head, _, *two, note = narrow.splitlines()[:5]
    assert max(map(len, narrow.splitlines())) <= 80
    for line, at in zip(two, (8, 4), strict=True):
        assert line.split()[0] == f"0123456789a{at}"
        assert line.split()[2].endswith(f"awq-int{at}")
    assert note == "left out at 80 columns: items, limit, k (COLUMNS=160 shows them)"
    wide = grmeval("runs", "--results", tmp_path, env={"COLUMNS": "160"}).stdout
    assert "limit" not in head
    for word in ("1,024", "128,000", label):
        assert word in wide
    assert "…" not in wide


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ('{"format": 99}', "by a newer grmeval"),
        ('{"format": "x"}', "cannot be read"),
        ('{"format": 1, "identity": {}}', "'spec' is missing"),
        ("[]", "cannot be read"),
    ],
)
def test_a_broken_run_hides_no_other(
    results: Path, plain: Path, content: str, message: str
) -> None:
    broken = results / "sample" / "\x1bm" / "bad"
    broken.mkdir(parents=True)
    try:
        (broken / "run.json").write_text(content)
        found = ask("runs", "--results", results)
    finally:
        (broken / "run.json").unlink()
        broken.rmdir()
        broken.parent.rmdir()
    assert plain.name in found
    line = next(line for line in found.splitlines() if line.startswith("not readable: "))
    assert message in line
    assert not ACTING.search(found)


# ---------------------------------------------------------------------- show


def test_the_story_of_a_run(results: Path, plain: Path) -> None:
    text = ask("show", plain)
    assert f"run {plain.name}: grmeval sample, fake" in text
    for words in (
        "k=2, --limit 10",
        "temperature",
        "engine fake; grmeval",
        "engine_seed",
        "samples.parquet",
        "launch 0000",
    ):
        assert words in text
    assert max(map(len, text.replace(str(plain), "").splitlines())) <= 80
    story = json.loads(ask("show", plain.name, "--results", results, "--json"))
    record = RunFolder(plain).record
    assert story["identity"] == record["identity"]
    assert story["launches"] == record["launches"]
    assert (story["samples"], story["totals"]) == (20, record["totals"])
    assert set(story["files"]) >= {"run.json", "items.parquet", "accuracy.csv"}


def test_the_samples_of_an_item(plain: Path) -> None:
    stored = next(iter(sample_batches(RunFolder(plain), ["subset", "id"], 1))).to_pylist()[0]
    key = Key(**stored)
    story = json.loads(ask("show", plain, "--item", key.id, "--json"))
    samples = item_samples(RunFolder(plain), key)
    assert story["samples"] == samples
    assert [one["j"] for one in samples] == [0, 1]
    valid = [one["scores"] for one in samples if one["scores"] is not None]
    assert story["totals"]["sum"] == [sum(scores) for scores in zip(*valid, strict=True)]
    text = ask("show", plain, "--item", f"{key.subset}/{key.id}")
    for one in samples:
        assert f"sample {one['j']}: scores " in text
        assert all(line in text for line in one["text"].split("\n"))
    only = ask("show", plain, "--item", key.id, "--j", 1)
    assert ("sample 0:" in only, "sample 1:" in only) == (False, True)
    assert "sum over 2 valid of 2 samples" in only


def test_samples_that_are_not_folded_are_shown(odd: Path) -> None:
    story = json.loads(ask("show", odd, "--item", "only-facts-pairs", "--json"))
    assert [one["j"] for one in story["samples"]] == [0, 1, 2, 3]
    assert story["samples"][0]["text"] != "a second row of a key"
    assert (story["samples"][3]["text"], story["samples"][3]["launch"]) == (HOSTILE, "0001")
    text = ask("show", odd, "--item", "only-facts-pairs")
    assert "sample 2: invalid (truncated)" in text
    assert "sum over 3 valid of 4 samples" in text
    assert "thinking:" in text


def test_hostile_texts_reach_no_terminal(odd: Path) -> None:
    words = ("show", odd, "--item", "only-facts-pairs", "--texts", "--data", odd.parents[3])
    found = process(*words[:-1], odd.parents[3] / "rows.jsonl")
    assert found.returncode == 0, found.stderr
    assert not ACTING.search(found.stdout)
    assert "\\x1b]0;owned\\x07\\x9b31m" in found.stdout
    assert "[bold]x[/bold]" in found.stdout
    as_json = process(*words[:-1], odd.parents[3] / "rows.jsonl", "--json").stdout
    assert as_json.isascii()
    assert not ACTING.search(as_json)
    assert json.loads(as_json)["responses"][0] == HOSTILE


def test_no_text_forges_a_heading(odd: Path) -> None:
    text = ask("show", odd, "--item", "only-facts-pairs", "--j", 3)
    assert [line for line in text.splitlines() if line.startswith(("sample", "lone"))] == [
        "sample 3: scores 3, 9; boxed; stop; 7 tokens; launch 0001",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--item", "only-facts-pair"], "did you mean 'only-facts-pairs'"),
        (["--item", "zz"], "they are such as"),
        (["--item", "twice"], "in several subsets; say which: code-pairs/twice, facts-pairs/twice"),
        (["--item", "only-code-pairs", "--j", "9"], "--j 9: item 'only-code-pairs' has 0-1"),
        (["--j", "0"], "name it with --item ID"),
        (["--texts"], "name it with --item ID"),
        (["--item", "x", "--data", "y"], "add --texts"),
    ],
)
def test_mistakes_of_show(odd: Path, words: list[str], message: str) -> None:
    assert message in ask("show", odd, *words, code=2)


def test_texts_are_those_that_were_judged(plain: Path, odd: Path, tmp_path: Path) -> None:
    key = next(iter(sample_batches(RunFolder(plain), ["subset", "id"], 1))).to_pylist()[0]
    item = next(i for i in load("sample").items if i.id == key["id"])
    story = json.loads(ask("show", plain, "--item", item.id, "--texts", "--json"))
    assert story["responses"] == list(item.responses)
    assert story["conversation"] == [turn._asdict() for turn in item.conversation]
    assert item.responses[0].split("\n")[0] in ask("show", plain, "--item", item.id, "--texts")
    changed = rows_file(tmp_path / "rows.jsonl", response="another text")
    words = ("show", odd, "--item", "only-facts-pairs", "--texts", "--data")
    assert "has other texts or labels for it" in ask(*words, changed, code=2)
    changed.write_text(changed.read_text().replace("only-facts", "none-facts"))
    assert "has no such item" in ask(*words, changed, code=2)
    assert "/nowhere" in ask(*words, "/nowhere", code=2)


def test_an_item_without_samples(plain: Path) -> None:
    done = {(key.subset, key.id) for key in RunFolder(plain).done()}
    item = next(i for i in load("sample").items if i.key not in done)
    assert "no samples of this item yet" in ask("show", plain, "--item", item.id)
    assert "has no samples yet" in ask("show", plain, "--item", item.id, "--j", 0, code=2)


def test_a_reader_that_leaves_early_is_no_bug(plain: Path) -> None:
    assert left_early("show", plain, "--json") == 141


# ---------------------------------------------------------------------- prompt


def test_the_prompt_of_the_first_item() -> None:
    loaded = load("sample")
    ranks = limit_ranks(loaded.items, loaded.spec.section_of, 0)
    item = loaded.items[ranks.index(0)]
    found = json.loads(ask("prompt", "sample", "--json"))
    assert Key(found["subset"], found["id"]) == item.key
    for j in (0, 1, 5):
        order = response_order("balanced", 0, item.key, item.n, j)
        found = json.loads(ask("prompt", "sample", "--j", j, "--json"))
        content = found["messages"][-1]["content"]
        places = [content.index(item.responses[index]) for index in order]
        assert found["order"] == list(order)
        assert places == sorted(places)


def test_the_prompt_of_a_template_and_a_system_message(tmp_path: Path) -> None:
    template = tmp_path / "short.jinja"
    template.write_text("{{ n }} answers: {{ responses | join(' | ') }}")
    words = ("prompt", "sample", "--item", "facts-best-of-4-01", "--template", template)
    text = ask(*words, "--system", "Be \x1b[31mbrief.", "--orders", "random", "--seed", 3, "--j", 2)
    assert "\nsystem\n  Be \\x1b[31mbrief.\n" in text
    assert "\nuser\n  4 answers: " in text
    pair = json.loads(
        ask("prompt", "sample", "--layout", "pairs", "--template", template, "--json")
    )
    assert pair["messages"][0]["content"].startswith(("2 answers", "1 answers"))


def test_a_packaged_template_has_a_name(tmp_path: Path) -> None:
    words = ("prompt", "sample-smol", "--item", "sums-0000", "--json")
    named = json.loads(ask(*words, "--template", "smol"))["messages"]
    asked, *shown = named[0]["content"].split("\n")
    assert asked.startswith("User: ")
    assert [line.partition(":")[0] for line in shown] == ["Response 1", "Response 2"]
    path = resources.tasks() / "templates" / "smol.jinja"
    assert json.loads(ask(*words, "--template", path))["messages"] == named
    (tmp_path / "grmeval.toml").write_text('template = "smol"\n')
    assert json.loads(grmeval(*words, cwd=tmp_path).stdout)["messages"] == named
    (tmp_path / "smol").write_text("{{ responses }}")  # a file of that name is meant before
    done = grmeval(*words, "--template", "smol", cwd=tmp_path)
    assert json.loads(done.stdout)["messages"] != named
    assert "smal: cannot be read" in ask(*words, "--template", "smal", code=2)


def test_the_prompt_follows_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_file(tmp_path / "rows.jsonl")
    settings = 'system = "from the file"\nseed = 7\n[data]\nsample = "rows.jsonl"\n'
    (tmp_path / "grmeval.toml").write_text(settings)
    monkeypatch.chdir(tmp_path)
    words = ("prompt", "sample", "--item", "only-facts-pairs")
    found = json.loads(ask(*words, "--json"))
    assert found["messages"][0] == {"role": "system", "content": "from the file"}
    key = Key("facts-pairs", "only-facts-pairs")
    assert found["order"] == list(response_order("balanced", 7, key, 2, 0))
    text = ask(*words, "--system", "a flag", "--data", "rows.jsonl")
    assert ("a flag" in text, "from the file" in text) == (True, False)


def test_a_hostile_prompt_reaches_no_terminal(tmp_path: Path) -> None:
    words = (
        "prompt",
        "sample",
        "--item",
        "only-facts-pairs",
        "--data",
        rows_file(tmp_path / "r.jsonl"),
    )
    text = ask(*words)
    assert not ACTING.search(text)
    assert "\\u202etxet" in text
    found = ask(*words, "--json")
    assert found.isascii()
    assert HOSTILE in json.loads(found)["messages"][0]["content"]


def test_names_stay_on_their_lines() -> None:
    found = Preview("b", Key("s", "a\nuser"), 0, (0,), (Message("user\n\nforged", "x\ny"),))
    assert "".join(prompt_text(found)).split("\n") == [
        "b: item s/a\\nuser, sample 0",
        "Response 1 in this prompt = the item's one response",
        *("", "user\\n\\nforged", "  x", "  y", ""),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["smaple"], "did you mean 'sample'?"),
        (["sample", "--item", "fact-pair-01"], "did you mean 'facts-pair-01'"),
        (
            ["sample", "--layout", "pair"],
            "--layout 'pair': allowed: list, pairs, single; did you mean 'pairs'?",
        ),
        (["sample", "--orders", "none"], "--orders 'none': allowed: balanced, random"),
        (["sample", "--template", "/nowhere"], "--template /nowhere"),
        (["sample", "--j", "-1"], "Invalid value for '--j'"),
        (["sample", "--data", "/nowhere"], "/nowhere"),
    ],
)
def test_mistakes_of_prompt(words: list[str], message: str) -> None:
    assert message in ask("prompt", *words, code=2)


# ---------------------------------------------------------------------- text


def test_printable_shows_what_a_terminal_would_do() -> None:
    assert printable("a\tb\nc é 漢 [bold] \\x1b") == "a\tb\nc é 漢 [bold] \\x1b"
    assert printable("\x1b[31m\r\x00\x7f\x9b") == "\\x1b[31m\\x0d\\x00\\x7f\\x9b"
    assert printable("\u202e\u2066\u200f\u061c\u2028\ud800") == (
        "\\u202e\\u2066\\u200f\\u061c\\u2028\\ud800"
    )


@pytest.mark.parametrize("word", ["runs", "show", "prompt"])
def test_help_is_short_and_has_the_defaults(word: str) -> None:
    text = ask(word, "--help")
    assert "\x1b" not in text
    assert "[default: " in text


def test_what_is_not_utf8_is_escaped(odd: Path) -> None:
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "COLUMNS": "80"}
    found = subprocess.run(
        command("prompt", "sample", "--item", "arithmetic-pair-01"),
        capture_output=True,
        env=environment | {"LC_ALL": "C"},
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.isascii()
    assert b"\\xd7" in found.stdout


def test_runs_say_how_far_they_are_and_what_tells_them_apart(tmp_path: Path) -> None:
    words = ("run", "--engine", "fake", "--limit", 4, "--results", tmp_path)
    assert grmeval(*words, "--k", 2).returncode == 0
    assert grmeval(*words, "--k", 2, "--engine-arg", "accuracy=0.9").returncode == 0
    dying = ("--engine-arg", "accuracy=0.9", "--engine-arg", "die_after=3")
    assert grmeval(*words, "--k", 4, *dying).returncode == 3
    found = ask("runs", "--results", tmp_path)
    assert "11/16" in found
    assert re.search(r"\d @2", found), "the accuracy is of k=2, and k=4 was asked since"
    assert ": engine_args.accuracy=0.9" in found
    assert ": engine_args.accuracy=-" in found


def test_a_lost_table_of_items_is_written_again(tmp_path: Path) -> None:
    words = ("run", "--engine", "fake", "--limit", 4, "--k", 2, "--results", tmp_path)
    grmeval(*words)
    (items,) = tmp_path.glob("*/*/*/items.parquet")
    items.unlink()
    lost = grmeval("score", "latest", "--results", tmp_path)
    assert (lost.returncode, "`grmeval run` writes it again" in " ".join(lost.stderr.split())) == (
        3,
        True,
    )
    again = grmeval(*words)
    assert (again.returncode, "every sample is there" in again.stderr) == (0, True)
    assert grmeval("score", "latest", "--results", tmp_path).returncode == 0
