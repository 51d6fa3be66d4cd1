"""The pass-rate filter, by a hand-worked table and on stored runs."""

from pathlib import Path

import pytest

from grmeval.benches import load
from grmeval.errors import ConfigError, Incomplete
from grmeval.items import Item, Key, Message
from grmeval.store import item_samples
from grmeval.train import correct
from grmeval.train.rl import filter_items, rights
from tests.helpers import sampled


def item(name: str) -> Item:
    return Item("toy", "s", name, (Message("user", "?"),), ("x", "y"), quality=(1, 0))


ITEMS = [item(name) for name in "abcde"]
RIGHTS = {Key("s", name): count for name, count in zip("abcde", (3, 0, 2, 3, 1), strict=True)}


@pytest.mark.parametrize(("drop_wrong", "left"), [(False, "bce"), (True, "ce")])
def test_what_is_right_three_times_of_three_is_left_out(drop_wrong: bool, left: str) -> None:
    found = filter_items(ITEMS, RIGHTS, 3, drop_wrong)
    assert "".join(each.id for each in found.items) == left
    assert found.by_rights == (1, 1, 1, 2)


def test_rights_of_a_stored_run_are_those_of_its_first_three_judgements(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=5, engine_args={"accuracy": 0.5})
    items = load("sample").items
    found = rights(folder, items, 5.5)
    assert {0, 3} <= set(found.values()) <= {0, 1, 2, 3}
    for each in items:
        first = [row["scores"] for row in item_samples(folder, each.key)][:3]
        assert found[each.key] == sum(correct(scores, each.quality or (), 5.5) for scores in first)


def test_a_run_of_fewer_judgements_or_of_other_items_is_refused(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    items = load("sample").items
    with pytest.raises(Incomplete, match=r"fewer than 3 judgements .* asks for them"):
        rights(folder, items, 5.5)
    with pytest.raises(ConfigError, match="item s/a of the training set is not in this run"):
        rights(folder, ITEMS, 5.5)
