"""Suites: what the packaged one holds, what a file of the user's may not hold, and how runs are planned."""

from pathlib import Path
from typing import Any

import pytest

from grmeval import resources
from grmeval.config import RunConfig
from grmeval.errors import ConfigError, InfrastructureError, UsageError
from grmeval.judges import JUDGES
from grmeval.report.published import select
from grmeval.report.suite import needed
from grmeval.runs import extend, prepare
from grmeval.runs.suite import Choices, Planner, Suite, commands, read_suite, suites
from tests.benches.test_rewardbench import rows
from tests.helpers import Quiet

SUITE = """
title = "mine"
protocol = "paper"
[models]
grm = { title = "the GRM" }
meta = { title = "its meta RM" }
other = { title = "another" }
[estimate]
generated = 100
generated_per_second = 50
prompt_per_second = 1000
[runs.greedy]
model = "grm"
bench = ["rewardbench"]
settings = { temperature = 0.0, orders = "random" }
[runs.sampled]
model = "grm"
meta = "meta"
bench = ["rewardbench"]
settings = { k = 8, max_tokens = 80 }
[runs.other]
model = "other"
bench = ["rewardbench"]
[[tables]]
table = "8"
rows = [
  { row = "DeepSeek-GRM-27B Greedy", run = "greedy" },
  { row = "DeepSeek-GRM-27B Voting@8", run = "sampled", k = 8 },
  { row = "DeepSeek-GRM-27B Voting@8 (MetaRM)", run = "sampled", k = 8, vote = "meta" },
  { row = "LLM-as-a-Judge Greedy", run = "other" },
]
"""


def own(folder: Path, text: str = SUITE) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def planner(folder: Path, fetch: bool = True, **choices: Any) -> Planner:
    """Of the suite above, with the fake engine, on made-up rows."""
    (folder / "rb").mkdir(exist_ok=True)
    data = {"rewardbench": rows(folder / "rb", {"donotanswer": 6, "hep-python": 6})}
    settings = {"engine": "fake", "results": folder / "results"}
    chosen = Choices(
        **{"models": {}, "settings": settings | choices.pop("settings", {}), "data": data} | choices
    )
    return Planner(read_suite(str(own(folder)))[1], chosen, fetch)


# ------------------------------------------------------------------ the packaged suite


@pytest.fixture(scope="module")
def packaged() -> Suite:
    return read_suite("deepseek-grm")[1]


def test_every_row_of_the_tables_is_there_but_those_of_public_models(packaged: Suite) -> None:
    assert [table.table for table in packaged.tables] == ["2", "6", "7", "11", "12"]
    for table in packaged.tables:
        printed = {n.row: n.setting for n in select(table.table)[0].numbers}
        reproduced = [row for row, of in printed.items() if of != "Public models, as reported"]
        assert [row.row for row in table.rows] == reproduced


def test_its_rows_ask_for_what_their_runs_give(packaged: Suite) -> None:
    for table in packaged.tables:
        for row in table.rows:
            run = packaged.runs[row.run]
            judge = JUDGES[run.settings.get("judge", "pointwise")]
            greedy = run.settings.get("temperature") == 0.0
            assert row.k <= run.settings.get("k", 1 if greedy or judge.most else 8), row
            assert row.vote in judge.votes or (row.vote == "meta" and run.meta), row
            assert row.row.endswith("(MetaRM)") <= (row.vote == "meta")
    read = {run.critiques for run in packaged.runs.values()}
    used = {row.run for table in packaged.tables for row in table.rows} | read
    assert used - {None} == packaged.runs.keys()
    roles = {role for run in packaged.runs.values() for role in (run.model, run.meta)}
    assert roles - {None} == packaged.models.keys()


def test_a_table_alone_takes_what_it_prints(packaged: Suite) -> None:
    def alone(name: str) -> dict[str, tuple[str, ...]]:
        kept = tuple(table for table in packaged.tables if table.table == name)
        runs = needed(packaged.model_copy(update={"tables": kept})).runs
        return {run: what.bench for run, what in runs.items()}

    assert alone("11") == {"greedy": ("rmb",), "pairs": ("rmb",)}
    correct = ("ppe-correctness",)
    assert alone("12") == {"greedy": correct, "sampled": correct, "reference": correct}
    whole = alone("2")
    assert set(whole.values()) == {("grm-overall",)}
    assert {"cloud-greedy", "critiques-greedy"} <= whole.keys()
    assert needed(packaged) == packaged


