"""Rows to fine-tune on, and what is said of rows that are none."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import DataError
from grmeval.train.select.selected import read_selected
from tests.tiny import chat_row, write_rows

GOOD = chat_row("2 + 2?", "4")


def test_a_folder_a_file_and_a_compressed_one_are_the_same_rows(tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "a", [GOOD, GOOD])
    text = (folder / "train.jsonl").read_bytes()
    (tmp_path / "b.jsonl").write_bytes(text)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "train.jsonl.gz").write_bytes(gzip.compress(text))
    found = [read_selected(place) for place in (folder, tmp_path / "b.jsonl", tmp_path / "c")]
    assert len({each.sha256 for each in found}) == 1
    assert {len(each.rows) for each in found} == {2}
    assert found[0].rows[0] == {name: GOOD[name] for name in ("prompt", "completion")}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "train.jsonl:2: not JSON"),
        ("[]", ":2: expected an object with prompt and completion"),
        ({"prompt": "2 + 2?"}, ":2: prompt: expected a list of messages"),
        ({"completion": None}, ":2: completion: expected a list of messages"),
        ({"prompt": [{"role": "judge", "content": "x"}]}, "with a role (system, user, assistant)"),
        ({"completion": [{"role": "user", "content": "x"}]}, "one message, of the role assistant"),
        ({"completion": [{"role": "assistant", "content": " "}]}, "there is nothing to learn"),
    ],
)
def test_a_row_that_cannot_be_learnt_is_named(row: Any, said: str, tmp_path: Path) -> None:
    line = row if isinstance(row, str) else json.dumps(GOOD | row)
    path = write_rows(tmp_path, [GOOD]) / "train.jsonl"
    path.write_text(f"{path.read_text('utf-8')}{line}\n", "utf-8")
    with pytest.raises(DataError) as raised:
        read_selected(tmp_path)
    assert said in str(raised.value)


def test_no_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no train\.jsonl; `grmeval spct select RUN -o"):
        read_selected(tmp_path)
    write_rows(tmp_path, [])
    with pytest.raises(DataError, match="holds no row"):
        read_selected(tmp_path)
