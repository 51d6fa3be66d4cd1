"""What a number took: samples, tokens and seconds of judge, critic and meta RM, and their price."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from grmeval.score.arrays import RunArrays
from grmeval.score.cost.prices import Prices
from grmeval.score.cost.sources import Source, Tokens, named, sources_of, tokens_of
from grmeval.store import is_meta_vote, reward_records

__all__ = ["Cost", "Spent", "cost_lines", "cost_of", "spent_in_all", "unlike_effort"]

UNKNOWN = "not known"
"""The critic's name in runs of before they kept it."""

LIKE = 1.1
"""Generated tokens an item that differ by no more than this factor are the same effort."""


@dataclass(frozen=True)
class Spent:
    """What one model read, wrote and took for k samples of all items; None: not known.

    `prompt_tokens` count each judgement's prompt, `cached_tokens` are those of them that came out of the
    prefix cache. `seconds`: wall-clock of sampling, machines added up, without `load_seconds`, which are of
    all launches; `gpu_seconds`: times the GPUs that shared the model. `price`: per 1,000 items.
    """

    model: str
    prompt_tokens: float | None
    cached_tokens: float | None
    tokens: float | None
    seconds: float | None
    gpu_seconds: float | None
    load_seconds: float | None
    price: float | None


@dataclass(frozen=True)
class Cost:
    """What a vote of `samples` (k) judgements of each of `items` took; `mean_samples`: fewer where some
    stopped.

    `critic`: of the critiques that a head read, `meta`: of the meta RM that the vote counts; a panel's are
    those of its members together. Where a run holds more or fewer judgements, tokens are those of the
    mean judgement at hand, and seconds go by the share of judgements. `tokens_per_item`: generated, by
    judge and critic. `price`: of all of them per 1,000 items, in `currency`; None without prices, or as
    `notes` say.
    """

    samples: int
    mean_samples: float
    items: int
    tokens_per_item: float | None
    judge: Spent
    critic: Spent | None
    meta: Spent | None
    price: float | None
    currency: str | None
    notes: tuple[str, ...]

    def of_judgements(self, name: str) -> float | None:
        """What judge and critic took of `name`, a field of Spent; None: not known of both."""
        parts = [self.judge, *([self.critic] if self.critic else [])]
        return added(getattr(part, name) for part in parts)


def cost_of(run: RunArrays, k: int, vote: str, prices: Prices | None = None) -> Cost:
    """What a vote of k samples of a run's items takes; nothing is known of a run without samples."""
    made = int(run.samples.sum())
    needed = run.needed(k, vote)
    scale = int((needed * run.width).sum()) / made if made else 0.0
    items = len(run.n)
    pricing = _Pricing(prices, items)
    judge, critic = _judged(run, scale, pricing)
    meta = _meta(run, _meta_model(run, vote), scale, pricing)
    parts = [part for part in (judge, critic, meta) if part]
    written = added(part.tokens for part in parts[: 1 + bool(critic)])
    return Cost(
        samples=k,
        mean_samples=float(needed.mean()) if items else 0.0,
        items=items,
        tokens_per_item=per_item(written, items),
        judge=judge,
        critic=critic,
        meta=meta,
        price=added(part.price for part in parts),
        currency=prices.currency if prices else None,
        notes=tuple(dict.fromkeys(pricing.notes)),
    )


def spent_in_all(run: RunArrays, prices: Prices | None = None) -> tuple[Spent, tuple[str, ...]]:
    """(what the judge took for the judgements that are counted, `price` being that of them all, notes)."""
    pricing = _Pricing(prices, items=1000)  # the price per 1,000 of 1,000 is the whole price
    return _judged(run, 1.0, pricing)[0], tuple(pricing.notes)


def added(parts: Iterable[float | None]) -> float | None:
    """The sum of amounts; None where one of them is not known."""
    known = list(parts)
    return None if None in known else sum(part for part in known if part is not None)


def per_item(total: float | None, items: int) -> float | None:
    """An item's share of a total."""
    return total / items if total is not None and items else None


