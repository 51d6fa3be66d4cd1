"""Overlaps of texts: the words that are compared, and hits against a plain count of runs of words."""

import random
from collections import Counter

import numpy as np
import pytest

from grmeval.benches.overlap import Found, Overlap, Overlaps, index
from grmeval.benches.overlap.words import words
from grmeval.items import Item, Message

PROMPT = "Name the three largest lakes of this country, in order of size, and say of each how deep it is."
ANSWER = (
    "The largest is the northern one, at some four hundred square miles; it is ninety metres deep."
)


def item(id: str, prompt: str, *responses: str, system: str = "") -> Item:
    said = [Message("system", system)] * bool(system) + [Message("user", prompt)]
    return Item("b", "s", id, tuple(said), responses or ("no", "yes"), (1, 0))


def held(found: Found, kind: str) -> list[bool]:
    rows: list[bool] = getattr(found, kind).tolist()
    return rows


def looked_for(*items: Item, n: int = 13, threshold: float = 0.4) -> Overlaps:
    made = Overlaps(n, threshold)
    made.add("lakes", items)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't STOP, now!", "dont stop now"),
        ("don\u2019t  stop\nnow", "dont stop now"),
        ("a_b well-known (c)", "a b well known c"),
        ("3 + 4 = 7", "3 + 4 = 7"),
        ("3 - 4, 3-4, x^2 < 5%", "3 - 4 3 - 4 x ^ 2 < 5 %"),
        ("- a list\n* of things", "a list of things"),
        ("Title\n=====\na <= b", "title ===== a <= b"),
        ("\uff21\uff22 \ufb01ne", "ab fine"),  # wide letters, a ligature
        ("\u4e16\u754cok \u3042", "\u4e16 \u754c ok \u3042"),
        ("?! …", ""),
    ],
)
def test_words_are_what_case_spaces_and_punctuation_leave(text: str, expected: str) -> None:
    assert words(text) == expected.split()


def test_a_prompt_is_found_whole_changed_halved_and_inside_other_text() -> None:
    half = " ".join(PROMPT.split()[:13])
    rows = [
        item("same", PROMPT),
        item("changed", f"  {PROMPT.upper().replace(',', ' ;')}"),
        item("inside", f"Please answer this. {PROMPT} Thank you."),
        item("half", f"Some other thing first, and then: {half} whatever comes next"),
        item("less", " ".join(PROMPT.split()[:12])),
        item("in a response", "Anything.", f"You asked: {PROMPT}", "no"),
        item("reworded", "Which lakes of the country are its three largest, and how deep is each?"),
        item("other", "Name the capital of the country."),
    ]
    found = looked_for(item("1", PROMPT)).find(rows)
    assert held(found, "prompt") == [True, True, True, True, False, True, False, False]
    assert held(found, "response") == [False] * 8
    prompts, responses = found.overlaps
    assert prompts == Overlap(*("lakes", "prompt", 1, 1, 0, 2, 3), examples=tuple(prompts.examples))
    assert [(pair.row, pair.item) for pair in prompts.examples] == [
        (f"s/{name}", "s/1") for name in ("same", "changed", "inside", "half", "in a response")
    ]
    assert [pair.share for pair in prompts.examples] == [1, 1, 1, 0.65, 1]  # 13 of its 20 words
    assert (responses.texts, responses.rows_exact, responses.rows_near) == (0, 0, 0)


def test_responses_are_looked_for_in_prompts_too() -> None:
    rows = [
        item("prompt", f"Is this right? {ANSWER}"),
        item("response", "Q", ANSWER, "no"),
        item("neither", "Q", "The largest is the northern one.", "no"),
    ]
    found = looked_for(item("1", "Which?", ANSWER, "no")).find(rows)
    assert held(found, "response") == [True, True, False]
    assert held(found, "prompt") == [False] * 3


