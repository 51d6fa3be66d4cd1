"""`grmeval spct data` and `grmeval data overlap`: from the hub to a folder that every command takes."""

import json
import re
import subprocess
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import load
from grmeval.cli.spct.data import data
from grmeval.train.data import Settings, training_sets
from tests.helpers import SHARED, ask, grmeval, on_official_rows, process
from tests.hub import Hub, serve
from tests.train.preference_sets import FILES, lines
from tests.zipcrypto import encrypted_zip

QUESTION = (
    "Which of the two lakes in the north of the country is deeper, and by how many metres is it so?"
)
ANSWER = "The eastern one of the two is deeper than the western one, by some forty metres at its deepest."
SECRET = "Wombat"


def row(prompt: str, *responses: str, **more: Any) -> dict[str, Any]:
    found = responses or ("a", "b")
    labels = [int(not place) for place in range(len(found))]
    return {"prompt": prompt, "responses": found, "quality": labels} | more


def bench(folder: Path, *rows: dict[str, Any], name: str = "bench") -> Path:
    path = folder / f"{name}.jsonl"
    path.write_bytes(lines([{"id": n} | each for n, each in enumerate(rows)]))
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    theirs = bench(tmp_path, row(QUESTION, ANSWER, "No."), row("Short?", "Yes."))
    mine = bench(
        tmp_path,
        row("Name a lake."),
        row(QUESTION.lower()),
        row("Something else?", f"He said: {ANSWER}", "b"),
        row("short"),
        row("Name a lake."),
        name="mine",
    )
    return {"bench": theirs, "mine": mine, "out": tmp_path / "out"}


# ---------------------------------------------------------------------- spct data


def test_a_set_is_made_looked_at_and_run(files: dict[str, Path], tmp_path: Path) -> None:
    words = (
        "spct",
        "data",
        "--source",
        files["mine"],
        "--against",
        files["bench"],
        "-o",
        files["out"],
    )
    found = grmeval(*words)
    assert found.returncode == 0, found.stderr
    text = " ".join(found.stdout.split())
    for said in (
        "source rows duplicate prompt response kept",
        "mine 5 1 2 1 1",
        "responses: 0 single, 1 pair, 0 multi",
        "prompt: holds a prompt of a benchmark",
        "held against: bench",
        "bench prompts 2 2 0 2 0",
        "bench responses 1 0 1 0 1",
    ):
        assert said in text
    assert f"written to {files['out']}: items.jsonl, bench.toml, data.json" in found.stderr
    record = json.loads((files["out"] / "data.json").read_text("utf-8"))
    assert [each["examples"] for each in record["overlaps"]] == [
        [
            {"row": "mine/1", "item": "bench/0", "share": 1.0},
            {"row": "mine/3", "item": "bench/1", "share": 1.0},
        ],
        [{"row": "mine/2", "item": "bench/0", "share": 1.0}],
    ]
    assert (record["against"][0]["items"], record["not_at_hand"]) == (2, [])
    toml = files["out"] / "bench.toml"
    run = ("run", "--bench", toml, "--engine", "fake", "--k", 2, "--results", tmp_path / "results")
    ask(*run)
    (row,) = json.loads(ask("score", "latest", "--results", tmp_path / "results", "--json"))[
        "rows"
    ][:1]
    assert (row["level"], row["items"]) == ("overall", 1)
    assert "verdict: complete" in ask("data", "verify", toml)
    before = (files["out"] / "items.jsonl").read_bytes()
    assert json.loads(ask(*words, "--json")) == record  # the same once more
    assert (files["out"] / "items.jsonl").read_bytes() == before


def test_all_that_is_at_hand_is_compared_and_what_is_not_is_named(
    files: dict[str, Path], tmp_path: Path
) -> None:
    battle = {"question_id": 1, "prompt": QUESTION, "response_1": "a", "response_2": "b"}
    battle |= {"winner": "model_a", "model_a": "m", "model_b": "n", "language": "English"}
    copy = bench(tmp_path, battle, name="battles")
    words = ("spct", "data", "--source", files["mine"], "-o", files["out"], "--json")
    record = json.loads(ask(*words, "--data", f"ppe-preference={copy}"))
    against = ["ppe-preference", "sample", "sample-smol"]
    assert [each["bench"] for each in record["against"]] == against
    assert "realmistake" in record["not_at_hand"]
    assert not {*against} & {*record["not_at_hand"]}
    assert record["sources"][0]["dropped"] == {"duplicate": 1, "prompt": 1}


