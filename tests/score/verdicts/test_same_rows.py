"""Several runs: what differs is named, labels tell runs apart, lines in common are said once."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from grmeval.items import Key
from grmeval.score.table import labels, records, said_once
from grmeval.score.verdicts import common_limit, digests, unlike_subsets
from grmeval.score.verdicts.same_rows import Contents, unlike
from grmeval.store import RunFolder
from tests.helpers import sampled

ROWS: Contents = {Key("x", "a"): "1", Key("x", "b"): "2", Key("y", "a"): "3"}


def test_rows_are_the_same_by_key_and_content() -> None:
    assert unlike(ROWS, dict(reversed(ROWS.items()))) == []
    assert unlike(ROWS, ROWS | {Key("x", "b"): "0"}) == [
        "1 rows with another prompt, response or label (x/b)"
    ]
    other = {Key("x", "a"): "1", Key("z", "a"): "3"}
    assert unlike(ROWS, other) == [
        "2 rows only in the first (x/b, y/a)",
        "1 rows only in the second (z/a)",
    ]
    many: Contents = {Key("x", f"{at:04}"): "" for at in range(1200)}
    assert unlike(many, {}) == ["1,200 rows only in the first (x/0000, x/0001, x/0002 …)"]


def test_digests_do_not_depend_on_an_order_and_see_every_change() -> None:
    mine = digests(ROWS)
    assert {subset: count for subset, (count, _) in mine.items()} == {"x": 2, "y": 1}
    assert digests(dict(reversed(ROWS.items()))) == mine
    assert unlike_subsets(mine, mine) == []
    changed: list[Contents] = [
        ROWS | {Key("x", "b"): "0"},
        {Key("x", "a"): "1", Key("x", "c"): "2", Key("y", "a"): "3"},
        # An id and a hash that change places are other rows.
        {Key("x", "1"): "a", Key("x", "b"): "2", Key("y", "a"): "3"},
    ]
    for rows in changed:
        assert unlike_subsets(digests(rows), mine) == [
            "x: 2 rows, not all the same ids, texts and labels"
        ]
    assert unlike_subsets(digests({Key("x", "a"): "1"}), mine) == [
        "x: 1 rows here, 2 in the baseline",
        "y: 0 rows here, 1 in the baseline",
    ]


class Known:
    """A run folder as far as labels and limits read it."""

    whole = True

    def __init__(self, path: str, label: str, limit: int | None = None) -> None:
        self.path = Path(path)
        asked = {"limit": limit, "k": 1}
        self.record = {"config": {"label": label}, "identity": 1, "launches": [], "asked": asked}


def known(*folders: Known) -> Sequence[RunFolder]:
    return cast("Sequence[RunFolder]", folders)


@pytest.mark.parametrize(
    ("paths", "models", "expected"),
    [
        (["r/aaaa1", "r/bbbb1"], ["m", "n"], ["m", "n"]),
        (["r/aaaa1", "r/bbbb1", "r/cccc1"], ["m", "n", "m"], ["m aaaa", "n", "m cccc"]),
        (["r/aaaa1", "r/aaaa2"], ["m", "m"], ["m aaaa1", "m aaaa2"]),
        (["r/aaaa1", "s/aaaa1"], ["m", "m"], ["m r/aaaa1", "m s/aaaa1"]),
    ],
)
def test_labels_tell_runs_apart(paths: list[str], models: list[str], expected: list[str]) -> None:
    folders = known(*map(Known, paths, models))
    assert labels(folders) == expected
    assert len(records(folders)) == len(paths)


def test_a_name_that_people_gave_tells_a_run_apart(tmp_path: Path) -> None:
    given = {
        "aaaa1": "night-1",
        "bbbb1": "night-2",
        "cccc1": "",
        "dddd1": "copied",
        "eeee1": "copied",
    }
    for run, name in given.items():
        (tmp_path / run).mkdir()
        (tmp_path / run / "name").write_text(name)
    folders = [Known(str(tmp_path / run), "m") for run in given]
    wanted = ["night-1", "night-2", "m cccc", "m dddd", "m eeee"]
    assert labels(known(*folders)) == wanted
    other = Known(str(tmp_path / "aaaa1"), "n")
    assert labels(known(other, folders[1])) == ["n", "m"]


def test_the_record_of_one_run_is_its_own(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1, limit=5)
    assert records([folder])["identity"] == folder.record["identity"]
    assert records([folder]).keys() == {"identity", "launches"}


def test_the_smallest_limit_counts() -> None:
    folders = [Known("a", "m"), Known("b", "m", 30), Known("c", "m", 20)]
    assert common_limit(known(*folders)) == 20
    assert common_limit(known(folders[0])) is None


def test_what_all_say_is_said_once() -> None:
    footers = {"m": ["same", "mine", "both"], "n": ["same", "both"], "o": ["same", "yours"]}
    assert list(said_once(footers)) == ["same", "m: mine", "m, n: both", "o: yours"]
    assert list(said_once({"m": ["a", "a"]})) == ["a"]
