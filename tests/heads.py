"""A sequence-classification head on the packaged model, random, the same each time: for tests of scorers."""

import json
from pathlib import Path

import numpy as np

from grmeval.engines.models import resolve

__all__ = ["random_head"]


def random_head(folder: Path, labels: int = 1, seed: int = 0) -> Path:
    """Make the model folder: the packaged model's own files, beside a head of `labels` numbers.

    Its rewards have a standard deviation of about 1.
    """
    from safetensors import safe_open
    from safetensors.numpy import save_file

    base = Path(resolve("demo", None).location)
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
