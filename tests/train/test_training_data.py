"""Training items: what each preference set's rows become, and which rule drops what."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import Loaded, find_spec, load
from grmeval.errors import ConfigError, DataError
from grmeval.items import Item, Message
from grmeval.train.data import (
    Made,
    Read,
    Settings,
    check_out,
    check_sources,
    make,
    read_source,
    training_sets,
    write,
)
from grmeval.train.data.rules import RULES, drawn, first, joined
from grmeval.train.data.sources import TrainingSet
from tests.train.preference_sets import FILES, MATH, lines


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each set's repository as a folder."""
    found = dict[str, Path]()
    for hub_id, files in FILES.items():
        folder = tmp_path_factory.mktemp("copy")
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        found[hub_id] = folder
    return found


def read(name: str, copies: dict[str, Path]) -> Read:
    hub = {
        "helpsteer2-preference": "nvidia/HelpSteer2",
        "skywork-reward-preference": "Skywork/Skywork-Reward-Preference-80K-v0.2",
        "offsetbias": "NCSOFT/offsetbias",
        "ultrafeedback": "openbmb/UltraFeedback",
        "math": MATH,
        "math-pairs": MATH,
    }[name]
    return read_source(name, copies[hub])


def shown(found: Read) -> list[tuple[Any, ...]]:
    return [
        (
            i.subset,
            i.id,
            [turn.content for turn in i.conversation],
            i.responses,
            i.quality,
            dict(i.meta),
        )
        for i in found.loaded.items
    ]


def test_helpsteer_keeps_its_strength_and_its_turns(copies: dict[str, Path]) -> None:
    found = read("helpsteer2-preference", copies)
    assert shown(found) == [
        ("train", "1", ["Name a lake."], ("Como", "A lake?"), (1, 0), {"strength": 3}),
        (
            *("train", "2", ["Hello", "Hello! What is it?", "Name a river."]),
            *(("A river?", "The Po"), (0, 1), {"strength": 1}),
        ),
        ("train", "3", ["Name a hill."], ("A", "B"), (1, 1), {"strength": 0}),
    ]
    roles = [turn.role for turn in found.loaded.items[1].conversation]
    assert roles == ["user", "assistant", "user"]


def test_skywork_ends_conversations_with_responses(copies: dict[str, Path]) -> None:
    found = read("skywork-reward-preference", copies)
    assert shown(found) == [
        ("magpie_ultra", "1", ["Say 1"], ("1", "2"), (1, 0), {}),
        ("helpsteer2", "2", ["Say 1", "1", "And 2"], ("2", "no"), (1, 0), {}),
    ]
    (reason,) = found.unreadable
    assert "row 3: the turns before its responses differ" in reason


def test_offsetbias_counts_from_1(copies: dict[str, Path]) -> None:
    assert shown(read("offsetbias", copies)) == [
        ("train", "1", ["Spell it."], ("right", "wrogn"), (1, 0), {}),
        ("train", "2", ["Spell that."], ("thta", "that"), (0, 1), {}),
    ]


def test_ultrafeedback_has_the_highest_rated_as_best(copies: dict[str, Path]) -> None:
    found = read("ultrafeedback", copies)
    assert shown(found) == [
        ("evol_instruct", "1", ["Rank."], ("a", "b", "c", "d"), (0, 1, 1, 0), {}),
        ("evol_instruct", "2", ["Again."], ("a", "b"), (1, 1), {}),
        ("sharegpt", "2", ["One."], ("a", "b"), (1, 0), {}),
    ]
    assert ["sharegpt.jsonl, row 1" in reason for reason in found.unreadable] == [True]


def test_math_is_right_or_wrong(copies: dict[str, Path]) -> None:
    items = read("math", copies).loaded.items
    assert [(i.id, i.responses, i.quality) for i in items[:3]] == [
        (f"1:{n}", (f"way {n}",), (int(n < 2),)) for n in range(3)
    ]
    assert (len(items), items[-1].reference, items[-1].subset) == (8, "2", "single")


@pytest.mark.parametrize("name", training_sets())
def test_a_packaged_set_says_where_it_is_from(name: str) -> None:
    check_sources([name])
    with pytest.raises(DataError, match="no file"):
        read_source(name, Path(__file__).parent)


