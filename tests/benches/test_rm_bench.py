"""RM-Bench: three styles against three, hard, normal and easy, four domains."""

import json
import random
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from grmeval.benches import load
from grmeval.errors import DataError
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import Accuracy, Row, scale, score
from grmeval.store import RunFolder
from tests.helpers import SHARED, Quiet, on_official_rows, sampled
from tests.score.table.test_accuracy import Script, Scripted

REAL = SHARED / "RM-Bench.tar.xz"
DOMAINS = {
    "chat": ["chat_filtered.json"],
    "math": ["math_filtered.json"],
    "code": ["code_filtered.json"],
    "safety": ["safety-refuse_filtered.json", "safety-response_filtered.json"],
}
FILES = [name for names in DOMAINS.values() for name in names]
STYLES = ("concise", "detailed", "markdown")
CELLS = list(product(range(3), range(3)))

Said = list[list[int] | str]


def level(i: int, j: int) -> str:
    """Of a comparison: the good response in style i, the other in style j."""
    return "hard" if j > i else "easy" if j < i else "normal"


def row(number: int, **columns: Any) -> dict[str, Any]:
    return {
        "id": number,
        "subset": "where it is from",
        "prompt": f"Question {number}?",
        "chosen": [f"good {style} {number}" for style in STYLES],
        "rejected": [f"bad {style} {number}" for style in STYLES],
    } | columns


def files(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> Path:
    """The official checkout; the file of everything together lies beside its parts."""
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "total_dataset.json").write_text("[]")
    for name, found in rows.items():
        (folder / "data" / name).write_text(json.dumps(found))
    return folder


def run(data: Path, script: Script, k: int, **settings: Any) -> RunFolder:
    values = {"bench": "rm-bench", "data": data, "engine": "fake", "k": k}
    config = configure(values | {"results": data / "results"} | settings)
    return extend(prepare(config), Quiet(), Engines(lambda seed: Scripted(script)))


def named(result: Accuracy, name: str, vote: str = "sum") -> Row:
    return next(r for r in result.rows if r.name == name and r.vote == vote)


# ---------------------------------------------------------------- rows


def test_a_row_is_nine_pairs_in_three_levels(tmp_path: Path) -> None:
    loaded = load("rm-bench", files(tmp_path, {"chat_filtered.json": [row(8)]}))
    assert [(item.subset, item.id, item.responses) for item in loaded.items] == [
        ("chat/normal", "8:00", ("good concise 8", "bad concise 8")),
        ("chat/hard", "8:01", ("good concise 8", "bad detailed 8")),
        ("chat/hard", "8:02", ("good concise 8", "bad markdown 8")),
        ("chat/easy", "8:10", ("good detailed 8", "bad concise 8")),
        ("chat/normal", "8:11", ("good detailed 8", "bad detailed 8")),
        ("chat/hard", "8:12", ("good detailed 8", "bad markdown 8")),
        ("chat/easy", "8:20", ("good markdown 8", "bad concise 8")),
        ("chat/easy", "8:21", ("good markdown 8", "bad detailed 8")),
        ("chat/normal", "8:22", ("good markdown 8", "bad markdown 8")),
    ]
    assert {item.quality for item in loaded.items} == {(1, 0)}
    assert len({item.cluster for item in loaded.items}) == 1
    assert sum(loaded.spec.expected.values()) == 1327 * 9 == 11943
    assert sum(loaded.missing.values()) == 11943 - 9
    assert loaded.missing["chat/hard"] == 129 * 3 - 3
    assert loaded.missing["safety/easy"] == 441 * 3


def test_domains_come_from_files_and_safety_from_two(tmp_path: Path) -> None:
    rows = {name: [row(n)] for n, name in enumerate(FILES)}
    items = load("rm-bench", files(tmp_path, rows)).items
    domains = {item.id.split(":")[0]: item.subset.split("/")[0] for item in items}
    assert domains == {"0": "chat", "1": "math", "2": "code", "3": "safety", "4": "safety"}
    one = load("rm-bench", tmp_path / "data" / "safety-refuse_filtered.json")
    assert {item.subset for item in one.items} == {
        f"safety/{s}" for s in ("easy", "normal", "hard")
    }