class _Pricing:
    """Prices of the models of one vote; `notes` say which have none, and why."""

    def __init__(self, prices: Prices | None, items: int) -> None:
        self._prices, self._items = prices, items
        self.notes: list[str] = []

    def spent(self, names: Sequence[str], tokens: Tokens, clock: "_Clock") -> Spent:
        """`names`: what a price file may call the model, first what reports call it."""
        model = names[0]
        price = None
        if self._prices and (found := self._prices.find(names)) is None:
            self.notes.append(f"no price of {model} in {self._prices.path}")
        elif self._prices and found and self._items:
            price = found.of(tokens.prompt, tokens.cached, tokens.generated, clock.gpu_seconds)
            if price is None:
                what = "tokens" if found.gpu_hour is None else "seconds"
                self.notes.append(f"no price of {model}: its {what} are not known")
            else:
                price *= 1000 / self._items
        return Spent(
            model=model,
            prompt_tokens=tokens.prompt,
            cached_tokens=tokens.cached,
            tokens=tokens.generated,
            seconds=clock.seconds,
            gpu_seconds=clock.gpu_seconds,
            load_seconds=clock.load_seconds,
            price=price,
        )


@dataclass(frozen=True)
class _Clock:
    seconds: float | None
    gpu_seconds: float | None
    load_seconds: float | None

    @classmethod
    def of(
        cls, launches: Iterable[Mapping[str, Any]], name: str, devices: int, made: float
    ) -> "_Clock":
        """Seconds of `made` judgements, by what those took of launches that ended, under `name`."""
        launches = list(launches)
        loads = [each["load_seconds"] for each in launches if "load_seconds" in each]
        loaded = round(sum(loads), 3) if loads else None
        ended = [each for each in launches if each.get("samples") and name in each]
        if not ended or not made:
            return cls(None, None, loaded)
        share = made / sum(each["samples"] for each in ended)
        seconds = share * sum(each[name] for each in ended)
        on_all = share * sum(each[name] * each.get("devices", devices) for each in ended)
        return cls(seconds, on_all, loaded)


def _judged(run: RunArrays, scale: float, pricing: _Pricing) -> tuple[Spent, Spent | None]:
    """Of the judge and of its critic, if it has one; a panel's members added up, each at its own price."""
    spent = [_of_source(source, scale, pricing) for source in sources_of(run)]
    critics = [critic for _, critic in spent if critic]
    judge = _added([judge for judge, _ in spent], run.record["config"]["label"])
    return judge, _added(critics, " + ".join(dict.fromkeys(c.model for c in critics)))


def _of_source(source: Source, scale: float, pricing: _Pricing) -> tuple[Spent, Spent | None]:
    """Of one run's judge; its seconds, and those of its critic, go by the samples that are counted."""
    made = scale * int(source.taken.samples.sum()) if source.taken else 0.0
    own, theirs = tokens_of(source, scale)
    clock = _Clock.of(source.launches, "sample_seconds", source.devices, made)
    judge = pricing.spent(source.names, own, clock)
    if source.critic is None or theirs is None:
        return judge, None
    clock = _Clock.of(source.critic.get("launches", ()), "sample_seconds", 1, made)
    names = named(source.critic.get("label"), source.critic.get("model")) or [UNKNOWN]
    return judge, pricing.spent(names, theirs, clock)


def _added(parts: Sequence[Spent], model: str) -> Any:
    """What several models took together, under a name for them all; None of none."""
    if len(parts) < 2:
        return next(iter(parts), None)
    amounts = [field.name for field in fields(Spent) if field.name != "model"]
    return Spent(model, **{name: added(getattr(p, name) for p in parts) for name in amounts})


def _meta_model(run: RunArrays, vote: str) -> str | None:
    """The meta RM whose rewards a vote counts; there is one where the vote names none."""
    if not is_meta_vote(vote):
        return None
    return vote.partition(":")[2] or next(iter(run.rewarded), None)


def _meta(run: RunArrays, name: str | None, scale: float, pricing: _Pricing) -> Spent | None:
    if name is None or name not in run.rewarded:
        return None
    read, record = run.rewarded[name], reward_records(run.path)[name]
    if record.get("identity", {}).get("engine") == "samples":  # the judge's own numbers
        return None
    launches = record.get("launches", [])
    prompt, cached = (
        None if count is None else scale * count
        for count in (read.prompt_tokens, read.cached_tokens)
    )
    tokens = Tokens(prompt, cached, None if prompt is None else 0.0)
    clock = _Clock.of(launches, "seconds", 1, scale * read.asked)
    given = [launch.get("model") for launch in launches]
    return pricing.spent(named(name, *given), tokens, clock)


