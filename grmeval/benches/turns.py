"""Texts, turns and answers in the few ways in which data sets write them; errors name the column.

text      plain, or content parts: [{"type": "text", "text": "..."}]
turn      {"role", "content"}, or ShareGPT's {"from", "value"}
answer    a text, the turn that says it, or a whole conversation that ends with it
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from grmeval.errors import DataError
from grmeval.items import Message

__all__ = ["Answer", "answer", "conversation_of", "is_turn", "split_turns"]

WAYS = (("role", "content"), ("from", "value"))
"""Names of who speaks and of what is said."""

SHAREGPT = {"human": "user", "gpt": "assistant"}
_SPEAKERS = {"User": "user", "Assistant": "assistant"}
"""Of turns that one text holds."""


class Answer(NamedTuple):
    """A response, and the turns that its cell has before it."""

    text: str
    before: tuple[Message, ...] = ()


def is_turn(value: Any) -> bool:
    """Whether a value is one turn of a conversation."""
    return isinstance(value, dict) and any(set(way) <= value.keys() for way in WAYS)


def answer(value: Any, path: str, where: str) -> Answer:
    """A response in any of the ways."""
    turns = [value] if is_turn(value) else value
    if not (isinstance(turns, list) and turns and all(map(is_turn, turns))):
        return Answer(_text(value, f"column {path!r}", where))
    *before, last = (_turn(turn, where) for turn in turns)
    if last.role != "assistant":
        raise DataError(
            f"{where}: column {path!r}: its last turn is {last.role!r}, expected 'assistant'"
        )
    return Answer(last.content, tuple(before))


def _conversation(turns: Any, column: str, where: str) -> tuple[Message, ...]:
    """A prompt, or turns of which the last is the user's."""
    if isinstance(turns, str):
        return (Message("user", turns),)
    turns = [turns] if is_turn(turns) else turns
    if not isinstance(turns, list) or not turns:
        raise DataError(
            f"{where}: column {column!r}: expected a text or a list of turns, found {type(turns).__name__}"
        )
    if all(map(_is_part, turns)):
        return (Message("user", _text(turns, "the conversation", where)),)
    return _asked([_turn(turn, where) for turn in turns], where)


def _asked(messages: Sequence[Message], where: str) -> tuple[Message, ...]:
    if messages[-1].role != "user":
        raise DataError(f"{where}: the last turn is {messages[-1].role!r}, expected 'user'")
    return tuple(messages)


def conversation_of(
    answers: Sequence[Answer], column: str, stated: Any, where: str
) -> tuple[Message, ...]:
    """What the responses answer: the turns before them, else what a column states (None: it is not there).

    DataError: they answer unlike conversations, or other than `column` states.
    """
    before, *others = dict.fromkeys(each.before for each in answers if each.before) or [()]
    if others:
        raise DataError(
            f"{where}: the turns before its responses differ: only responses to one conversation can be "
            "judged together; leave such rows out"
        )
    if not before:
        return _conversation(stated, column, where)
    before = _asked(before, where)
    if stated is not None and not _states(_conversation(stated, column, where), before):
        raise DataError(
            f"{where}: column {column!r} is not what the turns before the responses say; drop one of the two"
        )
    return before


def split_turns(text: str, marker: str) -> list[dict[str, str]]:
    """The turns of a text that has them one after the other; the first is the user's, without a marker.

    Before each of the others stands a line of its own: the marker, and `User` or `Assistant`.
    """
    speakers = "|".join(_SPEAKERS)
    first, *rest = re.split(rf"(?:^|\n){re.escape(marker)}({speakers})\n", text)
    turns = zip(rest[::2], rest[1::2], strict=True)
    found = [{"role": _SPEAKERS[who], "content": said} for who, said in turns]
    return [{"role": "user", "content": first}, *found] if first or not found else found


def _states(stated: Sequence[Message], before: Sequence[Message]) -> bool:
    """Whether a prompt is that of the turns: all of them, all but the system's, or one of the user's."""
    spoken = [turn for turn in before if turn.role != "system"]
    said = [turn.content.strip() for turn in spoken if turn.role == "user"]
    alone = len(stated) == 1 and stated[0].content.strip() in said
    return alone or list(stated) in (list(before), spoken)


def _turn(value: Any, where: str) -> Message:
    for who, what in WAYS:
        if isinstance(value, dict) and who in value and what in value:
            role = value[who]
            if not isinstance(role, str):
                kind = type(role).__name__
                raise DataError(f"{where}: column {who!r}: expected text, found {kind}")
            role = SHAREGPT.get(role, role) if who == "from" else role
            return Message(role, _text(value[what], f"column {what!r}", where))
    found = ", ".join(sorted(map(str, value))) if isinstance(value, dict) else type(value).__name__
    raise DataError(
        f"{where}: a turn has 'role' and 'content', or 'from' and 'value'; found: {found}"
    )


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and "type" in value and not is_turn(value)


def _text(value: Any, what: str, where: str) -> str:
    if isinstance(value, str):
        return value
    if not (isinstance(value, list) and value and all(map(_is_part, value))):
        raise DataError(f"{where}: {what}: expected text, found {type(value).__name__}")
    for part in value:
        if part["type"] != "text" or not isinstance(part.get("text"), str):
            raise DataError(
                f"{where}: {what}: a part of type {part['type']!r}: only parts of type 'text', with a "
                "'text', can be judged"
            )
    return "\n".join(part["text"] for part in value)
