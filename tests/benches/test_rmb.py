"""RMB: toy rows in its schema, then the official copy where it lies beside the checkout."""

import json
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grmeval.benches import Loaded, load, read_spec
from grmeval.errors import DataError
from grmeval.items import Item, Message
from grmeval.measure import credit, judge_totals
from grmeval.resources import tasks
from tests.helpers import on_official_rows

PAIRS, BON = "Pairwise_set/Harmlessness/S1", "BoN_set/Helpfulness/Open QA/Factual"
FAR = "BoN_set/Helpfulness/Chat/Discussion"
SPEC = read_spec(tasks() / "rmb.toml")


def turns(*contents: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(contents)]


def pair(uid: str, conversation: Any, best: str, other: str) -> dict[str, Any]:
    return {
        "pair_uid": uid,
        "conversation_input": conversation,
        "chosen": {"llm_name": "a", "answer": best},
        "reject": {"llm_name": "b", "answer": other},
        "category_path": PAIRS,
    }


def best_of_n(uid: str, conversation: Any, best: str, *losers: str) -> dict[str, Any]:
    return {
        "bon_uid": uid,
        "conversation_input": conversation,
        "bon_best": {"llm_name": "a", "answer": best},
        "loser_list": [{"llm_name": "b", "answer": loser} for loser in losers],
        "category_path": BON,
    }


SHARED = turns("Name a colour.")
# One prompt in both sets; the turn's language is no part of what a judge sees.
SPOKEN = [{**SHARED[0], "language": "English"}]


def rows() -> dict[str, list[Any]]:
    return {
        PAIRS: [
            pair("1", SHARED, "red", "four"),
            pair("2", turns("Hello?", "Hi.", "Name a fruit."), "apple", " \n"),
            pair("3", turns("Name a fish."), "cod", "cod"),
        ],
        # The two sets number their rows apart.
        BON: [
            best_of_n("1", SPOKEN, "blue", "five", "six", "seven"),
            best_of_n("2", turns("Name a bird."), "owl", "owl", "cat"),
        ],
        FAR: [best_of_n("4", turns("Talk."), "yes", "no", "no")],
    }


def write(folder: Path, tables: dict[str, Any]) -> Path:
    for subset, table in tables.items():
        path = folder / "RMB_dataset" / f"{subset}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table if isinstance(table, str) else json.dumps(table), "utf-8")
    return folder


@pytest.fixture
def toy(tmp_path: Path) -> Loaded:
    return load("rmb", write(tmp_path, rows()))


def by_key(loaded: Loaded) -> dict[tuple[str, str], Item]:
    return {(item.subset, item.id): item for item in loaded.items}


# ---------------------------------------------------------------------- toy rows


def test_rows_become_items(toy: Loaded) -> None:
    assert Counter(item.subset for item in toy.items) == {PAIRS: 3, BON: 2, FAR: 1}
    found = by_key(toy)
    assert found[PAIRS, "1"].responses == ("red", "four")
    assert found[PAIRS, "1"].quality == (1, 0)
    assert found[BON, "1"].responses == ("blue", "five", "six", "seven")
    assert found[BON, "1"].quality == (1, 0, 0, 0)
    assert found[PAIRS, "2"].conversation == (
        Message("user", "Hello?"),
        Message("assistant", "Hi."),
        Message("user", "Name a fruit."),
    )
    assert {item.bench for item in toy.items} == {"rmb"}
    assert {item.group for item in toy.items} == {None}


@pytest.mark.parametrize(
    ("subset", "section"),
    [
        ("BoN_set/Helpfulness/Code/Data Management", "Helpfulness best-of-n"),
        ("Pairwise_set/Helpfulness/Chat/Discussion", "Helpfulness pairs"),
        ("BoN_set/Harmlessness/multi", "Harmlessness best-of-n"),
        ("Pairwise_set/Harmlessness/S11", "Harmlessness pairs"),
    ],
)
def test_four_cells(subset: str, section: str) -> None:
    assert SPEC.sections[SPEC.section_of(subset)].name == section
    assert len(SPEC.sections) == 4
    assert {cell.weight for cell in SPEC.sections} == {1.0}