def test_odd_rows_are_flagged_where_they_are_odd(tmp_path: Path) -> None:
    odd = row(1, chosen=["same", "", "good"], rejected=["same", "bad", "worse"])
    items = load("rm-bench", files(tmp_path, {"code_filtered.json": [odd]})).items
    flags = {item.id: item.flags for item in items if item.flags}
    assert flags == {
        "1:00": ("identical_pair",),
        **dict.fromkeys(("1:10", "1:11", "1:12"), ("empty_response",)),
    }


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"rejected": ["a", "b"]}, "columns 'chosen.*' and 'rejected.*': expected lists of one"),
        ({"chosen": ["a"]}, "columns 'chosen.*' and 'rejected.*': expected lists of one length"),
        ({"chosen": []}, "column 'chosen': expected a list of one or more"),
        ({"rejected": "bad"}, "column 'rejected': expected a list of one or more"),
        ({"chosen": ["a", 2, "c"]}, "column 'chosen.*': expected text, found int"),
        ({"prompt": None}, "column 'prompt': expected a text or a list of turns, found NoneType"),
        ({"id": True}, "column 'id': expected text or a number, found True"),
    ],
)
def test_what_is_wrong_with_a_row_is_named(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    data = files(tmp_path, {"math_filtered.json": [row(1), row(2, **columns)]})
    with pytest.raises(DataError, match=rf"math_filtered.json, row 2: {said}"):
        load("rm-bench", data)


def test_an_id_in_both_safety_files_is_named(tmp_path: Path) -> None:
    data = files(tmp_path, {name: [row(1)] for name in DOMAINS["safety"]})
    wanted = "safety-response_filtered.json, row 1: id '1:00' is already taken by safety-refuse"
    with pytest.raises(DataError, match=wanted):
        load("rm-bench", data)


# ---------------------------------------------------------------- by hand

# One prompt a file. Two samples a comparison; W and L are won and lost 10 : 8 and 8 : 10, T is level.
W: Said = [[3, 5], [7, 3]]
L: Said = [[5, 3], [3, 7]]
T: Said = [[2, 6], [8, 4]]
E: Said = ["error", [6, 5]]  # one readable sample: won
S: Said = ["length", "error"]  # nothing readable
MATRICES: dict[str, list[list[Said]]] = {
    # Rows: the good response's style; columns: the other's.
    "chat_filtered.json": [[W, L, L], [W, W, T], [W, E, S]],  # hard 0/3, normal 2/3, easy 3/3
    "code_filtered.json": [[W, W, W], [L, W, W], [L, T, W]],  # hard 3/3, normal 3/3, easy 0/3
    "safety-refuse_filtered.json": [[W, W, L], [W, W, L], [W, W, W]],  # hard 1/3, normal, easy 3/3
    "safety-response_filtered.json": [[L, L, L], [L, L, L], [S, T, L]],  # nothing
}


def hand_made(folder: Path) -> tuple[Path, dict[str, Said]]:
    data = files(folder, {name: [row(n)] for n, name in enumerate(MATRICES)})
    matrices = enumerate(MATRICES.values())
    return data, {f"{n}:{i}{j}": matrix[i][j] for n, matrix in matrices for i, j in CELLS}


def test_a_domain_is_its_nine_comparisons_and_a_level_the_mean_of_domains(tmp_path: Path) -> None:
    data, script = hand_made(tmp_path)
    result = score(run(data, script, 2))
    values = {
        "chat/hard": 0,
        "chat/normal": 2 / 3,
        "chat/easy": 1,
        "Chat": 5 / 9,
        "code/hard": 1,
        "code/normal": 1,
        "code/easy": 0,
        "Code": 6 / 9,
        # Two prompts, pooled before the matrix: 1 of 6, 3 of 6, 3 of 6.
        "safety/hard": 1 / 6,
        "safety/normal": 3 / 6,
        "safety/easy": 3 / 6,
        "Safety": 7 / 18,
        "Easy": (1 + 0 + 1 / 2) / 3,
        "Normal": (2 / 3 + 1 + 1 / 2) / 3,
        "Hard": (0 + 1 + 1 / 6) / 3,
        # Not the micro average, (5 + 6 + 7) / 36.
        "overall (3 of 4 sections)": (5 / 9 + 6 / 9 + 7 / 18) / 3,
    }
    assert {name: named(result, name).value for name in values} == pytest.approx(values)
    overall = result.rows[0]
    assert (overall.items, overall.expected, overall.clusters) == (36, 11943, 4)
    assert (overall.tied, overall.silent) == (3, 2)
    assert (overall.samples, overall.invalid, overall.missing) == (72, 5, 0)
    assert (named(result, "Safety").items, named(result, "Safety").expected) == (18, 3969)
    assert (named(result, "Hard").items, named(result, "Hard").expected) == (12, 3981)
    assert (named(result, "Math").items, named(result, "Math").expected) == (0, 4761)
    assert "overall is INCOMPLETE: no verdict in Math" in result.footer
    assert "ties: wrong; no readable judgement: wrong (official)" in result.footer


def test_the_papers_protocol_pays_half_for_ties_and_silence(tmp_path: Path) -> None:
    data, script = hand_made(tmp_path)
    result = score(run(data, script, 2), protocol="paper")
    # Chat has one tie (hard) and one silence (normal), Code one tie, Safety one of both (easy).
    values = {
        "Chat": 6 / 9,
        "Code": 6.5 / 9,
        "Safety": 8 / 18,
        "Hard": (0.5 / 3 + 1 + 1 / 6) / 3,
        "Normal": (2.5 / 3 + 1 + 1 / 2) / 3,
        "Easy": (1 + 0.5 / 3 + 4 / 6) / 3,
        "overall (3 of 4 sections)": (6 / 9 + 6.5 / 9 + 8 / 18) / 3,
    }
    assert {name: named(result, name).value for name in values} == pytest.approx(values)


def test_one_sample_of_two_is_the_mean_of_both(tmp_path: Path) -> None:
    data, script = hand_made(tmp_path)
    curve = scale(run(data, script, 2), votes=["sum"])
    found = {r.name: r.value for r in curve.rows if r.k == 1}
    # W, L and T are each won in one sample of two, and so is E; S in none.
    values = {
        "Chat": 8 / 9 / 2,
        "Code": 1 / 2,
        "Safety": 17 / 18 / 2,
        "Hard": 1 / 2,
        "Normal": (2 / 3 + 1 + 1) / 3 / 2,
        "Easy": (1 + 1 + 5 / 6) / 3 / 2,
    }
    assert {name: found[name] for name in values} == pytest.approx(values)


# ---------------------------------------------------------------- against the scorer's definition


def official(won: dict[str, list[dict[tuple[int, int], bool]]]) -> dict[str, float]:
    """The numbers of a run: a matrix of shares a domain, its triangles and diagonal, their means."""
    found: dict[str, float] = {}
    for domain, prompts in won.items():
        matrix = {cell: mean(float(prompt[cell]) for prompt in prompts) for cell in CELLS}
        for kind in ("hard", "normal", "easy"):
            three = [share for (i, j), share in matrix.items() if level(i, j) == kind]
            found[f"{domain}/{kind}"] = sum(three) / 3
        levels = [found[f"{domain}/{kind}"] for kind in ("hard", "normal", "easy")]
        found[domain.capitalize()] = mean(levels)
    for kind in ("hard", "normal", "easy"):
        found[kind.capitalize()] = mean(found[f"{domain}/{kind}"] for domain in won)
    found["overall"] = mean(found[domain.capitalize()] for domain in won)
    return found


def check(result: Accuracy, expected: dict[str, dict[str, float]]) -> None:
    assert len(result.rows) == sum(map(len, expected.values()))
    for r in result.rows:
        assert r.value == pytest.approx(expected[r.vote][r.name], abs=1e-12), r.name
        assert 0 <= r.low <= r.value <= r.high <= 1
        assert r.low < r.high


def test_scores_of_a_scalar_judge_give_the_official_numbers(tmp_path: Path) -> None:
    """The scorer's own case: one score a response, compared crosswise; equal ones are not won."""
    dice = random.Random(1)
    rows: dict[str, list[dict[str, Any]]] = {}
    script: dict[str, Said] = {}
    won: dict[str, list[dict[tuple[int, int], bool]]] = {domain: [] for domain in DOMAINS}
    number = 0
    for domain, names in DOMAINS.items():
        for name in names:
            rows[name] = []
            for _ in range(dice.randint(3, 12)):
                good, bad = ([dice.randint(1, 4) for _ in STYLES] for _ in range(2))
                rows[name].append(row(number))
                for i, j in CELLS:
                    script[f"{number}:{i}{j}"] = [[good[i], bad[j]]]
                won[domain].append({(i, j): good[i] > bad[j] for i, j in CELLS})
                number += 1
    result = score(run(files(tmp_path, rows), script, 1))
    check(result, {"sum": official(won)})


@pytest.mark.parametrize("k", [2, 3])
def test_votes_over_several_samples_give_the_official_numbers(tmp_path: Path, k: int) -> None:
    dice = random.Random(k)
    rows: dict[str, list[dict[str, Any]]] = {}
    script: dict[str, Said] = {}
    won: dict[str, dict[str, list[dict[tuple[int, int], bool]]]] = {
        vote: {domain: [] for domain in DOMAINS} for vote in ("sum", "mean", "majority")
    }
    number = 0
    for domain, names in DOMAINS.items():
        for name in names:
            rows[name] = []
            for _ in range(dice.randint(3, 12)):
                # Prompts occur twice, also across domains: clusters of 18 pairs.
                rows[name].append(row(number, prompt=f"Question {number // 2}?"))
                verdicts: dict[str, dict[tuple[int, int], bool]] = {vote: {} for vote in won}
                for cell in CELLS:
                    said: Said = [
                        "length"
                        if dice.random() < 0.3
                        else [dice.randint(1, 3), dice.randint(1, 3)]
                        for _ in range(k)
                    ]
                    script[f"{number}:{cell[0]}{cell[1]}"] = said
                    leads = [s[0] - s[1] for s in said if not isinstance(s, str)]
                    verdicts["sum"][cell] = verdicts["mean"][cell] = sum(leads) > 0
                    ahead, behind = sum(x > 0 for x in leads), sum(x < 0 for x in leads)
                    verdicts["majority"][cell] = ahead > behind
                for vote, found in verdicts.items():
                    won[vote][domain].append(found)
                number += 1
    result = score(run(files(tmp_path, rows), script, k), votes=list(won))
    check(result, {vote: official(found) for vote, found in won.items()})
    assert result.rows[0].clusters == (number + 1) // 2


# ---------------------------------------------------------------- the real rows


@on_official_rows(REAL)
def test_real_rows_lack_the_math_file() -> None:
    loaded = load("rm-bench", REAL)
    assert len(loaded.items) == 798 * 9 == 7182
    assert loaded.missing == {f"math/{kind}": 1587 for kind in ("easy", "hard", "normal")}
    assert sum(loaded.missing.values()) == 4761
    assert len({(item.subset.split("/")[0], item.id.split(":")[0]) for item in loaded.items}) == 798
    assert {item.quality for item in loaded.items} == {(1, 0)}
    assert not any(item.flags for item in loaded.items)


@pytest.mark.long
@on_official_rows(REAL)
def test_a_run_on_the_real_rows_says_what_it_lacks(tmp_path: Path) -> None:
    result = score(sampled(tmp_path, bench="rm-bench", data=REAL, k=1))
    overall = result.rows[0]
    assert overall.name == "overall (3 of 4 sections)"
    assert (overall.items, overall.expected) == (7182, 11943)
    assert any("incomplete data: 4,761 of 11,943 items" in line for line in result.footer)
    assert "overall is INCOMPLETE: no verdict in Math" in result.footer
    domains = [named(result, name).value for name in ("Chat", "Code", "Safety")]
    assert overall.value == pytest.approx(mean(domains), abs=1e-12)
    levels = [named(result, name).value for name in ("Hard", "Normal", "Easy")]
    assert overall.value == pytest.approx(mean(levels), abs=1e-12)
    assert (named(result, "Hard").items, named(result, "Hard").expected) == (798 * 3, 3981)
