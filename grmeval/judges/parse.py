"""Reads what a judgement says last: the scores, or the pick, in `\\boxed{}`, or in a named fallback.

Text from models is hostile: a judgement may quote a response that holds a box, a delimiter or an
end-of-thinking marker. Three rules keep such quotes out. Only what stands LAST is read, since a judge
gives its scores at the end; a text that met the token limit is never read at all, since the last box
it holds may be a quoted one; and a line of one of the responses is not the judge's (`quotes.py`).
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from grmeval.items import NOTHING_KNOWN, Known, Reading
from grmeval.judges.given import BEST, SCORES, Given, blanked, last_given
from grmeval.judges.thinking import end_of_thinking, split_thinking

__all__ = ["PARSER", "locate_pick", "read_pick", "read_scores"]

PARSER = 2
"""Version of these rules, and those of given.py, quotes.py and thinking.py; stored with every sample."""

_MARKUP = re.compile(
    r"\\(?:text(?:bf|it|rm)?|math(?:bf|rm|it|sf)|boldsymbol|bf|left|right|q?quad|[;:! ])(?![a-z])"
    r"|[{}\[\]()$*`\"~]"
)
_SAME = str.maketrans("０１２３４５６７８９．，、；：／＝", "0123456789.,,;:/=")

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


def read_scores(
    text: str,
    n: int,
    finish: str,
    low: int = 1,
    high: int = 10,
    known: Known = NOTHING_KNOWN,
) -> Reading:
    """n numbers low..high in slot order, or why not. See Judge.read.

    Reasons: prompt_too_long, engine_error, truncated (met the token limit, whatever it holds),
    no_score (nothing to read), not_a_number, wrong_count, out_of_range.
    """

    def found(rest: str) -> tuple[tuple[float, ...], str] | str:
        given = last_given(rest, SCORES, known.responses, n + 1)
        if not given:
            return "no_score"
        read = _numbers(given, n)
        if isinstance(read, str):
            return read
        if not all(low <= value <= high for value in read[0]):
            return "out_of_range"
        return read

    return _reading(text, finish, known, found)


def read_pick(
    text: str,
    n: int,
    finish: str,
    known: Known = NOTHING_KNOWN,
) -> Reading:
    """1.0 for the response that is named, by its slot from 1 to n, and 0.0 for the others, or why not.

    Reasons: those of `read_scores`; wrong_count: several numbers, out_of_range: no such response.
    """

    def found(rest: str) -> tuple[tuple[float, ...], str] | str:
        pick = _pick(rest, n, known.responses)
        if isinstance(pick, str):
            return pick
        return tuple(float(slot == pick.slot) for slot in range(n)), pick.form

    return _reading(text, finish, known, found)


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
    known: Known,
    found: Callable[[str], tuple[tuple[float, ...], str] | str],
) -> Reading:
    """What `found` makes of the text behind the thinking, if the text ended."""
    if not known.thinking:
        thought, rest = split_thinking(text, known.lead)
    elif end := end_of_thinking(text):  # today's rules may know more markers
        thought, rest = known.thinking + text[: end.start()], text[end.end() :]
    else:
        thought, rest = known.thinking, text
    read = _ENDED.get(finish) or found(rest)
    if isinstance(read, str):
        return Reading(None, read, None, thought, rest)
    return Reading(read[0], None, read[1], thought, rest)


def _numbers(group: list[Given], n: int) -> tuple[tuple[float, ...], str] | str:
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


def _entries(given: Given) -> tuple[tuple[float, ...], str] | str:
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


def _plain(given: Given) -> tuple[str, bool]:
    """(what it holds without markup, every other character in its place; whether there was any)."""
    plain, marks = _MARKUP.subn(blanked, given.inside.replace("\\,", "  "))
    return plain.translate(_SAME), marks > 0


class _Pick(NamedTuple):
    """The response at `slot` (from 0), named by the characters [start, end)."""

    slot: int
    form: str
    start: int
    end: int


def _pick(rest: str, n: int, responses: Sequence[str]) -> _Pick | str:
    """What names one of n responses last, or the reason why nothing does."""
    group = last_given(rest, BEST, responses, 2)
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
