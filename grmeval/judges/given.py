"""What of a judgement gives scores last: a `\\boxed{}`, a labelled line, or several of them side by side.

One walk backwards over boxes and colons: linear in the text, whatever it holds.
"""

import re
from collections.abc import Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from grmeval.judges.quotes import Quotes
from grmeval.judges.thinking import opened_before

__all__ = ["BEST", "SCORES", "Given", "blanked", "last_given"]

_BOX = re.compile(r"\\boxed\s{0,9}\{")
_BOX_LENGTH = 400
# A label from its line's start to its colon. Markup and a few words (group 1) may stand before it.
_LABELLED = (
    r"(?:<\w{1,20}>|[^\w\n]|_)*((?:#?[^\W_]+(?:['’-][^\W_]+)*[ \t,*_]+){0,4}(?:最终|综合|总体|总)?)"
    r"(?:%s)(?:[ \t]{0,9}\([^()\n]{0,40}\))?[ \t*_`\"]{0,9}"
)
SCORES = re.compile(_LABELLED % r"\bscores?|评分|得分|分数|打分", re.IGNORECASE)
BEST = re.compile(_LABELLED % r"\bbest[ \t]{1,9}response|最佳(?:回答|回复)", re.IGNORECASE)
_BEFORE_LENGTH = 120
_RANKING = re.compile(r"[^\w\n]*(?:\w+ ){0,2}rank\w*(?: scores?)?[ \t*_]*:", re.IGNORECASE)
_NAME = re.compile(r"(?:Response[ \t]*#?|\|[ \t]*#?)[ \t]*(\d{1,3})[\W_]*\Z", re.IGNORECASE)
_SEPARATOR = re.compile(r"[ \t,;|&/$*\\]{0,20}(?:and|or)?[ \t,;|&/$*\\]{0,20}")
_NAMED_SEPARATOR = re.compile(r"[\s,;|&/$*\\#-]{0,40}(?:and)?[\s,;|&/$*\\#-]{0,40}")
_TAG = re.compile(r"</?\w{1,20}>")


class Given(NamedTuple):
    """A box or a labelled line: the characters [start, end), what it holds from `at` on.

    `name`: the response that stands before it. `label`: its line begins with one. `apart`: it follows the
    one before as another choice (`or`).
    """

    start: int
    at: int
    end: int
    inside: str
    boxed: bool
    name: int | None
    label: bool
    apart: bool = False


def last_given(
    rest: str, label: re.Pattern[str], responses: Sequence[str], most: int
) -> list[Given]:
    """What gives scores last: several where boxes or named lines stand side by side, up to `most`."""
    quotes = Quotes(responses)
    group: list[Given] = []
    boxes, colons = _places(rest, "\\boxed"), _places(rest.replace("：", ":"), ":")
    for at in merge(boxes, colons, reverse=True):
        if group and (len(group) == most or at < group[0].start - 2 * _BOX_LENGTH):
            break
        boxed = rest[at] == "\\"
        if group and group[0].boxed != boxed:
            continue  # what is no separator between two boxes, or two lines, parts them anyway
        given = (_box if boxed else _line)(rest, at, label)
        if not given:
            continue
        if group:
            joined = _joined(rest, given, group[0])
            if joined is None:
                break
            group[0] = joined
        elif quotes.hold(rest, given.start, given.end, given.boxed):
            continue
        elif given.boxed and not given.label and opened_before(rest, given.start):
            return []  # in a thought that never ends
        group.insert(0, given)
    return group


def _places(text: str, what: str) -> Iterator[int]:
    at = text.rfind(what)
    while at >= 0:
        yield at
        at = text.rfind(what, 0, at)


def _box(rest: str, at: int, label: re.Pattern[str]) -> Given | None:
    """The box at a place, if it is one that may hold scores."""
    start = _line_start(rest, at)
    box, before = _BOX.match(rest, at), rest[start:at]
    if not box or _RANKING.match(before):
        return None
    inside, end = _inside(rest, box.end())
    name = _NAME.search(before)
    return Given(
        start + name.start() if name else at,
        box.end(),
        end,
        inside,
        True,
        int(name.group(1)) if name else None,
        bool(label.match(before)),
    )


def _line(rest: str, colon: int, label: re.Pattern[str]) -> Given | None:
    """The line that a label before this colon makes, if it gives numbers."""
    start = _line_start(rest, colon)
    if start and rest[start - 1] != "\n":
        return None
    before = label.fullmatch(rest, start, colon)
    if not before or _RANKING.match(rest, start):
        return None
    end = rest.find("\n", colon)
    end = len(rest) if end < 0 else end
    inside = _TAG.sub(blanked, rest[colon + 1 : min(end, colon + _BOX_LENGTH)])
    numbers = len(re.findall(r"\d+", inside))
    words = len(re.findall(r"[^\W\d_]{2,}", inside))
    if "boxed" in inside or (before.group(1) and words > 3 * numbers):
        return None  # another gives them, or prose: after the plain label a line is to give numbers
    if not numbers and (label is SCORES or before.group(1)):
        return None  # but `Best Response: neither` takes a pick back
    name = _NAME.search(before.group(1))
    return Given(start, colon + 1, end, inside, False, int(name.group(1)) if name else None, True)


def _line_start(rest: str, at: int) -> int:
    """Where the line of a place begins, or as far before it as anyone looks."""
    nearest = max(0, at - _BEFORE_LENGTH)
    return rest.rfind("\n", nearest, at) + 1 or nearest


def _joined(rest: str, given: Given, following: Given) -> Given | None:
    """`following`, where nothing but separators, or names, stands between the two; else None.

    Else a quoted box could make up for one that is missing.
    """
    if given.end > following.start:
        return None
    if given.name and following.name:
        between = _NAMED_SEPARATOR.fullmatch(rest, given.end, following.start)
        return following if between else None
    between = _SEPARATOR.fullmatch(rest, given.end, following.start)
    if not between or following.name or not following.boxed:
        return None
    return following._replace(apart=between.group().strip(" \t,;|&/$*\\") == "or")


def _inside(text: str, start: int) -> tuple[str, int]:
    """(a box's content up to its closing brace, nested ones included; where the box ends).

    "?" and the text's end where it never closes.
    """
    depth = 1
    for at in range(start, min(len(text), start + _BOX_LENGTH)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[start:at], at + 1
    return "?", len(text)


def blanked(match: re.Match[str]) -> str:
    """As many spaces: what stands behind keeps its place."""
    return " " * len(match.group())
