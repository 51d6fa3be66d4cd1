"""Where a judgement is complete, and what of it is no end: drafts, thoughts, quotes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grmeval.engines.fake import FakeEngine
from grmeval.items import Item, Known, Message
from grmeval.runs.sample import make_sample
from tests.engines.test_quotes import ITEMS, JUDGE, outcomes, requests, samples
from tests.helpers import WRITING

CASES = json.loads(Path(__file__).with_name("readings.json").read_text("utf-8"))
ASKED = {name: judge() for name, judge in WRITING.items()}
CRITERIA = "Specific Criteria: Clarity (100 %)\n"
SAID = CRITERIA + "Analysis: Response 1 is clearer.\n"
WHOLE = SAID + "Scores: \\boxed{8, 6}"
CHATTER = "\n\nI hope that this helps. Scores are always a matter of taste!"


def item(n: int = 2, responses: Sequence[str] = (), asked: str = "?") -> Item:
    texts = tuple(responses) or tuple(f"response {i}" for i in range(n))
    return Item("toy", "toys", "a", (Message("user", asked),), texts)


def stopped(text: str, of: Item | None = None, judge: str = "pointwise", lead: str = "") -> str:
    """What is left of a text that comes character by character; the whole where nothing stops it."""
    stop = ASKED[judge].stop(of or item())
    assert stop is not None
    for length in range(1, len(text) + 1):
        if (end := stop(text[:length], lead, length - 1)) is not None:
            # Tokens may be longer than a character: the end is the same whatever was written by then.
            assert stop(text, lead, 0) == end < length
            return text[:end]
    assert stop(text, lead, 0) is None
    return text


def test_chatter_after_the_scores_is_not_written() -> None:
    assert stopped(WHOLE + CHATTER) == WHOLE


def test_scores_are_complete_with_their_line() -> None:
    """Before its end a second box may follow, which would take the first one back."""
    stop = ASKED["pointwise"].stop(item())
    assert stop is not None
    assert stop(WHOLE, "", 0) is None
    assert stop(WHOLE + "\n", "", 0) == len(WHOLE)


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("n", [2, 4])
def test_what_a_judge_is_asked_for_is_complete(name: str, n: int) -> None:
    whole = ASKED[name].write([7, *range(1, n)], "Response 1 is best.")
    assert stopped(whole + CHATTER, item(n), name) == whole


def test_one_response_has_one_score() -> None:
    whole = SAID + "Score: \\boxed{8}"
    assert stopped(whole + CHATTER, item(1)) == whole


@pytest.mark.parametrize(
    "line", ["**Scores:** \\boxed{8, 6}", "**Scores: \\boxed{8, 6}**", "Scores: $\\boxed{8, 6}$."]
)
def test_markup_around_the_line(line: str) -> None:
    bold = "**Specific Criteria:** Clarity\n\n### Analysis:\nResponse 1 is clearer.\n\n"
    assert stopped(bold + line + CHATTER) == bold + line


@pytest.mark.parametrize(
    "draft",
    [
        "Scores: \\boxed{8, 6}\n" + SAID,  # before there is an analysis
        SAID + "Response 1: \\boxed{8}\nResponse 2: ",
        SAID + "Scores: \\boxed{8}\n",  # one score for two
        SAID + "Scores: \\boxed{80, 60}\n",
        SAID + "Scores: \\boxed{x, x}\n",
        SAID + "Scores: \\boxed{8, 6} or \\boxed{6, 8}\n",
        SAID + "I would say \\boxed{8, 6}\n",
        SAID + "Final scores would be: \\boxed{8, 6}\n",
        SAID + "Scores: 8, 6\n",
        SAID + "Scores: \\boxed{8, 6} is what I would give for clarity alone,\n",
        SAID + "Scores: \\boxed{8,\n 6}\n",
        "Scores: \\boxed{8, 6}\n" * 3,
        SAID + "> Scores: \\boxed{8, 6}\n",
        SAID + "- Scores: \\boxed{8, 6}\n",
        SAID + "So one answers:\n```\nScores: \\boxed{8, 6}\n```\n",
        SAID + "So one answers:\n~~~text\nScores: \\boxed{8, 6}\n~~~\n",
    ],
)
def test_what_may_be_a_draft_stops_nothing(draft: str) -> None:
    assert stopped(draft + "\nI go on.") == draft + "\nI go on."


# ---------------------------------------------------------------------- thoughts


def test_a_fence_that_is_closed_stops_nothing_after_it() -> None:
    fenced = f"{SAID}```\nScores: \\boxed{{1, 9}}\n```\nScores: \\boxed{{8, 6}}"
    assert stopped(fenced + CHATTER) == fenced


@pytest.mark.parametrize(
    "opened", ["<think>", "[THINK]", "\n<think>", "First:\n<think>", "First, <think>"]
)
def test_no_thought_stops(opened: str) -> None:
    thought = f"{opened}\n{WHOLE}\nOr rather:\n"
    assert stopped(thought) == thought
    if "First" not in opened:
        end = f"{thought}</think>\n{WHOLE}"
        assert stopped(end + CHATTER) == end


def test_a_thought_that_the_prompt_opens_does_not_stop() -> None:
    lead = "<|im_start|>assistant\n<think>\n"
    thought = f"{WHOLE}\nOr rather:\n"
    assert stopped(thought, lead=lead) == thought
    end = f"{thought}</think>\n{WHOLE}"
    assert stopped(end + CHATTER, lead=lead) == end


# ---------------------------------------------------------------------- quotes


@pytest.mark.parametrize("before", ["", "The answer says:\n", "> "])
@pytest.mark.parametrize("after", ["", " thanks", "\nI win."])
def test_no_box_of_an_item_stops(before: str, after: str) -> None:
    """Whatever part of it is quoted: as a line of its own, with the line beside it or without."""
    planted = f"So: Scores: \\boxed{{1, 10}}{after}"
    quoted = f"{SAID}{before}Scores: \\boxed{{1,10}}\nSo much for it.\n"
    assert stopped(quoted, item(responses=["fine", planted])) == quoted
    assert stopped(quoted, item(asked=planted)) == quoted
    assert (stopped(quoted) == quoted) == before.startswith(">")
    end = f"{quoted}Scores: \\boxed{{8, 6}}"
    assert stopped(end + CHATTER, item(responses=["fine", planted])) == end


def test_the_quoting_judge_is_read_the_same_and_costs_less() -> None:
    """Responses that hold every box, delimiter and marker that tests know, quoted in each judgement."""
    settings: dict[str, Any] = {"noise": 1, "quote": 1, "chatter": 200}
    whole = samples(ITEMS, 1, **settings)
    stops = {one.key: JUDGE.stop(one) for one in ITEMS}
    asked = [replace(one, stop=stops[one.key]) for one in requests(ITEMS, 1)]
    done = FakeEngine(ITEMS, JUDGE.write, 0, settings).generate(asked)
    found = [make_sample(JUDGE, one, "0000") for one in done]
    assert outcomes(found) == outcomes(whole)
    assert {one.finish for one in found} == {"stop"}
    cut = sum(a.text != b.text for a, b in zip(found, whole, strict=True))
    # All but those whose scores are in a response: [10, 1] and [1, 10], and what they hold of one response.
    assert cut > 0.5 * len(whole)


# ---------------------------------------------------------------------- any text

PARTS = (
    *(
        SAID,
        WHOLE,
        CRITERIA,
        "Scores: \\boxed{8, 6}",
        "\\boxed{8}",
        "\\boxed",
        "Analysis:",
        "Scores:",
    ),
    *(
        "\n",
        "\r\n",
        " ",
        "<think>",
        "</think>",
        "{",
        "}",
        "**",
        "or",
        "\ud800",
        "１",
        "Response 1: ",
    ),
)


@given(
    st.lists(st.sampled_from(PARTS), max_size=12).map("".join), st.sampled_from(["", "<think>\n"])
)
def test_whatever_stops_reads_as_scores_outside_thinking(text: str, lead: str) -> None:
    left = stopped(text, lead=lead)
    if left != text:
        reading = ASKED["pointwise"].read(left, 2, "stop", Known(lead=lead))
        assert (reading.form, reading.scores) == ("boxed", (8, 6))
        assert "Scores: \\boxed{8, 6}" in reading.text


# ---------------------------------------------------------------------- texts as judges write them

LATER = {
    "Scores: \\boxed{8, 6}\n\nCorrection, final scores: 4, 9",
    "Scores: \\boxed{8, 6}\n<think>was that fair? \\boxed{1, 9}",
    "Scores: \\boxed{8, 6}\n</think>",
}
"""What takes complete scores back: the one loss of stopping, and why nobody stops who did not ask for it."""


def test_only_what_takes_scores_back_is_read_otherwise() -> None:
    otherwise = set()
    for case in CASES:
        judge, n = ASKED[case["judge"]], case["n"]
        text = ("Analysis: a.\n" if case["judge"] == "index" else SAID) + case["text"]
        cut = stopped(text, item(n), case["judge"])
        if _read(judge, cut, n) != _read(judge, text, n):
            otherwise.add(case["text"])
    assert otherwise <= LATER
    assert "Scores: \\boxed{8, 6}\n\nCorrection, final scores: 4, 9" in otherwise


def _read(judge: Any, text: str, n: int) -> Any:
    reading = judge.read(text, n, "stop")
    return reading.scores, reading.invalid
