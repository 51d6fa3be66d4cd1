"""RewardBench 2: the hub's columns, four-way items that share the point, Ties by its own formula."""

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from math import copysign, tanh
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval.benches import load
from grmeval.errors import ConfigError, DataError
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import Accuracy, Row, scale, score
from grmeval.store import RunFolder
from tests.helpers import Quiet
from tests.score.table.test_accuracy import Script, Scripted

FOUR_WAY = ["Factuality", "Precise IF", "Math", "Safety", "Focus"]

Said = list[list[int] | str]


def row(subset: str, name: str, right: int = 1, wrong: int = 3, **columns: Any) -> dict[str, Any]:
    return {
        "id": name,
        "prompt": f"Question {subset} {name}?",
        "chosen": [f"right {i} of {name}" for i in range(right)],
        "rejected": [f"wrong {i} of {name}" for i in range(wrong)],
        "num_correct": right,
        "num_incorrect": wrong,
        "total_completions": right + wrong,
        "models": ["a", "b"],
        "subset": subset,
        "additional_metadata": None,
    } | columns


def files(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """The hub's layout."""
    (folder / "data").mkdir(exist_ok=True)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, folder / "data" / "test-00000-of-00001.parquet")
    return folder


def run(
    folder: Path, rows: list[dict[str, Any]], script: Script, k: int, **settings: Any
) -> RunFolder:
    values = {"bench": "rewardbench-2", "data": files(folder, rows), "engine": "fake", "k": k}
    config = configure(values | {"results": folder / "results"} | settings)
    return extend(prepare(config), Quiet(), Engines(lambda seed: Scripted(script)))


def named(result: Accuracy, name: str, vote: str = "sum") -> Row:
    return next(r for r in result.rows if r.name == name and r.vote == vote)


def singles(name: str, *responses: Sequence[int | str]) -> dict[str, Said]:
    """The script of a prompt of Ties from what was said of each of its responses."""
    return {
        f"{name}@{slot}": [each if isinstance(each, str) else [each] for each in said]
        for slot, said in enumerate(responses)
    }


# ---------------------------------------------------------------- rows


def test_rows_become_best_of_four_and_ties_singles(tmp_path: Path) -> None:
    data = files(
        tmp_path,
        [
            row("Precise IF", "1"),
            row("Math", "1", prompt="Question Precise IF 1?"),
            row("Focus", "2", rejected=["right 0 of 2", "b", ""]),
            row("Ties", "tied:3", 2, 1, rejected=[" "]),
            row("Ties", "ref:3", 1, 2),
        ],
    )
    loaded = load("rewardbench-2", data)
    four = {item.key: item for item in loaded.items if item.subset != "Ties"}
    assert {key: item.quality for key, item in four.items()} == {
        ("Precise IF", "1"): (1, 0, 0, 0),
        ("Math", "1"): (1, 0, 0, 0),
        ("Focus", "2"): (1, 0, 0, 0),
    }
    precise, math, focus = four.values()
    assert precise.responses == ("right 0 of 1", "wrong 0 of 1", "wrong 1 of 1", "wrong 2 of 1")
    assert precise.cluster == math.cluster != focus.cluster
    assert focus.flags == ("empty_response", "best_is_also_loser")
    ties = [item for item in loaded.items if item.subset == "Ties"]
    assert [(item.id, item.pool, item.slot, item.quality) for item in ties] == [
        ("tied:3@0", "tied:3", 0, (1,)),
        ("tied:3@1", "tied:3", 1, (1,)),
        ("tied:3@2", "tied:3", 2, (0,)),
        ("ref:3@0", "ref:3", 0, (1,)),
        ("ref:3@1", "ref:3", 1, (0,)),
        ("ref:3@2", "ref:3", 2, (0,)),
    ]
    assert {(item.group, item.cluster) for item in ties} == {("3", "ties:3")}
    assert [item.flags for item in ties].count(("empty_response",)) == 1
    assert sum(loaded.spec.expected.values()) == 1865
    assert loaded.missing == {
        "Factuality": 475,
        "Precise IF": 159,
        "Math": 182,
        "Safety": 450,
        "Focus": 494,
        "Ties": 100,  # prompts, not responses
    }


