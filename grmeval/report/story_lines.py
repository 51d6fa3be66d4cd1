"""Stories and prompts as lines for people, for 80 columns.

Texts of models and data sets are indented and go through `printable`: they can forge no heading.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grmeval.benches import Filter
from grmeval.items import Message
from grmeval.report.cells import one_line
from grmeval.report.printable import printable
from grmeval.runs import Preview

__all__ = ["item_text", "prompt_text", "run_text"]

WIDTH = 80
LAUNCH = ("engine", "grmeval", "commit", "python", "engine_seed", "started", "ended")
FACTS = ("bench", "subset", "id", "section", "n", "quality", "flags", "group", "cluster")


def run_text(story: Mapping[str, Any]) -> Iterator[str]:
    """`run_story` for people, line by line; fields of our own fit 80 columns."""
    asked, saved = story["asked"], story["accuracy"]
    limit = "all items" if asked["limit"] is None else f"--limit {asked['limit']}"
    if part := Filter.of(asked.get("only", {})):
        limit = " ".join(part.words) + ("" if asked["limit"] is None else f", {limit}")
    known = saved["accuracy"] is not None
    yield _line(f"run {story['run']}: {story['title']}, {story['model']}") + "\n"
    head = {
        "folder": story["path"],
        "asked": f"k={asked['k']}, {limit}",
        "stored": f"{_number(story['samples'])} samples; {_number(story['items'])} items asked for",
        saved["metric"] or "accuracy": f"{100 * saved['accuracy']:.1f} % "
        f"({saved['vote']}, k={saved['k']}; as last saved)"
        if known
        else "no tables saved yet: grmeval score RUN --save",
        "written": story["written"],
    }
    if story["restricted"]:
        head["restricted"] = "its texts, and what judgements quote of them, are not to be published"
    yield from _facts(head)
    yield from _part("identity", story["identity"])
    yield from _part("last command", story["config"])
    for launch in story["launches"]:
        yield f"\nlaunch {_line(launch['name'])}\n"
        yield from _wrapped(_launch(launch), "  ")
    yield from _part("totals", story["totals"] or {"samples": "not folded yet"})
    for name, record in story["rewards"].items():
        made = record.get("launches") or [{"samples": "made elsewhere"}]
        facts = {
            "identity": record.get("identity"),
            "samples": [each.get("samples") for each in made],
        }
        yield from _part(f"meta rewards {name}", facts)
    yield from _part("files", {name: f"{size:,} bytes" for name, size in story["files"].items()})


def item_text(story: Mapping[str, Any]) -> Iterator[str]:
    """`item_story` for people."""
    name = _line(f"{story['subset']}/{story['id']}")
    yield f"item {name} of run {_line(story['run'])}\n"
    yield from _facts({name: story[name] for name in FACTS})
    yield from _wrapped(_numberings(story), "  ")
    if "responses" in story:
        yield from _messages([Message(**turn) for turn in story["conversation"]])
        for index, response in enumerate(story["responses"]):
            yield f"\n{_labelled(index, story['quality'])}\n"
            yield from _quoted(response)
    if "withheld" in story:
        yield f"\n{story['withheld']}\n"
    for sample in story["samples"]:
        yield "\n"
        yield from _wrapped(f"sample {sample['j']}: {_outcome(sample)}", "")
        yield from _wrapped(_shown(sample["order"], "this text"), "  ")
        for part in ("thinking", "text"):
            if sample[part]:
                yield f"  {'judgement' if part == 'text' else part}:\n"
                yield from _quoted(sample[part], "    ")
    yield from _totals_text(story["totals"], story["quality"])


def prompt_text(found: Preview) -> Iterator[str]:
    """A preview for people."""
    name = _line(f"{found.key.subset}/{found.key.id}")
    yield f"{found.bench}: item {name}, sample {found.j}\n"
    yield from _wrapped(_shown(found.order, "this prompt"), "")
    if found.chats == ():
        yield "\nno critique to read: such a sample is invalid (no_critique)\n"
    if found.withheld:
        yield f"\n{found.withheld}\n"
    chats = found.chats if found.chats is not None else (found.messages,)
    for number, chat in enumerate(chats, start=1):
        if len(chats) > 1:
            yield f"\nchat {number} of {len(chats)}\n"
        yield from _messages(chat)


def _launch(launch: Mapping[str, Any]) -> str:
    """One launch in a sentence: what is known of every launch first, the engine's versions last."""
    facts = {**dict.fromkeys(LAUNCH), **launch}
    engine = dict(facts.pop("engine") or {})
    facts = {"engine": engine.pop("engine", None), **facts, **engine}
    return "; ".join(f"{name} {value}" for name, value in _flat(facts, "") if name != "name")


