"""What a training would take: memory by its parts, time by steps taken here or by the FLOPs of a GPU."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm
from pathlib import Path
from typing import Any, Protocol, cast

from grmeval.doctor.machine import main_memory
from grmeval.engines.gpus import Gpu
from grmeval.engines.model_files import own_config, stored_tensors
from grmeval.engines.model_size import size_of
from grmeval.engines.models import ModelRef
from grmeval.errors import EngineError
from grmeval.store import memory
from grmeval.train.folder import TrainingFolder
from grmeval.train.model import lora_config
from grmeval.train.recorder import recorder
from grmeval.train.settings import TrainConfig
from grmeval.train.stage_settings import RlTable, StageTable
from grmeval.train.trainer import quiet, settings_fit

__all__ = ["Forecast", "Measured", "Parts", "Prepared", "forecast"]

_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
_GIB = 2**30
_MEASURED_STEPS = 2
"""The first warms up and does not count."""


@dataclass(frozen=True)
class Parts:
    """Bytes of one copy of a model in training.

    `activations` are those of one micro-batch of the longest rows. Of each layer and token are kept: what the
    norms, the projections, attention and the MLP put out, but no attention scores (they are not kept by
    sdpa); with gradient_checkpointing the input of each layer, and all of one layer.
    """

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.weights + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True)
class Measured:
    """Steps that were taken on this machine: tokens a second, and the most memory in bytes, `where`."""

    tokens_per_second: float
    peak: float
    where: str


@dataclass(frozen=True)
class Forecast:
    """`parameters` of the model, of which `trained` are (an adapter's are counted in both).

    `tokens`: of the whole training, without padding. `gpu_seconds`: the least that one GPU takes, at the peak
    of its matrix units; None: none was named, or nothing is known of the model. `fits`: GPUs that hold
    weights, gradients and optimizer states together, where they are shared out (ZeRO-3).
    """

    parameters: int
    trained: int
    rows: int
    too_long: int
    longest: int
    steps: int
    tokens: int
    parts: Parts
    gpu: str | None = None
    gpu_seconds: float | None = None
    fits: int | None = None
    measured: Measured | None = None
    notes: tuple[str, ...] = ()


class Prepared(Protocol):
    """What a training of any stage begins with: a dataclass that has these."""

    @property
    def config(self) -> TrainConfig:
        """Its configuration."""
        ...

    @property
    def table(self) -> StageTable:
        """The stage's part of it."""
        ...

    @property
    def model(self) -> ModelRef:
        """The model that training begins with."""
        ...

    @property
    def rows(self) -> Sequence[Any]:
        """What is trained on."""
        ...

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens of each of `rows`."""
        ...

    @property
    def too_long(self) -> int:
        """Rows that were left out."""
        ...

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        ...


def forecast(given: Prepared, gpu: Gpu | None, measure: bool, make: Callable[..., Any]) -> Forecast:
    """What a training would take; with `measure` a few real steps are taken, in a folder that is removed.

    `make` gives the stage's trainer. Of RL each rollout counts with all of `max_tokens`. Only weights that
    lie in a folder here, and fit into memory, are loaded for that.
    """
    parameters, trained = _counted(given)
    config = own_config(given.model) or {}
    longest = max(given.lengths)
    found = Forecast(
        parameters=parameters,
        trained=trained,
        rows=len(given.rows),
        too_long=given.too_long,
        longest=longest,
        steps=given.steps,
        tokens=round(sum(given.lengths) / len(given.lengths) * given.table.batch * given.steps),
        parts=_parts(given, config, parameters, trained, longest),
    )
    if gpu:
        found = _on_gpu(found, given, config, gpu)
    if not measure:
        return found
    if why := _unmeasured(given, found.parts.total):
        return replace(found, notes=(*found.notes, f"no step was taken here: {why}"))
    return replace(found, measured=_measured(given, make))


def _counted(given: Prepared) -> tuple[int, int]:
    """(all parameters, those that are trained), counted on a model without weights."""
    import torch
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(
            given.model.location, revision=given.model.revision
        )
        with torch.device("meta"):
            model: Any = transformers.AutoModelForCausalLM.from_config(config)
            if adapter := lora_config(given.config.lora):
                import peft

                with settings_fit():
                    model = peft.get_peft_model(model, adapter)
    except (OSError, ValueError) as error:
        said = str(error).strip().partition("\n")[0]
        raise EngineError(f"model {given.config.model.name}: {said}") from None
    sizes = [(weight.numel(), weight.requires_grad) for weight in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, wanted in sizes if wanted)


def _parts(
    given: Prepared, config: Mapping[str, Any], parameters: int, trained: int, longest: int
) -> Parts:
    held = _BYTES[given.config.model.dtype]
    # PEFT keeps an adapter in float32, whatever its model is held in.
    of_trained = 4 if given.config.lora else held
    frozen = parameters - trained if given.config.lora else 0
    return Parts(
        weights=(frozen * held + trained * of_trained) * _copies(given),
        gradients=trained * of_trained,
        optimizer=2 * trained * of_trained,
        activations=_activations(given, config, longest),
    )


def _copies(given: Prepared) -> int:
    """Of the weights: RL holds those that the KL term compares with too; an adapter is taken off for that."""
    table = given.table
    return 2 if isinstance(table, RlTable) and table.beta and not given.config.lora else 1


def _activations(given: Prepared, config: Mapping[str, Any], longest: int) -> float:
    try:
        width, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
        heads = int(config["num_attention_heads"])
        head = int(config.get("head_dim") or width // heads)
        kv = 2 * head * int(config.get("num_key_value_heads") or heads)
        inner = int(config["intermediate_size"])
    except (KeyError, TypeError, ValueError):
        return float("nan")
    table = given.table
    each = 2 if table.bf16 or given.config.model.dtype != "float32" else 4
    layer = 5 * width + 2 * head * heads + kv + 4 * inner
    kept = layers * width + layer if table.gradient_checkpointing else layers * layer
    return float(each * kept * table.micro_batch * longest)


def _on_gpu(found: Forecast, given: Prepared, config: Mapping[str, Any], gpu: Gpu) -> Forecast:
    """With the bound of a GPU: two FLOPs a weight and token forward, four backward.

    An adapter saves the half of the backward pass that makes the gradients of weights; checkpointing adds a
    forward pass. Attention scores are not counted.
    """
    size = size_of(config, stored_tensors(given.model), given.config.model.dtype, {})
    notes = list(size.notes) if size else []
    passes = (2 if given.config.lora else 3) + given.table.gradient_checkpointing
    if isinstance(given.table, RlTable):
        passes += 1 + bool(given.table.beta)
        notes.append("rollouts are written token by token, which is far from a GPU's peak")
    seconds = None
    if size:
        work = 2 * (size.body + size.head) * passes * found.tokens
        seconds = work / (gpu.bf16 * 1e12)
    else:
        notes.append("no bound: config.json does not say how large the model's parts are")
    parts, room = found.parts, 0.9 * gpu.memory * _GIB
    shared = parts.weights + parts.gradients + parts.optimizer
    left = room - (0.0 if parts.activations != parts.activations else parts.activations)
    fits = -(-int(shared) // int(left)) if left > 0 else None
    if fits is None:
        notes.append("the activations of a micro-batch alone are more than such a GPU holds")
    return replace(found, gpu=gpu.title, gpu_seconds=seconds, fits=fits, notes=tuple(notes))


def _unmeasured(given: Prepared, needed: float) -> str | None:
    """Why no step can be taken here; None: it can."""
    if given.model.revision is not None:
        return "the weights are on the hub, and are not downloaded for this"
    if isinstance(given.table, RlTable) and given.table.rollouts != "transformers":
        return f"the rollouts are to be {given.table.rollouts}'s"
    import torch

    main = main_memory()
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else main and main.free
    if free is not None and needed > 0.9 * free:
        return f"it needs {needed / _GIB:.1f} GiB, and {free / _GIB:.1f} GiB are free"
    return None


def _measured(given: Prepared, make: Callable[..., Any]) -> Measured:
    """Micro-batches of the rows, in their order; those behind the first are timed."""
    import torch

    table = given.table.model_copy(
        update={
            "batch": lcm(given.table.micro_batch, getattr(given.table, "group", 1)),
            "steps": _MEASURED_STEPS,
            "epochs": None,
        }
        | {"log_every": 1, "save_every": _MEASURED_STEPS + 1, "warmup": 0}
    )
    times: list[float] = []
    with tempfile.TemporaryDirectory(prefix="grmeval-") as place:
        folder = TrainingFolder.open(Path(place), {"stage": "rft", "config": {}}, {})
        callback = recorder(folder, lambda *_: times.append(time.monotonic()))
        shorter = replace(cast(Any, given), table=table)
        trainer = quiet(make(shorter, folder, callback))
        trainer.args.save_strategy = "no"
        trainer.train()
        rows = [row["num_tokens"] for row in folder.metrics()]
    gpu = torch.cuda.is_available()
    held = memory()
    peak = held.get("gpu_peak", 0) if gpu else held.get("peak", 0)
    where = torch.cuda.get_device_name() if gpu else f"{torch.get_num_threads()} CPU threads"
    seconds = times[-1] - times[0]
    return Measured((rows[-1] - rows[0]) / seconds, peak * 2**20, where)