def test_short_prompts_are_compared_whole_and_short_responses_are_not() -> None:
    found = looked_for(item("1", "Hello there!", "Yes.", "No.")).find(
        [
            item("a", "hello THERE"),
            item("b", "Hello there, friend", "Yes.", "No."),
            item("c", "Yes."),
        ]
    )
    assert held(found, "prompt") == [True, False, False]
    assert held(found, "response") == [False] * 3


def test_what_the_system_is_told_is_no_part_of_a_prompt() -> None:
    found = looked_for(item("1", "Which?", system=PROMPT)).find(
        [item("a", PROMPT), item("b", "Which?", system="Be kind.")]
    )
    assert held(found, "prompt") == [False, True]


def test_a_frame_that_many_prompts_share_tells_none_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "COMMON", 3)
    frame = "You are given a sentence and asked to say whether it is true, and why you think that it is so:"
    own = "the largest lake of the country is the northern one, which is ninety metres deep"
    rest = [item(str(i), f"{frame} {name} is a town.") for i, name in enumerate("ABCD")]
    made = looked_for(*rest, item("own", f"{frame} {own}"))
    found = made.find([item("frame", f"{frame} E is a town."), item("its own", f"I say: {own}!")])
    assert held(found, "prompt") == [False, True]


def test_equal_texts_of_a_benchmark_count_once() -> None:
    found = looked_for(item("1", PROMPT), item("2", PROMPT.lower()), item("3", "?!")).find(
        [item("a", PROMPT)]
    )
    assert found.overlaps[0].texts == 1
    assert found.overlaps[0].examples[0].item == "s/1"


def test_nothing_is_found_in_nothing_and_of_nothing() -> None:
    assert Overlaps().find([item("a", PROMPT)]).overlaps == ()
    empty = looked_for()
    assert held(empty.find([item("a", PROMPT)]), "prompt") == [False]
    found = looked_for(item("1", PROMPT)).find([])
    assert found.overlaps[0].rows_exact == 0
    assert held(found, "prompt") == []


# ---------------------------------------------------------------------- against a plain count


def plain(asked: list[str], text: list[str], n: int, common: set[tuple[str, ...]]) -> float:
    """The share of a text's own words that lie in runs of n words which it shares."""
    there = {tuple(asked[i : i + n]) for i in range(len(asked) - n + 1)}
    own, covered = set[int](), set[int]()
    for i in range(len(text) - n + 1):
        run = tuple(text[i : i + n])
        own |= set(range(i, i + n)) if run not in common else set()
        covered |= set(range(i, i + n)) if run in there - common else set()
    return len(covered) / len(own) if own else 0


@pytest.mark.parametrize("n", [3, 4])
@pytest.mark.parametrize("limit", [2, 50])
def test_hits_are_those_of_a_plain_count(
    n: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "COMMON", limit)
    monkeypatch.setattr(index, "BATCH", 7)
    rng = random.Random(n)

    def text() -> str:
        return " ".join(rng.choices("abc", k=rng.randint(0, 14)))

    theirs = list(dict.fromkeys(text() for _ in range(40)))
    mine = [text() for _ in range(60)]
    texts = [each.split() for each in theirs if each]
    spread = Counter(run for each in texts for run in {*zip(*(each[i:] for i in range(n)))})  # noqa: B905
    common = {run for run, many in spread.items() if many > limit}
    made = Overlaps(n, 0.5)
    made.add("b", [item(str(i), each) for i, each in enumerate(theirs)])
    found = made.find([item(str(i), each) for i, each in enumerate(mine)])
    exact = np.array([bool(each) and each.split() in texts for each in mine])
    near = np.array(
        [any(plain(each.split(), other, n, common) >= 0.5 for other in texts) for each in mine]
    )
    assert held(found, "prompt") == (exact | near).tolist()
    assert found.overlaps[0].rows_exact == exact.sum()
    assert found.overlaps[0].rows_near == (near & ~exact).sum()
    assert 0 < exact.sum() < (exact | near).sum() < len(mine)
