"""What makes a run that run and no other: the fields whose hash is its name."""

from typing import Any

from grmeval.benches import Loaded
from grmeval.config import RunConfig
from grmeval.engines import BATCH
from grmeval.engines.models import ModelRef
from grmeval.judges import Judge

__all__ = ["identity_of"]


def identity_of(config: RunConfig, loaded: Loaded, judge: Judge, model: ModelRef) -> dict[str, Any]:
    """The identity fields, with names of files and models replaced by what is in them.

    What is not set is left out, so that a setting added later keeps the run-ids there are.
    """
    if config.engine == "fake":
        from grmeval.engines.fake import SPEED_ONLY as speed_only
        from grmeval.engines.fake import read_settings

        arguments = read_settings(config.engine_args).model_dump(exclude_defaults=True)
    else:
        if config.engine in ("server", BATCH):
            from grmeval.engines.server.settings import SPEED_ONLY as speed_only
        else:
            from grmeval.engines.arguments import SPEED_ONLY as speed_only

        arguments = config.engine_args
    identity = config.identity() | {
        "bench": loaded.spec.id,
        "data": loaded.content_hash,
        "judge": judge.identity(),
        "model": model.identity,
        "engine_args": {k: v for k, v in arguments.items() if k not in speed_only},
    }
    if config.engine == "ray":  # where vLLM answers changes nothing that it says
        identity["engine"] = "vllm"
    for name in ("revision", "template", "principles", "critiques", "lora", "model_tag"):
        del identity[name]  # the model's identity and the judge's say what they hold
    # The seed chose the items before there was a limit seed: such runs keep their ids.
    if config.limit_seed == config.seed:
        del identity["limit_seed"]
    return {n: v for n, v in identity.items() if v is not None and v is not False and v != {}}
