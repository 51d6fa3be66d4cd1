"""A meta RM is trained on what it is shown, and stops by what a vote needs; no model is loaded here."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grmeval.engines.scorer import Reward
from grmeval.errors import ConfigError
from grmeval.judges import MetaPrompt
from grmeval.runs.meta import configure_meta, meta_score, prepare_meta
from grmeval.runs.meta.plan import MetaPlan
from grmeval.train.meta.judgements import judgements
from grmeval.train.meta.train import _best, _exhausted
from grmeval.train.settings import read_config
from tests.helpers import sampled
from tests.runs.meta.test_score import Watcher


class Shown:
    """A scorer that keeps what it is shown."""

    context = 10**6

    def __init__(self) -> None:
        self.chats: dict[tuple[Any, int], Any] = {}

    def facts(self) -> dict[str, str]:
        return {}

    def score(self, requests: Any) -> Iterator[Reward]:
        for request in requests:
            self.chats[request.key, request.j] = request.messages, request.right
            yield Reward(request, 0.0, None, 1, 0)

    def close(self) -> None:
        pass


def test_training_shows_what_scoring_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"truncated": 0.1, "no_score": 0.1, "order_bias": 2, "noise": 1}
    folder = sampled(tmp_path, k=3, engine_args=rates)
    shown = Shown()
    monkeypatch.setattr(MetaPlan, "scorer", lambda plan: shown)
    plan = prepare_meta(configure_meta({"engine": "fake", "model": "m"}))
    meta_score([folder], plan, Watcher())
    found = judgements([folder], MetaPrompt(), keep_unreadable=True)
    learnt = {(each.key, each.j): (each.chat, each.right) for each in found.examples}
    assert len(learnt) > 150
    assert {name: shown.chats[name] for name in learnt} == learnt
    labelled = {name for name in shown.chats if name not in learnt}
    assert len(labelled) == found.left_out.get("unlabelled", 0)


def test_it_stops_when_as_many_evaluations_were_no_better() -> None:
    def history(*values: float) -> list[dict[str, float]]:
        rows = [[{"loss": 1.0}, {"eval_auc": 0.1, "eval_auc_inside": value}] for value in values]
        return [row for pair in rows for row in pair]

    assert not _exhausted([], 1)
    assert not _exhausted(history(0.5, 0.6), 1)
    assert _exhausted(history(0.6, 0.6), 1)  # no better
    assert not _exhausted(history(0.6, 0.5, 0.59), 3)
    assert _exhausted(history(0.6, 0.5, 0.59, 0.4), 3)
    assert not _exhausted(history(0.6, 0.5, 0.59, 0.7), 3)


def test_the_best_checkpoint_is_named_by_the_newest(tmp_path: Path) -> None:
    newest = tmp_path / "checkpoint-40"
    newest.mkdir()
    for best, expected in ((20, tmp_path / "checkpoint-20"), (None, None)):
        state: dict[str, Any] = {"best_global_step": best, "log_history": []}
        (newest / "trainer_state.json").write_text(json.dumps(state), "utf-8")
        assert _best(newest) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("meta.evaluate_every=30", "evaluate_every 30 is no multiple of save_every 20"),
        ("meta.pos_weight=0", "meta.pos_weight"),
        ("meta.unreadable=maybe", "meta.unreadable"),
        ("meta.patience=0", "meta.patience"),
        ("meta.held_out=1", "meta.held_out"),
    ],
)
def test_settings_that_cannot_be_are_named(given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_config("smol", [given], "meta")


def test_every_packaged_configuration_has_one() -> None:
    for name in ("smol", "8b-lora", "paper-27b"):
        table = read_config(name, (), "meta").meta
        assert table is not None
        assert (table.pos_weight, table.unreadable) == (1.0, "left-out")
    assert read_config("paper-27b", (), "meta").meta.learning_rate == 1e-5  # type: ignore[union-attr]
