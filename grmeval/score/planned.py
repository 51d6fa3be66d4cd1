"""What a plan comes to, in tokens, hours and money; and beside it what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from grmeval.engines import BATCH
from grmeval.engines.models import UNSEEN
from grmeval.engines.scorer import LOGPROB
from grmeval.runs.forecast import Expected, Forecast
from grmeval.score.arrays import read_run
from grmeval.score.cost import Price, Prices, spent_in_all
from grmeval.score.table import title
from grmeval.store import RunFolder

__all__ = ["Compared", "Measure", "PlanRow", "Planned", "compare_plan", "price_plan"]

_HOUR = 3600.0

_SERVED = ("server", BATCH)
"""Engines of whose cache nothing is known before: nothing is priced as cached."""

_ADVICE = "; `grmeval run` with the same options and --limit 32 --k 2 tells, and its samples count"


@dataclass(frozen=True)
class PlanRow:
    """One benchmark of a plan; the last of several is all of them together. NaN: not known.

    `have`: samples that are there. `prompt_tokens` are those of all requests, `cached_tokens` of them are in
    the prefix cache by then. `tokens` are generated, `most` where they are the most there can be. `hours` are
    the least that the machine takes, `gpu_hours` those times its GPUs. `price` is of all samples.
    """

    bench: str
    k: int
    items: int
    samples: int
    have: int
    prompts: int
    prompt_tokens: int
    cached_tokens: float
    too_long: int
    tokens: int
    most: bool
    running: int
    hours: float
    gpu_hours: float
    price: float


@dataclass(frozen=True)
class Planned:
    """`about`: model, GPU and currency; `footer`: how each number was come by."""

    title: str
    rows: tuple[PlanRow, ...]
    footer: tuple[str, ...]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """A quantity of a plan and of the run; `ratio`: fact ÷ plan. NaN: not known."""

    name: str
    plan: float
    fact: float
    ratio: float


@dataclass(frozen=True)
class Compared:
    """A run beside its plan."""

    title: str
    rows: tuple[Measure, ...]
    footer: tuple[str, ...]
    about: Mapping[str, Any]


def price_plan(forecasts: Sequence[Forecast], prices: Prices | None) -> Planned:
    """The plan of one command: a row a benchmark, and of several all together."""
    rows = [_row(each, prices) for each in forecasts]
    first = forecasts[0]
    if len(rows) > 1:
        rows.append(_together(rows))
    notes = dict.fromkeys(note for each in forecasts for note in _notes(each))
    return Planned(
        title=f"plan: {_model(first)}, judge {first.plan.judge.name}",
        rows=tuple(rows),
        footer=(*notes, *_price_notes(first, prices)),
        about=_about(first, prices),
    )


def compare_plan(folder: RunFolder, forecast: Forecast, prices: Prices | None) -> Compared:
    """What one launch of a run's samples should have taken, and what its launches took."""
    config = forecast.plan.config
    plan, run = _row(forecast, prices), read_run(folder, config.k, config.limit)
    spent, lacking = spent_in_all(run, prices)
    seconds, on_all = (nan if each is None else each for each in (spent.seconds, spent.gpu_seconds))
    pairs = {
        "samples": (plan.samples, int(run.samples.sum())),
        "prompt tokens": (plan.prompt_tokens, spent.prompt_tokens),
        "of them cached": (plan.cached_tokens, spent.cached_tokens),
        "generated tokens": (plan.tokens, spent.tokens),
        "hours": (plan.hours, seconds / _HOUR),
        "GPU-hours": (plan.gpu_hours, on_all / _HOUR),
    }
    if prices:
        pairs[f"price, {prices.currency}"] = plan.price, spent.price
    launches = len(folder.record["launches"])
    more = [f"the plan is of one launch, the run had {launches}"] if launches > 1 else []
    if forecast.prompts.too_long:
        more.append("the fact counts the prompts that do not fit, the plan does not")
    return Compared(
        title=f"plan and fact: {title([folder])}",
        rows=tuple(_measure(name, *both) for name, both in pairs.items()),
        footer=(*_notes(forecast, advice=""), *more, *lacking),
        about=_about(forecast, prices) | {"run": str(folder.path)},
    )


def _measure(name: str, plan: float | None, fact: float | None) -> Measure:
    planned, found = (nan if each is None else float(each) for each in (plan, fact))
    return Measure(name, planned, found, found / planned if planned else nan)


def _row(forecast: Forecast, prices: Prices | None) -> PlanRow:
    plan, prompts, bound = forecast.plan, forecast.prompts, forecast.bound
    seconds = nan if bound is None or bound.seconds is None else bound.seconds
    gpus = (bound.devices if bound else 1) * forecast.copies
    price, cost = _price(forecast, prices), None
    if price:
        on_all = None if seconds != seconds else seconds * gpus
        cost = price.of(prompts.tokens, prompts.cached, forecast.generated, on_all)
    return PlanRow(
        bench=plan.loaded.spec.id,
        k=plan.config.k,
        items=prompts.items,
        samples=prompts.samples,
        have=forecast.have,
        prompts=prompts.distinct,
        prompt_tokens=prompts.tokens,
        cached_tokens=nan if plan.config.engine in _SERVED else prompts.cached,
        too_long=prompts.too_long,
        tokens=forecast.generated,
        most=_at_most(forecast),
        running=(bound.running if bound else 0) * forecast.copies,
        hours=seconds / _HOUR,
        gpu_hours=seconds * gpus / _HOUR,
        price=nan if cost is None else cost,
    )


