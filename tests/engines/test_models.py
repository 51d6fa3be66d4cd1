"""Which model: presets, folders, hub ids; an identity that changes when a weight does."""

import os
import shutil
from pathlib import Path

import pytest

from grmeval.engines.models import fingerprint, presets, read_preset, resolve
from grmeval.errors import ConfigError, InfrastructureError
from grmeval.runs import configure, prepare
from grmeval.runs.meta import configure_meta, prepare_meta

COMMITS = ("1" * 40, "2" * 40)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRMEVAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "my-grm"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    (folder / "model.safetensors").write_bytes(b"weights one")
    return folder


def run_path(model: Path | str, revision: str | None = None) -> Path:
    return prepare(configure({"bench": "sample", "model": str(model), "revision": revision})).path


def test_weights_overwritten_in_place_are_another_run(model: Path) -> None:
    before = run_path(model)
    assert run_path(model) == before
    weights = model / "model.safetensors"
    times = weights.stat()
    weights.write_bytes(b"weights two")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))  # same size, same time of change
    assert run_path(model) != before
    weights.write_bytes(b"weights one")
    assert run_path(model) == before


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"]
)
def test_every_file_of_a_model_counts(model: Path, name: str) -> None:
    before = fingerprint(model)
    (model / name).write_text("another")
    assert fingerprint(model) != before


def test_notes_and_training_states_beside_a_model_do_not_count(model: Path) -> None:
    before = fingerprint(model)
    for name in ("README.md", "trainer_state.json", "optimizer.pt", "training_args.bin"):
        (model / name).write_text("new")
    assert fingerprint(model) == before


def test_a_copy_of_a_model_is_the_same_model(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    (copy / ".cache").mkdir()
    (copy / ".cache" / "lock").write_text("x")
    assert fingerprint(copy) == fingerprint(model)


def test_weights_are_hashed_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fingerprint(model)

    def read_again(*_: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr("hashlib.file_digest", read_again)
    assert fingerprint(model) == first
    (tmp_path / "cache" / "fingerprints.json").write_text("damaged")
    with pytest.raises(AssertionError):
        fingerprint(model)


def hub_cache(folder: Path) -> None:
    """A hub cache as huggingface_hub lays it out: two revisions of one model."""
    repository = folder / "models--org--grm"
    for name, commit in zip(("main", "v2"), COMMITS, strict=True):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "config.json").write_text("{}")
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / name).write_text(commit)


def test_another_revision_of_a_name_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_cache(tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(
        "huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "hub"), raising=False
    )
    assert resolve("org/grm", None).identity == f"hub:org/grm@{COMMITS[0]}"
    assert resolve("org/grm", "v2").revision == COMMITS[1]
    assert resolve("org/grm", "3" * 40).revision == "3" * 40
    assert run_path("org/grm") != run_path("org/grm", "v2")
    assert run_path("org/grm", "v2") == run_path("org/grm", COMMITS[1])
    with pytest.raises(InfrastructureError, match="hub is out of reach, and org/other@main2"):
        resolve("org/other", "main2")


def test_what_is_no_model_is_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such folder, and no hub id .* did you mean 'demo'"):
        resolve("demp", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        resolve(str(tmp_path / "empty"), None)
    with pytest.raises(ConfigError, match="is no hub model; drop it"):
        resolve(str(model), "v2")
    for name, said in (
        ("tokenizer_config.json", "its tokenizer has no chat template"),
        ("tokenizer.json", "no tokenizer in it"),
        ("model.safetensors", "no weights in it"),
    ):
        (model / name).unlink()
        with pytest.raises(ConfigError, match=said):
            resolve(str(model), None)


@pytest.mark.parametrize("head", ["LlamaForSequenceClassification", "LlamaForCausalLM"])
def test_a_folder_is_taken_for_what_it_is(model: Path, head: str) -> None:
    (model / "config.json").write_text(f'{{"architectures": ["{head}"]}}')
    if head.endswith("Classification"):
        assert prepare_meta(configure_meta({"model": str(model)})).name == "my-grm"
        with pytest.raises(
            ConfigError, match=r"--model .*my-grm: a model with a head that gives one"
        ):
            run_path(model)
    else:
        assert run_path(model)
        with pytest.raises(ConfigError, match=r"--meta-model .*my-grm: a model that writes"):
            configure_meta({"model": str(model)})


def test_presets_fit_the_configuration() -> None:
    for name in presets():
        preset = read_preset(name)
        assert preset
        assert bool(preset.hub) != bool(preset.package)
        if preset.kind == "scalar":
            meta = configure_meta({"model": name})
            assert all(getattr(meta, field) == value for field, value in preset.defaults.items())
            with pytest.raises(ConfigError, match="--meta-model takes it"):
                configure({"bench": "sample", "model": name})
            continue
        with pytest.raises(ConfigError, match="a model that writes"):
            configure_meta({"model": name})
        config = configure({"bench": "sample", "model": name})
        assert all(getattr(config, field) == value for field, value in preset.defaults.items())
    assert configure({"model": "demo", "structured": False}).structured is False


def test_which_model_when_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRMEVAL_MODEL", "from/environment")
    assert configure({"bench": "rmb"}).model == "from/environment"
    assert configure({"bench": "rmb", "model": "org/x"}).model == "org/x"
    monkeypatch.delenv("GRMEVAL_MODEL")
    gpu = {True: "/usr/bin/nvidia-smi", False: None}
    monkeypatch.setattr("grmeval.runs.configuration.shutil.which", lambda name: gpu[True])
    assert configure({"bench": "rmb"}).model == "deepseek-grm-16b"
    monkeypatch.setattr("grmeval.runs.configuration.shutil.which", lambda name: gpu[False])
    monkeypatch.setattr("grmeval.runs.configuration.Path.exists", lambda path: False)
    assert configure({"bench": "sample"}).model == "demo"
    with pytest.raises(ConfigError, match="which model"):
        configure({"bench": "rmb"})
