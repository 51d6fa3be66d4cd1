"""What a family of questions gives: a prompt, answers known to be right or wrong, what a critique says."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

__all__ = ["Answer", "Question", "Split", "a", "answers", "is_held", "of_split"]

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Answer:
    """`said`: what a critique says of it, after `Response 1 `."""

    text: str
    said: str


@dataclass(frozen=True)
class Question:
    """`right`: at least two wordings; `wrong`: at least three answers. `fact`: what is asked about, whatever
    the wording: no fact is in both splits. `aim`: the sentence that a critique begins with."""

    fact: str
    prompt: str
    right: tuple[Answer, ...]
    wrong: tuple[Answer, ...]
    aim: str
    reference: str


def is_held(fact: str) -> bool:
    """Whether a fact is kept for the test: a quarter of them, by their hash."""
    return hashlib.sha256(fact.encode()).digest()[0] < 64


@cache
def of_split(facts: tuple[str, ...], split: Split) -> list[str]:
    """The facts that a split may ask about."""
    return [fact for fact in facts if is_held(fact) == (split == "test")]


def answers(
    rng: random.Random, wordings: Sequence[str], values: Sequence[str], said: str, **more: str
) -> tuple[Answer, ...]:
    """One answer a value, each in another wording as long as there are any; `{}` stands for the value."""
    chosen = rng.sample(wordings, len(wordings))
    return tuple(
        Answer(_sentence(chosen[i % len(chosen)].format(value, **more)), said.format(value))
        for i, value in enumerate(values)
    )


def a(noun: str) -> str:
    """A noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