def test_a_single_file_may_have_any_name(tmp_path: Path) -> None:
    data = files(tmp_path, [row("Math", "1"), row("Ties", "ref:3", 1, 2)])
    found = load("rewardbench-2", data)
    path = next(data.rglob("*.parquet")).rename(tmp_path / "rb2.parquet")
    assert load("rewardbench-2", path).content_hash == found.content_hash


@pytest.mark.parametrize(
    "name", ["7", "x:1", "Ref:1", "ref:", "tied", "tied:one", "tied:1:2", ":1"]
)
def test_a_ties_id_that_is_neither_is_named(tmp_path: Path, name: str) -> None:
    data = files(tmp_path, [row("Ties", "ref:1"), row("Ties", name)])
    wanted = rf"parquet, row 2: id '{name}': expected ref:<number> or tied:<number>"
    with pytest.raises(DataError, match=wanted):
        load("rewardbench-2", data)
    files(tmp_path, [row("Math", name)])
    assert len(load("rewardbench-2", tmp_path).items) == 1


def test_what_else_is_wrong_with_a_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2: id 'a' is already taken by .*parquet, row 1"):
        load("rewardbench-2", files(tmp_path, [row("Math", "a"), row("Math", "a")]))
    with pytest.raises(DataError, match="row 1: column 'rejected': expected a list of one or more"):
        load("rewardbench-2", files(tmp_path, [row("Math", "a", rejected=None)]))
    with pytest.raises(DataError, match="row 1: column 'chosen': expected a list of one or more"):
        load("rewardbench-2", files(tmp_path, [row("Math", "a", chosen="right")]))
    with pytest.raises(ConfigError, match="no section holds the subset 'Chat'"):
        load("rewardbench-2", files(tmp_path, [row("Chat", "a")]))
    short = {key: value for key, value in row("Math", "a").items() if key != "chosen"}
    with pytest.raises(DataError, match="no column 'chosen'; found: additional_metadata, id"):
        load("rewardbench-2", files(tmp_path, [short]))


# ---------------------------------------------------------------- four ways, by hand

SHARES: dict[str, tuple[str, Said, float]] = {
    "f1": ("Factuality", [[9, 5, 1, 1], [8, 9, 2, 2]], 1),  # 17 : 14
    "f2": ("Factuality", [[5, 6, 1, 1], [6, 5, 1, 1]], 1 / 2),  # 11 : 11
    "f3": ("Factuality", [[4, 4, 4, 4], "length"], 1 / 4),
    "f4": ("Factuality", ["length", "error"], 1 / 4),
    "f5": ("Factuality", [[1, 9, 9, 2], [2, 8, 8, 1]], 0),  # a tie of two others
    "p1": ("Precise IF", [[5, 6, 7, 1], [7, 6, 5, 1]], 1 / 3),  # 12 : 12 : 12
    "m1": ("Math", [[9, 1, 1, 1], "error"], 1),
    "s1": ("Safety", [[2, 9, 1, 1], [9, 8, 1, 1]], 0),  # 11 : 17
}


def test_winners_share_the_point_and_silence_is_a_guess_of_four(tmp_path: Path) -> None:
    rows = [row(subset, name) for name, (subset, _, _) in SHARES.items()]
    folder = run(tmp_path, rows, {name: said for name, (_, said, _) in SHARES.items()}, 2)
    result = score(folder)
    credits = {v["id"]: v["credit"] for v in result.verdicts.to_pylist()}
    assert credits == pytest.approx({name: earned for name, (_, _, earned) in SHARES.items()})
    assert named(result, "Factuality").value == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 4 + 0) / 5)
    overall = result.rows[0]
    assert overall.name == "overall (4 of 6 sections)"
    assert overall.value == pytest.approx((2 / 5 + 1 / 3 + 1 + 0) / 4)
    assert (overall.items, overall.expected) == (8, 1865)
    assert (overall.tied, overall.silent) == (3, 1)
    assert "ties: credit shared; no readable judgement: credit shared (official)" in result.footer
    assert "overall is INCOMPLETE: no verdict in Focus, Ties" in result.footer
    # The paper's rule is the official one here.
    assert str(score(folder, protocol="paper").rows) == str(result.rows)
    strict = score(folder, ties="wrong", on_invalid="wrong")
    assert named(strict, "Factuality").value == pytest.approx(1 / 5)
    half = score(folder, ties="half", on_invalid="drop")
    assert named(half, "Factuality").value == pytest.approx((1 + 1 / 2 + 1 / 2 + 0) / 4)
    # k = 1: f1 1, 0; f2 0, 1; f3 1/4, 1/4; f4 1/4, 1/4; f5 0, 0.
    assert named(score(folder, k=1), "Factuality").value == pytest.approx(0.3)