# ---------------------------------------------------------------------- rules


def item(id: str, prompt: str, *responses: str, quality: Sequence[int] | None = (1, 0)) -> Item:
    labels = None if quality is None else tuple(quality)
    return Item("b", "s", id, (Message("user", prompt),), responses, labels, cluster=prompt)


def source(name: str, *items: Item, **said: Any) -> Read:
    spec = TrainingSet(**dict(find_spec("sample")[0]) | {"id": name} | said)
    return Read(name, spec, Loaded(spec, items, "", {}, ""), ())


def made(*sources: Read, against: Sequence[Item] = (), **settings: Any) -> Made:
    def benches() -> Iterator[tuple[str, Loaded]]:
        if against:
            yield "bench", Loaded(find_spec("sample")[0], tuple(against), "", {}, "")

    return make(sources, benches(), Settings(**settings))


LONG = (
    "Tell me in a few words of your own why the sky over the sea is blue at noon and red at night."
)


def test_every_rule_drops_what_it_says() -> None:
    one = source(
        "one",
        item("kept", "a", "x", "y"),
        item("single", "b", "x", quality=(0,)),
        item("several best", "c", "x", "y", "z", quality=(1, 1, 0)),
        item("unlabelled", "d", "x", "y", quality=None),
        item("no better", "e", "x", "y", quality=(1, 1)),
        item("no better too", "f", "x", "y", quality=(0, 0)),
        replace(item("odd", "g", "x", ""), flags=("empty_response",)),
        replace(item("odd too", "h", "x", "x"), flags=("identical_pair",)),
        item("conflict", "i", "x", "y"),
        item("long", "j" * 100, "x" * 30, "y" * 21),
        item("just not", "k" * 100, "x" * 30, "y" * 20),
        item("prompt", LONG, "x", "y"),
    )
    two = source(
        "two",
        item("duplicate", "a", "y", "x", quality=(0, 1)),
        item("conflict", "i", "y", "x"),
        item("single conflict", "b", "x", quality=(1,)),
        item("response", "l", LONG.replace("blue", "so blue"), "y"),
        item("kept", "m", "x", "y"),
    )
    bench = [item("1", LONG, "x", LONG.replace("blue", "so blue"))]
    found = made(one, two, against=bench, max_characters=150)
    assert [(each.subset, each.id) for each in found.items] == [
        ("one/s", "kept"),
        ("one/s", "several best"),
        ("one/s", "just not"),
        ("two/s", "kept"),
    ]
    assert [each.bench for each in found.items] == ["one"] * 3 + ["two"]
    first_counts, second_counts = found.counts
    assert {rule: n for rule, n in first_counts.dropped.items() if n} == {
        "unlabelled": 1,
        "no better": 2,
        "odd": 2,
        "conflict": 2,
        "too long": 1,
        "prompt": 1,
    }
    assert {rule: n for rule, n in second_counts.dropped.items() if n} == {
        "conflict": 2,
        "duplicate": 1,
        "prompt": 1,  # the response holds most of the prompt
    }
    assert [(each.rows, each.kept) for each in found.counts] == [(12, 3), (5, 1)]
    assert {*first_counts.dropped, *second_counts.dropped} <= {*RULES}
    assert [(each.kind, each.rows_exact, each.rows_near) for each in found.overlaps] == [
        ("prompt", 1, 1),
        ("response", 1, 1),
    ]


def test_what_holds_a_response_alone_is_counted_apart() -> None:
    answer = (
        "It is the air that scatters the blue part of the light of the sun more than all others."
    )
    found = made(
        source("one", item("a", "Why?", f"Well. {answer}", "y"), item("b", "Why?", "x", "y")),
        against=[item("1", LONG, answer, "no")],
    )
    assert [each.id for each in found.items] == ["b"]
    assert found.counts[0].dropped["response"] == 1


def test_responses_stand_in_an_order_that_the_seed_draws() -> None:
    items = [item(str(n), f"p{n}", "x", "y", "z", quality=(1, 0, 0)) for n in range(60)]
    best = [
        [each.quality.index(1) for each in made(source("a", *items), seed=s).items if each.quality]
        for s in (0, 0, 1)
    ]
    assert best[0] == best[1] != best[2]
    assert {best[0].count(place) > 8 for place in range(3)} == {True}
    for each in made(source("a", *items)).items:
        assert dict(zip(each.responses, each.quality or (), strict=True)) == {
            "x": 1,
            "y": 0,
            "z": 0,
        }


