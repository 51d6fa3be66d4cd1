"""What a user's TOML may not say: each is named with its file, its key, and what is allowed."""

import json
from pathlib import Path

import pytest

from grmeval.benches import load
from grmeval.benches.spec import read_spec
from grmeval.errors import ConfigError

HEAD = 'id = "mine"\ntitle = "Mine"\n{top}\n[source]\npackaged = "rows.jsonl"\n'
PAIR = '[[tables]]\nfiles = "*"\nshape = "pair"\nbest = "good"\nothers = "bad"\nsubset_name = "s"\n'
ROW = {"prompt": "?", "good": "a", "bad": "b", "id": "1"}


def toml(folder: Path, top: str = "", rest: str = PAIR) -> Path:
    (folder / "rows.jsonl").write_text(json.dumps(ROW))
    path = folder / "mine.toml"
    path.write_text(HEAD.format(top=top) + rest)
    return path


@pytest.mark.parametrize(
    ("top", "rest", "said"),
    [
        (
            'overall = "roc-auc"',
            "",
            "overall = 'roc-auc' wants one response an item; item 's/1' has 2",
        ),
        ('figures = ["detection"]', "", "figures: 'detection' wants one response an item"),
        ('figures = ["arena"]', "", "figures: 'arena' wants meta = ['model_a', 'model_b']"),
        (
            "",
            '[[sections]]\nname = "S"\nsubsets = ["*"]\nrule = "ties"\n',
            "section 'S': rule = 'ties' wants responses judged one by one",
        ),
        ("", '[[sections]]\nname = "S"\nsubsets = ["t"]\n', "row 1: bench mine: no section holds"),
    ],
)
def test_a_rule_that_does_not_suit_the_items(
    tmp_path: Path, top: str, rest: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(str(toml(tmp_path, top, PAIR + rest)))
    assert said in str(caught.value)


def test_two_games_are_of_pairs(tmp_path: Path) -> None:
    table = PAIR.replace("pair", "best-of-n").replace('"bad"', '"bad[]"')
    path = toml(tmp_path, "games = true", table)
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW | {"bad": ["b", "c"]}))
    with pytest.raises(ConfigError, match="games = true wants pairs; item 's/1' has 3 responses"):
        load(str(path))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('shape = "pair"', "shape 'pair' needs best, others"),
        ('shape = "pool"\nresponses = "answer"\nlabel = "x"', "expected one name with {}"),
        ('shape = "pool"\nresponses = "a_{x}"\nlabel = "x"', "expected one name with {}"),
        (
            'shape = "labelled"\nresponses = ["a", "b"]\nlabel = "x"\nlabels = { A = [1] }',
            "labels: expected 2 numbers each",
        ),
        (
            'shape = "labelled"\nresponses = "a"\nlabel = "x"\nlabels = { A = [1] }',
            "responses: expected a list of columns",
        ),
    ],
)
def test_a_table_without_what_its_shape_needs(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_spec(toml(tmp_path, "", f'[[tables]]\nfiles = "*"\n{table}\n'))
    assert "mine.toml: tables.0: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["S", "overall"])
def test_names_of_sections_are_not_taken_twice(tmp_path: Path, name: str) -> None:
    sections = '[[sections]]\nname = "S"\nsubsets = ["a"]\n'
    sections += f'[[sections]]\nname = "{name}"\nsubsets = ["*"]\n'
    with pytest.raises(ConfigError, match=f"sections: the name '{name}' is taken"):
        read_spec(toml(tmp_path, "", PAIR + sections))


def test_what_must_not_be_published_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "realmistake"\nid = "mine"\n[source]\npackaged = "data.zip"\n')
    spec = read_spec(path)
    assert spec.source.restricted
    assert "password" not in spec.model_dump()["source"]
    path.write_text(path.read_text() + "restricted = false\n")
    assert not read_spec(path).source.restricted


def test_another_overall_has_another_metric(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "rewardbench-2"\nid = "mine"\noverall = "micro"\n')
    spec = read_spec(path)
    assert (spec.metric, spec.title) == ("micro average over the items", "RewardBench 2, as mine")
