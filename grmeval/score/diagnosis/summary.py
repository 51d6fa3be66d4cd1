"""The first lines of a diagnosis: what is wrong, how sure that is, what to do."""

from collections.abc import Iterator, Sequence
from math import isnan

from grmeval.score.diagnosis.claims import POWER, looked_at
from grmeval.score.diagnosis.findings import RATE, Claim, Part, small

__all__ = ["MOST_LINES", "summary"]

MOST_LINES = 11
"""Of a summary, which stands below its title."""
TOPICS = {
    "position": ("position", "reversal"),
    "length": ("length",),
    "calibration": ("calibration",),
}
"""Parts that one line speaks of; the meta RMs have a line together."""
_WOULD = "would see"


def summary(parts: Sequence[Part]) -> tuple[str, ...]:
    """At most MOST_LINES lines of `declared` parts."""
    by_name = {part.name: part for part in parts}
    lines = [_headline(parts)]
    for topic, names in TOPICS.items():
        lines += _topic(topic, [by_name[name] for name in names])
    if metas := [part for part in parts if part.name.startswith("meta:")]:
        # What it gains is no fault: there is nothing to do about it.
        lines += _topic("meta rewards", metas)[:1]
    lines += [_output(by_name["output"]), *_error(by_name["variance"])]
    return (*lines, _terms(parts, any(_WOULD in line for line in lines)))


def _headline(parts: Sequence[Part]) -> str:
    looked = looked_at(parts)
    if not looked:
        return "no bias could be looked for: no number could be tested"
    count = sum(claim.found for claim in looked)
    found = f"found {count} of" if count else "nothing found in"
    rate = f"false discovery rate {100 * RATE:.0f} % over all {len(looked)}"
    return f"{found} {_numbers(looked)} looked at; {rate}"


def _topic(topic: str, parts: Sequence[Part]) -> list[str]:
    """The surest of what was found, and what to do; or what could have been; or why nothing was tested."""
    looked = looked_at(parts)
    if not looked:
        absent = [why for part in parts for why in part.absent]
        return [f"{topic}: not tested" + (f": {absent[0]}" if absent else "")]
    found = [claim for claim in looked if claim.found]
    if not found:
        return [f"{topic}: nothing found in {_numbers(looked)}; {_visible(looked)}"]
    # That verdicts flip with the order is a sign; where the first slot stands says more.
    surest = min(found, key=lambda claim: (claim.row.part == "reversal", claim.row.p))
    what = f"{surest.row.kind or surest.about} {surest.number}".lstrip()
    line = f"{topic}: {surest.lean}: {what}, q {small(surest.row.q)}"
    return [line, f"    {len(found)} of {_numbers(looked)}; do: {surest.todo}"]


def _numbers(looked: Sequence[Claim]) -> str:
    return f"{len(looked)} number{'s' * (len(looked) > 1)}"


def _visible(looked: Sequence[Claim]) -> str:
    """The smallest bias that would have been found in the first number in points of each kind of items."""
    sizes: dict[str, float] = {}
    for claim in looked:
        if claim.row.unit == "points" and claim.row.part != "reversal":
            sizes.setdefault(claim.row.kind, claim.row.detectable)
    said = [
        f"{100 * size:.1f}" + f" ({kind})" * bool(kind)
        for kind, size in sizes.items()
        if not isnan(size)
    ]
    return f"{_WOULD} {', '.join(said)} points" if said else "too few items to see any"


def _output(part: Part) -> str:
    whole = {row.measure: row for row in part.findings if row.kind == "overall"}
    invalid, cut = whole["invalid"], whole["truncated"]
    if not invalid.value:
        return f"output: all {invalid.count:,} judgements can be read"
    todo = "--max-tokens" if cut.value > invalid.value / 2 else "--structured"
    return (
        f"output: {100 * invalid.value:.1f} % of {invalid.count:,} judgements cannot be read, "
        f"{100 * cut.value:.1f} % were cut; do: {todo}"
    )


def _error(part: Part) -> Iterator[str]:
    """How sure the accuracy is, and what would make it surer."""
    if part.findings:
        name = part.findings[-1].name
        errors = [row for row in part.findings if (row.name, row.measure) == (name, "error")]
        yield f"{name}: standard error {100 * errors[0].value:.1f} points; {part.says[-1]}"


def _terms(parts: Sequence[Part], would: bool) -> str:
    rows = sum(not isnan(row.low) for part in parts for row in part.findings)
    odds = f"{_WOULD}: {100 * POWER:.0f} % of the time; " if would else ""
    return f"{odds}--all: every table, {rows} single 95 % intervals, not corrected"
