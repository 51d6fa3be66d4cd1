"""Principles: files of them, and where a judgement says them."""

import json
from pathlib import Path

import pytest

from grmeval.errors import GrmevalError
from grmeval.items import Key
from grmeval.judges import make_judge, principles_in
from grmeval.judges.principles import Principles


def rows(path: Path, *lines: object) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n", "utf-8")
    return path


def row(name: str, principles: str = "Be exact.", subset: str = "s") -> dict[str, str]:
    return {"subset": subset, "id": name, "principles": principles}


def test_an_item_has_the_row_of_its_key(tmp_path: Path) -> None:
    path = rows(tmp_path / "p.jsonl", row("1", "Be\u2028exact. "), "", row("1", "Be kind.", "t"))
    found = Principles(path)
    assert found.of(Key("s", "1")) == "Be\u2028exact."
    assert found.of(Key("t", "1")) == "Be kind."
    assert found.lacks(Key("s", "1")) is None
    assert found.lacks(Key("s", "2")) == f"have no row in {path}"


@pytest.mark.parametrize("name", ["p.txt", "p.md", "p"])
def test_another_file_is_a_text_for_all(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('\ufeff{"id": "1"}\n', "utf-8")
    found = Principles(tmp_path / name)
    assert found.lacks(Key("any", "thing")) is None
    assert found.of(Key("any", "thing")) == '{"id": "1"}'


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["{"], "line 1: not JSON"),
        (["[]"], "line 1: expected an object, found list"),
        ([row("1"), {"id": "2", "principles": "x"}], "line 2: subset: expected text"),
        ([{**row("1"), "id": 7}], "line 1: id: expected text"),
        ([row("1", " ")], "line 1: principles: expected text"),
        ([row("1"), row("1", "Other.")], "line 2: s/1 has others above"),
        ([""], "nothing in it"),
    ],
)
def test_a_row_that_does_not_fit_is_named(lines: list[object], said: str, tmp_path: Path) -> None:
    path = rows(tmp_path / "p.jsonl", *lines)
    with pytest.raises(GrmevalError, match=f"--principles .*{said}") as caught:
        Principles(path)
    assert caught.value.exit_code == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"\xff")
    for path in (tmp_path, tmp_path / "nowhere.txt", tmp_path / "latin.txt"):
        with pytest.raises(GrmevalError, match="cannot be read as UTF-8 text"):
            Principles(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Specific Criteria: a (1)\nAnalysis: b\nScores: \\boxed{1}", "a (1)"),
        ("Hm.\n**Specific Criteria:**\n- a\n- b\n\n**Analysis:** c", "- a\n- b"),
        ("Specific Criteria: a\nAnalysis: b\nSpecific Criteria: c\nAnalysis: d", "a"),
        ("Specific Criteria: says Analysis: here\nAnalysis: b", "says Analysis: here"),
        ("Specific Criteria:\nAnalysis: b", None),
        ("Specific Criteria: a", None),
        ("Analysis: b\nSpecific Criteria: a", None),
        ("The Specific Criteria: a\nAnalysis: b", None),
        ("", None),
    ],
)
def test_where_a_judgement_says_them(text: str, found: str | None) -> None:
    assert principles_in(text) == found


def test_the_same_bytes_for_each_item_and_for_all_are_other_principles(tmp_path: Path) -> None:
    content = '{"subset": "s", "id": "1", "principles": "Clarity"}\n'
    found = []
    for name in ("p.jsonl", "p.txt"):
        (tmp_path / name).write_text(content, "utf-8")
        judge = make_judge("pointwise-principles", principles=tmp_path / name)
        found.append(judge.identity()["principles"])
    assert found[0] != found[1]
