"""Card, figure and signs of a training."""

import re
from pathlib import Path
from typing import Any

import pytest

from grmeval.report.signs import Signs
from grmeval.report.training import (
    TrainingProgress,
    card_text,
    running_mean,
    write_card,
    write_metrics_figure,
)
from grmeval.train.folder import TrainingFolder
from tests.helpers import ask

IDENTITY = {
    "stage": "rft",
    "config": {"model": {"dtype": "float32"}, "lora": None, "rft": {"learning_rate": 5e-6}},
    "model": "hub:a/b@c",
    "data": "5e8f",
}
FACTS = {"title": "of the test", "model": "a/b", "rows": 1234, "rows_too_long": 5, "steps": 40}


@pytest.fixture
def folder(tmp_path: Path) -> TrainingFolder:
    made = TrainingFolder.open(tmp_path / "out", IDENTITY, FACTS)
    with made.launch():
        made.note_settings({"learning_rate": {"default": 2e-05, "value": 5e-6}})
        for step in range(1, 41):
            made.add_metrics({"step": step, "loss": 2 - step / 40, "grad_norm": 1.0})
    return made


def test_the_card_of_a_training_that_is_at_work(folder: TrainingFolder) -> None:
    card = card_text(folder)
    for line in (
        'base_model: "a/b"',
        "library_name: transformers",
        "# a/b: rejective fine-tuning",
        "- data: 1,234 rows, sha256 5e8f; 5 longer ones left out",
        "| rft.learning\\_rate | 5e-06 |",
        "| learning\\_rate | 2e-05 | 5e-06 |",
        "| loss | 1.975 | 1 | 1 | 1.975 |",
        "![metrics over the steps](metrics.svg)",
    ):
        assert line in card.splitlines()
    assert "40 of 40 optimizer steps" in card
    assert "launches: 1; running" in card
    assert "Not measured yet" in card


def test_the_card_command_writes_card_and_figure(folder: TrainingFolder) -> None:
    ask("spct", "card", folder.path)
    svg = (folder.path / "metrics.svg").read_text("utf-8")
    assert svg.count('id="axes_') == 2  # loss and grad_norm; no accuracy was logged
    assert (folder.path / "README.md").read_text("utf-8") == card_text(TrainingFolder(folder.path))
    first = svg
    write_metrics_figure(folder)
    assert (folder.path / "metrics.svg").read_text("utf-8") == first
    assert "not a training" in ask("spct", "card", folder.path.parent, code=2)


def test_a_training_without_a_line_has_a_card_and_no_figure(tmp_path: Path) -> None:
    made = TrainingFolder.open(tmp_path / "out", IDENTITY, FACTS)
    assert [path.name for path in write_card(made)] == ["README.md"]
    card = (made.path / "README.md").read_text("utf-8")
    assert "Nothing was logged yet." in card
    assert "metrics.svg" not in card


def test_a_running_mean() -> None:
    assert running_mean([1, 2, 3, 6], 2) == [1, 1.5, 2.5, 4.5]
    assert running_mean([1, 2], 1) == [1, 2]
    assert running_mean([], 3) == []


def test_it_says_how_far_it_is() -> None:
    said: list[str] = []
    with Signs(said.append, every=0.01) as signs:
        progress = TrainingProgress(signs)
        logs: dict[str, Any] = {"loss": 1.23456, "epoch": 0.1}
        progress(1, 900, logs)
        progress(2, 900, logs)
        while not any("s a step" in line for line in said):
            pass
    assert re.search(r"^step 2 of 900, \d+\.\d s a step, \d+ min left, loss 1\.23$", said[-1])
