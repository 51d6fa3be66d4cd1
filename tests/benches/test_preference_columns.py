"""Columns as preference sets have them: ratings, strengths, turns inside one text, packed lines."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import load
from grmeval.benches.turns import split_turns
from grmeval.errors import ConfigError, DataError
from grmeval.items import Message

HEAD = 'id = "mine"\ntitle = "Mine"\n[source]\npackaged = "rows.jsonl"\n[[tables]]\nfiles = "*"\n'
RATED = 'shape = "rated"\nresponses = "answers[].text"\nrating = "answers[].score"\n'
LABELLED = (
    'shape = "labelled"\nresponses = ["answer"]\n'
    'label = "right"\nlabels = { true = [1], false = [0] }\n'
)


def mine(folder: Path, table: str, *rows: dict[str, Any]) -> str:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "mine.toml").write_text(HEAD + table)
    return str(folder / "mine.toml")


def rated(*scores: Any) -> dict[str, Any]:
    return {"prompt": "p", "answers": [{"text": f"r{n}", "score": s} for n, s in enumerate(scores)]}


def test_the_highest_rated_responses_are_the_good_ones(tmp_path: Path) -> None:
    rows = (rated(1, 3, 2), rated(2.5, 2.5, 1), rated(4, 4), rated(-1))
    items = load(mine(tmp_path, RATED, *rows)).items
    assert [item.quality for item in items] == [(0, 1, 0), (1, 1, 0), (1, 1), (1,)]
    assert items[0].responses == ("r0", "r1", "r2")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (rated(1, "N/A"), r"column 'answers\[\].score': expected a number, found 'N/A'"),
        (rated(1, None), "expected a number, found None"),
        (rated(1, True), "expected a number, found True"),
        (rated(1, float("nan")), "expected a number, found nan"),
        ({"prompt": "p", "answers": []}, "column 'answers': expected a list of one or more"),
        ({"prompt": "p", "answers": [{"text": "a"}]}, "no column 'score'; found: text"),
    ],
)
def test_a_rating_is_a_number(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=f"row 1: .*{said}"):
        load(mine(tmp_path, RATED, row))


def test_ratings_are_as_many_as_responses(tmp_path: Path) -> None:
    table = 'shape = "rated"\nresponses = "texts[]"\nrating = "scores[]"\n'
    row = {"prompt": "p", "texts": ["a", "b"], "scores": [1, 2]}
    (item,) = load(mine(tmp_path, table, row)).items
    assert item.quality == (0, 1)
    with pytest.raises(DataError, match=r"column 'scores\[\]': expected 2 numbers, found 3"):
        load(mine(tmp_path, table, row | {"scores": [1, 2, 3]}))
    for wrong in (RATED.replace('"answers[].text"', '["a"]'), RATED.replace("rating", "label")):
        with pytest.raises(ConfigError, match=r"responses: expected one column|needs rating"):
            load(mine(tmp_path, wrong, row))


def test_a_strength_is_kept_without_its_sign_and_may_lack(tmp_path: Path) -> None:
    row = {"prompt": "p", "chosen": "a", "rejected": "b"}
    table = 'shape = "pair"\nbest = "chosen"\nothers = "rejected"\nstrength = "by"\n'
    items = load(
        mine(tmp_path, table, row | {"by": -3}, row | {"by": 0.5}, row, row | {"by": None})
    ).items
    assert [dict(item.meta) for item in items] == [{"strength": 3}, {"strength": 0.5}, {}, {}]
    with pytest.raises(DataError, match="column 'by': expected a number, found 'much'"):
        load(mine(tmp_path, table, row | {"by": "much"}))


def test_a_label_may_be_true_or_false(tmp_path: Path) -> None:
    row = {"prompt": "p", "answer": "a"}
    items = load(mine(tmp_path, LABELLED, row | {"right": True}, row | {"right": False})).items
    assert [item.quality for item in items] == [(1,), (0,)]
    with pytest.raises(DataError, match="expected one of 'true', 'false', found '1'"):
        load(mine(tmp_path, LABELLED, row | {"right": 1}))


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("Hi", [("user", "Hi")]),
        (
            "Hi\n<x>Assistant\nYes?\n<x>User\nWhy\n\nso?",
            [("user", "Hi"), ("assistant", "Yes?"), ("user", "Why\n\nso?")],
        ),
        ("<x>User\nHi", [("user", "Hi")]),
        ("say <x>User now", [("user", "say <x>User now")]),
        ("a\n<x>Robot\nb", [("user", "a\n<x>Robot\nb")]),
        ("", [("user", "")]),
    ],
)
def test_turns_inside_one_text(text: str, turns: list[tuple[str, str]]) -> None:
    assert [(turn["role"], turn["content"]) for turn in split_turns(text, "<x>")] == turns


def test_a_prompt_of_several_turns_is_a_conversation(tmp_path: Path) -> None:
    table = 'shape = "neutral"\nturn_marker = "<x>"\n'
    row = {"prompt": "Hi\n<x>Assistant\nYes?\n<x>User\nWhy?", "responses": ["a", "b"]}
    (item,) = load(mine(tmp_path, table, row)).items
    assert item.conversation == (
        Message("user", "Hi"),
        Message("assistant", "Yes?"),
        Message("user", "Why?"),
    )
    with pytest.raises(DataError, match="the last turn is 'assistant', expected 'user'"):
        load(mine(tmp_path, table, row | {"prompt": "Hi\n<x>Assistant\nYes?"}))


# ---------------------------------------------------------------------- packed lines

ROW = {"prompt": "p", "responses": ["a", "b"], "quality": [1, 0], "id": "ä"}


def test_packed_lines_are_those_that_were_packed(tmp_path: Path) -> None:
    text = "\ufeff" + "".join(
        json.dumps(ROW | {"id": f"ä{n}"}, ensure_ascii=False) + "\n\n" for n in range(3)
    )
    (tmp_path / "rows.jsonl").write_text(text, "utf-8")
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (load(str(tmp_path / name)) for name in ("rows.jsonl", "rows.jsonl.gz"))
    assert packed.items == plain.items
    assert [(item.subset, item.id) for item in packed.items] == [
        ("rows", f"ä{n}") for n in range(3)
    ]
    assert packed.spec.id == "rows"


def test_packed_lines_that_are_damaged_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gzip.compress(
        b"".join(json.dumps(ROW | {"id": n}).encode() + b"\n" for n in range(200))
    )
    path = tmp_path / "rows.jsonl.gz"
    for content in (
        whole[:-20],
        whole[:50] + b"\0" * 9 + whole[59:],
        b"{}\n",
        whole[:-8] + b"\0" * 8,
    ):
        path.write_bytes(content)
        with pytest.raises(
            DataError, match=r"rows.jsonl.gz: damaged gzip file \(.*\); get it again"
        ):
            load(str(path))
    path.write_bytes(whole)
    monkeypatch.setattr("grmeval.benches.rows.MOST_BYTES", 1000)
    with pytest.raises(DataError, match="its rows are larger than 1,000 bytes: split it"):
        load(str(path))


def test_the_byte_that_is_no_text_is_counted_from_the_files_begin(tmp_path: Path) -> None:
    line = json.dumps(ROW).encode() + b"\n"
    (tmp_path / "rows.jsonl").write_bytes(line * 3 + b'{"prompt": "\xff"}\n')
    with pytest.raises(DataError, match=f"not UTF-8 at byte {3 * len(line) + 12}"):
        load(str(tmp_path / "rows.jsonl"))
