"""Where a judgement in the making is complete: behind the last line of the format that the judge is asked for.

The reader takes what stands LAST, and nobody knows what a model would have written next, so to stop is to
read the FIRST complete judgement instead: a setting of the run (`--stop-at-score`), never a silent saving.
It is held to what cannot be a draft or a quote: a whole line in the very format, after a line for each of
the labels before it, outside thinking, with a box that reads as scores and that no text of the item holds.
Anything else goes on to its end as it would have.
"""

import re
from collections.abc import Callable, Sequence

from grmeval.items import NOTHING_KNOWN, Item, Known, Reading
from grmeval.judges.thinking import opened_before, split_thinking

__all__ = ["ending"]

Read = Callable[[str, int, str, Known], Reading]
"""A judge's `read`."""

_MARKS = r"[ \t*#>_`~-]*"
_AFTER = r"[ \t*_`$.]*"
_SPACE = re.compile(r"\s+")


def ending(
    labels: Sequence[str], last: str, read: Read, item: Item
) -> Callable[[str, str], int | None]:
    """Of a text and how its prompt ended -> where it is complete; see `Judge.stop`.

    `labels`: of the lines before the one that `last` begins.
    """
    line = re.compile(
        rf"^{_MARKS}{_label(last)}[ \t*_`$]*(\\boxed\{{[^{{}}\n]*\}}){_AFTER}\r?\n",
        re.MULTILINE | re.IGNORECASE,
    )
    before = [
        re.compile(rf"^{_MARKS}{_label(label)}", re.MULTILINE | re.IGNORECASE) for label in labels
    ]

    def end(text: str, lead: str) -> int | None:
        for found in line.finditer(text):
            _, said = split_thinking(text[: found.end()], lead)
            at = found.start() - (found.end() - len(said))  # where the line begins in what is said
            if at < 0 or opened_before(said, at):
                continue
            if not all(label.search(said, 0, at) for label in before):
                continue
            whole = read(text[: found.end()], item.n, "stop", Known(lead=lead))
            alone = read(found.group(), item.n, "stop", NOTHING_KNOWN)
            if whole.form != "boxed" or whole.scores != alone.scores:
                continue  # nothing to read, or an earlier box is a part of it
            if _held(found.group(1), item):
                continue
            return found.start() + len(found.group().rstrip())
        return None

    return end


def _label(name: str) -> str:
    """Its words, the plural's s or none, up to the colon."""
    words = r"[ \t]+".join(re.escape(word.removesuffix("s")) + "s?" for word in name.split())
    return rf"{words}[ \t*_`]*[:：]"


def _held(box: str, item: Item) -> bool:
    """Whether a text of the item holds a box with the same in it: the line may quote that."""
    box = _SPACE.sub("", box)
    texts = (*item.responses, *(turn.content for turn in item.conversation), item.reference or "")
    return any("boxed" in text and box in _SPACE.sub("", text) for text in texts)