def _outcome(sample: Mapping[str, Any]) -> str:
    scores = sample["scores"]
    parts = [
        f"scores {_listed(scores)}" if scores is not None else f"invalid ({sample['invalid']})",
        *([f"weight {sample['weight']:.3f}"] if sample["weight"] is not None else []),
        *([f"log-probability {sample['logprob']:.3f}"] if sample["logprob"] is not None else []),
        *([sample["form"]] if sample["form"] else []),
        sample["finish"],
        f"{sample['tokens']:,} tokens",
        f"launch {sample['launch']}",
    ]
    return "; ".join(parts)


def _numberings(story: Mapping[str, Any]) -> str:
    """What a response's number means here."""
    whole = ""
    if story["pool"] is not None:
        whole = f"response {story['slot'] + 1} of {_line(story['pool'])}, judged by itself"
    elif story["layout"] == "pairs" and story["group"] and story["id"].startswith(story["group"]):
        name, number = _line(story["group"][:-1]), int(story["id"].removeprefix(story["group"]))
        whole = f"response 1 is the best one of {name}, response 2 its response {number + 1}"
    if story["n"] == 1:
        return whole or "one response, judged by itself"
    rest = "scores are in the item's own order, texts number responses as they were shown"
    return f"{whole}; {rest}" if whole else rest


def _shown(order: Sequence[int], where: str) -> str:
    """Which response of the item each number in a judgement's text stands for."""
    if not order:
        return f"in which order {where} saw the responses is not known"
    if len(order) == 1:
        return f"Response 1 in {where} = the item's one response"
    first, *others = (index + 1 for index in order)
    rest = [f"; Response {slot} = response {index}" for slot, index in enumerate(others, start=2)]
    return f"Response 1 in {where} = response {first} of the item" + "".join(rest)


def _totals_text(totals: Mapping[str, Any], quality: Sequence[int] | None) -> Iterator[str]:
    if not totals["samples"]:
        yield "\nno samples of this item yet\n"
        return
    yield f"\nsum over {totals['valid']:,} valid of {totals['samples']:,} samples\n"
    for index, (total, mean) in enumerate(zip(totals["sum"], totals["mean"], strict=True)):
        shown = "-" if total is None else f"{total:.10g} (mean {mean:.2f})"
        yield f"  {_labelled(index, quality)}: {shown}\n"


def _labelled(index: int, quality: Sequence[int] | None) -> str:
    return f"response {index + 1}" + (f" (quality {quality[index]})" if quality is not None else "")


def _messages(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        yield f"\n{_line(message.role)}\n"
        yield from _quoted(message.content)


def _quoted(text: str, margin: str = "  ") -> Iterator[str]:
    for line in printable(text).split("\n"):
        yield f"{margin}{line}".rstrip(" ") + "\n"


def _part(title: str, facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n{printable(title)}\n"
    yield from _facts(facts)


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    """Names and values in two columns; a long value has lines of its own."""
    flat = dict(_flat(facts, ""))
    width = min(max(map(len, flat), default=0), 24)
    for name, value in flat.items():
        line = f"  {name:<{width}}  {value}"
        if len(line) <= WIDTH:
            yield line + "\n"
        else:
            yield f"  {name}\n"
            yield from _wrapped(value, "    ")


def _flat(facts: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield _line(f"{prefix}{name}"), _value(value)


def _value(value: Any) -> str:
    if value is None or value == [] or value == {}:
        return "-"
    if isinstance(value, str):
        return _line(value)
    if isinstance(value, list | tuple):
        return _line(_listed(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return printable(json.dumps(value, ensure_ascii=False))


def _line(text: str) -> str:
    """A name, on one line whatever is in it."""
    return one_line(text)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(
        f"{v:.10g}" if isinstance(v, float) else "-" if v is None else str(v) for v in values
    )


def _wrapped(text: str, margin: str) -> Iterator[str]:
    hanging = margin or "  "
    for line in textwrap.wrap(text, WIDTH, initial_indent=margin, subsequent_indent=hanging):
        yield line + "\n"


def _number(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