def test_a_limit_may_be_of_one_source(files: dict[str, Path]) -> None:
    sources = ("--source", files["mine"], "--source", "sample")
    words = ("spct", "data", *sources, "--against", "none", "-o", files["out"], "--json")
    record = json.loads(ask(*words, "--limit", 20, "--limit", f"{files['mine']}=2"))
    assert [each["kept"] for each in record["sources"]] == [2, 20]
    assert record["against"] == []
    items = load(str(files["out"] / "bench.toml")).items
    assert {item.subset.split("/")[0] for item in items} == {"mine", "sample"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--source", "ofsetbias"),
            "--source 'ofsetbias' is not known; allowed: .*did you mean 'offsetbias'",
        ),
        (("--source", "nowhere.jsonl"), "--source nowhere.jsonl: no such file"),
        (("--source", "sample", "--source", "sample"), "--source: 'sample' is given twice"),
        (
            ("--source", "sample", "--limit", "rmb=3"),
            "--limit rmb=3: expected SOURCE=N; allowed: sample",
        ),
        (("--source", "sample", "--limit", "0"), "--limit 0: expected a whole number from 1"),
        (("--source", "sample", "--against", "rmbb"), "--bench 'rmbb' is not known"),
        (
            ("--source", "sample", "--against", "none", "--against", "rmb"),
            "--against none: stands alone",
        ),
        (
            ("--source", "sample", "--ngram", "1"),
            "--ngram.: Input should be greater than or equal to 3",
        ),
        (("--source", "sample", "--against", "sample"), "no item is left"),
        (
            ("--source", "sample", "--max-characters", "1"),
            "no item is left: dropped are 75 of sample by 'too long'",
        ),
        (("--source", "realmistake"), "no example appear in plain text"),
        (("--source", "offsetbias"), "--source offsetbias .*--data"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    code = 3 if words == ("--source", "offsetbias") else 2  # the hub is out of reach
    text = ask("spct", "data", *words, "-o", tmp_path / "out", code=code)
    assert re.search(said, text), text
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_settings_is_not_overwritten(files: dict[str, Path]) -> None:
    words = ("spct", "data", "--source", files["mine"], "--against", "none", "-o", files["out"])
    ask(*words)
    before = (files["out"] / "items.jsonl").read_bytes()
    assert "holds a training set of other settings" in ask(*words, "--seed", 1, code=2)
    assert (files["out"] / "items.jsonl").read_bytes() == before


def from_the_hub(hub: Hub, folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    own = {"GRMEVAL_CACHE": str(folder / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}
    return process("spct", "data", *words, cwd=folder, env=own | hub.environment(folder / "hf"))


def test_every_packaged_set_comes_from_the_hub_at_its_commit(tmp_path: Path) -> None:
    pinned = {
        "nvidia/HelpSteer2": "990b2711a36180dd19d9c94b8627844866f8982a",
        "Skywork/Skywork-Reward-Preference-80K-v0.2": "196326738b67b9c3e6aa6829cab639d8401ad385",
        "openbmb/UltraFeedback": "40b436560ca83a8dba36114c22ab3c66e43f6d5e",
    }
    files = {("dataset", hub_id): content for hub_id, content in FILES.items()}
    sources = [word for name in training_sets() for word in ("--source", name)]
    with serve(Hub(files=files, commits=pinned)) as hub:
        found = from_the_hub(hub, tmp_path, *sources, "--against", "none", "-o", "out", "--json")
        assert found.returncode == 0, found.stderr
    record = json.loads(found.stdout)
    kept = {each["name"]: (each["rows"], each["kept"]) for each in record["sources"]}
    assert kept == {
        "helpsteer2-preference": (3, 2),
        "math": (8, 8),
        "math-pairs": (8, 1),
        "offsetbias": (2, 2),
        "skywork-reward-preference": (3, 2),
        "ultrafeedback": (4, 2),
    }
    origins = {each["origin"] for each in record["sources"]}
    assert {f"hub:{hub_id}@{sha}" for hub_id, sha in pinned.items()} <= origins
    assert load(str(tmp_path / "out" / "bench.toml")).content_hash == record["content_hash"]


# ---------------------------------------------------------------------- data overlap


def test_two_sets_are_compared_by_prompt_and_by_response(files: dict[str, Path]) -> None:
    text = ask("data", "overlap", files["mine"], files["bench"], "sample")
    said = " ".join(text.split())
    assert "texts of benchmarks in mine.jsonl, 5 items" in said
    assert "bench prompts 2 2 0 2 0" in said
    assert "bench responses 1 0 1 0 1" in said
    assert "no text is held of: sample" in said
    assert "mine/2 holds 100 % of bench bench/0, its response" in said
    assert "Something else" not in text
    found = json.loads(ask("data", "overlap", files["mine"], files["bench"], "--json"))
    assert (found["rows"], found["items"], found["ngram"]) == ("mine", 5, 13)
    assert [(each["kind"], each["exact"], each["near"]) for each in found["overlaps"]] == [
        ("prompt", 2, 0),
        ("response", 0, 1),
    ]
    longer = json.loads(
        ask("data", "overlap", files["mine"], files["bench"], "--ngram", 30, "--json")
    )
    assert [each["rows_near"] for each in longer["overlaps"]] == [0, 0]


def test_what_is_compared_has_a_name_of_its_own(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = bench(tmp_path / "other", row("Another?"))
    said = ask("data", "overlap", files["mine"], files["bench"], other, code=2)
    assert f"{other}: another one has the id 'bench' too" in said
    said = ask("data", "overlap", "ppe", "sample", code=2)
    assert "ppe: is a group; name one benchmark or file of rows" in said


def test_a_benchmark_that_is_no_plain_text_is_named_and_not_shown(tmp_path: Path) -> None:
    texts = [row(f"{SECRET} {QUESTION}", f"{SECRET} {ANSWER}", "no", id=7)]
    (tmp_path / "data.zip").write_bytes(encrypted_zip({"data/a.jsonl": lines(texts)}, "word"))
    (tmp_path / "locked.toml").write_text(
        'id = "locked"\ntitle = "Locked"\n[source]\ngithub = "o/n"\nrevision = "v1"\narchive = "data.zip"\n'
        'root = "data"\npassword = "word"\nrestricted = true\n'
        '[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\n'
    )
    mine = bench(tmp_path, texts[0], row("Name a lake."), name="mine")
    against = (
        "--against",
        tmp_path / "locked.toml",
        "--data",
        f"locked.toml={tmp_path / 'data.zip'}",
    )
    found = grmeval("spct", "data", "--source", mine, *against, "-o", tmp_path / "out")
    assert found.returncode == 0, found.stderr
    assert "locked prompts 1 1 0 1 0" in " ".join(found.stdout.split())
    assert SECRET not in found.stdout + found.stderr
    written = [path.read_text("utf-8") for path in (tmp_path / "out").iterdir()]
    assert [SECRET in text for text in written] == [False] * 3
    assert '"item": "a/7"' in "".join(written)


@on_official_rows(SHARED / "JudgeBench.tar.xz")
def test_a_benchmark_shares_all_with_itself() -> None:
    copy = f"--data=judgebench={SHARED / 'JudgeBench.tar.xz'}"
    found = json.loads(ask("data", "overlap", "judgebench", "judgebench", copy, "--json"))
    for each in found["overlaps"]:
        assert each["exact"] == each["texts"] > 0
        assert each["rows_exact"] == found["items"] == 620


def test_the_sources_and_defaults_of_the_help_are_those_there_are() -> None:
    text = " ".join(ask("spct", "data", "--help").split())
    for name in training_sets():
        assert name in text.replace("- ", "-"), name
    usual = {each.name: each.default for each in signature(data).parameters.values()}
    assert {name: usual[name] for name in ("ngram", "threshold", "max_characters", "seed")} == {
        name: getattr(Settings(), name) for name in ("ngram", "threshold", "max_characters", "seed")
    }
