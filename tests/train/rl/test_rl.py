"""`grmeval spct rl`: its settings, its items, what it refuses. (Trainings: test_training_rl.py.)"""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import ConfigError, DataError
from grmeval.judges import make_judge
from grmeval.train.rl import read_items
from grmeval.train.rl.settings import check_rollouts, grpo_settings
from grmeval.train.settings import read_config
from tests.helpers import ask, sampled

# ---------------------------------------------------------------------- settings


def test_the_settings_are_those_of_the_original_grpo() -> None:
    config = read_config("paper-27b")
    assert config.rl
    told = grpo_settings(config.rl)
    assert told["beta"] == 0.08
    assert told["num_generations"] == 4
    assert (told["loss_type"], told["scale_rewards"]) == ("grpo", "group")
    assert (told["num_iterations"], told["epsilon"]) == (1, 0.2)
    assert told["use_bias_correction_kl"] is False
    assert told["vllm_importance_sampling_correction"] is False  # its rollouts are vLLM's
    assert (config.rl.learning_rate, config.rl.batch, config.rl.steps) == (4e-7, 512, 900)


def test_rollouts_by_a_vllm_that_trl_does_not_know_are_refused_with_both_versions() -> None:
    config = read_config("smol", ["rl.rollouts=vllm"])
    assert config.rl
    with pytest.raises(ConfigError, match=r"vllm\S* 0\.32\.0 is installed, and trl 1\.16\.0 works"):
        check_rollouts(config.rl)


# ---------------------------------------------------------------------- items


def neutral(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "items.jsonl"
    path.write_text("".join(json.dumps({"prompt": "?"} | row) + "\n" for row in rows), "utf-8")
    return str(path)


def test_items_whose_labels_single_out_no_best_response_are_left_out(tmp_path: Path) -> None:
    texts = {"responses": ["a", "b"]}
    rows = [texts | {"quality": q} for q in ([1, 0], [1, 1], [0, 0], [0, 1])]
    rows += [{"responses": ["a"], "quality": [0]}, {"responses": ["a", "b", "c"]}]
    found = read_items(neutral(tmp_path, rows), make_judge("pointwise"))
    assert [item.quality for item in found.items] == [(1, 0), (0, 1), (0,)]
    assert found.facts == {"items": 6, "items_without_a_best": 3}
    with pytest.raises(ConfigError, match="one response, and this judge compares"):
        read_items(neutral(tmp_path, rows), make_judge("index"))
    with pytest.raises(DataError, match="no item is left to train on: 2 of 2"):
        read_items(neutral(tmp_path, rows[1:3]), make_judge("pointwise"))


def test_the_filter_and_what_it_counts(tmp_path: Path) -> None:
    run = sampled(tmp_path, k=3, engine_args={"accuracy": 0.5})
    everything = read_items("sample", make_judge("pointwise"))
    found = read_items("sample", make_judge("pointwise"), run)
    wrong_too = read_items("sample", make_judge("pointwise"), run, drop_wrong=True)
    never, _, _, always = found.facts["filter"]["items_by_rights"]
    assert min(never, always) > 0
    assert len(found.items) == len(everything.items) - always
    assert len(wrong_too.items) == len(everything.items) - always - never
    assert len({everything.sha256, found.sha256, wrong_too.sha256}) == 3


def test_a_folder_without_training_items_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a folder, and has no bench\.toml"):
        read_items(str(tmp_path), make_judge("pointwise"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--drop-wrong",), "--drop-wrong: says what --filter RUN leaves out"),
        (("--judge", "scalar"), "--judge 'scalar': not one that is trained so; allowed: pointwise"),
        (("--judge", "pointwise-principles"), "not one that is trained so"),
        (("--grid", "rl.beta=0,,1"), "--grid 'rl.beta=0,,1': expected one setting and its values"),
        (("--grid", "rl.beta=0,x"), "--set rl.beta: input should be a valid number"),
        (("--set", "rl.batch=6"), "batch 6 is no multiple of group 4"),
        (("--filter", "none"), "no run"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    results = ("--results", tmp_path) if "--filter" in words else ()
    told = ask("spct", "rl", "sample", "--config", "smol", "-o", out, *words, *results, code=2)
    assert said in told
    assert not out.exists()
