"""`--prices` as a user gives it: what is shown, what is written, and what a file may not say."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.store import RunFolder, latest
from tests.helpers import grmeval, sampled

GOOD = """
currency = "USD"
[models.fake]
prompt = 1
cached = 0.5
generated = 2.0
[models.rm]
gpu_hour = 3
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return sampled(tmp_path_factory.mktemp("prices"), k=2)


def written(tmp_path: Path, text: str = GOOD) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(text, "utf-8")
    return path


def per_thousand(path: Path, k: int = 2) -> float:
    """By hand: 1 and 2 a million tokens, of 75 items."""
    record: dict[str, Any] = json.loads((path / "run.json").read_text("utf-8"))
    (launch,) = record["launches"]
    assert launch["samples"] == 75 * k
    return float((launch["prompt_tokens"] + 2 * launch["tokens"]) / 1e6 / 75 * 1000)


@pytest.mark.usefixtures("children_here")
def test_a_run_says_what_it_cost_with_its_meta_rm(tmp_path: Path) -> None:
    words = ("--engine", "fake", "--k", 2, "--meta-model", "rm", "--results", tmp_path / "r")
    found = grmeval("run", *words, "--prices", written(tmp_path))
    assert found.returncode == 0, found.stderr
    folder = latest(tmp_path / "r")
    saved = json.loads((folder / "accuracy.json").read_text("utf-8"), parse_constant=pytest.fail)
    plain, guided = (saved["cost"][vote] for vote in ("sum", "meta:rm"))
    assert set(plain) == {
        *(
            "samples",
            "mean_samples",
            "items",
            "tokens_per_item",
            "judge",
            "critic",
            "meta",
            "price",
        ),
        *("currency", "notes"),
    }
    assert set(plain["judge"]) == set(guided["meta"])
    assert (plain["samples"], plain["items"], plain["currency"]) == (2, 75, "USD")
    assert plain["price"] == pytest.approx(per_thousand(folder))
    record = json.loads((folder / "rewards" / "rm.json").read_text("utf-8"))
    (launch,) = record["launches"]
    assert (launch["devices"], launch["model"]) == (1, "rm")
    assert guided["meta"]["prompt_tokens"] == launch["prompt_tokens"]
    more = launch["seconds"] / 3600 * 3 / 75 * 1000
    assert guided["price"] == pytest.approx(plain["price"] + more)
    assert found.stdout.count("cost: 2 samples an item, ") == 1
    assert found.stdout.count("cost of meta RM rm: ") == 1
    head, *_ = (folder / "accuracy.csv").read_text("utf-8").splitlines()
    assert not {"cost", "price", "seconds"} & set(head.split(","))


def test_without_prices_there_is_no_money(run: RunFolder) -> None:
    found = json.loads(grmeval("score", run.path, "--json").stdout, parse_constant=pytest.fail)
    assert (found["cost"]["sum"]["price"], found["cost"]["sum"]["currency"]) == (None, None)
    assert "per 1,000 items" not in grmeval("score", run.path).stdout


def test_the_settings_file_names_the_prices_too(run: RunFolder, tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "grmeval.toml").write_text('prices = "prices.toml"\n', "utf-8")
    wanted = pytest.approx(per_thousand(run.path))
    results = run.path.parents[2]
    for words in (("score", run.path), ("run", "--engine", "fake", "--k", 2, "--results", results)):
        found = grmeval(*words, "--json", cwd=tmp_path)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["cost"]["sum"]["price"] == wanted
    # A flag wins.
    free = tmp_path / "free.toml"
    free.write_text(GOOD.replace("prompt = 1", "prompt = 0").replace("2.0", "0"), "utf-8")
    found = grmeval("score", run.path, "--json", "--prices", free, cwd=tmp_path)
    assert json.loads(found.stdout)["cost"]["sum"]["price"] == 0