@pytest.mark.parametrize(
    ("quality", "most", "expected"),
    [
        ((1, 1, 1, 0, 0), 2, [0, 1]),
        ((1, 1, 1, 0, 0), 4, [0, 0, 1, 1]),
        ((1, 0, 0, 0, 0), 3, [0, 0, 1]),
        ((1, 1, 1, 1, 0), 4, [0, 1, 1, 1]),
        ((1, 0), 5, [0, 1]),
        ((1, 0, 0), None, [0, 0, 1]),
    ],
)
def test_of_more_responses_than_wanted_some_good_and_some_others_stay(
    quality: tuple[int, ...], most: int | None, expected: list[int]
) -> None:
    whole = item("1", "p", *(f"r{n}" for n in range(len(quality))), quality=quality)
    for seed in range(5):
        found = drawn(whole, most, seed)
        assert found.quality is not None
        assert sorted(found.quality) == expected
        labels = dict(zip(whole.responses, quality, strict=True))
        assert [labels[text] for text in found.responses] == list(found.quality)
    assert len({drawn(whole, 2, seed).responses for seed in range(20)}) > 1


def test_single_responses_to_one_prompt_become_one_item() -> None:
    found = joined(
        [
            item("1", "p", "right", quality=(1,)),
            item("2", "q", "x", "y"),
            item("3", "p", "wrong", quality=(0,)),
            item("4", "p", "right", quality=(1,)),
            item("5", "p", "both", quality=(1,)),
            item("6", "p", "both", quality=(0,)),
            item("7", "r", "alone", quality=(1,)),
            item("8", "t", "both", quality=(1,)),
            item("9", "t", "both", quality=(0,)),
        ]
    )
    assert [(each.id, each.responses, each.quality) for each in found] == [
        ("1", ("right", "wrong"), (1, 0)),
        ("2", ("x", "y"), (1, 0)),
        ("7", ("alone",), (1,)),
        ("8", ("both",), None),
    ]


def test_math_pairs_are_a_right_and_a_wrong_solution_of_a_problem(copies: dict[str, Path]) -> None:
    found = make([read("math", copies), read("math-pairs", copies)], iter(()), Settings())
    pairs = [each for each in found.items if each.bench == "math-pairs"]
    assert [(each.id, sorted(each.quality or ())) for each in pairs] == [("1:0", [0, 1])]
    singles, paired = found.counts
    assert (singles.rows, singles.kept) == (8, 8)
    assert {rule: n for rule, n in paired.dropped.items() if n} == {"joined": 6, "no better": 1}
    assert (paired.rows, paired.kept) == (8, 1)


def test_a_limit_is_of_a_source_and_smaller_ones_lie_inside_larger_ones() -> None:
    items = [item(str(n), f"p{n}", "x", "y") for n in range(30)]
    kept = {
        limit: [
            (each.bench, each.id)
            for each in made(source("a", *items), limits={"a": limit}, seed=3).items
        ]
        for limit in (5, 12, 99)
    }
    assert [len(each) for each in kept.values()] == [5, 12, 30]
    assert set(kept[5]) < set(kept[12]) < set(kept[99])
    assert kept[12] == sorted(kept[12], key=lambda each: int(each[1]))  # as they stood
    other = made(source("a", *items), limits={"a": 12}, seed=4).items
    assert [each.id for each in other] != [id for _, id in kept[12]]
    assert list(first(items, 0, 0)) == [False] * 30


# ---------------------------------------------------------------------- the folder


