"""Files of tables: what a page shows of a name is the name, and no cell of a CSV is a formula."""

import csv
import io
from dataclasses import dataclass

import pytest
from markdown_it import MarkdownIt

from grmeval.report.cells import escaped
from grmeval.report.columns import Column
from grmeval.report.grid import csv_text, markdown_table

HOSTILE = (
    "[a link](javascript:alert(1))",
    "![an image](https://x.example/p.png)",
    "<https://x.example> <a href=x>y</a> <!-- hidden",
    "https://x.example/a www.x.example HTTP://x WWW.x",
    "[ref]: https://x.example",
    "*a* **b** _c_ __init__ `code` ``more`` ~~gone~~ ~x~ $a^2$",
    "a|b \\| c \\",
    "&lt;b&gt; &#42; &copy;",
    "# heading",
    "- a list",
    "+ a list",
    "1. a list",
    "12) a list",
    "> quoted",
    "``` fence",
    "--- ===",
    "[x] task [ ]",
    "a_b_c org/model_7b 0.5 -1.2, +0.3 (5 %)",
)


@dataclass
class Row:
    name: str
    value: float


def shown(page: str) -> tuple[list[str], set[str]]:
    """(texts, tags) of a page."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)
    texts = [
        "".join(part.content for part in token.children or ())
        for token in tokens
        if token.type == "inline"
    ]
    kinds = {part.type for token in tokens for part in token.children or ()}
    return texts, kinds | {token.tag for token in tokens if token.tag}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_shows_the_text_itself(text: str) -> None:
    quiet = {"text", "text_special"}
    for begin, tag in (("# ", {"h1"}), ("- ", {"ul", "li", "p"})):
        texts, tags = shown(begin + escaped(text))
        assert texts == [text]
        assert tags <= quiet | tag
    lines = markdown_table([Column("[t](x)", lambda row: row, left=True)], [text])
    texts, tags = shown("\n".join(lines))
    assert texts == ["[t](x)", text]
    assert tags <= quiet | {"table", "thead", "tbody", "tr", "th", "td"}


def test_nothing_is_an_address_for_github() -> None:
    # Its pages make links of bare addresses too, which is no part of CommonMark.
    for text in HOSTILE:
        assert "://" not in escaped(text)
        assert "www." not in escaped(text).lower()


def test_plain_names_and_numbers_stay_readable() -> None:
    text = "RewardBench: 84.2 % (83.2-85.2), -1.2 +0.3; k=8, org/model-7b@main"
    assert escaped(text) == text


def test_a_name_is_no_formula_and_a_number_is_one() -> None:
    text = csv_text([Row('=HYPERLINK("x")', -0.5)], {"model": "@SUM(A1)"})
    (row,) = csv.DictReader(io.StringIO(text))
    assert row == {"name": '\'=HYPERLINK("x")', "value": "-0.5", "model": "'@SUM(A1)"}