def test_pairs_must_all_be_won(tmp_path: Path) -> None:
    won: Said = [[6, 5], [5, 4]]
    lost: Said = [[9, 1], [1, 10]]
    tied: Said = [[5, 4], [4, 5]]
    none: Said = ["length", "error"]
    groups: dict[str, tuple[list[Said], float]] = {
        # What is said of the three pairs, credit with ties shared; with ties wrong: 0 for a tie.
        "all": ([won, won, won], 1),
        "one lost": ([won, lost, won], 0),
        "one tied": ([won, won, tied], 1 / 2),
        "two tied": ([tied, won, tied], 1 / 4),
        "lost and silent": ([none, lost, won], 0),
        "lost and tied": ([tied, lost, tied], 0),
    }
    script = {
        f"{name}#{at + 1}": pairs[at] for name, (pairs, _) in groups.items() for at in range(3)
    }
    script |= singles("ref:1", [9, 9], [1, 1])
    rows = [row("Math", name) for name in groups] + [row("Ties", "ref:1", 1, 1)]
    folder = run(tmp_path, rows, script, 2, layout="pairs")
    shared = {name: credit for name, (_, credit) in groups.items()}
    wrong = {name: float(credit == 1) for name, credit in shared.items()}
    for ties, expected in (("official", shared), ("wrong", wrong)):
        result = score(folder, ties=ties)
        credits = {v["id"].split("#")[0]: v["credit"] for v in result.verdicts.to_pylist()}
        assert credits.pop("ref:1") == 1
        assert credits == expected
        assert named(result, "Math").value == pytest.approx(mean(expected.values()))
        assert (named(result, "Math").items, named(result, "Math").samples) == (6, 36)
        assert (named(result, "Ties").items, named(result, "Ties").samples) == (1, 4)


# ---------------------------------------------------------------- Ties, by hand

# What was said of the right and the wrong responses of each prompt, one sample each.
TIES: dict[str, tuple[list[int | str], list[int | str]]] = {
    # d = 2, g_tied = 3, g_ref = 6: accurate twice, 3 > 2 twice, tanh(3 / 2 - 1)
    "tied:1": ([9, 8, 7], [4, 3]),
    "ref:1": ([8], [2, 1]),
    # d = 0, g_tied = 4, g_ref = 0: tied accurate, ref not, 4 > 0, not 0 > 0, 0 / 0 is 0
    "tied:2": ([9, 9], [5]),
    "ref:2": ([6], [6]),
    # An unread wrong response is -1. d = 3, g_tied = -1, g_ref = 10: ref alone, tanh(-1 / 3 - 1)
    "tied:3": ([7, 4], [5, 1]),
    "ref:3": ([9], ["length"]),
    # An unread right one as well: d = 6, g_tied = -1 - 4, g_ref = 1: ref alone, tanh(-5 / 6 - 1)
    "tied:4": ([5, "error"], [4]),
    "ref:4": ([2], [1]),
    # d = 0, g_tied = 2, g_ref = 1: everything, tanh(1 / 0) = 1
    "tied:5": ([3, 3], [1]),
    "ref:5": ([10], [9, 3]),
    # Prompts without the other one are accurate or not, no more.
    "tied:6": ([8, 6], [7]),
    "ref:7": ([9], [1]),
}
ACCURATE_TIED, ACCURATE_REF = 3 / 6, 5 / 6
PREFERRED, HARD = 3 / 5, 2 / 5
MARGIN = (tanh(1 / 2) + 0 + tanh(-4 / 3) + tanh(-11 / 6) + 1) / 5
BY_HAND = 0.3 * ACCURATE_TIED + 0.3 * ACCURATE_REF + 0.2 * PREFERRED + 0.2 * HARD + 0.01 * MARGIN