def test_equal_prompts_share_a_cluster_across_the_sets(toy: Loaded) -> None:
    found = by_key(toy)
    assert found[PAIRS, "1"].cluster == found[BON, "1"].cluster
    assert len({item.cluster for item in toy.items}) == 5


def test_a_role_tells_prompts_apart(tmp_path: Path) -> None:
    spoken = [
        pair("1", turns("a", "b", "c"), "x", "y"),
        pair("2", [{"role": "user", "content": text} for text in "abc"], "x", "y"),
        pair("3", turns("ab", "", "c"), "x", "y"),
    ]
    loaded = load("rmb", write(tmp_path, {PAIRS: spoken}))
    assert len({item.cluster for item in loaded.items}) == 3


def test_odd_rows_are_flagged(toy: Loaded) -> None:
    assert {key: item.flags for key, item in by_key(toy).items() if item.flags} == {
        (PAIRS, "2"): ("empty_response",),
        (PAIRS, "3"): ("identical_pair",),
        (BON, "2"): ("best_is_also_loser",),
    }


def test_layout_pairs_sets_the_best_against_each(tmp_path: Path) -> None:
    loaded = load("rmb", write(tmp_path, rows()), layout="pairs")
    assert [i.responses for i in loaded.items if i.group == "1#"] == [
        ("blue", "five"),
        ("blue", "six"),
        ("blue", "seven"),
    ]
    assert Counter((i.subset, i.group) for i in loaded.items) == {
        (PAIRS, None): 3,
        (BON, "1#"): 3,
        (BON, "2#"): 2,
        (FAR, "4#"): 2,
    }
    assert {item.quality for item in loaded.items} == {(1, 0)}
    assert len({item.key for item in loaded.items}) == len(loaded.items)


def test_what_is_absent_is_counted(tmp_path: Path) -> None:
    loaded = load("rmb", write(tmp_path, rows()))
    assert set(loaded.missing) == set(SPEC.expected)
    assert loaded.missing[PAIRS] == SPEC.expected[PAIRS] - 3
    assert loaded.missing["BoN_set/Harmlessness/S2"] == SPEC.expected["BoN_set/Harmlessness/S2"]


def test_layout_does_not_change_what_is_absent(toy: Loaded, tmp_path: Path) -> None:
    assert load("rmb", write(tmp_path, rows()), layout="pairs").missing == toy.missing


def test_files_elsewhere_are_not_read(toy: Loaded, tmp_path: Path) -> None:
    write(tmp_path, rows())
    (tmp_path / "eval" / "result").mkdir(parents=True)
    (tmp_path / "eval" / "result" / "scores.json").write_text("{", "utf-8")
    (tmp_path / "RMB_dataset" / "notes.txt").write_text("{", "utf-8")
    (tmp_path / "RMB_dataset" / "extra.json").write_text("{", "utf-8")
    assert load("rmb", tmp_path).content_hash == toy.content_hash


def test_the_content_hash_is_of_the_rows_not_of_their_order(toy: Loaded, tmp_path: Path) -> None:
    turned = {subset: table[::-1] for subset, table in rows().items()}
    assert load("rmb", write(tmp_path / "turned", turned)).content_hash == toy.content_hash
    turned[PAIRS][0]["chosen"]["answer"] += "."
    assert load("rmb", write(tmp_path / "changed", turned)).content_hash != toy.content_hash


def spoil(change: Callable[[dict[str, list[Any]]], Any]) -> Callable[[], dict[str, Any]]:
    def made() -> dict[str, Any]:
        tables = rows()
        change(tables)
        return tables

    return made