def test_what_suites_there_are() -> None:
    files = (resources.tasks() / "suites").glob("*.toml")
    assert suites() == sorted(path.stem for path in files) == ["deepseek-grm"]


# ------------------------------------------------------------------ a file of the user's


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('model = "other"', 'model = "othr"', "runs.other: 'othr': allowed: grm, meta, other"),
        ('meta = "meta"', 'meta = "mta"', "did you mean 'meta'"),
        ('run = "other"', 'run = "others"', "table 8, LLM-as-a-Judge Greedy: 'others'"),
        ("k = 8, max", "kk = 8, max", "runs.sampled.settings: 'kk'"),
        (
            'model = "other"',
            'model = "other"\ncritiques = "other"',
            "runs.other.critiques: 'other'",
        ),
        ("k = 8 }", "k = 0 }", "tables.0.rows.1.k"),
        ("generated = 100", "generated = -1", "estimate.generated"),
        ('title = "mine"', "", "title: Field required"),
        ('title = "mine"', 'title = "mine"\nk = 3', "k: Extra inputs"),
    ],
)
def test_a_mistake_in_it_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SUITE
    path = own(tmp_path, SUITE.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        read_suite(str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


def test_no_such_suite(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'deepseek-grm'"):
        read_suite("deepseek")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_suite(str(tmp_path / "none.toml"))


# ------------------------------------------------------------------ jobs


def test_a_suite_wins_over_what_holds_for_every_run(tmp_path: Path) -> None:
    made = planner(tmp_path, settings={"limit": 4, "max_tokens": 99, "temperature": 0.7})
    greedy, sampled = (made.plan(run)[0] for run in ("greedy", "sampled"))
    assert greedy.settings["temperature"] == 0.0
    assert greedy.settings["max_tokens"] == 99
    assert (sampled.settings["temperature"], sampled.settings["max_tokens"]) == (0.7, 80)
    assert (greedy.k, sampled.k) == (1, 8)
    assert sampled.meta == "fake"
    assert greedy.work
    assert greedy.work.items == 4


def test_k_is_a_ceiling(tmp_path: Path) -> None:
    made = planner(tmp_path, k=2)
    assert [made.plan(run)[0].k for run in ("greedy", "sampled", "other")] == [1, 2, 2]


def test_what_no_model_is_named_for_says_so(tmp_path: Path) -> None:
    made = planner(tmp_path, models={"grm": "demo"}, settings={"engine": "vllm"})
    assert made.plan("other")[0].lacks == "no model: --model other=NAME names another"
    found = made.plan("sampled")[0]
    assert found.lacks is None
    assert found.meta_lacks == "no model: --model meta=NAME names its meta RM"
    assert "meta_model" not in found.settings


def test_rows_that_are_nowhere(tmp_path: Path) -> None:
    made = planner(tmp_path, data={"rewardbench": tmp_path / "none"})
    with pytest.raises(
        UsageError, match=r"^greedy on rewardbench: --bench rewardbench --data .*none"
    ):
        made.plan("greedy")


def test_a_hub_that_does_not_answer_is_no_mistake_and_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise InfrastructureError("nobody answers")

    monkeypatch.setattr("grmeval.runs.suite.planner.at_hand", lambda spec, beside: False)
    monkeypatch.setattr("grmeval.runs.suite.planner.load", silent)
    job = planner(tmp_path, data={}).plan("greedy")[0]
    assert (job.lacks, job.broken) == ("no rows: nobody answers", True)


def test_defaults_are_for_who_names_no_model(packaged: Suite, tmp_path: Path) -> None:
    settings = {"results": tmp_path / "results"}
    mine = Planner(packaged, Choices({"grm": "demo"}, settings, {}), fetch=False)
    assert "meta_model" not in mine.plan("sampled")[0].settings
    theirs = Planner(packaged, Choices({}, settings, {}), fetch=False)
    found = theirs.plan("sampled")[0].settings
    assert (found["model"], found["meta_model"]) == ("deepseek-grm-27b", "deepseek-grm-27b-meta")


def test_a_mistake_names_run_and_benchmark(tmp_path: Path) -> None:
    made = planner(tmp_path, settings={"max_tokens": "abc"})
    with pytest.raises(ConfigError, match=r"^greedy on rewardbench: --max-tokens: "):
        made.plan("greedy")


def test_a_fraction_is_passed_on_to_the_last_digit(tmp_path: Path) -> None:
    made = planner(tmp_path, settings={"top_p": 0.1234567})
    [(_, words)] = commands(made.plan("greedy"))
    assert words[words.index("--top-p") + 1] == "0.1234567"


def test_rewards_that_are_missing_are_work(tmp_path: Path) -> None:
    made = planner(tmp_path)
    job = made.plan("sampled")[0]
    settings = {name: value for name, value in job.settings.items() if name != "meta_model"}
    extend(prepare(RunConfig(**settings)), Quiet())
    work = made.plan("sampled")[0].work
    assert work
    assert (work.samples, work.tokens) == (0, 0)
    assert not work.done
    assert work.prompt_tokens
    assert work.prompt_tokens > 96 * 80
    assert work.seconds == work.prompt_tokens / 1000


def test_what_is_not_here_is_not_fetched_by_a_dry_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("grmeval.runs.suite.planner.at_hand", lambda spec, beside: False)
    job = planner(tmp_path, fetch=False, data={}, settings={"limit": 100}).plan("sampled")[0]
    assert job.work
    assert (job.work.items, job.work.samples, job.work.prompt_tokens) == (100, 800, None)
    assert job.work.tokens == 800 * 80  # at most --max-tokens
    assert job.work.seconds == 800 * 80 / 50
    assert not job.work.done


def test_work_is_what_is_still_missing_and_measured_once_it_can_be(tmp_path: Path) -> None:
    made = planner(tmp_path)
    job = made.plan("sampled")[0]
    assert job.work
    assert (job.work.items, job.work.samples, job.work.measured) == (12, 96, False)
    assert job.work.tokens == 96 * 80
    prompts = job.work.prompt_tokens
    assert prompts
    # Each of two orders is asked once; a meta RM reads a prompt and a judgement for each of 96 samples.
    alone = (prompts - 96 * 80) / (1 + 96 / 24)
    assert job.work.seconds == pytest.approx(96 * 80 / 50 + prompts / 1000)
    assert alone == pytest.approx(24 * 560, rel=0.3)

    few = planner(tmp_path, settings={"limit": 6}).plan("other")[0]
    extend(prepare(RunConfig(**few.settings)), Quiet())
    job = made.plan("other")[0]
    assert job.work
    assert (job.work.items, job.work.samples, job.work.measured) == (6, 48, True)
    assert not job.work.done  # however little time it took
    folder = job.path
    assert folder
    record = (folder / "run.json").read_text("utf-8")
    assert f'"tokens": {job.work.tokens}' in record  # as many again
    assert planner(tmp_path, settings={"limit": 6}).plan("other")[0].work.samples == 0  # type: ignore[union-attr]
    # Other runs of the judge are as long as that one.
    work = made.plan("sampled")[0].work
    assert work
    assert (work.tokens, work.measured) == (2 * job.work.tokens, False)
    assert work.tokens < 96 * 80


def test_a_command_for_the_benchmarks_of_a_run(tmp_path: Path) -> None:
    made = planner(tmp_path, settings={"engine_args": {"accuracy": 0.9}})
    [(jobs, words)] = commands(made.plan("sampled"))
    assert [job.bench for job in jobs] == ["rewardbench"]
    data, results = tmp_path / "rb", tmp_path / "results"
    assert " ".join(words) == (
        f"run --bench rewardbench --data rewardbench={data} --engine fake --results {results} "
        "--engine-arg accuracy=0.9 --k 8 --max-tokens 80 --meta-model fake"
    )
