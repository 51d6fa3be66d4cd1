"""Reads what a judgement says last: the scores, or the pick, in `\\boxed{}`, or in a named fallback.

Text from models is hostile: a judgement may quote a response that holds a box, a delimiter or an
end-of-thinking marker. Two rules keep such quotes out. Only what stands LAST is read, since a judge
gives its scores at the end; and a text that met the token limit is never read at all, since the last
box it holds may be a quoted one.
"""

import re
from typing import NamedTuple

from grmeval.items import Reading

__all__ = ["PARSER", "locate_pick", "read_pick", "read_scores", "split_thinking"]

PARSER = 1
"""Version of the rules below; stored with every sample."""

_END_OF_THINKING = re.compile(r"</think(?:ing)?>|\[/THINK\]|◁/think▷")
_START_OF_THINKING = re.compile(r"\s*(?:<think(?:ing)?>|\[THINK\]|◁think▷)")
_BOX = re.compile(r"\\boxed\s{0,9}\{")
_BOX_LENGTH = 400
_SCORES_LINE = re.compile(r"^[ \t*#>]*Scores?[ \t*]*:[ \t*]*(.*)$", re.MULTILINE | re.IGNORECASE)
_BEST_LINE = re.compile(
    r"^[ \t*#>]*Best[ \t]+Response[ \t*]*:[ \t*]*(.*)$", re.MULTILINE | re.IGNORECASE
)
_SEPARATOR = re.compile(r"[ \t,;|&/$*]{0,20}(?:and)?[ \t,;|&/$*]{0,20}")
_WHOLE = re.compile(r"([+-]?\d{1,9})")
_DECIMAL = re.compile(r"([+-]?\d{1,9})(?:\.0{1,9})?")
_OUT_OF_TEN = re.compile(r"([+-]?\d{1,9})(?:\.0{1,9})?\s*/\s*10")
_NAMED = re.compile(r"(?:\\text\s?\{)?\s*Response\s*#?([+-]?\d{1,9})\s*\}?", re.IGNORECASE)

# How every entry of a box may be written; all but the first are fallbacks, each counted apart, as
# are box_each (one box a response, side by side) and scores_line (a `Scores:` line without a box).
_ENTRIES = (("boxed", _WHOLE), ("boxed_decimal", _DECIMAL), ("boxed_out_of_ten", _OUT_OF_TEN))
# A pick's: also boxed_named (`Response 2`), and best_line (a `Best Response:` line without a box).
_PICKS = (("boxed", _WHOLE), ("boxed_named", _NAMED))

_ENDED = {"length": "truncated", "prompt_too_long": "prompt_too_long", "error": "engine_error"}
"""Finish -> why such a text is not read."""


def split_thinking(text: str) -> tuple[str, str]:
    """(thinking, rest): the rest begins after the LAST end-of-thinking marker.

    Thinking that was opened and never closed is all thinking.
    """
    ends = list(_END_OF_THINKING.finditer(text))
    if ends:
        return text[: ends[-1].start()], text[ends[-1].end() :]
    if _START_OF_THINKING.match(text):
        return text, ""
    return "", text


def read_scores(
    text: str, n: int, finish: str, low: int = 1, high: int = 10, thinking: str | None = None
) -> Reading:
    """n whole numbers low..high in slot order, or why not.

    Reasons: prompt_too_long, engine_error, truncated (met the token limit, whatever it holds),
    no_score (nothing to read), not_a_number, wrong_count, out_of_range.
    """
    rest = text
    if thinking is None:  # else it was split when it was stored
        thinking, rest = split_thinking(text)
    if reason := _ENDED.get(finish):
        return Reading(None, reason, None, thinking, rest)
    entries, boxed = _last_entries(rest, n)
    if entries is None:
        return Reading(None, "no_score", None, thinking, rest)
    values, form = _numbers(entries)
    reason = None
    if values is None:
        reason = "not_a_number"
    elif len(values) != n:
        reason = "wrong_count"
    elif any(not low <= value <= high for value in values):
        reason = "out_of_range"
    if reason or values is None:
        return Reading(None, reason, None, thinking, rest)
    return Reading(
        tuple(map(float, values)), None, form if boxed == "box" else boxed, thinking, rest
    )


