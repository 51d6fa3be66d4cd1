"""Which model: a preset, a folder or a hub id -> where it lies and what it is (its identity)."""

import contextlib
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from grmeval import resources
from grmeval.errors import ConfigError, StoreError, nearest
from grmeval.files import read_toml, write_json
from grmeval.remote import hub

__all__ = [
    "KINDS",
    "UNSEEN",
    "ModelRef",
    "Preset",
    "check_kind",
    "is_model_file",
    "presets",
    "read_preset",
    "resolve",
    "slug",
    "with_adapter",
]

Kind = Literal["generator", "scalar"]

KINDS: dict[Kind, str] = {
    "generator": "a model that writes: --model of a judge that writes takes it",
    "scalar": "a model with a head that gives one number: --meta-model takes it, and --judge scalar",
}
"""What a model is for, in words."""


# Weights, configuration, tokenizer, chat template, and code that a model brings along.
_MODEL = re.compile(
    r".*\.safetensors(\.index\.json)?|pytorch_model.*|.*\.gguf|(adapter_|generation_)?config\.json"
    r"|adapter_model.*|tokenizer.*|special_tokens_map\.json|added_tokens\.json|vocab.*|merges\.txt|.*\.model"
    r"|.*\.tiktoken|chat_template.*|.*\.py"
)


def is_model_file(name: str) -> bool:
    """Whether a file of this name is part of a model: weights, configuration, tokenizer, template, code."""
    return _MODEL.fullmatch(name) is not None


