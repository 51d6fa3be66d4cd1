"""What a configuration of training may say, where each mistake is told, and what is a training's identity."""

from pathlib import Path

import pytest

from grmeval import resources
from grmeval.errors import ConfigError
from grmeval.train.settings import STAGES, accelerate_file, config_names, read_config

SMOL = (resources.tasks() / "spct" / "smol.toml").read_text("utf-8")
LINE = {line.partition(" ")[0]: at for at, line in reversed([*enumerate(SMOL.splitlines(), 1)])}
"""First word of a line -> the number of the first such line."""


def test_a_packaged_configuration_with_values_of_ones_own() -> None:
    found = read_config("smol", ["rft.learning_rate=1e-4", "lora.rank=8", "rft.bf16=false"], "rft")
    assert found.rft
    assert found.lora
    assert (found.rft.learning_rate, found.rft.bf16, found.lora.rank) == (1e-4, False, 8)
    assert read_config("smol", ["lora=null"]).lora is None
    assert read_config("smol", model__name="other/model").model.name == "other/model"


def test_the_configurations_of_the_paper_hold_its_printed_values() -> None:
    """Section 2 of the facts: learning rates, batches, steps, group, KL."""
    for name, kl in (("paper-16b", 0.002), ("paper-27b", 0.08)):
        found = read_config(name)
        assert found.lora is None
        assert found.rft
        assert found.rl
        assert (found.rft.learning_rate, found.rft.batch, found.rft.steps) == (5e-6, 1024, 900)
        assert (found.rl.learning_rate, found.rl.batch, found.rl.steps) == (4e-7, 512, 900)
        assert (found.rl.group, found.rl.kl) == (4, kl)
    meta = read_config("paper-27b").meta
    assert meta
    assert (meta.learning_rate, meta.batch) == (1e-5, 512)


@pytest.mark.parametrize("name", config_names())
def test_every_packaged_configuration_is_whole(name: str) -> None:
    found = read_config(name)
    file = accelerate_file(found)
    assert file is None or "distributed_type" in file.read_text("utf-8")
    for stage in STAGES:
        if table := getattr(found, stage):
            assert table.total(10_000) >= 1
            assert set(found.identity(stage)) == {"model", "lora", stage}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rft.lr=1"], "--set rft.lr: unknown key; allowed: adam_beta2, batch, bf16"),
        (["rft.batch=0"], "--set rft.batch: input should be greater than or equal to 1 (given: 0)"),
        (["rl.batch=3"], f"smol.toml:{LINE['[rl]']}: rl: batch 3 is no multiple of group 4"),
        (["rft.save_every=7", "rft.log_every=2"], "save_every 7 is no multiple of log_every 2"),
        (["rank=8"], "--set 'rank=8': expected table.key=value"),
        (["title.x=1"], "title is no table here"),
        (["loar.rank=1"], "loar: unknown key; allowed: accelerate, lora, meta, model, rft, rl"),
        (["model.chat_template=none.jinja"], "model.chat_template: 'none.jinja': no such file"),
    ],
)
def test_a_mistake_in_a_flag_names_the_flag(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_config("smol", words)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rank = 16", "rank = 0", f":{LINE['rank']}: lora.rank: input should be greater"),
        (
            "rank = 16",
            "rank = 16\nrnak = 1",
            f":{LINE['rank'] + 1}: lora.rnak: unknown key; allowed: alpha",
        ),
        (
            "epochs = 1 ",
            "epochs = 1\nsteps = 9 #",
            f":{LINE['[rft]']}: rft: say either steps or epochs",
        ),
        ('name = "demo"', "", f":{LINE['[model]']}: model.name: field required"),
        ("[lora]", "[lora", "not a TOML file"),
    ],
)
def test_a_mistake_in_a_file_names_file_and_line(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SMOL.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigError) as raised:
        read_config(path)
    assert str(raised.value).startswith(f"{path}")
    assert said in str(raised.value)


def test_a_configuration_that_is_not_there_or_lacks_the_stage() -> None:
    with pytest.raises(ConfigError, match=r"--config 'smo': .* did you mean 'smol'"):
        read_config("smo")
    with pytest.raises(ConfigError, match=r"has no table \[meta\]"):
        read_config("paper-16b", stage="meta")


def test_to_say_steps_takes_epochs_out() -> None:
    table = read_config("smol", ["rft.steps=7"]).rft
    assert table
    assert (table.steps, table.epochs, table.total(10_000)) == (7, None, 7)


@pytest.mark.parametrize(
    ("epochs", "rows", "steps"), [(1, 32, 2), (1, 33, 3), (2, 33, 6), (0.5, 64, 2), (0.01, 16, 1)]
)
def test_epochs_in_steps(epochs: float, rows: int, steps: int) -> None:
    """16 examples a step: the last step of an epoch may have fewer."""
    table = read_config("smol", [f"rft.epochs={epochs}", "rft.batch=16"]).rft
    assert table
    assert table.total(rows) == steps


def test_what_changes_only_speed_is_no_part_of_the_identity(tmp_path: Path) -> None:
    usual = read_config("smol").identity("rft")
    same = ["rft.micro_batch=2", "rft.save_every=5", "rft.keep=9", "rl.kl=0.01", "model.name=x"]
    assert read_config("smol", same).identity("rft") == usual
    assert "name" not in usual["model"]  # the folder's identity says which model it is
    for word in ("rft.seed=1", "lora.rank=8", "lora=null", "model.dtype=float32"):
        assert read_config("smol", [word]).identity("rft") != usual
    chats = []
    for text in ("one", "two"):
        (tmp_path / "chat.jinja").write_text(text, "utf-8")
        named = read_config("smol", [f"model.chat_template={tmp_path / 'chat.jinja'}"])
        chats.append(named.identity("rft")["model"]["chat_template"])
    assert len({*chats}) == 2
    assert all(each.startswith("sha256:") for each in chats)
