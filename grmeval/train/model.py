"""What training begins with (model, tokenizer, adapter), and what it ends with (adapter, merged weights)."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.engines.models import ModelRef, fingerprint, resolve
from grmeval.errors import ConfigError, EngineError
from grmeval.files import write_json
from grmeval.train import processes
from grmeval.train.folder import TrainingFolder
from grmeval.train.stage_settings import LoraTable, ModelTable

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "find_model",
    "load_model",
    "load_tokenizer",
    "lora_config",
    "merge",
    "merge_once",
    "tidy_model",
    "whose_model",
]


def find_model(table: ModelTable) -> ModelRef:
    """Where the model lies and what it is; ConfigError: there is none such."""
    return resolve(table.name, table.revision)


def load_tokenizer(table: ModelTable, model: ModelRef) -> "PreTrainedTokenizerBase":
    """The model's tokenizer; ConfigError: it has no chat template, and the table names none."""
    import transformers

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            model.location, revision=model.revision
        )
    except (OSError, ValueError) as error:
        raise EngineError(f"model {table.name}: no tokenizer: {_first_line(error)}") from None
    if table.chat_template:
        tokenizer.chat_template = Path(table.chat_template).read_text(encoding="utf-8")
    if not tokenizer.chat_template:
        raise ConfigError(
            f"model {table.name}: its tokenizer has no chat template; training is on chats: name a "
            "Jinja file, --set model.chat_template=FILE"
        )
    return tokenizer


def load_model(table: ModelTable, model: ModelRef, **head: Any) -> "PreTrainedModel":
    """The weights, in the table's number format; `head`: num_labels=1 for a scalar model.

    Where DeepSpeed shards them, the trainer's arguments have to be made before.
    """
    import torch
    import transformers

    kind = (
        transformers.AutoModelForSequenceClassification
        if head
        else transformers.AutoModelForCausalLM
    )
    try:
        return kind.from_pretrained(
            model.location,
            revision=model.revision,
            dtype=getattr(torch, table.dtype),
            attn_implementation=table.attention,
            **head,
        )
    except (OSError, ValueError, ImportError) as error:
        raise EngineError(f"model {table.name}: cannot be loaded: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def lora_config(table: LoraTable | None, task: str = "CAUSAL_LM") -> "LoraConfig | None":
    """PEFT's configuration of the adapter; None: all weights are trained. `task`: CAUSAL_LM or SEQ_CLS."""
    if table is None:
        return None
    import peft

    return peft.LoraConfig(
        r=table.rank,
        lora_alpha=table.alpha,
        lora_dropout=table.dropout,
        target_modules=table.targets if isinstance(table.targets, str) else list(table.targets),
        task_type=task,
    )


def tidy_model(folder: Path, lora: LoraTable | None, name: str) -> None:
    """Make a checkpoint's model what is handed on: an adapter in `save_dtype` that names its base by `name`.

    vLLM applies an adapter in the number format of the model, so sixteen bits lose nothing there.
    """
    weights = folder / "adapter_model.safetensors"
    if lora is None or not weights.exists():
        return
    import torch
    from safetensors.torch import load_file, save_file

    wanted = getattr(torch, lora.save_dtype)
    tensors = {key: value.to(wanted) for key, value in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})
    config = folder / "adapter_config.json"
    known = json.loads(config.read_text(encoding="utf-8"))
    write_json(config, known | {"base_model_name_or_path": name})


def merge_once(folder: TrainingFolder, model: ModelRef) -> None:
    """Write a finished training's merged/, unless it is there; the first process alone."""
    if processes.is_main() and not (folder.path / "merged").is_dir():
        merge(model, folder.model, folder.path / "merged")
    processes.together()


def merge(model: ModelRef, adapter: Path, to: Path) -> Path:
    """Put an adapter into its model's weights: bfloat16 safetensors and the tokenizer in the folder `to`.

    Holds the model in float32 meanwhile, four bytes a weight, so that each weight is rounded once.
    """
    import peft
    import torch
    import transformers

    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        model.location, revision=model.revision, dtype=torch.float32
    )
    whole = peft.PeftModel.from_pretrained(loaded, str(adapter)).merge_and_unload()
    temporary = to.with_name(f"{to.name}.unfinished")
    shutil.rmtree(temporary, ignore_errors=True)
    whole.to(torch.bfloat16).save_pretrained(temporary)
    transformers.AutoTokenizer.from_pretrained(adapter).save_pretrained(temporary)
    shutil.rmtree(to, ignore_errors=True)
    temporary.replace(to)
    return to


def whose_model(folder: TrainingFolder, identity: str) -> str:
    """What a run's model is to a training, in words, by its identity."""
    base = folder.record["identity"]["model"]
    known = {base: "before training"}
    for place, words in (
        (folder.path / "merged", "this model, merged"),
        (folder.model, "this model"),
    ):
        if place.is_dir():
            found = f"sha256:{fingerprint(place)}"
            adapter = (place / "adapter_config.json").exists()
            known[f"{base}+{found}" if adapter else found] = words
    return known.get(identity, "another model")