BAD: dict[str, tuple[Callable[[], dict[str, Any]], tuple[str, ...]]] = {
    "not JSON": (lambda: {PAIRS: "[{]"}, (f"{PAIRS}.json", "not JSON", "line 1 column 3")),
    "cut short": (lambda: {PAIRS: json.dumps(rows()[PAIRS])[:-1]}, (f"{PAIRS}.json", "not JSON")),
    "nested too deep": (lambda: {PAIRS: "[" * 200_000}, (f"{PAIRS}.json", "not JSON")),
    "endless number": (lambda: {PAIRS: "[" + "1" * 5000 + "]"}, (f"{PAIRS}.json", "not JSON")),
    "no list": (lambda: {PAIRS: "{}"}, (f"{PAIRS}.json", "expected a JSON list", "dict")),
    "a row is no object": (lambda: {PAIRS: "[3]"}, (f"{PAIRS}.json, row 1", "int")),
    "no id": (spoil(lambda t: t[PAIRS][1].pop("pair_uid")), (f"{PAIRS}.json, row 2", "'pair_uid'")),
    "no chosen": (
        spoil(lambda t: t[PAIRS][0].pop("chosen")),
        (f"{PAIRS}.json, row 1", "'chosen.answer'", "found:", "reject"),
    ),
    "no answer": (
        spoil(lambda t: t[PAIRS][2]["reject"].pop("answer")),
        (f"{PAIRS}.json, row 3", "'reject.answer'"),
    ),
    "an answer is no text": (
        spoil(lambda t: t[PAIRS][2]["reject"].update(answer=7)),
        (f"{PAIRS}.json, row 3", "'reject.answer'", "int"),
    ),
    "no losers": (
        spoil(lambda t: t[BON][1].pop("loser_list")),
        (f"{BON}.json, row 2", "'loser_list'"),
    ),
    "empty losers": (
        spoil(lambda t: t[BON][0].update(loser_list=[])),
        (f"{BON}.json, row 1", "'loser_list'"),
    ),
    "a loser without an answer": (
        spoil(lambda t: t[BON][0]["loser_list"][1].pop("answer")),
        (f"{BON}.json, row 1", "'answer'"),
    ),
    "no conversation": (
        spoil(lambda t: t[BON][0].pop("conversation_input")),
        (f"{BON}.json, row 1", "'conversation_input'"),
    ),
    "an empty conversation": (
        spoil(lambda t: t[BON][0].update(conversation_input=[])),
        (f"{BON}.json, row 1", "conversation"),
    ),
    "a turn without content": (
        spoil(lambda t: t[BON][0]["conversation_input"][0].pop("content")),
        (f"{BON}.json, row 1", "'content'"),
    ),
    "the assistant speaks last": (
        spoil(lambda t: t[PAIRS][1].update(conversation_input=turns("Hello?", "Hi."))),
        (f"{PAIRS}.json, row 2", "'assistant'", "expected 'user'"),
    ),
    "an id twice": (
        spoil(lambda t: t[PAIRS][2].update(pair_uid="1")),
        (f"{PAIRS}.json, row 3", "'1'", f"{PAIRS}.json, row 1"),
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_named(kind: str, tmp_path: Path) -> None:
    tables, named = BAD[kind]
    with pytest.raises(DataError) as caught:
        load("rmb", write(tmp_path, tables()))
    assert [words for words in named if words not in str(caught.value)] == []


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    write(tmp_path, rows())
    path = tmp_path / "RMB_dataset" / f"{PAIRS}.json"
    path.write_bytes(b'["\xff"]')
    with pytest.raises(DataError, match=f"{PAIRS}.json: not UTF-8 at byte 2"):
        load("rmb", tmp_path)


# ---------------------------------------------------------------------- the official copy

ARCHIVE = Path(__file__).parents[2].parent / "shared" / "data" / "RMB.tar.xz"
official_copy = on_official_rows(ARCHIVE)


@pytest.fixture(scope="module")
def official() -> Loaded:
    return load("rmb", ARCHIVE)


def in_set(loaded: Loaded, name: str) -> list[Item]:
    return [item for item in loaded.items if item.subset.startswith(name)]


@official_copy
def test_official_counts(official: Loaded) -> None:
    cells = Counter(SPEC.sections[SPEC.section_of(i.subset)].name for i in official.items)
    assert cells == {
        "Helpfulness pairs": 8456,
        "Harmlessness pairs": 6087,
        "Helpfulness best-of-n": 2109,
        "Harmlessness best-of-n": 1677,
    }
    assert len(in_set(official, "Pairwise_set/")) == 14_543
    assert len(in_set(official, "BoN_set/")) == 3786
    assert {len(item.conversation) for item in official.items} == {1, 3, 5}


@official_copy
@pytest.mark.parametrize(
    ("half", "losers"),
    [
        ("Helpfulness", {2: 1574, 3: 415, 4: 103, 5: 12, 6: 5}),
        ("Harmlessness", {2: 1304, 3: 297, 4: 62, 5: 12, 6: 2}),
    ],
)
def test_official_losers(official: Loaded, half: str, losers: dict[int, int]) -> None:
    assert Counter(item.n - 1 for item in in_set(official, f"BoN_set/{half}")) == losers


@official_copy
def test_official_gaps(official: Loaded) -> None:
    assert official.missing == {
        "Pairwise_set/Harmlessness/S11": 977,
        "Pairwise_set/Helpfulness/Brainstorming/Idea Development": 849,
        "Pairwise_set/Helpfulness/Generation/Creative Writing": 762,
    }
    sums = Counter[str]()
    for subset, count in SPEC.expected.items():
        sums["/".join(subset.split("/")[:2])] += count
    assert sums == {
        "Pairwise_set/Helpfulness": 10_067,
        "Pairwise_set/Harmlessness": 7064,
        "BoN_set/Helpfulness": 2109,
        "BoN_set/Harmlessness": 1677,
    }


@official_copy
def test_official_prompts(official: Loaded) -> None:
    pairs, bon = (
        {item.cluster for item in in_set(official, name)} for name in ("Pairwise_set", "BoN_set")
    )
    assert (len(pairs), len(pairs & bon)) == (2649, 1908)


@official_copy
@pytest.mark.parametrize(
    ("where", "flag", "ids"),
    [
        ("Pairwise_set", "empty_response", "13586 13587"),
        (
            "Pairwise_set",
            "identical_pair",
            "17030 13885 13926 14232 14236 14237 14329 4410 3046 3061 7221",
        ),
        ("BoN_set", "best_is_also_loser", "3760 2986 2996 3072 939 1527"),
    ],
)
def test_official_odd_rows(official: Loaded, where: str, flag: str, ids: str) -> None:
    flagged = sorted(item.id for item in in_set(official, where) if flag in item.flags)
    assert flagged == sorted(ids.split())
    assert {f for item in in_set(official, where) for f in item.flags} >= {flag}


@pytest.mark.long
@official_copy
def test_official_pairs_layout(official: Loaded) -> None:
    pairs = load("rmb", ARCHIVE, layout="pairs")
    sizes = Counter((i.subset, i.group) for i in pairs.items if i.group is not None)
    assert sizes == {(i.subset, f"{i.id}#"): i.n - 1 for i in in_set(official, "BoN_set")}
    assert {item.n for item in pairs.items} == {2}


@official_copy
def test_the_strict_rule_gives_the_official_result() -> None:
    """The authors' own file of rewards: 675 of 849 right, 12 exact ties counted wrong."""
    with tarfile.open(ARCHIVE) as archive:
        member = next(m for m in archive if m.name.endswith("v0.1_result.json"))
        stream = archive.extractfile(member)
        assert stream is not None
        found = json.load(stream)
    totals = np.array([[row["chosen_reward"], row["reject_reward"]] for row in found], float)
    outcome = judge_totals(totals, np.array([True, False]))
    paid, weight = credit(outcome, ties="wrong", on_invalid="wrong", chance=np.full(849, 0.5))
    assert (len(found), int(paid.sum()), int(outcome.tie.sum()), weight.sum()) == (
        849,
        675,
        12,
        849,
    )
    assert paid.astype(int).tolist() == [int(row["is_correct"]) for row in found]
