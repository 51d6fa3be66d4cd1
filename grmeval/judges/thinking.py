"""Where a judgement's thinking ends and what it says begins."""

import re

__all__ = ["end_of_thinking", "opened_before", "opens_thinking", "split_thinking"]

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
_OPENING = re.compile(_START, re.IGNORECASE)
_OPENED_LINE = re.compile(rf"(?:\A|\n)[ \t]*{_START}", re.IGNORECASE)
_OPENED = re.compile(rf"{_START}\s*\Z", re.IGNORECASE)


def split_thinking(text: str, lead: str = "") -> tuple[str, str]:
    """(thinking, rest): the rest begins after the LAST end-of-thinking marker.

    Thinking that was opened and never closed is all thinking; the prompt's end, `lead`, may open it.
    """
    thinking, rest = "", text
    if ended := end_of_thinking(text):
        thinking, rest = text[: ended.start()], text[ended.end() :]
    opened = not ended and _OPENED.search(lead)
    if opened or (not thinking and _START_OF_THINKING.match(rest)):
        return text, ""
    return thinking, rest


def end_of_thinking(text: str) -> re.Match[str] | None:
    """The last marker that ends it."""
    if not any(mark in text for mark in "<[◁"):
        return None
    return max(_END_OF_THINKING.finditer(text), key=re.Match.start, default=None)


def opened_before(text: str, end: int) -> bool:
    """Whether a line before a place opens thinking; what follows may be in a thought that never ends."""
    return bool(_OPENED_LINE.search(text, 0, end))


def opens_thinking(text: str, end: int) -> bool:
    """Whether anything before a place opens thinking, be it in the middle of a line."""
    return bool(_OPENING.search(text, 0, end))
