"""A traced text is as the text itself, and what is made of it is in disguise."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grmeval.engines.traced import Traced

LETTERS, HIDDEN = "a<|>", "\U000f0000\U000f0001\U000f0002\U000f0003"
TEXTS = st.text(alphabet="a<|> \n", max_size=12)
METHODS: dict[str, Callable[[Any, str], Any]] = {
    "strip": lambda text, _: text.strip(),
    "strip letters": lambda text, part: text.strip(part or "a"),
    "lstrip": lambda text, _: text.lstrip("\n"),
    "rstrip": lambda text, part: text.rstrip(part or None),
    "split": lambda text, _: text.split(),
    "split once": lambda text, _: text.split(None, 1),
    "split at": lambda text, part: text.split(part or "|"),
    "rsplit at": lambda text, part: text.rsplit(part or "|", 1),
    "lines": lambda text, _: text.splitlines(True),
    "slice": lambda text, _: text[1:-1],
    "last": lambda text, _: text[-1:],
    "backwards": lambda text, _: text[::-1],
    "joined": lambda text, part: part + text + part + text,
    "replace": lambda text, part: text.replace(part or "<|", ""),
    "in": lambda text, part: part in text,
    "starts": lambda text, part: text.startswith(part),
    "ends": lambda text, part: text.endswith(part),
    "find": lambda text, part: (text.find(part), text.rfind(part), text.count(part)),
    "equal": lambda text, part: (text == part, text != part, text == text[:]),
    "known": lambda text, _: text in {"a": 1, "<": 2},
}


def lifted(value: Any) -> Any:
    """What a reader sees who knows the disguise."""
    if isinstance(value, list):
        return [lifted(each) for each in value]
    if not isinstance(value, str):
        return value
    return "".join([value]).translate(str.maketrans(HIDDEN, LETTERS))


@pytest.mark.parametrize("name", METHODS)
@given(text=TEXTS, part=TEXTS.map(lambda text: text[:2]))
def test_a_traced_text_answers_as_the_text(name: str, text: str, part: str) -> None:
    traced = Traced(text.translate(str.maketrans(LETTERS, HIDDEN)), text)
    found, wanted = METHODS[name](traced, part), METHODS[name](text, part)
    assert lifted(found) == wanted
    if isinstance(found, Traced):
        assert found.text == wanted
    if name not in ("joined",):
        written = "".join(found) if isinstance(found, list) else f"{found}"
        assert not set(written) & set(LETTERS) or not isinstance(found, (str, list))
