"""Models of tests, the same each time: the packaged one with few of its layers, and a random head on it."""

import json
import re
from pathlib import Path

import numpy as np

from grmeval.engines.models import resolve

__all__ = ["few_layers", "random_head"]

LAYERS = 2


def few_layers(folder: Path) -> Path:
    """Make the model folder: the packaged model with its first layers alone; its texts are no language."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    base = Path(resolve("demo", None).location)
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (folder / name).symlink_to(base / name)
    config = json.loads((base / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": LAYERS}), "utf-8")
    with safe_open(base / "model.safetensors", "pt") as stored:
        names = [name for name in stored.keys() if _layer(name) < LAYERS]  # noqa: SIM118
        save_file({name: stored.get_tensor(name) for name in names}, folder / "model.safetensors")
    return folder


def _layer(weight: str) -> int:
    """Which layer a weight is of; 0: of none."""
    found = re.search(r"layers\.(\d+)\.", weight)
    return int(found[1]) if found else 0


def random_head(folder: Path, labels: int = 1, seed: int = 0, base: Path | None = None) -> Path:
    """Make the model folder: the packaged model's own files, beside a head of `labels` numbers.

    Its rewards have a standard deviation of about 1. `base`: another model's files.
    """
    from safetensors import safe_open
    from safetensors.numpy import save_file

    base = base or Path(resolve("demo", None).location)
    folder.mkdir(parents=True)
    body, head = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    (folder / body).symlink_to(base / "model.safetensors")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).symlink_to(base / name)
    config = json.loads((base / "config.json").read_text("utf-8"))
    names = {f"LABEL_{at}": at for at in range(labels)}
    config |= {
        "architectures": ["LlamaForSequenceClassification"],
        "label2id": names,
        "id2label": {str(at): name for name, at in names.items()},
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    width = int(config["hidden_size"])
    weights = 10 * np.random.default_rng(seed).normal(size=(labels, width)) / np.sqrt(width)
    save_file({"score.weight": weights.astype(np.float32)}, folder / head)
    with safe_open(base / "model.safetensors", "numpy") as stored:
        places = dict.fromkeys(stored.keys(), body)
    places["score.weight"] = head
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return folder
