"""Lines of metrics: what is kept of a trainer's logs."""

from pathlib import Path

import pytest

from grmeval.errors import EngineError
from grmeval.train.folder import TrainingFolder
from grmeval.train.recorder import _Record


def folder(path: Path) -> TrainingFolder:
    return TrainingFolder.open(path / "out", {"stage": "rft", "config": {}}, {})


def test_a_count_that_begins_again_after_a_resume_goes_on(tmp_path: Path) -> None:
    made = folder(tmp_path)
    for step, tokens in ((1, 100), (2, 250)):
        _Record(made).add(step, {"loss": 1.0, "num_tokens": tokens})
    again = _Record(made)
    for step, tokens in ((3, 120), (4, 200), (5, 350)):
        again.add(step, {"loss": 1.0, "num_tokens": tokens})
    assert [row["num_tokens"] for row in made.metrics()] == [100, 250, 370, 450, 600]


def test_a_count_that_a_trainer_restores_itself_is_left(tmp_path: Path) -> None:
    made = folder(tmp_path)
    _Record(made).add(1, {"num_tokens": 100})
    _Record(made).add(2, {"num_tokens": 250})
    assert [row["num_tokens"] for row in made.metrics()] == [100, 250]


def test_what_says_how_fast_a_machine_was_is_no_metric(tmp_path: Path) -> None:
    made = folder(tmp_path)
    logs = {"eval_auc": 0.5, "eval_runtime": 3.2, "eval_samples_per_second": 8.0}
    _Record(made).add(1, logs)
    assert made.metrics() == [{"step": 1, "eval_auc": 0.5}]


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
def test_a_number_that_is_none_ends_the_training(name: str, tmp_path: Path) -> None:
    made = folder(tmp_path)
    with pytest.raises(EngineError, match=f"{name} is nan at step 7: a lower learning_rate"):
        _Record(made).add(7, {"loss": 1.0, name: float("nan")})
