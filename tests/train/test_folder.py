"""The folder of a training: what a killed process leaves in it, and how the next one goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import ConfigError, StoreError
from grmeval.store import lock
from grmeval.train.folder import TrainingFolder

IDENTITY = {
    "stage": "rft",
    "config": {"lora": {"rank": 8}, "rft": {"learning_rate": 1e-4}},
    "model": "sha256:1",
    "data": "2",
}
FACTS = {"title": "a test", "steps": 6}


def opened(path: Path, **changes: Any) -> TrainingFolder:
    return TrainingFolder.open(path, IDENTITY | changes, FACTS)


def checkpoint(folder: TrainingFolder, step: int, whole: bool = True) -> Path:
    place = folder.checkpoints / f"checkpoint-{step}"
    place.mkdir(parents=True)
    (folder.path / "metrics.jsonl").touch()
    for name in ("adapter_model.safetensors", "adapter_config.json", "optimizer.pt", "README.md"):
        (place / name).write_text(f"{name} of {step}", "utf-8")
    if whole:
        folder.vouch(step)
    return place


def steps(folder: TrainingFolder) -> list[int]:
    return [row["step"] for row in folder.metrics()]


def test_a_training_goes_on_from_its_newest_whole_checkpoint(tmp_path: Path) -> None:
    folder = opened(tmp_path / "out")
    with folder.launch() as launch:
        assert (launch.checkpoint, launch.step) == (None, 0)
        for step in range(1, 6):
            folder.add_metrics({"step": step, "loss": 1 / step})
            if step in (2, 4):
                checkpoint(folder, step)
        checkpoint(folder, 5, whole=False)  # killed while it was written
    with (folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    assert steps(folder) == [1, 2, 3, 4, 5]
    with opened(tmp_path / "out").launch() as launch:
        assert launch.checkpoint == folder.checkpoints / "checkpoint-4"
        assert launch.step == 4
        assert steps(folder) == [1, 2, 3, 4]
        assert not (folder.checkpoints / "checkpoint-5").exists()
    first, second = folder._read()["launches"]
    assert (first["from_step"], second["from_step"]) == (0, 4)
    assert first["versions"]["python"]
    assert second["seconds"] >= 0


def test_lines_before_the_first_checkpoint_are_dropped(tmp_path: Path) -> None:
    folder = opened(tmp_path / "out")
    with folder.launch():
        folder.add_metrics({"step": 1, "loss": 2.0})
    with folder.launch() as launch:
        assert launch.step == 0
        assert steps(folder) == []


def test_the_end_makes_a_model_of_the_newest_checkpoint(tmp_path: Path) -> None:
    folder = opened(tmp_path / "out")

    def tidied(model: Path) -> None:
        assert model != folder.model
        (model / "adapter_config.json").write_text("tidied", "utf-8")

    with folder.launch():
        checkpoint(folder, 3)
        checkpoint(folder, 6)
        folder.trained(steps=6)
        assert not folder.finished
        folder.finish(prepare=tidied)
    assert {path.name: path.read_text("utf-8") for path in folder.model.iterdir()} == {
        "adapter_model.safetensors": "adapter_model.safetensors of 6",
        "adapter_config.json": "tidied",
    }
    again = opened(tmp_path / "out")
    assert again.finished
    assert again.record["result"] == {"steps": 6}


def test_a_kill_while_the_model_is_made_leaves_no_half_of_it(tmp_path: Path) -> None:
    folder = opened(tmp_path / "out")

    def killed(model: Path) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError), folder.launch():  # noqa: PT012
        checkpoint(folder, 6)
        folder.trained(steps=6)
        folder.finish(prepare=killed)
    again = opened(tmp_path / "out")
    assert not again.finished
    assert not again.model.exists()
    with again.launch() as launch:
        assert launch.step == 6
        again.finish()
    assert again.finished
    assert [path.name for path in again.path.glob("model*")] == ["model"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": "3"}, "data is '2' there and '3' here"),
        ({"stage": "rl"}, "stage is 'rft' there and 'rl' here"),
        (
            {"config": {"lora": None, "rft": {"learning_rate": 1e-4}}},
            "config.lora is not said there and None here; config.lora.rank is 8 there and not said",
        ),
    ],
)
def test_another_training_in_the_same_folder_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    checkpoint(opened(tmp_path / "out"), 2)
    with pytest.raises(ConfigError) as raised:
        opened(tmp_path / "out", **changes)
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_training_that_never_saved_anything_gives_way_unless_it_is_at_work(
    tmp_path: Path,
) -> None:
    folder = opened(tmp_path / "out")
    with folder.launch():
        folder.add_metrics({"step": 1, "loss": 1.0})
        with pytest.raises(StoreError, match="being written by process"):
            opened(tmp_path / "out", data="3")
    with opened(tmp_path / "out", data="3").launch() as launch:
        assert launch.step == 0
    assert TrainingFolder(tmp_path / "out").record["identity"]["data"] == "3"


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"holds other things \(thesis.tex\) and no training"):
        opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ConfigError, match=r"not a training: it has no training\.json"):
        TrainingFolder(tmp_path)


def test_a_file_where_the_folder_is_to_be(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    for place in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(ConfigError, match="a file is in the way; name a folder"):
            opened(place)


def test_a_second_writer_is_kept_out(tmp_path: Path) -> None:
    folder = opened(tmp_path / "out")
    with (
        lock(folder.path / "locks" / "write", 0.0),
        pytest.raises(StoreError, match="being written by process"),
        folder.launch(),
    ):
        pass


def test_a_record_that_was_changed_is_refused(tmp_path: Path) -> None:
    record = opened(tmp_path / "out").path / "training.json"
    content = json.loads(record.read_text("utf-8"))
    record.write_text(json.dumps(content | {"status": "finished"}), "utf-8")
    with pytest.raises(
        StoreError, match=r"training\.json: cannot be read: its content is not what"
    ):
        TrainingFolder(tmp_path / "out")
    content.pop("checksum")
    record.write_text(json.dumps(content | {"format": 2}), "utf-8")
    with pytest.raises(StoreError, match="by a newer grmeval"):
        TrainingFolder(tmp_path / "out")
