"""Samples that are missing, as requests of a batch file: one a sample, whose custom_id says which.

A custom_id is RUN-ITEM-ORDER-J: the run-id, hashes of the item's name and of its response order, the sample's
number. So an answer finds its place whatever became of the rows' order, and one of another run is known.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from grmeval.benches import Filter
from grmeval.config import RunConfig
from grmeval.engines import BATCH, Sampling
from grmeval.engines.batch import Asking
from grmeval.engines.models import read_preset
from grmeval.engines.server.settings import ServerSettings
from grmeval.errors import ConfigError
from grmeval.items import Item, Key
from grmeval.runs.check_plan import check_batch
from grmeval.runs.make_plan import again, recorded_model
from grmeval.runs.orders import response_order
from grmeval.runs.plan import Plan
from grmeval.store import RunFolder, asked_part, largest, stops_of

__all__ = ["Place", "Places", "batch_plan", "requests", "without_stopped"]

Missing = list[tuple[Item, tuple[int, ...]]]
"""Items, and samples of each."""

_NAME = re.compile(r"([0-9a-f]{12})-([0-9a-f]{16})-([0-9a-f]{6})-(0|[1-9]\d{0,5})")


def batch_plan(
    folder: RunFolder, k: int | None = None, limit: int | None = None, only: Filter | None = None
) -> Plan:
    """The plan of a run whose answers come in files; its model is not looked for.

    What is not said is as last asked for. ConfigError: the benchmark or the judge cannot be asked so.
    """
    asked, part = largest(folder), only or asked_part(folder)
    plan = again(
        folder,
        k or asked.k,
        recorded_model(folder),
        limit=limit or asked.limit,
        subset=part.subsets or None,
        section=part.sections or None,
    )
    check_batch(plan.judge, folder.restricted)
    return plan


def without_stopped(plan: Plan, folder: RunFolder, missing: Missing) -> Missing:
    """Less the samples that an adaptive run decided not to ask for, at the plan's k or a larger one."""
    ends = {stop.name: stop.k for stop in stops_of(folder.path) if stop.most >= plan.config.k}
    left: Missing = []
    for item, js in missing:
        name = item.id if item.pool is None else item.pool
        end = ends.get((item.subset, item.pool is not None, name), plan.config.k)
        if mine := tuple(j for j in js if j < end):
            left.append((item, mine))
    return left


def requests(
    plan: Plan, missing: Missing, model: str | None = None, seeds: bool = True
) -> Iterator[dict[str, Any]]:
    """A line for each of these samples, those of one prompt together; made as they are taken.

    `model`: its name in the requests. ConfigError: nobody knows it. `seeds`: each request has its own.
    """
    config = plan.config
    settings = ServerSettings(
        urls=(),
        model=model or _served_name(config, plan.model.identity),
        sampling=Sampling(config.temperature, config.top_p, config.max_tokens),
        structured=config.structured,
        chat_template_kwargs=config.chat_template_kwargs,
        fields=config.engine_args if config.engine in (BATCH, "server") else {},
    )
    asking = Asking(settings, of_vllm=config.engine in ("vllm", "ray"))
    run, draws = plan.path.name, seeds and not config.greedy
    for request in plan.requests(missing):
        for j in request.js:
            name = _name(run, request.key, request.order, j)
            yield asking.line(name, request, _seed(name) if draws else None)


def _served_name(config: RunConfig, identity: str) -> str:
    """What a server calls the run's model."""
    if config.engine == "fake":
        return "fake"
    if config.lora or (config.engine == "server" and config.model_tag and not config.model):
        raise ConfigError("what does the server call the run's model? --model NAME")
    if config.engine == "server" and not config.model:
        return identity.removeprefix("served:").partition("=")[0]
    model = config.model or ""
    preset = read_preset(model) if config.engine in ("vllm", "ray") else None
    return (preset and preset.hub) or model


def _name(run: str, key: Key, order: tuple[int, ...], j: int) -> str:
    return f"{run}-{_hash(*key)[:16]}-{_hash(*map(str, order))[:6]}-{j}"


def _hash(*words: str) -> str:
    text = "\0".join(words).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()


def _seed(name: str) -> int:
    """Of the sample: no two of a run share one, and one that is asked again has the same. 31 bits: what every
    service takes."""
    return int(_hash("seed", name)[:8], 16) >> 1


class Place(NamedTuple):
    """Whose answer a custom_id asks for."""

    item: Item
    order: tuple[int, ...]
    j: int


class Places:
    """custom_id -> the sample of a run that it names."""

    def __init__(self, plan: Plan) -> None:
        self._run, self._config = plan.path.name, plan.config
        self._items: Mapping[str, Item] = {
            _hash(*item.key)[:16]: item for item in plan.loaded.items
        }

    def of(self, custom_id: str) -> Place | str:
        """The sample, or why there is none in this run."""
        found = _NAME.fullmatch(custom_id)
        if not found:
            return "is no name that `grmeval export` gives"
        run, name, _, j = found.groups()
        if run != self._run:
            return f"is of the run {run}"
        if not (item := self._items.get(name)):
            return "is of no item of this run"
        config, at = self._config, int(j)
        if at >= config.k:
            return f"is of sample j = {at}, and k = {config.k} were asked for"
        order = response_order(config.orders, config.seed, item.key, item.n, at)
        if custom_id != _name(run, item.key, order, at):
            return f"shows other orders of responses than the run's sample j = {at}"
        return Place(item, order, at)