def read_pick(text: str, n: int, finish: str, thinking: str | None = None) -> Reading:
    """1.0 for the response that is named, by its slot from 1 to n, and 0.0 for the others, or why not.

    Reasons: those of `read_scores`; wrong_count: several numbers, out_of_range: no such response.
    """
    rest = text
    if thinking is None:  # else it was split when it was stored
        thinking, rest = split_thinking(text)
    if reason := _ENDED.get(finish):
        return Reading(None, reason, None, thinking, rest)
    pick = _last_pick(rest, n)
    if isinstance(pick, str):
        return Reading(None, pick, None, thinking, rest)
    scores = tuple(float(slot == pick.slot) for slot in range(n))
    return Reading(scores, None, pick.form, thinking, rest)


def locate_pick(text: str, n: int) -> tuple[int, int] | None:
    """Which characters [start, end) of a whole output are the number that `read_pick` reads."""
    _, rest = split_thinking(text)
    pick = _last_pick(rest, n)
    if isinstance(pick, str):
        return None
    before = len(text) - len(rest)
    return before + pick.start, before + pick.end


class _Pick(NamedTuple):
    """The response at `slot` (from 0), named by the characters [start, end)."""

    slot: int
    form: str
    start: int
    end: int


def _last_pick(rest: str, n: int) -> _Pick | str:
    """What names one of n responses last, or the reason why nothing does."""
    boxes, lines = list(_BOX.finditer(rest)), list(_BEST_LINE.finditer(rest))
    line = bool(lines) and (not boxes or boxes[-1].start() < lines[-1].start())
    if line:
        start, inside = lines[-1].start(1), lines[-1].group(1).rstrip(" \t\r*$[]().")
    elif boxes:
        start, inside = boxes[-1].end(), _inside(rest, boxes[-1].end()).rstrip()
    else:
        return "no_score"
    bare = inside.lstrip(" \t*$[]()" if line else None)
    start += len(inside) - len(bare)
    if line and not any(c.isdigit() for c in bare):
        return "no_score"
    for form, pattern in _PICKS:
        if found := pattern.fullmatch(bare):
            slot = int(found.group(1)) - 1
            where = (start + found.start(1), start + found.end(1))
            return (
                _Pick(slot, "best_line" if line else form, *where)
                if 0 <= slot < n
                else "out_of_range"
            )
    values, _ = _numbers(_split(bare))
    return "not_a_number" if values is None or len(values) < 2 else "wrong_count"


def _last_entries(rest: str, n: int) -> tuple[list[str] | None, str]:
    """The entries of whatever gives scores last, and how they were set: box, box_each, scores_line."""
    boxes = [(match.start(), match.end()) for match in _BOX.finditer(rest)]
    lines = list(_SCORES_LINE.finditer(rest))
    if lines and (not boxes or boxes[-1][0] < lines[-1].start()):
        inside = lines[-1].group(1).strip().strip("*$[]()").strip()
        return (_split(inside) if any(c.isdigit() for c in inside) else None), "scores_line"
    if not boxes:
        return None, ""
    last = _split(_inside(rest, boxes[-1][1]))
    if n > 1 and len(last) == 1:
        # Nothing but separators may stand between boxes that belong together: else a quoted box
        # could make up for one that is missing.
        joined = [_inside(rest, boxes[-1][1])]
        for (_, end), (following, _) in zip(
            boxes[-2 : -n - 2 : -1], boxes[: -n - 2 : -1], strict=False
        ):
            inside = _inside(rest, end)
            if not _SEPARATOR.fullmatch(rest, end + len(inside) + 1, following):
                break
            joined.insert(0, inside)
        if len(joined) == n:
            return [inside.strip() for inside in joined], "box_each"
    return last, "box"


def _inside(text: str, start: int) -> str:
    """A box's content up to its closing brace, nested ones included; "?" where it never closes."""
    depth = 1
    for at in range(start, min(len(text), start + _BOX_LENGTH)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[start:at]
    return "?"


def _split(inside: str) -> list[str]:
    return [part.strip() for part in re.split("[,;，、]", inside.replace("\\,", " "))]


def _numbers(entries: list[str]) -> tuple[list[int] | None, str | None]:
    """All entries written in one way, as numbers; None where no way fits."""
    for form, pattern in _ENTRIES:
        matches = [match for entry in entries if (match := pattern.fullmatch(entry))]
        if len(matches) == len(entries):
            return [int(match.group(1)) for match in matches], form
    return None, None