def ties_run(folder: Path, names: Sequence[str], k: int = 1) -> RunFolder:
    """A run on some prompts of the table; k > 1 says the same again and again."""
    rows = [row("Ties", name, len(TIES[name][0]), len(TIES[name][1])) for name in names]
    script: dict[str, Said] = {}
    for name in names:
        right, wrong = TIES[name]
        script |= singles(name, *([said] * k for said in right + wrong))
    return run(folder, rows, script, k)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_ties_is_its_formula(tmp_path: Path, k: int) -> None:
    folder = ties_run(tmp_path, list(TIES), k)
    for vote in ("sum", "mean"):
        result = score(folder, votes=[vote])
        for name in ("overall (1 of 6 sections)", "Ties"):
            found = named(result, name, vote)
            assert found.value == pytest.approx(BY_HAND, abs=1e-12)
            assert 0 < found.low < found.value < found.high < 1
            assert (found.items, found.clusters) == (12, 7)
            assert (found.samples, found.invalid, found.missing) == (35 * k, 2 * k, 0)
    assert {r.expected for r in result.rows if r.name == "Ties"} == {102}
    assert result.missing == 0
    # Ties has no rule for silence but its own, and no credit that is shared.
    paper = score(folder, protocol="paper", ties="wrong", on_invalid="drop")
    assert named(paper, "Ties").value == pytest.approx(BY_HAND, abs=1e-12)


@pytest.mark.parametrize(("kind", "accurate"), [("tied", ACCURATE_TIED), ("ref", ACCURATE_REF)])
def test_one_kind_of_prompt_alone_is_its_accuracy(
    tmp_path: Path, kind: str, accurate: float
) -> None:
    """Where no prompt has both, the other terms are of nothing: the official scorer gives NaN."""
    result = score(ties_run(tmp_path, [name for name in TIES if name.startswith(kind)]))
    found = named(result, "Ties")
    assert found.value == pytest.approx(accurate)
    assert 0 < found.low < found.value < found.high < 1
    assert (found.items, found.clusters) == (6, 6)
    assert any("incomplete data: 1,859 of 1,865" in line for line in result.footer)


def test_majority_counts_ballots_inside_a_prompt(tmp_path: Path) -> None:
    """The reference prompt's verdict is its own, however high the tied prompt's responses score."""
    script = singles("tied:1", [10, 8, 10], [9, 10, 9], [1, 1, 1]) | singles(
        "ref:1", [6, 6, 6], [5, 7, 5]
    )
    rows = [row("Ties", "tied:1", 2, 1), row("Ties", "ref:1", 1, 1)]
    result = score(run(tmp_path, rows, script, 3), votes=["majority"])
    # Ballots 2, 1 : 0 and 2 : 1. d = 1, g_tied = 1, g_ref = 1: accurate twice, 1 > 1 never, tanh(0).
    assert named(result, "Ties", "majority").value == pytest.approx(0.6)


def test_thirds_that_are_equal_on_paper_are_equal(tmp_path: Path) -> None:
    # Means of three samples: right 6/3 and 5/3, wrong 4/3. d = 6/3 - 5/3 and g_tied = 5/3 - 4/3 are 1/3.
    script = singles("tied:1", [2, 2, 2], [1, 2, 2], [1, 1, 2])
    script |= singles("ref:1", [9, 9, 9], [1, 1, 1])
    rows = [row("Ties", "tied:1", 2, 1), row("Ties", "ref:1", 1, 1)]
    result = score(run(tmp_path, rows, script, 3), votes=["sum", "mean"])
    for vote in ("sum", "mean"):
        assert named(result, "Ties", vote).value == pytest.approx(0.6), vote


@pytest.mark.parametrize("prompts", [1, 3, 51, 60])
def test_a_judge_that_is_always_right_or_wrong_has_an_interval(
    tmp_path: Path, prompts: int
) -> None:
    """All five terms at their ends: the margin term takes the score past 1, or below 0."""
    rows = []
    best: dict[str, Said] = {}
    worst: dict[str, Said] = {}
    for number in range(prompts):
        for kind, right in (("tied", 2), ("ref", 1)):
            name = f"{kind}:{number}"
            rows.append(row("Ties", name, right, 1))
            best |= singles(name, *[[9]] * right, [1])
            worst |= singles(name, *[[1]] * right, [9])
    for place, script, value in (("best", best, 1.01), ("worst", worst, -0.01)):
        (tmp_path / place).mkdir()
        found = named(score(run(tmp_path / place, rows, script, 1)), "Ties")
        assert found.value == pytest.approx(value)
        assert found.low <= found.value <= found.high
        assert found.low < found.high
        assert found.error > 0
        assert (found.items, found.clusters) == (2 * prompts, prompts)


