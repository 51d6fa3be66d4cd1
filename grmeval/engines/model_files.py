"""What of a model can be read before it is loaded: config, tokenizer, sizes of its tensors."""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.models import ModelRef
from grmeval.engines.settings import ModelSettings
from grmeval.remote import hub

__all__ = ["Tensors", "encoder", "own", "own_config", "stored_tensors"]


class Tensors(NamedTuple):
    """Of all weights: bytes as they are stored, numbers in them (None: not known), `lm_head` among them."""

    size: int
    numbers: int | None
    lm_head: bool | None


@lru_cache(maxsize=2)
def own(kind: str, model: str, revision: str | None, trust_remote_code: bool) -> Any:
    """A model's config or tokenizer by transformers' class for it (`AutoConfig`, `AutoTokenizer`).

    None: it cannot be read so, and whoever loads the model says why.
    """
    try:
        import transformers

        return getattr(transformers, kind).from_pretrained(
            model, revision=revision, trust_remote_code=trust_remote_code
        )
    except Exception:  # no transformers, or code of the model's own, which may raise anything
        return None


def encoder(settings: ModelSettings) -> ChatEncoder | None:
    """Chats -> the token ids that the engine will see; None: the tokenizer is not at hand.

    ConfigError: it has no chat template.
    """
    tokenizer = own("AutoTokenizer", settings.model, settings.revision, settings.trust_remote_code)
    return tokenizer and ChatEncoder(tokenizer, settings.chat_template_kwargs)


def own_config(model: ModelRef) -> Mapping[str, Any] | None:
    """What config.json says of the part of a model that reads and writes text; None: it is not at hand."""
    found = _read(model, "config.json")
    return found and {**found, **found.get("text_config", {})}


def stored_tensors(model: ModelRef) -> Tensors | None:
    """Of a folder's safetensors files, or of a hub model's index of them; None: there are none to read."""
    folder = Path(model.location)
    if model.revision is None and folder.is_dir():
        headers = [_header(path) for path in sorted(folder.glob("*.safetensors"))]
        return _added(headers) if headers and None not in headers else None
    index = _read(model, "model.safetensors.index.json")
    if not index or not isinstance(size := index.get("metadata", {}).get("total_size"), int):
        return None
    return Tensors(size, None, "lm_head.weight" in index.get("weight_map", {}))


def _read(model: ModelRef, name: str) -> dict[str, Any] | None:
    """A JSON object beside a model's weights; of a hub model it may be downloaded."""
    folder = Path(model.location)
    path = (
        folder / name
        if model.revision is None
        else hub.model_file(model.location, model.revision, name)
    )
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8")) if path else None
        return found if isinstance(found, dict) else None
    return None


def _header(path: Path) -> dict[str, Any] | None:
    """What a safetensors file says of its tensors: eight bytes of length, then JSON."""
    with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size <= path.stat().st_size:
            found = json.loads(file.read(size))
            return found if isinstance(found, dict) else None
    return None


def _added(headers: list[dict[str, Any] | None]) -> Tensors | None:
    tensors = dict(_tensors(headers))
    with contextlib.suppress(KeyError, TypeError, ValueError):
        size = sum(end - start for start, end in (t["data_offsets"] for t in tensors.values()))
        numbers = sum(math.prod(t["shape"]) for t in tensors.values())
        return Tensors(size, numbers, "lm_head.weight" in tensors)
    return None


def _tensors(headers: list[dict[str, Any] | None]) -> Iterator[tuple[str, Any]]:
    for header in headers:
        yield from ((name, each) for name, each in (header or {}).items() if name[:2] != "__")