def test_curves_and_comparisons_have_prices(run: RunFolder, tmp_path: Path) -> None:
    prices = written(tmp_path)
    found = grmeval("scale-curve", run.path, "--vote", "sum", "--prices", prices, "--save")
    assert found.returncode == 0, found.stderr
    assert "USD/1k" in found.stdout
    with (run.path / "scaling.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["level"] == "overall"]
    whole = per_thousand(run.path)
    assert [float(row["price"]) for row in rows] == pytest.approx([whole / 2, whole])
    assert {row["currency"] for row in rows} == {"USD"}
    other = sampled(tmp_path / "r", k=2, engine_args={"chars": 900})
    words = ("compare", run.path, other.path, "--prices", prices)
    shown = grmeval(*words)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count(" USD per 1,000 items") == 2
    assert shown.stdout.count("not the same effort: ") == 1
    read = json.loads(grmeval(*words, "--json").stdout, parse_constant=pytest.fail)
    found_prices = [votes["sum"]["price"] for votes in read["cost"].values()]
    assert found_prices == pytest.approx([whole, per_thousand(other.path)])


def test_a_model_without_a_price_is_a_note(run: RunFolder, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("models.fake", "models.other"))
    for command in ("score", "scale-curve"):
        found = grmeval(command, run.path, "--prices", path)
        assert found.returncode == 0, found.stderr
        assert f"no price of fake in {path}" in found.stdout
        assert "/1k" not in found.stdout


TABLE = '[models."my-org/m"]\n'
HEAD = f'currency = "USD"\n{TABLE}'
KEY = 'models."my-org/m"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currency = ", "not a TOML file"),
        (TABLE + "gpu_hour = 1", "currency is missing"),
        ('currency = "USD"', "models is missing"),
        ('currency = "USD"\n[models]', "models: "),
        *(
            (
                f'currency = "{word}"\n' + TABLE + "gpu_hour = 1",
                "currency: expected 1 to 8 printable",
            )
            for word in ("", "US dollar", "x" * 9, "U\\u001bD", "\\u00a0")
        ),
        (HEAD + "prompt = 1e300\ngenerated = 1", f"{KEY}.prompt: "),
        (HEAD + "gpu_hour = 1e10", f"{KEY}.gpu_hour: "),
        ("curency = 1\n" + HEAD + "gpu_hour = 1", "unknown key curency; allowed: currency, models"),
        (HEAD + "promt = 1", f"unknown key {KEY}.promt; "),
        (HEAD + "promt = 1", "did you mean 'prompt'?"),
        (HEAD + "prompt = -1\ngenerated = 1", f"{KEY}.prompt: "),
        (HEAD + "prompt = nan\ngenerated = 1", f"{KEY}.prompt: "),
        (HEAD + "prompt = 1\ngenerated = inf", f"{KEY}.generated: "),
        (HEAD + "gpu_hour = -0.5", f"{KEY}.gpu_hour: "),
        (HEAD + 'gpu_hour = "2"', f"{KEY}.gpu_hour: "),
        (HEAD + "gpu_hour = true", f"{KEY}.gpu_hour: "),
        (HEAD, f"{KEY}: expected prompt and generated"),
        (HEAD + "prompt = 1", f"{KEY}: expected prompt and generated"),
        (HEAD + "cached = 1\ngpu_hour = 1", f"{KEY}: expected prompt and generated"),
        (HEAD + "prompt = 1\ngenerated = 1\ngpu_hour = 1", f"{KEY}: expected prompt and generated"),
        ('currency = "USD"\n[models]\nm = 3', 'models."m": '),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_sampled(
    tmp_path: Path, text: str, said: str
) -> None:
    path = written(tmp_path, text)
    words = ("--engine", "fake", "--k", 1, "--results", tmp_path / "r")
    found = grmeval("run", *words, "--prices", path)
    assert (found.returncode, found.stdout) == (2, ""), found.stderr
    error = " ".join(found.stderr.split())
    assert str(path) in error
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("command", ["score", "compare", "scale-curve"])
def test_every_command_refuses_a_bad_file(run: RunFolder, tmp_path: Path, command: str) -> None:
    for path in (tmp_path / "absent.toml", written(tmp_path, HEAD + "gpu_hour = -1")):
        folders = (run.path, run.path) if command == "compare" else (run.path,)
        found = grmeval(command, *folders, "--prices", path)
        assert (found.returncode, found.stdout) == (2, "")
        assert str(path) in " ".join(found.stderr.split())
