"""Where a judgement in the making is complete: behind the last line of the format that its prompt asks for.

The reader takes what stands LAST, and nobody knows what a model would have written next, so to stop is to
read the FIRST complete judgement instead: a setting of the run (`--stop-at-score`), never a silent saving.
It is held to what cannot be a draft or a quote: a whole line in the very format, no item of a list and not
quoted or fenced, after a line for each of the labels before it, with no thought opened before it, with a box
that reads as scores and that no text of the item holds.
Anything else goes on to its end as it would have.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from grmeval.items import NOTHING_KNOWN, Item, Known, Reading
from grmeval.judges.thinking import opens_thinking, split_thinking

__all__ = ["Ending"]

Read = Callable[[str, int, str, Known], Reading]
"""A judge's `read`."""

_MARKS = r"[ \t*#>_`~-]*"
_BOLD = r"[ \t*#_`]*"
_FENCE = re.compile(r"^[ \t>*-]*(?:```|~~~)", re.MULTILINE)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Ending:
    """Where a judgement of an item is complete; see `Judge.stop`.

    `labels`: of the lines before the one that `last` begins. It can be sent to another process.
    """

    labels: tuple[str, ...]
    last: str
    read: Read
    item: Item

    def __call__(self, text: str, lead: str, start: int) -> int | None:
        """See `grmeval.judges.judge.Stop`."""
        at = text.find("\\boxed", text.rfind("\n", 0, start) + 1)
        while at >= 0:
            begin, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
            if end < 0:
                return None
            if self._complete(text, begin, end, lead):
                return begin + len(text[begin:end].rstrip())
            at = text.find("\\boxed", end)
        return None

    def _complete(self, text: str, begin: int, end: int, lead: str) -> bool:
        found = _line(self.last).fullmatch(text, begin, end)
        if not found:
            return False
        _, said = split_thinking(text[:end], lead)
        at = len(said) - (end - begin)  # where the line begins in what is no thinking
        if at < 0 or opens_thinking(said, at) or len(_FENCE.findall(said, 0, at)) % 2:
            return False
        if not all(_begins(label).search(said, 0, at) for label in self.labels):
            return False
        n = self.item.n
        whole = self.read(text[:end], n, "stop", Known(lead=lead))
        alone = self.read(found.group(), n, "stop", NOTHING_KNOWN)
        # Other scores: an earlier box would be a part of them.
        return (
            whole.form == "boxed"
            and whole.scores == alone.scores
            and not _held(found[1], self.item)
        )


@cache
def _line(label: str) -> re.Pattern[str]:
    box = r"[ \t*_`$]*(\\boxed\{[^{}\n]*\})[ \t\r*_`$.]*"
    return re.compile(f"{_BOLD}{_label(label)}{box}", re.IGNORECASE)


@cache
def _begins(label: str) -> re.Pattern[str]:
    return re.compile(f"^{_MARKS}{_label(label)}", re.MULTILINE | re.IGNORECASE)


def _label(name: str) -> str:
    """Its words, the plural's s or none, up to the colon."""
    words = r"[ \t]+".join(re.escape(word.removesuffix("s")) + "s?" for word in name.split())
    return rf"{words}[ \t*_`]*[:：]"


def _held(box: str, item: Item) -> bool:
    """Whether a text of the item holds a box with the same in it: the line may quote that."""
    box = _SPACE.sub("", box)
    texts = (*item.responses, *(turn.content for turn in item.conversation), item.reference or "")
    return any("boxed" in text and box in _SPACE.sub("", text) for text in texts)
