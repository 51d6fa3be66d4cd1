"""`grmeval plan`: what a run would take, as a table and as JSON; plan and fact of a run that is there."""

import csv
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.cli.plan import plan
from grmeval.cli.run import run
from grmeval.engines.models import resolve
from grmeval.engines.server import served
from grmeval.store import RunFolder
from tests.engines.server.chat_server import serving
from tests.helpers import ask, grmeval, sampled

FAKE = ("plan", "--engine", "fake", "--k", 4, "--limit", 8)


def found(*words: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ask(*words, "--json"), parse_constant=pytest.fail)
    return answer


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The packaged model's tokenizer and config, beside weights that nobody could load."""
    base, folder = Path(resolve("demo", None).location), tmp_path / "small"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (folder / name).symlink_to(base / name)
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_plan_takes_every_option_that_changes_what_run_asks() -> None:
    names = {*inspect.signature(run).parameters} - {*inspect.signature(plan).parameters}
    assert names == {"name", "save", "beside"}


@pytest.mark.vllm
@pytest.mark.filterwarnings("default")
def test_a_plan_of_a_real_model_on_a_gpu(model: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('currency = "EUR"\n[models.small]\ngpu_hour = 3600.0\n')
    words = ("plan", "--model", model, "--k", 4, "--limit", 8, "--results", tmp_path / "r")
    answer = found(*words, "--gpu", "l4", "--tensor-parallel", 2, "--prices", prices)
    (row,) = answer["rows"]
    assert (row["items"], row["samples"], row["have"]) == (8, 32, 0)
    assert 0 < row["cached_tokens"] < row["prompt_tokens"]
    assert row["most"]
    assert row["tokens"] == 32 * 1024
    assert row["gpu_hours"] == 2 * row["hours"] > 0
    assert row["price"] == pytest.approx(3600 * row["gpu_hours"])
    assert (answer["about"]["gpu"], answer["about"]["gpus"]) == ("NVIDIA L4", 2)
    notes = " ".join(answer["notes"])
    for said in ("own tokenizer", "--limit 32 --k 2", "bound of 2 × NVIDIA L4: 0.3 GB of weights"):
        assert said in notes
    assert not (tmp_path / "r").exists()

    table = ask(*words, "--gpu", "l4", "--engine-arg", "gpu_memory_utilization=0.001")
    assert "does not fit: 0.3 GB of weights" in table
    assert "≤ 32,768" in table
    assert "of which GPU? --gpu NAME" in ask(*words)
    wrong = ask(*words, "--gpu", "l4", "--engine-arg", "max_num_seqs=many", code=2)
    assert "--engine-arg max_num_seqs='many': expected a number above 0" in wrong


def test_a_run_that_is_there_stands_beside_its_plan(tmp_path: Path) -> None:
    results = tmp_path / "r"
    before = sampled(results, k=2, limit=10, seed=3)
    folder = sampled(results, k=2, limit=10)
    sampled(results, k=4, limit=10)
    prices = tmp_path / "prices.toml"
    prices.write_text('currency = "EUR"\n[models.fake]\nprompt = 1.0\ngenerated = 2.0\n')
    answer = found("plan", folder.path, "--results", results, "--prices", prices)
    launches = RunFolder(folder.path).record["launches"]
    read, wrote, seconds = (
        sum(launch[name] for launch in launches)
        for name in ("prompt_tokens", "tokens", "sample_seconds")
    )
    each = RunFolder(before.path).record["totals"]["tokens"] / 20
    rows = {row["name"]: (row["plan"], row["fact"], row["ratio"]) for row in answer["rows"]}
    assert rows["samples"] == (40, 40, 1)
    assert rows["prompt tokens"] == (read, read, 1)
    assert rows["of them cached"] == (0, 0, None)
    assert rows["generated tokens"] == (round(40 * each), wrote, wrote / round(40 * each))
    assert rows["hours"] == (None, pytest.approx(seconds / 3600), None)
    planned, fact, _ = rows["price, EUR"]
    assert planned == pytest.approx((read + 2 * round(40 * each)) / 1e6)
    assert fact == pytest.approx((read + 2 * wrote) / 1e6)
    assert "the plan is of one launch, the run had 2" in answer["notes"]

    (tmp_path / "out").mkdir()
    ask("plan", folder.path, "--results", results, "--to", tmp_path / "out" / "p.csv")
    with (tmp_path / "out" / "p.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == list(rows)[:-1]


def test_several_benchmarks_are_added_up(tmp_path: Path) -> None:
    own = tmp_path / "mine.jsonl"
    own.write_text('{"id": "1", "prompt": "Two?", "chosen": "2", "rejected": "3"}\n')
    words = (*FAKE, "--results", tmp_path / "r", "--bench", "sample", "--bench", own)
    done = grmeval(*words, "--to", tmp_path / "plan")
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in sorted(tmp_path.glob("plan.*"))] == [".csv", ".json", ".md"]
    rows = json.loads((tmp_path / "plan.json").read_text("utf-8"))["rows"]
    assert [row["bench"] for row in rows] == ["sample", "mine", "together"]
    assert [row["samples"] for row in rows] == [32, 4, 36]
    assert rows[2]["prompt_tokens"] == rows[0]["prompt_tokens"] + rows[1]["prompt_tokens"]
    assert "together" in done.stdout
    assert not (tmp_path / "r").exists()


def test_a_settings_file_and_greedy_count_as_for_run(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('engine = "fake"\nlimit = 3\nmax_tokens = 50\n')
    answer = found("plan", "--config", config, "--greedy", "--results", tmp_path)
    (row,) = answer["rows"]
    assert (row["samples"], row["k"], row["tokens"]) == (3, 1, 150)


def test_a_model_out_of_reach_is_planned_by_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    done = grmeval("plan", "--model", "o/m", "--limit", 4, "--k", 2, "--gpu", "h200")
    assert done.returncode == 0, done.stderr
    assert "plan: o/m, judge pointwise" in done.stdout
    assert "note: --model o/m: the hub is out of reach" in done.stderr
    assert "the tokenizer of o/m is not at hand: exact where it is" in done.stdout
    assert "no bound: the model's config.json is not at hand" in done.stdout


def test_of_a_served_model_a_prompt_counts_once_a_request(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(
        'currency = "EUR"\n[models.mine]\nprompt = 1.0\ncached = 0.1\ngenerated = 0.0\n'
    )
    asks = ("--limit", 6, "--k", 12, "--max-tokens", 64, "--results", tmp_path / "r")
    with serving() as there:
        model = ("--engine", "server", "--base-url", there.url, "--model-tag", "mine")
        answer = found("plan", *model, *asks, "--prices", prices)
        ask("run", *model, *asks, "--bench", "sample")
    (row,) = answer["rows"]
    assert answer["about"]["model"] == "mine"
    assert row["cached_tokens"] is None
    assert row["price"] == pytest.approx(row["prompt_tokens"] / 1e6)
    assert "a prompt counts once a request, of up to 8 samples" in " ".join(answer["notes"])
    # The server is gone by now: nobody is asked.
    rows = found("plan", "latest", "--results", tmp_path / "r")["rows"]
    ratios = {each["name"]: (each["plan"], each["ratio"]) for each in rows}
    assert ratios["prompt tokens"] == (row["prompt_tokens"], pytest.approx(1, abs=0.02))
    assert ratios["of them cached"] == (None, None)

    words = ("plan", "--engine", "batch", "--model", "o/m", *asks)
    (batch,) = found(*words)["rows"]
    assert batch["prompt_tokens"] > row["prompt_tokens"]
    assert batch["cached_tokens"] is None
    assert "the tokenizer is the server's" in ask(*words)


def test_a_served_model_that_nobody_names_and_nobody_tells_has_no_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "FIRST_SECONDS", 0.1)
    words = ("plan", "--engine", "server", "--base-url", "http://localhost:9/v1")
    assert "cannot be reached" in ask(*words, "--results", tmp_path, code=3)
    assert "plan: org/m, judge" in ask(*words, "--model", "org/m", "--results", tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpu", "h100"], "--gpu 'h100': there are h100-sxm, h100-pcie, h100-nvl; say which"),
        (["--gpu", "m60"], "--gpu 'm60': allowed: b200, h200"),
        (
            ["latest", "--judge", "index"],
            "--judge: a RUN has its own settings; drop it, or drop RUN",
        ),
        (["latest", "--bench", "rmb"], "--bench: a RUN has its own settings"),
        (["latest"], "no run with samples in it"),
        (["--k", "0"], "--k: input should be greater than or equal to 1"),
        (["--greedy", "--temperature", "0.5"], "--greedy is temperature 0"),
    ],
)
def test_mistakes_are_said(words: list[str], said: str, tmp_path: Path) -> None:
    engine = [] if "latest" in words else ["--engine", "fake"]
    assert said in ask("plan", *words, *engine, "--results", tmp_path, code=2)


def test_a_run_that_no_judge_here_made_has_no_plan(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    item = json.loads(ask("prompt", "sample", "--json"))
    line = {"subset": item["subset"], "id": item["id"], "j": 0, "scores": [7, 3]}
    rows.write_text(json.dumps(line) + "\n")
    ask("import", "scores", rows, "--bench", "sample", "--model", "x", "--results", tmp_path / "r")
    assert "nothing here can ask its judge" in ask(
        "plan", "latest", "--results", tmp_path / "r", code=2
    )
