"""JudgeBench: the repository's files, two games a pair, the groups of each response model."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import load
from grmeval.errors import ConfigError, DataError
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import Accuracy, Row, scale, score
from grmeval.store import RunFolder
from tests.helpers import SHARED, Quiet, on_official_rows, sampled
from tests.score.table.test_accuracy import Script, Scripted

REAL = SHARED / "JudgeBench.tar.xz"
FILES = {
    "gpt-4o": "dataset=judgebench,response_model=gpt-4o-2024-05-13.jsonl",
    "claude-3.5-sonnet": "dataset=judgebench,response_model=claude-3-5-sonnet-20240620.jsonl",
}
SOURCES = {
    "Knowledge": ["mmlu-pro-law", "mmlu-pro-computer science"],
    "Reasoning": ["livebench-reasoning"],
    "Math": ["livebench-math"],
    "Coding": ["livecodebench"],
}


def row(pair_id: str, source: str, label: str = "A>B", **columns: Any) -> dict[str, Any]:
    return {
        "pair_id": pair_id,
        "original_id": 7,
        "source": source,
        "question": f"Question {pair_id}?",
        "response_model": "some-model",
        "response_A": f"first of {pair_id}",
        "response_B": f"second of {pair_id}",
        "label": label,
    } | columns


def files(folder: Path, **rows: list[dict[str, Any]]) -> Path:
    """The official checkout: gpt and claude rows in its data folder."""
    names = {"gpt": FILES["gpt-4o"], "claude": FILES["claude-3.5-sonnet"]}
    (folder / "data").mkdir(exist_ok=True)
    for model, found in rows.items():
        text = "".join(json.dumps(each) + "\n" for each in found)
        (folder / "data" / names[model]).write_text(text)
    return folder


def run(data: Path, script: Script, k: int, **settings: Any) -> RunFolder:
    values = {"bench": "judgebench", "data": data, "engine": "fake", "k": k}
    config = configure(values | {"results": data / "results"} | settings)
    return extend(prepare(config), Quiet(), Engines(lambda seed: Scripted(script)))


def named(result: Accuracy, name: str, vote: str = "sum") -> Row:
    return next(r for r in result.rows if r.name.split(" (")[0] == name and r.vote == vote)


# ---------------------------------------------------------------- rows


def test_rows_become_pairs_of_both_models(tmp_path: Path) -> None:
    data = files(
        tmp_path,
        gpt=[
            row("p1", "mmlu-pro-computer science"),
            row("p2", "livebench-math", "B>A", response_B="first of p2", response_A="first of p2"),
        ],
        claude=[row("p3", "mmlu-pro-computer science", question="Question p1?", response_A=" ")],
    )
    # What the authors' judges wrote lies beside it, under names that begin alike.
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / FILES["gpt-4o"].replace(".jsonl", ",judge.jsonl")).write_text("{}")
    (tmp_path / "data" / FILES["gpt-4o"].replace(".jsonl", ",judge.jsonl")).write_text("{}")
    loaded = load("judgebench", data)
    assert [(*item.key, item.quality, item.flags) for item in loaded.items] == [
        ("gpt-4o/mmlu-pro-computer science", "p1", (1, 0), ()),
        ("gpt-4o/livebench-math", "p2", (0, 1), ("identical_pair",)),
        ("claude-3.5-sonnet/mmlu-pro-computer science", "p3", (1, 0), ("empty_response",)),
    ]
    first, second, third = loaded.items
    assert first.responses == ("first of p1", "second of p1")
    assert first.conversation[0].content == "Question p1?"
    assert first.cluster == third.cluster != second.cluster
    assert sum(loaded.spec.expected.values()) == 620
    assert sum(loaded.missing.values()) == 617
    assert loaded.missing["gpt-4o/mmlu-pro-computer science"] == 10
    assert loaded.missing["gpt-4o/livebench-math"] == 55


def test_one_file_alone_is_half_the_benchmark(tmp_path: Path) -> None:
    data = files(tmp_path, gpt=[row("p1", "livecodebench")], claude=[row("p2", "livecodebench")])
    loaded = load("judgebench", data / "data" / FILES["claude-3.5-sonnet"])
    assert [item.key for item in loaded.items] == [("claude-3.5-sonnet/livecodebench", "p2")]
    assert sum(loaded.missing.values()) == 619


@pytest.mark.parametrize("label", ["A=B", "A>B ", "tie", "", None, 1, ["A>B"], {"A": 1}])
def test_an_unknown_label_is_named(tmp_path: Path, label: Any) -> None:
    data = files(tmp_path, gpt=[row("p1", "livecodebench"), row("p2", "livecodebench", label)])
    wanted = r"gpt-4o-2024-05-13.jsonl, row 2: column 'label': expected one of 'A>B', 'B>A', found"
    with pytest.raises(DataError, match=wanted):
        load("judgebench", data)


def test_what_else_is_wrong_with_a_row_is_named(tmp_path: Path) -> None:
    first = row("p1", "livecodebench")
    with pytest.raises(DataError, match=r"row 2: id 'p1' is already taken by .*jsonl, row 1"):
        load("judgebench", files(tmp_path, gpt=[first, first]))
    with pytest.raises(DataError, match="row 1: column 'response_B': expected text, found int"):
        load("judgebench", files(tmp_path, gpt=[first | {"response_B": 3}]))
    with pytest.raises(DataError, match="no column 'pair_id'; found: label, original_id, question"):
        load("judgebench", files(tmp_path, gpt=[{k: first[k] for k in first if k != "pair_id"}]))
    with pytest.raises(DataError, match="no column 'source'; found"):
        load("judgebench", files(tmp_path, gpt=[{k: first[k] for k in first if k != "source"}]))
    with pytest.raises(ConfigError, match="no section holds the subset 'gpt-4o/livebench-law'"):
        load("judgebench", files(tmp_path, gpt=[row("p1", "livebench-law")]))


# ---------------------------------------------------------------- two games, by hand

# Samples 0 and 2 are the first game, 1 and 3 the second; a game's vote is the sum of its scores.
A, B = [9, 1], [1, 9]
STORY: dict[str, list[list[int] | str]] = {
    "always": [A, A, A, A],
    "split": [A, B, A, B],  # one game each at every k > 1
    "returns": [[4, 6], [6, 4], [9, 1], [5, 4]],  # game 1: -2, from k = 3 on -2 + 8
    "one order": ["length", [7, 3], "error", [2, 3]],  # game 2: +4, at k = 4 +4 - 1
    "level": [[5, 5], [6, 4], [5, 5], [4, 6]],  # game 2: +2, at k = 4 +2 - 2
    "one lead": [[10, 1], [4, 5], [10, 1], [4, 5]],  # far ahead in one game, behind in the other
    "b is right": [B, B, B, B],
    "silent": ["length", "error", "length", "length"],
    "identical": [[5, 5], [5, 5], [5, 5], [5, 5]],
}
# What is right, tied and silent at k = 1 (a single game), 2, 3, 4; the rest is wrong.
TOLD: dict[int, tuple[set[str], set[str], set[str]]] = {
    1: (
        {"always", "split", "one lead", "b is right"},
        {"level", "identical"},
        {"one order", "silent"},
    ),
    2: (
        {"always", "one order", "level", "b is right"},
        {"split", "returns", "one lead", "identical"},
        {"silent"},
    ),
    3: (
        {"always", "returns", "one order", "level", "b is right"},
        {"split", "one lead", "identical"},
        {"silent"},
    ),
    4: (
        {"always", "returns", "one order", "b is right"},
        {"split", "level", "one lead", "identical"},
        {"silent"},
    ),
}


def story(folder: Path) -> Path:
    return files(
        folder,
        gpt=[
            row("always", "mmlu-pro-law"),
            row("split", "mmlu-pro-law"),
            row("returns", "mmlu-pro-health"),
            row("one order", "livebench-math"),
            row("level", "livebench-reasoning"),
            row("one lead", "livebench-reasoning"),
        ],
        claude=[
            row("b is right", "mmlu-pro-law", "B>A"),
            row("silent", "mmlu-pro-law"),
            row("identical", "livebench-math", response_A="the same", response_B="the same"),
        ],
    )


@pytest.mark.parametrize("k", TOLD)
def test_a_pair_is_right_where_more_games_are_won_than_lost(tmp_path: Path, k: int) -> None:
    right, tied, silent = TOLD[k]
    folder = run(story(tmp_path), STORY, k)
    official = score(folder)
    overall = named(official, "overall")
    assert overall.name == "overall (3 of 4 sections)"
    assert overall.value == pytest.approx(len(right) / 9, abs=1e-12)
    assert (overall.items, overall.expected) == (9, 620)
    assert (overall.tied, overall.silent) == (len(tied), len(silent))
    verdicts = official.verdicts.to_pylist()
    for mass, names in (("win", right), ("tie", tied), ("void", silent), ("credit", right)):
        assert {v["id"] for v in verdicts if v[mass] == 1} == names
    assert "ties: wrong; no readable judgement: wrong (official)" in official.footer
    assert any(line.startswith("odd rows kept in the denominator: 1 ") for line in official.footer)
    assert not any("two games" in line for line in official.footer)
    paper = score(folder, protocol="paper")
    half = (len(tied) + len(silent)) / 2
    assert named(paper, "overall").value == pytest.approx((len(right) + half) / 9)
    assert any("(the paper's)" in line for line in paper.footer)


def test_views_and_sections_are_shares_of_pairs_not_means_of_groups(tmp_path: Path) -> None:
    result = score(run(story(tmp_path), STORY, 2))
    shares = {
        "Knowledge": 2 / 5,  # always, b is right; not split, returns, silent
        "Reasoning": 1 / 2,
        "Math": 1 / 2,
        "GPT-4o pairs": 3 / 6,  # the mean of its groups would be (1/3 + 1/2 + 1) / 3
        "GPT-4o: Knowledge": 1 / 3,
        "GPT-4o: Reasoning": 1 / 2,
        "GPT-4o: Math": 1,
        "Claude-3.5-Sonnet pairs": 1 / 3,
        "Claude-3.5-Sonnet: Knowledge": 1 / 2,
        "Claude-3.5-Sonnet: Math": 0,
    }
    assert {name: named(result, name).value for name in shares} == pytest.approx(shares)
    counts = {r.name: (r.items, r.expected) for r in result.rows if r.level in ("section", "view")}
    assert counts == {
        "Knowledge": (5, 308),
        "Reasoning": (2, 149),
        "Math": (2, 90),
        "Coding": (0, 73),
        "GPT-4o pairs": (6, 350),
        "GPT-4o: Knowledge": (3, 154),
        "GPT-4o: Reasoning": (2, 98),
        "GPT-4o: Math": (1, 56),
        "GPT-4o: Coding": (0, 42),
        "Claude-3.5-Sonnet pairs": (3, 270),
        "Claude-3.5-Sonnet: Knowledge": (2, 154),
        "Claude-3.5-Sonnet: Reasoning": (0, 51),
        "Claude-3.5-Sonnet: Math": (1, 34),
        "Claude-3.5-Sonnet: Coding": (0, 31),
    }
    curve = scale(run(story(tmp_path), STORY, 2), votes=["sum"])
    drawn = {r.name: r.value for r in curve.rows if r.k == 2 and r.level != "overall"}
    assert drawn == pytest.approx(shares)


def test_one_game_of_two_is_the_mean_over_the_orders(tmp_path: Path) -> None:
    # always 1, b is right 1; one of two games: split, returns, one order, level, one lead.
    folder = run(story(tmp_path), STORY, 2)
    assert named(score(folder, k=1), "overall").value == pytest.approx((2 + 5 / 2) / 9)
    # k = 3 of 4 is two of one order and one of the other. returns has leads -2, +8 in game 1 and +2, +1
    # in game 2: +6 with +2 or with +1 is right, right; -2 or +8 with +3 a tie, right: (1 + 1/2) / 2.
    folder = run(story(tmp_path), STORY, 4)
    at_three = score(folder, k=3).verdicts.to_pylist()
    assert {r["id"]: r["credit"] for r in at_three}["returns"] == pytest.approx(0.75)


def test_random_orders_are_one_vote_and_say_so(tmp_path: Path) -> None:
    result = score(run(story(tmp_path), STORY, 2, orders="random"))
    # Sums over both samples: one lead is 14 : 6 and right, split and returns are level.
    credits = {r["id"]: r["credit"] for r in result.verdicts.to_pylist()}
    right = {"always", "one order", "level", "one lead", "b is right"}
    assert {name for name, credit in credits.items() if credit == 1} == right
    assert "random orders: one vote over all samples, NOT the official two games" in result.footer


def test_responses_judged_apart_are_no_games_and_say_so(tmp_path: Path) -> None:
    names = {
        "always": ([9, 9], [1, 1]),
        "split": ([9, 1], [1, 9]),  # 10 : 10
        "returns": ([4, 6], [6, 4]),  # 10 : 10
        "one order": (["length", 7], [3, 3]),  # the mean of what is there: 7 : 3
        "level": ([5, 6], [5, 4]),  # 11 : 9
        "one lead": ([10, 4], [1, 5]),  # 14 : 6
        "b is right": ([1, 1], [9, 9]),
        "silent": (["length", "error"], [1, 1]),  # one of the two was never read
        "identical": ([5, 5], [5, 5]),
    }
    script: dict[str, list[list[int] | str]] = {
        f"{name}@{slot}": [[s] if isinstance(s, int) else s for s in said]  # type: ignore[attr-defined]
        for name, both in names.items()
        for slot, said in enumerate(both)
    }
    folder = run(story(tmp_path), script, 2, layout="single")
    result = score(folder)
    overall = named(result, "overall")
    credits = {r["id"]: r["credit"] for r in result.verdicts.to_pylist()}
    right = {"always", "one order", "level", "one lead", "b is right"}
    assert {name for name, credit in credits.items() if credit == 1} == right
    assert (overall.items, overall.samples, overall.invalid) == (9, 36, 3)
    assert (overall.tied, overall.silent) == (3, 1)
    wanted = "responses judged apart: one vote over all samples, NOT the official two games"
    assert wanted in result.footer
    paper = score(folder, protocol="paper")
    assert named(paper, "overall").value == pytest.approx((5 + 4 / 2) / 9)


# ---------------------------------------------------------------- against the scorer's definition


def decision(samples: list[list[int] | str], vote: str) -> str | None:
    """What one game says, from the samples of its order."""
    read = [s for s in samples if not isinstance(s, str)]
    if not read:
        return None
    if vote == "majority":
        a, b = sum(s[0] > s[1] for s in read), sum(s[1] > s[0] for s in read)
    else:
        a, b = sum(s[0] for s in read), sum(s[1] for s in read)
    return "A>B" if a > b else "B>A" if b > a else "A=B"


def share_right(pairs: list[tuple[str, list[list[int] | str]]], vote: str) -> float:
    """The official number: +1 for a decision that is the label, -1 for its opposite, right above 0."""
    right = 0
    for label, samples in pairs:
        games = [decision(samples[order::2], vote) for order in (0, 1)]
        other = "B>A" if label == "A>B" else "A>B"
        right += sum((game == label) - (game == other) for game in games) > 0
    return right / len(pairs)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_every_row_is_the_official_number(tmp_path: Path, k: int) -> None:
    dice = random.Random(k)
    rows: dict[str, list[dict[str, Any]]] = {"gpt": [], "claude": []}
    script: dict[str, list[list[int] | str]] = {}
    groups: dict[str, list[tuple[str, list[list[int] | str]]]] = {}
    for number in range(320):
        model = dice.choice(["gpt", "claude"])
        group = dice.choice(list(SOURCES))
        source, label = dice.choice(SOURCES[group]), dice.choice(["A>B", "B>A"])
        said: list[list[int] | str] = [
            dice.choice(["length", "error"])
            if dice.random() < 0.25
            else [dice.randint(1, 4), dice.randint(1, 4)]
            for _ in range(k)
        ]
        name = f"p{number}"
        script[name] = said
        # A third of the questions are asked twice, so that clusters are larger than pairs.
        rows[model].append(row(name, source, label, question=f"Question {number % 220}?"))
        title, subset = {
            "gpt": ("GPT-4o", f"gpt-4o/{source}"),
            "claude": ("Claude-3.5-Sonnet", f"claude-3.5-sonnet/{source}"),
        }[model]
        for place in ("overall", group, subset, f"{title} pairs", f"{title}: {group}"):
            groups.setdefault(place, []).append((label, said))
    result = score(run(files(tmp_path, **rows), script, k), votes=["sum", "majority"])
    seen = [r for r in result.rows if r.items]
    assert {r.name for r in seen} == set(groups)
    assert len(seen) == 2 * len(groups)
    for r in seen:
        assert r.value == pytest.approx(share_right(groups[r.name], r.vote), abs=1e-12), r.name
        assert r.items == len(groups[r.name])
        assert 0 <= r.low <= r.value <= r.high <= 1
        assert r.low < r.high
        invalid = sum(isinstance(s, str) for _, said in groups[r.name] for s in said)
        assert (r.samples, r.invalid, r.missing) == (k * r.items, invalid, 0)


# ---------------------------------------------------------------- the real rows


@on_official_rows(REAL)
def test_real_rows() -> None:
    loaded = load("judgebench", REAL)
    assert not loaded.missing
    assert {item.quality for item in loaded.items} == {(1, 0), (0, 1)}
    counts: dict[tuple[str, str], int] = {}
    for item in loaded.items:
        model = item.subset.split("/")[0]
        section = loaded.spec.sections[loaded.spec.section_of(item.subset)].name
        counts[section, model] = counts.get((section, model), 0) + 1
    gpt, claude = FILES
    assert counts == {
        ("Knowledge", gpt): 154,
        ("Knowledge", claude): 154,
        ("Reasoning", gpt): 98,
        ("Reasoning", claude): 51,
        ("Math", gpt): 56,
        ("Math", claude): 34,
        ("Coding", gpt): 42,
        ("Coding", claude): 31,
    }
    assert [item.flags for item in loaded.items if item.flags] == [("identical_pair",)]


@on_official_rows(REAL)
def test_a_run_on_the_real_rows_is_complete(tmp_path: Path) -> None:
    result = score(sampled(tmp_path, bench="judgebench", data=REAL, k=2))
    counts = {r.name: (r.items, r.expected) for r in result.rows}
    assert counts["overall"] == (620, 620)
    assert counts["GPT-4o pairs"] == (350, 350)
    assert counts["Claude-3.5-Sonnet pairs"] == (270, 270)
    assert not any("ncomplete" in line or "INCOMPLETE" in line for line in result.footer)
    assert any(line.startswith("odd rows kept in the denominator: 1 ") for line in result.footer)
    views = {r.name: r for r in result.rows if r.level == "view"}
    whole = 350 * views["GPT-4o pairs"].value + 270 * views["Claude-3.5-Sonnet pairs"].value
    assert named(result, "overall").value == pytest.approx(whole / 620)