_TOKENIZERS = ("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "tekken.json")


class Preset(BaseModel):
    """tasks/models/<name>.toml: a model, and the settings it wants unless told otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    licence: str
    kind: Kind = "generator"
    note: str = ""
    hub: str | None = None
    revision: str | None = None
    package: str | None = None
    """A Python package that carries the weights as GGUF."""
    memory_gb: float | None = None
    """GPU memory of the weights; the KV cache comes on top."""
    defaults: dict[str, Any] = {}
    """Fields of RunConfig; of a scalar model those of MetaConfig."""


class ModelRef(NamedTuple):
    """`location`: folder or hub id to load; `revision`: commit of a hub model; `label`: its folder
    under results/; `identity`: changes when a weight does."""

    location: str
    revision: str | None
    label: str
    identity: str


UNSEEN = ModelRef("", None, "not-looked-up", "")
"""A model that is named, and neither here nor to be asked for now."""


def presets(kind: Kind | None = None) -> list[str]:
    """Names of the presets, of one kind or all."""
    names = sorted(path.stem for path in (resources.tasks() / "models").glob("*.toml"))
    return [n for n in names if not kind or ((found := read_preset(n)) and found.kind == kind)]


def check_kind(model: str, kind: Kind, flag: str | None = None) -> None:
    """ConfigError where a preset, or a model folder, is known to be of another kind than `flag` wants."""
    preset = read_preset(model)
    found = preset.kind if preset else _kind_of_folder(Path(model).expanduser())
    if found not in (None, kind):
        raise ConfigError(f"{flag or _FLAGS[kind]} {model}: {KINDS[found]}")


_FLAGS: dict[Kind, str] = {"generator": "--model", "scalar": "--meta-model"}


def _kind_of_folder(path: Path) -> Kind | None:
    """By the class that its config names; None: no such folder, or another class."""
    classes = _read_json(path / "config.json").get("architectures") or [""]
    if str(classes[0]).endswith("ForSequenceClassification"):
        return "scalar"
    return "generator" if str(classes[0]).endswith("ForCausalLM") else None


def read_preset(name: str) -> Preset | None:
    """The preset of that name, or None."""
    path = resources.tasks() / "models" / f"{name}.toml"
    if name not in presets():
        return None
    try:
        return Preset(**read_toml(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None


def resolve(model: str, revision: str | None, kind: Kind = "generator") -> ModelRef:
    """Find a model; ConfigError if there is none such, or it is known to be of another kind.

    InfrastructureError: the hub cannot be asked.
    """
    check_kind(model, kind)
    preset = read_preset(model)
    if revision and not (preset and preset.hub) and (preset or Path(model).expanduser().exists()):
        raise ConfigError(f"--revision {revision!r}: {model} is no hub model; drop it")
    if preset and preset.package:
        from grmeval.engines.packaged import converted

        return _folder(converted(preset.package), model)
    if preset and preset.hub:
        return _hub(preset.hub, revision or preset.revision, model)
    path = Path(model).expanduser()
    if path.exists():
        return _folder(path.absolute(), path.absolute().name)
    if model.count("/") == 1 and not model.startswith((".", "/", "~")):
        return _hub(model, revision, slug(model.replace("/", "--")))
    raise ConfigError(
        f"--model {model!r}: no such folder, and no hub id (owner/name); "
        f"presets {nearest(model, presets(kind))}"
    )


def slug(label: str) -> str:
    """A label as one name of a folder."""
    return re.sub(r"[^\w.+-]+", "-", label).strip(".") or "model"


def _folder(path: Path, label: str) -> ModelRef:
    if not path.is_dir() or not (path / "config.json").is_file():
        raise ConfigError(f"--model {path}: not a model folder: it has no config.json")
    if not any(path.glob("*.safetensors")) and not any(path.glob("pytorch_model*")):
        raise ConfigError(f"--model {path}: no weights in it (*.safetensors)")
    if not any(any(path.glob(name)) for name in _TOKENIZERS):
        raise ConfigError(f"--model {path}: no tokenizer in it ({', '.join(_TOKENIZERS)})")
    if not _has_chat_template(path):
        raise ConfigError(
            f"--model {path}: its tokenizer has no chat template; judging is a chat: put the model's "
            "template there as chat_template.jinja"
        )
    return ModelRef(str(path), None, slug(label), f"sha256:{fingerprint(path)}")


def _has_chat_template(path: Path) -> bool:
    if any(path.glob("chat_template*")) or any(path.glob("tekken.json")):
        return True
    return bool(_read_json(path / "tokenizer_config.json").get("chat_template"))


def with_adapter(model: ModelRef, adapter: Path) -> ModelRef:
    """A model with a LoRA adapter over it is another model; ConfigError if the folder holds none."""
    if not (adapter / "adapter_config.json").is_file():
        raise ConfigError(f"--lora {adapter}: not an adapter folder: it has no adapter_config.json")
    if not any(adapter.glob("adapter_model.*")):
        raise ConfigError(f"--lora {adapter}: no weights in it (adapter_model.safetensors)")
    label = slug(f"{model.label}+{adapter.name}")
    return model._replace(label=label, identity=f"{model.identity}+sha256:{fingerprint(adapter)}")


def fingerprint(path: Path) -> str:
    """sha256 over what a model folder says and weighs: names and contents of the files of `_MODEL`.

    Notes, logs and optimizer states beside them do not count. A file's hash is remembered by size and
    times in the user's cache: weights are read once.
    """
    known_at = resources.cache_folder() / "fingerprints.json"
    known = _read_json(known_at)
    digest, fresh = hashlib.sha256(), dict[str, str]()
    for file in sorted(p for p in path.iterdir() if p.is_file() and is_model_file(p.name)):
        state = file.stat()
        times = f"{state.st_mtime_ns}:{state.st_ctime_ns}"
        name = f"{file.resolve()}:{state.st_size}:{state.st_ino}:{times}"
        content = known.get(name)
        if content is None:
            with file.open("rb") as stream:
                content = fresh[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{file.relative_to(path).as_posix()}\0{content}\n".encode())
    if fresh:
        with contextlib.suppress(StoreError):  # without it the weights are hashed again next time
            write_json(known_at, known | fresh)
    return digest.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _hub(hub_id: str, revision: str | None, label: str) -> ModelRef:
    commit = hub.commit(hub_id, revision, "model", f"--model {hub_id}")
    return ModelRef(hub_id, commit, label, f"hub:{hub_id}@{commit}")
