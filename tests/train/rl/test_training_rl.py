"""Online RL, end to end on a small model: `grmeval spct rl` finished, killed, over an adapter, in a grid."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from grmeval.train.folder import TrainingFolder
from perf.rl_rises import Size, make_task
from tests.helpers import ask, grmeval, running, until

pytestmark = [pytest.mark.train, pytest.mark.long, pytest.mark.filterwarnings("default")]

SIZE = Size(items=24, judgements=600, taught=60, steps=8)
SETS = [w for s in ("save_every=3", "batch=16", "micro_batch=8") for w in ("--set", f"rl.{s}")]
PLACES = {"reward", "zero_gradient_groups", "kl", "entropy", "unreadable", "truncated", "tokens"}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The task of perf/rl_rises.py with a model that has learned the form of a judgement."""
    folder = tmp_path_factory.mktemp("task")
    make_task(folder, SIZE)
    words = ("--config", folder / "train.toml", "-o", folder / "rft")
    ask("spct", "rft", folder / "judgements", *words)
    return folder


def words(task: Path, out: Path, *more: object) -> list[object]:
    found: list[object] = ["spct", "rl", task / "data", "--config", task / "train.toml", "-o", out]
    found += ["--model", task / "rft" / "model", "--template", task / "judge.jinja"]
    return [*found, *SETS, *more]


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_a_training_from_the_first_step_to_a_model_that_can_be_loaded(
    task: Path, tmp_path: Path
) -> None:
    import transformers

    out = tmp_path / "out"
    done = grmeval(*words(task, out))
    assert done.returncode == 0, done.stderr
    assert "trained:" in done.stderr
    table = metrics(out)
    assert [line["step"] for line in table] == list(range(1, 9))
    assert all(line.keys() >= PLACES for line in table)
    assert any(line["zero_gradient_groups"] < 1 for line in table)
    assert any(line["unreadable"] < 0.5 for line in table)
    assert all(-1 <= line["reward"] <= 1 for line in table)
    assert table[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert table[-1]["kl"] > 0

    folder = TrainingFolder(out)
    assert folder.finished
    told = folder.record["trainer"]
    assert told["use_bias_correction_kl"] == {"default": True, "value": False}
    assert told["loss_type"] == {"default": "dapo", "value": "grpo"}
    assert told["num_generations"] == {"default": 8, "value": 4}
    assert told["beta"]["default"] == 0
    card = (out / "README.md").read_text("utf-8")
    assert "use_bias_correction_kl" in card.replace("\\", "")  # as Markdown escapes it
    before, after = (
        transformers.AutoModelForCausalLM.from_pretrained(place).state_dict()
        for place in (task / "rft" / "model", folder.model)
    )
    assert any((before[name] != after[name]).any() for name in before)

    again = grmeval(*words(task, out))
    assert again.returncode == 0
    assert "nothing is left to do" in again.stderr
    assert "rl.beta is 0.08 there and 0.5 here" in ask(
        *words(task, out, "--set", "rl.beta=0.5"), code=2
    )


def test_a_training_that_is_killed_goes_on_as_if_nothing_had_happened(
    task: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert grmeval(*words(task, whole)).returncode == 0

    def beyond_a_checkpoint() -> bool:
        there = list(killed.glob("checkpoints/checkpoint-3/whole.json"))
        return bool(there) and (killed / "metrics.jsonl").read_bytes().count(b"\n") > 3

    with running(*words(task, killed)) as at_work:
        until(beyond_a_checkpoint, at_work)
    assert at_work.returncode == -signal.SIGKILL
    assert not TrainingFolder(killed).finished
    assert grmeval(*words(task, killed)).returncode == 0
    record = TrainingFolder(killed).record
    assert record["result"]["steps"] == 8
    assert [launch["from_step"] for launch in record["launches"]][1] in (3, 6)
    assert metrics(killed) == metrics(whole)


def test_an_adapter_that_is_there_is_trained_on_and_held_on_to(task: Path, tmp_path: Path) -> None:
    """What is killed goes on with the adapter of its checkpoint, not with the one that it began with."""
    lora = {"rank": 4, "alpha": 8}
    table = [word for name, value in lora.items() for word in ("--set", f"lora.{name}={value}")]
    first, whole, broken = (tmp_path / name for name in ("first", "whole", "broken"))
    assert grmeval(*words(task, first, *table)).returncode == 0
    on = [*table, "--lora", first / "model", "--set", "rl.seed=1"]
    assert grmeval(*words(task, whole, *on)).returncode == 0
    assert metrics(whole)[0]["kl"] == pytest.approx(0, abs=1e-6)  # of the adapter, not of the base
    assert [p.name for p in (whole / "model").iterdir() if p.is_dir()] == []

    def beyond_a_checkpoint() -> bool:
        return bool(list(broken.glob("checkpoints/checkpoint-6/whole.json")))

    with running(*words(task, broken, *on)) as at_work:
        until(beyond_a_checkpoint, at_work)
    assert grmeval(*words(task, broken, *on)).returncode == 0
    assert metrics(broken) == metrics(whole)
    assert "its rank is 4, and lora.rank is 2; --set lora.rank=4" in ask(
        *words(task, tmp_path / "other", *on, "--set", "lora.rank=2"), code=2
    )


def test_a_grid_is_one_training_after_another(task: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid"
    small = ("--set", "rl.steps=2", "--grid", "rl.beta=0,0.08")
    shown = ask(*words(task, out, *small))
    assert sorted(place.name for place in out.iterdir()) == ["beta-0", "beta-0.08"]
    assert [len(metrics(out / name)) for name in ("beta-0", "beta-0.08")] == [2, 2]
    assert "kl" in metrics(out / "beta-0.08")[0]
    assert "kl" not in metrics(out / "beta-0")[0]
    assert "| beta-0.08 |" in shown.replace("  ", " ")


def test_prompts_are_those_of_an_evaluation(task: Path) -> None:
    """A response that spells a control token is text to the trainer, as it is to the engine."""
    import transformers

    from grmeval.engines.chat import ChatEncoder
    from grmeval.train.rl.trainer import trainer_class

    tokenizer = transformers.AutoTokenizer.from_pretrained(task / "random")
    encode = ChatEncoder(tokenizer, {})
    prompts = [[{"role": "user", "content": "tea <|end|>"}]] * 2
    ids, _, _ = trainer_class(encode)._tokenize_prompts(None, prompts)
    assert ids[0] == ids[1]
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    assert ids[0].count(end) == 1
    theirs = tokenizer.apply_chat_template(prompts[0], add_generation_prompt=True)["input_ids"]
    assert theirs.count(end) == 2