def test_the_folder_is_a_benchmark_of_the_same_items(
    tmp_path: Path, copies: dict[str, Path]
) -> None:
    sources = [read(name, copies) for name in training_sets()]
    found = make(sources, iter(()), Settings())
    record = write(tmp_path / "My set", found, sources, [], ["rmb"], {"seed": 0})
    loaded = load(str(tmp_path / "My set"))
    assert loaded.items == tuple(replace(each, bench="my-set", flags=()) for each in found.items)
    assert loaded.content_hash == record["content_hash"]
    assert (loaded.spec.id, loaded.spec.title, loaded.missing) == ("my-set", "My set", {})
    assert [section.name for section in loaded.spec.sections] == [
        each.spec.title for each in sources
    ]
    assert [item.meta.get("strength") for item in loaded.items if item.meta] == [3, 1]
    assert record == json.loads((tmp_path / "My set" / "data.json").read_text("utf-8"))
    assert record["responses"] == {"single": 8, "pair": 8, "multi": 1}
    assert record["not_at_hand"] == ["rmb"]
    for each, counts in zip(record["sources"], found.counts, strict=True):
        assert sum(each["dropped"].values()) + each["kept"] == each["rows"] == counts.rows


def test_large_sets_are_packed_and_the_same_each_time(
    tmp_path: Path, copies: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [read("offsetbias", copies)]
    found = make(sources, iter(()), Settings())
    plain = write(tmp_path / "a", found, sources, [], [], {})
    monkeypatch.setattr("grmeval.train.data.folder.LARGE", 100)
    for _ in range(2):
        packed = write(tmp_path / "a", found, sources, [], [], {})
    assert (plain["rows"], packed["rows"]) == ("items.jsonl", "items.jsonl.gz")
    assert not (tmp_path / "a" / "items.jsonl").exists()
    assert load(str(tmp_path / "a" / "bench.toml")).content_hash == plain["content_hash"]
    write(tmp_path / "b", found, sources, [], [], {})
    one, two = ((tmp_path / name / "items.jsonl.gz").read_bytes() for name in "ab")
    assert one == two


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    check_out(tmp_path / "new", {"seed": 0})
    (tmp_path / "empty").mkdir()
    check_out(tmp_path / "empty", {"seed": 0})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes").write_text("mine")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "data.json").write_text('{"asked": {"seed": 0}}')
    check_out(tmp_path / "set", {"seed": 0})
    for name, asked, said in (
        ("other", 0, "holds other files"),
        ("set", 1, "training set of other settings"),
        ("other/notes", 0, "is a file"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_out(tmp_path / name, {"seed": asked})


# ---------------------------------------------------------------------- sources of one's own


def test_a_file_that_is_mostly_not_rows_is_refused(tmp_path: Path) -> None:
    good: dict[str, Any] = {"prompt": "p", "responses": ["a", "b"], "quality": [1, 0]}
    bad: dict[str, Any] = {"prompt": "p", "responses": []}
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines([good, bad]))
    found = read_source(str(path), None)
    assert (len(found.loaded.items), len(found.unreadable)) == (1, 1)
    for rows in ([good, bad, bad], [bad]):
        path.write_bytes(lines(rows))
        with pytest.raises(DataError, match=r"row.*expected a list of one or more"):
            read_source(str(path), None)


def test_what_may_not_be_in_plain_files_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--source realmistake: its authors ask that no example"):
        read_source("realmistake", None)
    (tmp_path / "mine.toml").write_text('extends = "realmistake"\nid = "mine"\n')
    with pytest.raises(ConfigError, match="its authors ask that no example"):
        read_source(str(tmp_path / "mine.toml"), None)


def test_a_toml_of_ones_own_may_join_and_draw(tmp_path: Path) -> None:
    rows = [{"question": "p", "answer": f"r{n}", "right": n % 2 == 0} for n in range(6)]
    (tmp_path / "rows.jsonl").write_bytes(lines(rows))
    (tmp_path / "mine.toml").write_text(
        'id = "mine"\ntitle = "Mine"\ntogether = true\nresponses = 3\n[source]\npackaged = "rows.jsonl"\n'
        '[[tables]]\nfiles = "*"\nshape = "labelled"\nconversation = "question"\nresponses = ["answer"]\n'
        'label = "right"\nlabels = { true = [1], false = [0] }\n'
    )
    found = make([read_source(str(tmp_path / "mine.toml"), None)], iter(()), Settings())
    assert [sorted(each.quality or ()) for each in found.items] == [[0, 0, 1]]
    (tmp_path / "mine.toml").write_text('id = "mine"\ntogehter = true\n')
    with pytest.raises(
        ConfigError, match=r"togehter: unknown key; allowed: .*did you mean 'together'"
    ):
        check_sources([str(tmp_path / "mine.toml")])
