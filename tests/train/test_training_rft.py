"""Rejective fine-tuning, end to end on a tiny model: `grmeval spct rft`, its folder, its kills, its card."""

import json
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grmeval.engines.models import resolve, with_adapter
from grmeval.errors import EngineError, StoreError
from grmeval.train.folder import TrainingFolder
from grmeval.train.model import whose_model
from grmeval.train.settings import TrainConfig, read_config
from tests.helpers import ask, running, sampled, until
from tests.tiny import chat_row, tiny_llama, write_rows

pytestmark = [pytest.mark.train, pytest.mark.long, pytest.mark.filterwarnings("default")]

STEPS = 8
ROWS = [chat_row(f"Which is more, {n} or {n + 1}?", f"It is {n + 1}.") for n in range(20)]
TOO_LONG = chat_row("Which is more? " + "1 or 2? " * 100, "2")
SETTINGS = (
    *(f"rft.steps={STEPS}", "rft.batch=4", "rft.micro_batch=2", "rft.save_every=2"),
    *("rft.max_length=200", "rft.warmup=2", "rft.learning_rate=0.01"),
)


def test_what_libraries_say_of_full_disks_and_full_gpus_has_its_exit_code(tmp_path: Path) -> None:
    import torch

    from grmeval.train.trainer import failures_said

    folder = TrainingFolder.open(tmp_path / "out", {"stage": "rft", "config": {}}, {})
    full = RuntimeError("[enforce fail at inline_container.cc:668] . unexpected pos 64 vs 0")
    with pytest.raises(StoreError, match="is the disk full"), failures_said(folder):
        raise full
    with pytest.raises(EngineError, match="CUDA out of memory; a smaller"), failures_said(folder):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(RuntimeError, match="else"), failures_said(folder):
        raise RuntimeError("something else")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model `base` and the rows `sft`."""
    folder = tmp_path_factory.mktemp("training")
    tiny_llama(folder / "base")
    write_rows(folder / "sft", [*ROWS, TOO_LONG])
    return folder


def words(place: Path, out: str, *more: str) -> list[object]:
    """The command line that trains in a folder of `place`."""
    sets = [word for setting in (*SETTINGS, *more) for word in ("--set", setting)]
    model = ["--model", place / "base"]
    return ["spct", "rft", place / "sft", "--config", "smol", *model, *sets, "-o", place / out]


@pytest.fixture(scope="module")
def whole(place: Path) -> TrainingFolder:
    """A training without a break."""
    ask(*words(place, "whole"))
    return TrainingFolder(place / "whole")


def test_it_learns_and_leaves_an_adapter(whole: TrainingFolder) -> None:
    rows = whole.metrics()
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.5
    assert [row["learning_rate"] for row in rows[:2]] == [0.0, pytest.approx(0.005)]
    assert rows[-1]["num_tokens"] > rows[-2]["num_tokens"]
    config = json.loads((whole.model / "adapter_config.json").read_text("utf-8"))
    assert config["r"] == 16
    assert config["base_model_name_or_path"] == str(whole.path.parent / "base")
    adapted = {name.rpartition(".")[2] for name in config["target_modules"]}
    assert adapted == {f"{part}_proj" for part in ("q", "k", "v", "o", "gate", "up", "down")}
    assert "training_args.bin" not in {path.name for path in whole.model.iterdir()}
    assert whole.record["facts"]["rows"] == len(ROWS)
    assert whole.record["facts"]["rows_too_long"] == 1
    kept = {path.name for path in whole.checkpoints.glob("checkpoint-*")}
    assert kept == {f"checkpoint-{step}" for step in (STEPS - 2, STEPS)}
    from safetensors import safe_open

    with safe_open(whole.model / "adapter_model.safetensors", "pt") as stored:
        assert {stored.get_slice(key).get_dtype() for key in stored.keys()} == {"BF16"}  # noqa: SIM118


def test_the_loss_is_on_the_completion_alone(place: Path, tmp_path: Path) -> None:
    from grmeval.train.rft import make_trainer, prepare

    prepared = prepare(place / "sft", asked(place))
    folder = TrainingFolder.open(tmp_path / "out", {"stage": "rft", "config": {}}, {})
    trainer = make_trainer(prepared, folder)
    for row, length in zip(trainer.train_dataset, prepared.lengths, strict=True):
        assert len(row["input_ids"]) == length
    first = trainer.train_dataset[0]
    learnt = [i for i, at in zip(first["input_ids"], first["labels"], strict=True) if at != -100]
    assert prepared.tokenizer.decode(learnt) == "It is 1.<|im_end|>\n"


def test_a_text_that_spells_a_control_token_is_text(place: Path, tmp_path: Path) -> None:
    from grmeval.train.rft import prepare

    usual, odd = (
        prepare(write_rows(tmp_path / name, [chat_row(question, "4")]), asked(place))
        for name, question in (("usual", "2 + 2?"), ("odd", "<|im_end|> 2 + 2?"))
    )
    end = usual.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert odd.rows[0].ids.count(end) == usual.rows[0].ids.count(end) == 3
    assert len(odd.rows[0].ids) > len(usual.rows[0].ids)


def test_a_template_that_asks_otherwise_than_it_answers_is_refused(
    place: Path, tmp_path: Path
) -> None:
    template = tmp_path / "chat.jinja"
    template.write_text(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}think: {% endif %}",
        "utf-8",
    )
    said = ask(*words(place, "other", f"model.chat_template={template}"), code=2)
    assert "row 1: the model's chat template writes the prompt otherwise when it is asked" in said


def asked(place: Path, *more: str) -> TrainConfig:
    return read_config("smol", [*SETTINGS, *more], "rft", model__name=str(place / "base"))


def test_the_same_command_again_does_nothing_and_another_is_refused(
    place: Path, whole: TrainingFolder
) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.path.rglob("*") if path.is_file()}
    ask(*words(place, "whole"))
    after = {path: path.stat().st_mtime_ns for path in whole.path.rglob("*") if path.is_file()}
    assert {p for p in after if before.get(p) != after[p]} <= {whole.path / "locks" / "write.lock"}
    said = ask(*words(place, "whole", "rft.seed=1"), code=2)
    assert "config.rft.seed is 0 there and 1 here; name another folder by -o" in said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_it_ends_as_if_nothing_had_happened(
    number: signal.Signals, place: Path, whole: TrainingFolder
) -> None:
    out = f"torn-{number.name}"
    metrics = place / out / "metrics.jsonl"

    def reached() -> bool:
        return metrics.exists() and metrics.read_bytes().count(b"\n") >= 5

    with running(*words(place, out)) as at_work:
        assert until(reached, at_work)
        at_work.send_signal(number)
        at_work.wait(60)
        assert at_work.stderr
        said = at_work.stderr.read().splitlines()
    torn = TrainingFolder(place / out)
    assert not torn.finished
    if number == signal.SIGINT:
        assert at_work.returncode == 130
        assert said[-1] == "interrupted: what is finished is kept; the same command goes on"
        assert len(said) < 8
    ask(*words(place, out))
    again = TrainingFolder(place / out)
    assert again.finished
    assert again.record["result"]["steps"] == STEPS
    assert [launch["from_step"] > 0 for launch in again.record["launches"]] == [False, True]
    assert again.metrics() == whole.metrics()
    ours, theirs = (f.model / "adapter_model.safetensors" for f in (again, whole))
    assert ours.read_bytes() == theirs.read_bytes()


def test_merged_weights_say_what_model_and_adapter_say(place: Path, whole: TrainingFolder) -> None:
    ask(*words(place, "whole"), "--merge")
    import peft
    import torch
    import transformers

    load = transformers.AutoModelForCausalLM.from_pretrained
    merged = load(whole.path / "merged", dtype=torch.float32)
    base = load(place / "base", dtype=torch.float32)
    adapted = peft.PeftModel.from_pretrained(base, str(whole.model))
    ids = torch.tensor([[1, 4093, 253, 540, 17, 2]])
    with torch.no_grad():
        ours, theirs = merged(ids).logits, adapted(ids).logits
        plain = load(place / "base", dtype=torch.float32)(ids).logits
    assert (ours - theirs).abs().max() < 0.05 * (theirs - plain).abs().max()
    found = resolve(str(whole.path / "merged"), None)
    assert (
        json.loads((whole.path / "merged" / "config.json").read_text("utf-8"))["dtype"]
        == "bfloat16"
    )
    assert whose_model(whole, found.identity) == "this model, merged"
    base_model = resolve(str(place / "base"), None)
    assert whose_model(whole, base_model.identity) == "before training"
    assert whose_model(whole, with_adapter(base_model, whole.model).identity) == "this model"
    assert whose_model(whole, "hub:a/b@c") == "another model"


def test_the_card_says_what_was_done_and_grmeval_made_its_table(
    whole: TrainingFolder, tmp_path: Path
) -> None:
    card = (whole.path / "README.md").read_text("utf-8")
    assert "| learning\\_rate | 2e-05 | 0.01 |" in card
    assert "| gradient\\_accumulation\\_steps | 1 | 2 |" in card
    assert f"{STEPS} of {STEPS} optimizer steps" in card
    assert "20 rows, sha256" in card
    assert "1 longer ones left out" in card
    assert "Not measured yet" in card
    assert (whole.path / "metrics.svg").stat().st_size > 1000
    run = sampled(tmp_path, k=2, limit=20)
    ask("score", run.path, "--to", tmp_path / "table.md")
    ask("spct", "card", whole.path, "--run", run.path)
    card = (whole.path / "README.md").read_text("utf-8")
    table = [
        line
        for line in (tmp_path / "table.md").read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    assert len(table) > 4
    assert "\n".join(table) in card
    assert "### another model: " in card
    assert "metrics.svg" not in (whole.model / "README.md").read_text("utf-8")


def test_all_weights_can_be_trained(place: Path) -> None:
    ask(*words(place, "full", "lora=null", "model.dtype=float32", "rft.steps=2"))
    trained = TrainingFolder(place / "full")
    assert (trained.model / "model.safetensors").exists()
    found = resolve(str(trained.model), None)  # a whole model folder: what --model takes
    assert whose_model(trained, found.identity) == "this model"
    said = ask(*words(place, "full", "lora=null"), "--merge", code=2)
    assert "--merge: without [lora] there is no adapter" in said


def test_a_dry_run_counts_measures_and_writes_nothing(place: Path) -> None:
    said = numbers(ask(*words(place, "dry"), "--dry-run"))
    assert not (place / "dry").exists()
    assert said["rows"] == len(ROWS)
    assert said["rows too long, left out"] == 1
    assert said["optimizer steps"] == STEPS
    layer = 32 * (32 + 16 + 16 + 32) + 3 * 32 * 64 + 2 * 32
    adapter = 16 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 64))
    assert said["parameters"] == 49152 * 32 + 2 * (layer + adapter) + 32
    assert said["of them trained"] == 2 * adapter
    assert said["measured: tokens/s"] > 10
    bound = numbers(ask(*words(place, "dry"), "--dry-run", "--gpu", "h100-sxm"))
    assert bound["GPUs that hold it, shared out (ZeRO-3)"] == 1
    # Two FLOPs a weight and token forward, two backward: an adapter needs no gradients of weights.
    linear = 2 * (32 * (32 + 16 + 16 + 32) + 3 * 32 * 64) + 32 * 49152
    hours = 4 * linear * bound["tokens of all steps"] / 989.5e12 / 3600
    assert bound["NVIDIA H100 SXM 80GB: at least, GPU-hours"] == pytest.approx(hours, rel=0.05)
    assert "--gpu: is of --dry-run" in ask(*words(place, "dry"), "--gpu", "h100-sxm", code=2)


def numbers(table: str) -> Mapping[str, float]:
    """The amounts of a table by their names."""
    lines = re.findall(r"^ *(\S.*?)  +([\d,.e-]+) *$", table, re.MULTILINE)
    return {name: float(amount.replace(",", "")) for name, amount in lines}


def test_rows_that_are_all_too_long_are_a_usage_error(place: Path) -> None:
    said = ask(*words(place, "long", "rft.max_length=10"), code=2)
    assert "all 21 rows are longer than rft.max_length 10 tokens" in said
    assert not (place / "long").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("rft.micro_batch=3", "batch 4 is no multiple of 3 (micro_batch 3 on 1 processes)"),
        ('lora.targets=["none_such"]', "none_such"),
    ],
)
def test_settings_that_do_not_fit_the_model_are_usage_errors(
    setting: str, said: str, place: Path
) -> None:
    assert said in ask(*words(place, f"bad-{len(setting)}", setting), code=2)


def test_a_loss_that_is_no_number_ends_it(place: Path, tmp_path: Path) -> None:
    weights = place / "base" / "model.safetensors"
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in (place / "base").iterdir():
        if path != weights:
            (broken / path.name).symlink_to(path.resolve())
    from safetensors.numpy import load_file, save_file

    tensors: dict[str, Any] = load_file(weights)
    tensors["model.norm.weight"] = np.full_like(tensors["model.norm.weight"], np.nan)
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    line = words(place, "nan", f"model.name={broken}")
    line = [each for each in line if each not in ("--model", place / "base")]
    assert "loss is nan at step 1: a lower learning_rate" in ask(*line, code=3)
