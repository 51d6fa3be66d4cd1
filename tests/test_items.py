"""An item's content hash: every part counts, and any text can be hashed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grmeval.items import Item, Key, Message

ITEM = Item(
    bench="toy",
    subset="colours",
    id="1",
    conversation=(Message("user", "Which is a colour?"),),
    responses=("red", "four"),
    quality=(1, 0),
    reference="red",
    group="g",
)
CHANGES: list[dict[str, Any]] = [
    {"subset": "numbers"},
    {"id": "2"},
    {"conversation": (Message("user", "Which is no colour?"),)},
    {"conversation": (Message("system", "Which is a colour?"),)},
    {"conversation": (Message("user", ""), Message("user", "Which is a colour?"))},
    {"responses": ("four", "red")},
    {"responses": ("red", "four", "")},
    {"responses": ("red four",)},
    {"responses": ("red\0four",)},
    {"quality": (0, 1)},
    {"quality": None},
    {"reference": None},
    {"reference": ""},
    {"reference": "red "},
    {"group": None},
    {"group": "h"},
    {"subset": "colours1", "id": ""},
]
ANY_TEXT = st.text(st.characters(exclude_categories=[]))


def test_key_and_n() -> None:
    assert ITEM.key == Key("colours", "1")
    assert ITEM.n == 2


@pytest.mark.parametrize("change", CHANGES, ids=repr)
def test_each_part_changes_the_hash(change: dict[str, Any]) -> None:
    assert replace(ITEM, **change).content_hash() != ITEM.content_hash()


def test_all_changes_hash_apart() -> None:
    hashes = {replace(ITEM, **change).content_hash() for change in CHANGES}
    assert len(hashes) == len(CHANGES)


def test_flags_do_not_change_the_hash() -> None:
    """They follow from the texts: a new flag is no new run."""
    assert replace(ITEM, flags=("empty_response",)).content_hash() == ITEM.content_hash()


def test_the_hash_is_of_the_content_not_the_object() -> None:
    assert replace(ITEM).content_hash() == ITEM.content_hash()
    assert len(ITEM.content_hash()) == 64


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_is_hashed_and_told_apart(one: str, other: str) -> None:
    hashes = [replace(ITEM, responses=(text, "x")).content_hash() for text in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)


@pytest.mark.parametrize("text", ["\ud800", "\udfff tail", "\0", "a\0b", "\u202e", "\U0010ffff"])
def test_awkward_text_is_hashed(text: str) -> None:
    for change in ({"responses": (text, "x")}, {"reference": text}, {"id": text}):
        assert replace(ITEM, **change).content_hash() != ITEM.content_hash()