def _at_most(forecast: Forecast) -> bool:
    return forecast.expected is None and not forecast.plan.judge.head


def _together(rows: Sequence[PlanRow]) -> PlanRow:
    def added(name: str) -> Any:
        return sum(getattr(row, name) for row in rows)

    names = ("items", "samples", "have", "prompts", "prompt_tokens", "cached_tokens", "too_long")
    sums = {name: added(name) for name in (*names, "tokens", "hours", "gpu_hours", "price")}
    return PlanRow(
        bench="together",
        k=rows[0].k,
        most=any(row.most for row in rows),
        running=max(row.running for row in rows),
        **sums,
    )


def _model(forecast: Forecast) -> str:
    """What reports call it, or what the user does, where it could not be looked up."""
    plan = forecast.plan
    return str(plan.config.model) if plan.model == UNSEEN else plan.model.label


def _price(forecast: Forecast, prices: Prices | None) -> Price | None:
    config, label = forecast.plan.config, forecast.plan.model.label
    return prices.find([label, *([config.model] if config.model else [])]) if prices else None


def _about(forecast: Forecast, prices: Prices | None) -> dict[str, Any]:
    plan, bound = forecast.plan, forecast.bound
    return {
        "model": _model(forecast),
        "judge": plan.judge.name,
        "gpu": bound.gpu if bound else None,
        "gpus": bound.devices * forecast.copies if bound else None,
        "currency": prices.currency if prices else None,
    }


def _price_notes(forecast: Forecast, prices: Prices | None) -> list[str]:
    if not prices:
        return []
    price = _price(forecast, prices)
    if price is None:
        return [f"no price of {_model(forecast)} in {prices.path}"]
    if price.gpu_hour is not None:
        return [f"price in {prices.currency}, of the GPU-hours at the bound: the least it can be"]
    return [f"price in {prices.currency}, by tokens"]


def _notes(forecast: Forecast, advice: str = _ADVICE) -> list[str]:
    """How the numbers were come by, and what they leave out; `advice`: what tells how long judgements are."""
    plan, prompts = forecast.plan, forecast.prompts
    bench = plan.loaded.spec.id
    found = []
    if not prompts.samples:
        return [f"{bench}: every sample is there"]
    if forecast.have:
        found.append(f"{bench}: {forecast.have:,} samples are there, and are not asked again")
    if prompts.exact:
        found.append("prompt tokens: by the model's own tokenizer, every prompt")
    else:
        found.append(f"prompt tokens: a quarter of the characters, {_why_not_exact(forecast)}")
    if prompts.too_long:
        found.append(
            f"{bench}: {prompts.too_long:,} samples do not fit beside {plan.config.max_tokens:,} tokens of "
            "judgement, and are not asked: --max-model-len, where the model has more"
        )
    if not plan.judge.head:
        found.append(f"{bench}: {_generated(forecast.expected, plan.config.max_tokens, advice)}")
    found += _bound_notes(forecast)
    if plan.config.meta_model and plan.config.meta_model != LOGPROB:
        found.append(
            f"the meta RM {plan.config.meta_model} is not in it: it reads every prompt once more, with one "
            f"judgement each, about {prompts.tokens + forecast.generated:,} tokens"
        )
    return found


def _why_not_exact(forecast: Forecast) -> str:
    if forecast.plan.config.engine == "fake":
        return "as the fake engine counts"
    if forecast.plan.config.engine in _SERVED:
        return "since the tokenizer is the server's, which counts exactly"
    return f"since the tokenizer of {_model(forecast)} is not at hand: exact where it is"


def _generated(expected: Expected | None, most: int, advice: str) -> str:
    """In words, where the generated tokens come from."""
    if expected is None:
        return (
            f"generated tokens: at most, {most:,} a sample (--max-tokens), since no other run below "
            f"--results had this judge{advice}"
        )
    said = f"generated tokens: {expected.tokens:,.0f} a sample, as {expected.samples:,} of run "
    said += f"{expected.run.name} ({expected.like})"
    if expected.cut:
        said += f"; {expected.cut:.0%} of those were cut at a lower --max-tokens: it will be more"
    return said


def _bound_notes(forecast: Forecast) -> list[str]:
    bound, found = forecast.bound, list(forecast.notes)
    if bound is None:
        fake = forecast.plan.config.engine == "fake"
        why = "the fake engine works on none" if fake else "of which GPU? --gpu NAME"
        return found or [f"no hours: {why}"]
    gpus = f"{bound.devices} × {bound.gpu}" if bound.devices > 1 else bound.gpu
    weights, memory = bound.weights / 1e9, bound.memory / 1e9
    if bound.seconds is None:
        return [
            f"does not fit: {weights:,.1f} GB of weights and the KV cache of one sample, and {gpus} has "
            f"{memory:,.1f} GB for them: --tensor-parallel, or a larger GPU",
            *found,
        ]
    read = bound.prefill / bound.seconds if bound.prefill and bound.seconds else 0.0
    share = f", {read:.0%} of the time for prompts" if read else ""
    copies = f", {forecast.copies} copies" if forecast.copies > 1 else ""
    limit = f", generation at the {bound.by}" if forecast.generated else ""
    limit += " and as if every judgement had its most tokens" if _at_most(forecast) else ""
    return [
        f"hours: the bound of {gpus}{copies}: {weights:,.1f} GB of weights, {bound.running:,} samples at once"
        f"{limit}{share}; no engine reaches it, and what share one does was not measured",
        *found,
    ]
