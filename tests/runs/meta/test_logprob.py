"""A sample's own log-probability as its meta reward: kept when asked, no model, no rows of the benchmark."""

import json
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from grmeval.engines.scorer import LOGPROB
from grmeval.errors import ConfigError
from grmeval.measure import roc_auc
from grmeval.runs import configure, prepare
from grmeval.runs.meta import Scored, configure_meta, meta_score, prepare_meta
from grmeval.store import RunFolder
from grmeval.train.reward import correct
from tests.helpers import ask, grmeval, rows, sampled
from tests.runs.meta.test_score import Watcher, stored

KEPT: dict[str, Any] = {"keep_logprob": True}


def scored(folder: RunFolder, **more: Any) -> Scored:
    plan = prepare_meta(configure_meta({"model": LOGPROB} | more))
    return meta_score([folder], plan, Watcher())[0]


def test_it_is_the_reward_of_each_sample_that_ended_normally(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=4, engine_args={"truncated": 0.2, "no_score": 0.1}, **KEPT)
    ended = {
        (row["subset"], row["id"], row["j"]): row["logprob"]
        for row in rows(folder.path)
        if row["finish"] == "stop"
    }
    assert all(value < 0 for value in ended.values())
    found = scored(folder)
    assert (found.name, found.new, found.without) == (LOGPROB, len(ended), {})
    assert stored(folder, LOGPROB) == ended
    assert scored(folder).new == 0
    record = json.loads((folder.path / "rewards" / "logprob.json").read_text("utf-8"))
    assert record["identity"] == {"engine": "samples", "model": LOGPROB}


def test_to_keep_it_changes_neither_the_run_nor_a_text(tmp_path: Path) -> None:
    plain, kept = sampled(tmp_path / "plain", k=3), sampled(tmp_path / "kept", k=3, **KEPT)
    assert plain.path.name == kept.path.name
    assert [row | {"logprob": None} for row in rows(kept.path)] == rows(plain.path)


@pytest.mark.parametrize("auc", [0.3, 0.9])
def test_the_fakes_tells_right_from_wrong_as_often_as_it_says(tmp_path: Path, auc: float) -> None:
    given = {"logprob_auc": auc, "accuracy": 0.5, "no_score": 0.1}
    folder = sampled(tmp_path, k=16, engine_args=given, **KEPT)
    labels = {(row["subset"], row["id"]): row["quality"] for row in folder.items().to_pylist()}
    found = rows(folder.path)
    right = np.array([correct(r["scores"], labels[r["subset"], r["id"]]) for r in found])
    measured = roc_auc(np.array([row["logprob"] for row in found]), right)
    # Hanley and McNeil (1982): the largest variance that an AUC of this many can have.
    error = sqrt(auc * (1 - auc) / min(right.sum(), (~right).sum()))
    assert abs(measured - auc) < 3.29 * error


def test_neither_rows_nor_a_model_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"id": "1", "prompt": "2 + 2?", "responses": ["4", "5"], "quality": [1, 0]}
    path.write_text(json.dumps(row) + "\n", "utf-8")
    folder = sampled(tmp_path / "r", bench=str(path), k=2, **KEPT)
    path.unlink()
    assert scored(folder).new == 2


def test_a_run_without_them_says_what_to_do(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1)
    said = r"drawn without --keep-logprob, and none is drawn again; .* --keep-logprob --seed N"
    with pytest.raises(ConfigError, match=said):
        scored(folder)
    # Of an older grmeval: there is no such column.
    path = folder.path / "samples.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["logprob"]), path)
    with pytest.raises(ConfigError, match=said):
        scored(folder)
    assert not (folder.path / "rewards" / "logprob.parquet").exists()


def test_samples_of_before_it_was_kept_have_a_named_reason(tmp_path: Path) -> None:
    sampled(tmp_path, k=2, limit=10)
    found = scored(sampled(tmp_path, k=4, limit=10, **KEPT))
    assert (found.new, found.without) == (40, {"no_logprob": 20})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"template": Path("meta.jinja")}, "drop template"),
        ({"engine_args": {"auc": 0.9}}, "drop engine args"),
        ({"dtype": "float32"}, "drop dtype"),
    ],
)
def test_settings_of_a_model_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=f"no model is asked: {said}"):
        configure_meta({"model": LOGPROB} | settings)


def test_a_head_writes_nothing_that_has_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--keep-logprob: judge scalar gives numbers"):
        prepare(configure({"engine": "fake", "judge": "scalar", "k": 1, **KEPT}))


def test_one_command_samples_scores_and_votes(tmp_path: Path) -> None:
    fake = ("--engine", "fake", "--engine-arg", "accuracy=0.5", "--k", 8, "--limit", 40)
    run = ("run", *fake, "--results", tmp_path, "--meta-model", LOGPROB)
    said = ask(*run, code=2)
    assert "--meta-model logprob: each judgement's own log-probability; add --keep-logprob" in said
    found = grmeval(*run, "--keep-logprob", "--engine-arg", "logprob_auc=0.95", "--json")
    assert found.returncode == 0, found.stderr
    table = json.loads(found.stdout)["rows"]
    gained = {row["vote"]: row["value"] for row in table if row["level"] == "overall"}
    assert gained["meta:logprob"] > gained["sum"]
    again = ask("meta-score", "latest", "--results", tmp_path, "--meta-model", LOGPROB)
    assert "320 judgements were asked of logprob before, none is missing" in again
    shown = ask("score", "latest", "--results", tmp_path, "--vote", "meta:logprob", "--k-meta", 2)
    assert "cost of meta RM" not in shown  # the judge's own numbers