def cost_lines(costs: Iterable[Cost]) -> tuple[str, ...]:
    """Sentences for the foot of a table of one run's votes."""
    lines: dict[str, None] = {}
    for cost in costs:
        lines[_of_judge(cost)] = None
        if cost.critic:
            lines[_of_critic(cost, cost.critic)] = None
        if cost.meta:
            lines[_of_meta(cost, cost.meta)] = None
        lines |= dict.fromkeys(cost.notes)
    return tuple(lines)


def _of_judge(cost: Cost) -> str:
    count = _samples(cost)
    said = [f"cost: {count} sample{'' if count == '1' else 's'} an item"]
    tokens = _tokens(cost.judge, cost.items)
    line = _line(said + tokens, cost.judge, bool(tokens))
    return line + _price("", cost.judge.price, cost.currency)


def _samples(cost: Cost) -> str:
    """Of an item; the mean where some stopped early."""
    return f"{cost.mean_samples:.{0 if cost.mean_samples == cost.samples else 1}f}"


def _of_critic(cost: Cost, critic: Spent) -> str:
    said = _tokens(critic, cost.items)
    line = f"cost of critic {critic.model}: {_line(said, critic, bool(said))}"
    return line + _price("with it ", cost.of_judgements("price"), cost.currency)


def _of_meta(cost: Cost, meta: Spent) -> str:
    read = per_item(meta.prompt_tokens, cost.items)
    said = [] if read is None else [f"{read:,.0f} prompt tokens{_cached(meta)} an item"]
    line = f"cost of meta RM {meta.model}: {_line(said, meta, bool(said))}"
    return line + _price("with it ", cost.price, cost.currency)


def _tokens(spent: Spent, items: int) -> list[str]:
    """What is known of a model's tokens, in words."""
    read, wrote = per_item(spent.prompt_tokens, items), per_item(spent.tokens, items)
    tokens = [] if read is None else [f"{read:,.0f} prompt{_cached(spent)}"]
    tokens += [] if wrote is None else [f"{wrote:,.0f} generated"]
    return [f"{' and '.join(tokens)} tokens an item"] if tokens else []


def _line(said: list[str], spent: Spent, tokens: bool) -> str:
    """What is `said`, and the seconds, then which of the two is not known."""
    seconds = [] if spent.seconds is None else [f"{_amount(spent.seconds)} s"]
    unknown = ["tokens"] * (not tokens) + ["seconds"] * (not seconds)
    known = ", ".join(said + seconds)
    return "; ".join([known] * bool(known) + [f"{' and '.join(unknown)} not known"] * bool(unknown))


def _cached(spent: Spent) -> str:
    if spent.cached_tokens is None:
        return ""
    return f" ({100 * spent.cached_tokens / (spent.prompt_tokens or 1):.0f} % cached)"


def _price(begin: str, price: float | None, currency: str | None) -> str:
    return "" if price is None else f"; {begin}{_amount(price)} {currency} per 1,000 items"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def unlike_effort(costs: Mapping[str, Cost]) -> str | None:
    """One line where runs, by label, differ in samples an item, or in generated tokens by more than 10 %."""
    tokens = [cost.tokens_per_item for cost in costs.values()]
    known = [count for count in tokens if count is not None]
    means = [cost.mean_samples for cost in costs.values()]
    alike = all(max(each) <= LIKE * min(each) for each in (known, means) if each)
    if alike and len({cost.samples for cost in costs.values()}) <= 1:
        return None
    said: list[str] = []
    for label, cost in costs.items():
        wrote = cost.tokens_per_item
        count = "not known" if wrote is None else f"{wrote:,.0f}"
        words = ("", " and ", "") if said else (" samples", ", ", " generated tokens an item")
        most = "" if cost.mean_samples == cost.samples else f" (k ≤ {cost.samples})"
        said.append(f"{label} {_samples(cost)}{words[0]}{most}{words[1]}{count}{words[2]}")
    return f"not the same effort: {'; '.join(said)}"