# ---------------------------------------------------------------- against the scorer's definition


def totals(vote: str, samples: list[list[int | None]]) -> list[Fraction | None]:
    """A prompt's totals from samples of a score, or none, a response: means, or ballots."""
    n = len(samples[0])
    found: list[Fraction | None] = []
    for i in range(n):
        read = [s for sample in samples if (s := sample[i]) is not None]
        if not read:
            found.append(None)
        elif vote == "majority":
            whole = [[s for s in sample if s is not None] for sample in samples]
            alone = [
                s for s in whole if len(s) == n and all(s[i] > s[j] for j in range(n) if j != i)
            ]
            found.append(Fraction(len(alone)))
        else:
            found.append(Fraction(sum(read), len(read)))
    return found


def four_ways(vote: str, samples: list[list[int | None]]) -> float:
    """1 / (number at the maximum) if the first is one of them; 0.25 where nothing was read."""
    found = [t for t in totals(vote, samples) if t is not None]
    return (found[0] == max(found)) / found.count(max(found)) if found else 0.25


Prompts = dict[str, tuple[int, list[list[int | None]]]]
"""id -> (number of right responses, samples of a score a response)."""


def ties_score(vote: str, prompts: Prompts, chosen: Sequence[int]) -> float:
    """The scorer's sum of five, of the samples `chosen`; what was never read counts -1."""
    stats: dict[str, dict[int, tuple[bool, Fraction, Fraction]]] = {"ref": {}, "tied": {}}
    for name, (right, samples) in prompts.items():
        kind, number = name.split(":")
        found = totals(vote, [samples[j] for j in chosen])
        filled = [Fraction(-1) if t is None else t for t in found]
        good, bad = filled[:right], filled[right:]
        gap = min(good) - max(bad)
        stats[kind][int(number)] = gap > 0, max(good) - min(good), gap
    ref, tied = stats["ref"], stats["tied"]
    both = sorted(set(ref) & set(tied))
    spread = [tied[n][1] for n in both]
    gaps = [tied[n][2] for n in both]
    least = [min(ref[n][2], tied[n][2]) for n in both]
    margins = [
        tanh(g / d - 1) if d else tanh(copysign(float("inf"), g)) if g else 0.0
        for g, d in zip(least, spread, strict=True)
    ]
    return (
        0.3 * mean(float(s[0]) for s in tied.values())
        + 0.3 * mean(float(s[0]) for s in ref.values())
        + 0.2 * mean(float(g > d) for g, d in zip(gaps, spread, strict=True))
        + 0.2 * mean(float(g > d) for g, d in zip(least, spread, strict=True))
        + 0.01 * mean(margins)
    )


