"""Reads what a judgement says last: the scores, or the pick, in `\\boxed{}`, or in a named fallback.

Text from models is hostile: a judgement may quote a response that holds a box, a delimiter or an
end-of-thinking marker. Three rules keep such quotes out. Only what stands LAST is read, since a judge
gives its scores at the end; a text that met the token limit is never read at all, since the last box
it holds may be a quoted one; and a line of one of the responses is not the judge's (`quotes.py`).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from grmeval.items import Reading
from grmeval.judges.quotes import Quotes

__all__ = ["PARSER", "locate_pick", "read_pick", "read_scores", "split_thinking"]

PARSER = 2
"""Version of the rules below; stored with every sample."""

# ---------------------------------------------------------------------- thinking

_THOUGHT = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?)"
_END_OF_THINKING = re.compile(
    rf"[<\[◁](?:/{_THOUGHT}>|/think[\]▷]|\|end_of_thought\|>|\|end_thinking\|>"
    r"|\|channel\|>final<\|message\|>)",
    re.IGNORECASE,
)
_START = (
    rf"(?:<{_THOUGHT}>|\[think\]|◁think▷|<\|begin_of_thought\|>|<\|start_thinking\|>"
    r"|<\|channel\|>analysis(?:<\|message\|>)?)"
)
_START_OF_THINKING = re.compile(rf"\s*{_START}", re.IGNORECASE)
_OPENED_LINE = re.compile(rf"(?:\A|\n)[ \t]*{_START}", re.IGNORECASE)
_OPENED = re.compile(rf"{_START}\s*\Z", re.IGNORECASE)

# ---------------------------------------------------------------------- what gives scores

_BOX = re.compile(r"\\boxed\s{0,9}\{")
_BOX_LENGTH = 400
# A label from its line's start to its colon. Markup and a few words (group 1) may stand before it.
_LABELLED = (
    r"(?:<\w{1,20}>|[^\w\n]|_)*((?:#?[^\W_]+(?:['’-][^\W_]+)*[ \t,*_]+){0,4}(?:最终|综合|总体|总)?)"
    r"(?:%s)(?:[ \t]{0,9}\([^()\n]{0,40}\))?[ \t*_`\"]{0,9}"
)
_SCORES = re.compile(_LABELLED % r"\bscores?|评分|得分|分数|打分", re.IGNORECASE)
_BEST = re.compile(_LABELLED % r"\bbest[ \t]{1,9}response|最佳(?:回答|回复)", re.IGNORECASE)
_BEFORE_LENGTH = 120
_RANKING = re.compile(r"[^\w\n]*(?:\w+ ){0,2}rank\w*(?: scores?)?[ \t*_]*:", re.IGNORECASE)
_NAME = re.compile(r"(?:Response[ \t]*#?|\|[ \t]*#?)[ \t]*(\d{1,3})[\W_]*\Z", re.IGNORECASE)
_SEPARATOR = re.compile(r"[ \t,;|&/$*\\]{0,20}(?:and|or)?[ \t,;|&/$*\\]{0,20}")
_NAMED_SEPARATOR = re.compile(r"[\s,;|&/$*\\#-]{0,40}(?:and)?[\s,;|&/$*\\#-]{0,40}")
_TAG = re.compile(r"</?\w{1,20}>")
_MARKUP = re.compile(
    r"\\(?:text(?:bf|it|rm)?|math(?:bf|rm|it|sf)|boldsymbol|bf|left|right|q?quad|[;:! ])(?![a-z])"
    r"|[{}\[\]()$*`\"~]"
)
_SAME = str.maketrans("０１２３４５６７８９．，、；：／＝", "0123456789.,,;:/=")

# ---------------------------------------------------------------------- numbers

_WHOLE = re.compile(r"([+-]?\d{1,9})")
_DECIMAL = re.compile(r"([+-]?\d{1,9}(?:\.\d{1,9})?)")
_OUT_OF_TEN = re.compile(r"([+-]?\d{1,9}(?:\.\d{1,9})?)\s*(?:/|out of)\s*10")
_ENTRY_NAME = re.compile(r"Response\s*#?\s*(\d{1,3})\s*[:=]\s*", re.IGNORECASE)
_ZERO = re.compile(r"([+-]?\d{1,9})\.0{1,9}")
_NAMED = re.compile(r"Response\s*#?\s*([+-]?\d{1,9})", re.IGNORECASE)

# How every entry of a box may be written; all but the first are fallbacks, each counted apart, as are
# boxed_markup (`[8, 6]`), boxed_named (`Response 1: 8`), box_each (one box a response, side by side or
# named) and scores_line (a `Scores:` line without a box).
_ENTRIES = (("boxed", _WHOLE), ("boxed_decimal", _DECIMAL), ("boxed_out_of_ten", _OUT_OF_TEN))
# A pick's: boxed_named is `Response 2`; best_line is a `Best Response:` line without a box.
_PICKS = (("boxed", _WHOLE), ("boxed_named", _NAMED), ("boxed_decimal", _ZERO))

_ENDED = {"length": "truncated", "prompt_too_long": "prompt_too_long", "error": "engine_error"}
"""Finish -> why such a text is not read."""


def split_thinking(text: str, lead: str = "") -> tuple[str, str]:
    """(thinking, rest): the rest begins after the LAST end-of-thinking marker.

    Thinking that was opened and never closed is all thinking; the prompt's end, `lead`, may open it.
    """
    thinking, rest = "", text
    if ended := _last_end(text):
        thinking, rest = text[: ended.start()], text[ended.end() :]
    opened = not ended and _OPENED.search(lead)
    if opened or (not thinking and _START_OF_THINKING.match(rest)):
        return text, ""
    return thinking, rest


def _last_end(text: str) -> re.Match[str] | None:
    if not any(mark in text for mark in "<[◁"):
        return None
    return max(_END_OF_THINKING.finditer(text), key=re.Match.start, default=None)


def read_scores(
    text: str,
    n: int,
    finish: str,
    low: int = 1,
    high: int = 10,
    thinking: str | None = None,
    lead: str = "",
    responses: Sequence[str] = (),
) -> Reading:
    """n numbers low..high in slot order, or why not. See Judge.read.

    Reasons: prompt_too_long, engine_error, truncated (met the token limit, whatever it holds),
    no_score (nothing to read), not_a_number, wrong_count, out_of_range.
    """

    def found(rest: str) -> tuple[tuple[float, ...], str] | str:
        given = _last(rest, _SCORES, responses, n + 1)
        if not given:
            return "no_score"
        read = _numbers(given, n)
        if isinstance(read, str):
            return read
        if not all(low <= value <= high for value in read[0]):
            return "out_of_range"
        return read

    return _reading(text, finish, thinking, lead, found)


def read_pick(
    text: str,
    n: int,
    finish: str,
    thinking: str | None = None,
    lead: str = "",
    responses: Sequence[str] = (),
) -> Reading:
    """1.0 for the response that is named, by its slot from 1 to n, and 0.0 for the others, or why not.

    Reasons: those of `read_scores`; wrong_count: several numbers, out_of_range: no such response.
    """

    def found(rest: str) -> tuple[tuple[float, ...], str] | str:
        pick = _pick(rest, n, responses)
        if isinstance(pick, str):
            return pick
        return tuple(float(slot == pick.slot) for slot in range(n)), pick.form

    return _reading(text, finish, thinking, lead, found)


def locate_pick(text: str, n: int, responses: Sequence[str] = ()) -> tuple[int, int] | None:
    """Which characters [start, end) of a whole output are the number that `read_pick` reads."""
    _, rest = split_thinking(text)
    pick = _pick(rest, n, responses)
    if isinstance(pick, str):
        return None
    before = len(text) - len(rest)
    return before + pick.start, before + pick.end


def _reading(
    text: str,
    finish: str,
    thinking: str | None,
    lead: str,
    found: Callable[[str], tuple[tuple[float, ...], str] | str],
) -> Reading:
    """What `found` makes of the text behind the thinking, if the text ended."""
    thought, rest = ("", text) if thinking else split_thinking(text, lead)
    if thinking and (end := _last_end(text)):  # today's rules may know more markers
        thought, rest = text[: end.start()], text[end.end() :]
    thought = (thinking or "") + thought
    read = _ENDED.get(finish) or found(rest)
    if isinstance(read, str):
        return Reading(None, read, None, thought, rest)
    return Reading(read[0], None, read[1], thought, rest)


# ---------------------------------------------------------------------- the last that gives scores


class _Given(NamedTuple):
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


def _last(rest: str, label: re.Pattern[str], responses: Sequence[str], most: int) -> list[_Given]:
    """What gives scores last: several where boxes or named lines stand side by side, up to `most`."""
    quotes = Quotes(responses)
    group: list[_Given] = []
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
        elif given.boxed and not given.label and _OPENED_LINE.search(rest, 0, given.start):
            return []  # in a thought that never ends
        group.insert(0, given)
    return group


def _places(text: str, what: str) -> Iterator[int]:
    at = text.rfind(what)
    while at >= 0:
        yield at
        at = text.rfind(what, 0, at)


def _box(rest: str, at: int, label: re.Pattern[str]) -> _Given | None:
    """The box at a place, if it is one that may hold scores."""
    start = _line_start(rest, at)
    box, before = _BOX.match(rest, at), rest[start:at]
    if not box or _RANKING.match(before):
        return None
    inside, end = _inside(rest, box.end())
    name = _NAME.search(before)
    return _Given(
        start + name.start() if name else at,
        box.end(),
        end,
        inside,
        True,
        int(name.group(1)) if name else None,
        bool(label.match(before)),
    )


def _line(rest: str, colon: int, label: re.Pattern[str]) -> _Given | None:
    """The line that a label before this colon makes, if it gives numbers."""
    start = _line_start(rest, colon)
    if start and rest[start - 1] != "\n":
        return None
    before = label.fullmatch(rest, start, colon)
    if not before or _RANKING.match(rest, start):
        return None
    end = rest.find("\n", colon)
    end = len(rest) if end < 0 else end
    inside = _TAG.sub(_blank, rest[colon + 1 : min(end, colon + _BOX_LENGTH)])
    numbers = len(re.findall(r"\d+", inside))
    words = len(re.findall(r"[^\W\d_]{2,}", inside))
    if "boxed" in inside or (before.group(1) and words > 3 * numbers):
        return None  # another gives them, or prose: after the plain label a line is to give numbers
    if not numbers and (label is _SCORES or before.group(1)):
        return None  # but `Best Response: neither` takes a pick back
    name = _NAME.search(before.group(1))
    return _Given(start, colon + 1, end, inside, False, int(name.group(1)) if name else None, True)


def _line_start(rest: str, at: int) -> int:
    """Where the line of a place begins, or as far before it as anyone looks."""
    nearest = max(0, at - _BEFORE_LENGTH)
    return rest.rfind("\n", nearest, at) + 1 or nearest


def _joined(rest: str, given: _Given, following: _Given) -> _Given | None:
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


# ---------------------------------------------------------------------- numbers


def _numbers(group: list[_Given], n: int) -> tuple[tuple[float, ...], str] | str:
    """n values in slot order and their form, or the reason why not."""
    read = [_entries(given) for given in group]
    last = read[-1]
    if isinstance(last, str):
        return last
    if len(group) == 1:
        values, form = last
        if len(values) != n:
            return "wrong_count"
        return values, form if group[0].boxed else "scores_line"
    alone = [each[0][0] for each in read if not isinstance(each, str) and len(each[0]) == 1]
    if len(group) != n or any(given.apart for given in group):
        return "wrong_count"
    if len(alone) != n:
        return "not_a_number" if any(isinstance(each, str) for each in read) else "wrong_count"
    names = [given.name for given in group]
    form = "box_each" if group[0].boxed else "scores_line"
    if None in names:
        return tuple(alone), form
    by_name = dict(zip(names, alone, strict=True))
    if set(by_name) != set(range(1, n + 1)):
        return "wrong_count"
    return tuple(by_name[slot] for slot in range(1, n + 1)), form


def _entries(given: _Given) -> tuple[tuple[float, ...], str] | str:
    """All entries written in one way, as numbers; "not_a_number" where no way fits."""
    plain, marks = _plain(given)
    entries = [entry.strip() for entry in re.split("[,;]", plain.strip().rstrip("."))]
    if len(entries) > 1 and not entries[-1]:
        entries.pop()
        marks = True
    named = [_ENTRY_NAME.match(entry) for entry in entries]
    order = [int(match.group(1)) for match in named if match]
    if order:
        if sorted(order) != list(range(1, len(entries) + 1)):
            return "not_a_number"
        entries = [_ENTRY_NAME.sub("", entry, count=1) for entry in entries]
        entries = [entry for _, entry in sorted(zip(order, entries, strict=True))]
    for form, pattern in _ENTRIES:
        matches = [match for entry in entries if (match := pattern.fullmatch(entry))]
        if len(matches) == len(entries):
            if form == "boxed" and (order or marks):
                form = "boxed_named" if order else "boxed_markup"
            return tuple(float(match.group(1)) for match in matches), form
    return "not_a_number"


def _plain(given: _Given) -> tuple[str, bool]:
    """(what it holds without markup, every other character in its place; whether there was any)."""
    plain, marks = _MARKUP.subn(_blank, given.inside.replace("\\,", "  "))
    return plain.translate(_SAME), marks > 0


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


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


# ---------------------------------------------------------------------- picks


class _Pick(NamedTuple):
    """The response at `slot` (from 0), named by the characters [start, end)."""

    slot: int
    form: str
    start: int
    end: int


def _pick(rest: str, n: int, responses: Sequence[str]) -> _Pick | str:
    """What names one of n responses last, or the reason why nothing does."""
    group = _last(rest, _BEST, responses, 2)
    if not group:
        return "no_score"
    given = group[-1]
    plain, _ = _plain(given)
    bare = plain.rstrip(None if given.boxed else " \t\r.").lstrip()
    if not any(c.isdigit() for c in bare) and not given.boxed:
        return "no_score"
    start = given.at + len(plain) - len(plain.lstrip())
    for form, pattern in _PICKS:
        if found := pattern.fullmatch(bare):
            if len(group) > 1:
                return "wrong_count"
            slot = int(found.group(1)) - 1
            if not 0 <= slot < n:
                return "out_of_range"
            where = (start + found.start(1), start + found.end(1))
            return _Pick(slot, form if given.boxed else "best_line", *where)
    several = _entries(given)
    return "not_a_number" if isinstance(several, str) or len(several[0]) < 2 else "wrong_count"
