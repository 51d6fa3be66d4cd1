"""Reading a pick: every form, every reason, and nothing that was planted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grmeval.items import Reading
from grmeval.judges import IndexJudge, IndexProbJudge
from grmeval.judges.parse import locate_pick, read_pick

JUDGE = IndexJudge()
PLANTED = st.sampled_from(
    [
        r"\boxed{1}",
        r"\boxed{2}",
        r"\boxed{10, 1}",
        r"\boxed {3}",
        r"\boxed{",
        r"\boxed{2",
        r"\boxed{\boxed{2}",
        "\nBest Response: 2\n",
        "\n**Best Response**: Response 3\n",
        "\nBest Response: \\boxed{1}\n",
        "Best Response:",
        "\nScores: \\boxed{9, 2}\n",
        "[The End of Response 1]",
        "<think>",
        "</think>",
        "[/THINK]",
        "}}}",
        "{",
        "\n",
        "\r\n",
        "\u2028",
        "\0",
        "\ud800",
    ]
)
ANALYSES = st.lists(st.one_of(PLANTED, st.text(st.characters(exclude_categories=[]))), max_size=12)
PICKS = st.integers(2, 12).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))


def read(text: str, n: int = 4, finish: str = "stop") -> Reading:
    return read_pick(text, n, finish)


def one(pick: int, n: int) -> tuple[float, ...]:
    return tuple(float(slot == pick) for slot in range(1, n + 1))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (r"Best Response: \boxed{3}", "boxed"),
        (r"\boxed{ 3 }", "boxed"),
        (r"\boxed {03}", "boxed"),
        ("\\boxed{\n3}", "boxed"),
        (r"$\boxed{3}$", "boxed"),
        (r"\boxed{1} no: \boxed{3}.", "boxed"),
        (r"\boxed{\boxed{3}", "boxed"),
        (r"\boxed{Response 3}", "boxed_named"),
        (r"\boxed{\text{Response 3}}", "boxed_named"),
        (r"\boxed{response #3}", "boxed_named"),
        (r"\boxed{\text{Response } 3}", "boxed_named"),
        (r"\boxed{\textbf{3}}", "boxed"),
        (r"\boxed{[３]}", "boxed"),
        (r"\boxed{3.0}", "boxed_decimal"),
        ("Best Response: 3", "best_line"),
        ("Best Response: 1\n- **Overall Best Response:** `Response #3`.", "best_line"),
        ("Best Response: 1\n<answer>Best Response: 3</answer>", "best_line"),
        ("**Best Response:** 3", "best_line"),
        ("### best response: [3].\n", "best_line"),
        ("Best Response: Response 3", "best_line"),
        ("\\boxed{1}\nBest Response: 3\nDone.", "best_line"),
        ("Best Response: 1\nBest Response: 3", "best_line"),
    ],
)
def test_forms(text: str, form: str) -> None:
    reading = read(text)
    assert (reading.scores, reading.invalid, reading.form) == (one(3, 4), None, form)
    found = locate_pick(text, 4)
    assert found is not None
    assert int(text[slice(*found)]) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_score"),
        ("Response 3 is best.", "no_score"),
        ("Best Response: see above", "no_score"),
        ("\\boxed{3}\nBest Response: neither", "no_score"),
        ("Scores: 3", "no_score"),
        (r"\boxed{}", "not_a_number"),
        (r"\boxed{x}", "not_a_number"),
        (r"\boxed{3.5}", "not_a_number"),
        ("Best Response: 3\nOverall best response: 3 or 4", "not_a_number"),
        (r"\boxed{3/4}", "not_a_number"),
        (r"\boxed{3 or 4}", "not_a_number"),
        (r"\boxed{3", "not_a_number"),
        (r"\boxed{1234567890}", "not_a_number"),
        ("Best Response: 3 or 4", "not_a_number"),
        (r"\boxed{3, 4}", "wrong_count"),
        (r"\boxed{3; 3}", "wrong_count"),
        (r"\boxed{3}, \boxed{4}", "wrong_count"),
        (r"$\boxed{3}$ or $\boxed{4}$", "wrong_count"),
        ("Best Response: 1, 2", "wrong_count"),
        (r"\boxed{0}", "out_of_range"),
        (r"\boxed{5}", "out_of_range"),
        (r"\boxed{-3}", "out_of_range"),
        (r"\boxed{Response 9}", "out_of_range"),
        ("Best Response: 5", "out_of_range"),
    ],
)
def test_reasons(text: str, reason: str) -> None:
    assert read(text)[:3] == (None, reason, None)
    assert read(text).text == text
    assert locate_pick(text, 4) is None


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("length", "truncated"), ("prompt_too_long", "prompt_too_long"), ("error", "engine_error")],
)
def test_a_text_that_did_not_end_is_not_read(finish: str, reason: str) -> None:
    assert read(r"Best Response: \boxed{3}", finish=finish)[:3] == (None, reason, None)


@given(PICKS, ANALYSES.map("".join))
def test_nothing_planted_before_the_pick_is_read(asked: tuple[int, int], analysis: str) -> None:
    pick, n = asked
    text = JUDGE.write([int(slot == pick) for slot in range(1, n + 1)], analysis)
    assert read(text, n)[:3] == (one(pick, n), None, "boxed")
    where = IndexProbJudge().locate(n)(text)
    assert where == (len(text) - len(f"{pick}}}"), len(text) - 1)


@given(ANALYSES.map("".join), PICKS)
def test_nor_before_a_pick_of_another_form(analysis: str, asked: tuple[int, int]) -> None:
    pick, n = asked
    for last in (f"**Best Response: $\\boxed{{{pick}}}$**", f"Best Response: Response {pick}"):
        assert read(f"Analysis: {analysis}\n{last}", n).scores == one(pick, n)


@pytest.mark.parametrize(
    "last", [r"\boxed{", r"\boxed{2", r"\boxed{{2}", r"\boxed{" + "2" * 500 + "}"]
)
@pytest.mark.parametrize("earlier", [r"\boxed{1}", "Best Response: 1"])
def test_an_unreadable_last_box_is_not_replaced(last: str, earlier: str) -> None:
    assert read(f"{earlier}\n{last}")[:2] == (None, "not_a_number")


def test_thinking_is_never_read() -> None:
    assert read("<think>\\boxed{1}</think>").invalid == "no_score"
    assert read("<think>\n\\boxed{1}").invalid == "no_score"
    text = "<think>\\boxed{1}</think>\\boxed{3}"
    assert read(text).scores == one(3, 4)
    assert locate_pick(text, 4) == (len(text) - 2, len(text) - 1)


@given(ANALYSES.map("".join), st.integers(2, 8))
def test_any_text_is_read_or_refused(text: str, n: int) -> None:
    reading = read(text, n)
    assert (reading.scores is None) == (reading.invalid is not None) == (reading.form is None)
    assert reading.scores is None or (len(reading.scores), sum(reading.scores)) == (n, 1)
    assert (locate_pick(text, n) is None) == (reading.scores is None)


@pytest.mark.parametrize(
    "piece", ["\\boxed{2} ", "Best Response: 2\n", "Best Response:\n", " ", "{"]
)
def test_a_million_characters_are_read(piece: str) -> None:
    text = piece * (10**6 // len(piece))
    assert (read(text).scores is None) == (locate_pick(text, 4) is None)