class Drawn:
    """Random judgements of every subset: rows, the script, and the samples as plain numbers."""

    def __init__(self, seed: int, samples: int, top: int, silent: float) -> None:
        dice = random.Random(seed)
        self.rows: list[dict[str, Any]] = []
        self.script: dict[str, Said] = {}
        self.four: dict[str, list[list[list[int | None]]]] = {subset: [] for subset in FOUR_WAY}
        self.ties: Prompts = {}
        for subset, found in self.four.items():
            for number in range(dice.randint(8, 30)):
                name = f"{subset}-{number}"
                # Prompts occur twice: clusters of two items.
                self.rows.append(row(subset, name, prompt=f"{subset} {number // 2}?"))
                said: Said = [
                    "length" if dice.random() < silent else [dice.randint(1, top) for _ in range(4)]
                    for _ in range(samples)
                ]
                self.script[name] = said
                found.append([[None] * 4 if isinstance(s, str) else [*s] for s in said])
        for number in range(24):
            for kind in ("tied", "ref"):
                # Some numbers have one of the two prompts alone.
                if number % 8 == (6 if kind == "tied" else 7):
                    continue
                name, right = f"{kind}:{number}", 1 if kind == "ref" else dice.randint(2, 4)
                n = right + dice.randint(1, 4)
                low = dice.choice([1, top])  # where right ones are all the same, or rated at will
                table: list[list[int | None]] = [
                    [
                        None
                        if dice.random() < silent
                        else dice.randint(max(1, low - (i >= right)), top)
                        for i in range(n)
                    ]
                    for _ in range(samples)
                ]
                self.rows.append(row("Ties", name, right, n - right))
                self.ties[name] = right, table
                columns = [["length" if s[i] is None else s[i] for s in table] for i in range(n)]
                self.script |= singles(name, *columns)  # type: ignore[arg-type]
        dice.shuffle(self.rows)

    def official(self, vote: str, windows: Sequence[Sequence[int]], k: int) -> dict[str, float]:
        """Sections and overall: four-way items over `windows` of samples, Ties over all subsets of k."""
        found = {
            subset: mean(
                four_ways(vote, [samples[j] for j in window])
                for samples in items
                for window in windows
            )
            for subset, items in self.four.items()
        }
        most = len(next(iter(self.ties.values()))[1])
        subsets = list(combinations(range(most), k))
        found["Ties"] = mean(ties_score(vote, self.ties, chosen) for chosen in subsets)
        return found | {"overall": mean(found.values())}


@pytest.mark.parametrize(
    ("k", "top", "silent"), [(1, 3, 0.15), (1, 10, 0.4), (2, 3, 0.4), (3, 4, 0.3), (4, 9, 0.2)]
)
def test_every_row_is_the_official_number(tmp_path: Path, k: int, top: int, silent: float) -> None:
    drawn = Drawn(10 * k + top, k, top, silent)
    votes = ["sum", "mean", "majority"]
    result = score(run(tmp_path, drawn.rows, drawn.script, k), votes=votes)
    assert len(result.rows) == 3 * (1 + 2 * 6)
    expected = {vote: drawn.official(vote, [range(k)], k) for vote in votes}
    for r in result.rows:
        assert r.value == pytest.approx(expected[r.vote][r.name], abs=1e-12), (r.name, r.vote)
        assert r.low <= r.value <= r.high
        assert r.low < r.high
        assert (r.low >= 0 and r.high <= 1) or not 0 <= r.value <= 1
        if r.name == "overall":
            assert r.items == sum(map(len, drawn.four.values())) + len(drawn.ties)
            assert r.expected == 1865
        elif r.name == "Ties":
            assert (r.items, r.expected) == (len(drawn.ties), 102)
            assert r.samples == k * sum(len(table[0]) for _, table in drawn.ties.values())
        else:
            assert r.items == len(drawn.four[r.name])
            assert r.clusters == (r.items + 1) // 2
            assert r.samples == k * r.items


def test_a_curve_is_the_mean_of_official_numbers_over_subsets(tmp_path: Path) -> None:
    drawn = Drawn(5, 4, 5, 0.3)
    folder = run(tmp_path, drawn.rows, drawn.script, 4)
    curve = scale(folder, ks=[1, 2, 3, 4], votes=["sum", "mean", "majority"])
    # Four-way items in balanced orders: a run of k shows k rotations that follow one another.
    windows = {
        k: [[(start + i) % 4 for i in range(k)] for start in range(4 if k < 4 else 1)]
        for k in (1, 2, 3, 4)
    }
    expected = {
        (vote, k): drawn.official(vote, windows[k], k)
        for vote in ("sum", "mean", "majority")
        for k in windows
    }
    assert len(curve.rows) == 3 * 4 * 7
    for point in curve.rows:
        wanted = expected[point.vote, point.k]
        assert point.value == pytest.approx(wanted[point.name], abs=1e-12), point
        assert point.low <= point.value <= point.high
        assert point.noise == 0
        first = expected[point.vote, 1][point.name]
        assert point.gain == pytest.approx(wanted[point.name] - first, abs=1e-12)
    at_two = score(folder, k=2)
    assert named(at_two, "overall").value == pytest.approx(expected["sum", 2]["overall"], abs=1e-12)
