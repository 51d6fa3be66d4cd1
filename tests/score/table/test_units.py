"""A run's figures do not depend on the unit of its scores: a benchmark of every kind, imported twice."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grmeval.runs.imports import import_scores
from grmeval.score import scale, score
from grmeval.store import RunFolder

Item = tuple[str, str, Sequence[int], dict[str, Any]]  # subset, id, quality, more columns
SAMPLES = 4

AREAS = ("Helpfulness/Brainstorming/Idea", "Harmlessness/S1")

SETS: dict[str, list[Item]] = {
    "rewardbench": [
        (subset, str(number), [1, 0], {})
        for subset in ("math-prm", "hep-go", "donotanswer", "alpacaeval-easy")
        for number in range(8)
    ],
    "rewardbench-2": [
        *(("Math", str(number), [1, 0, 0, 0], {}) for number in range(8)),
        *(("Ties", f"tied:{number}", [1, 1, 1, 0, 0], {}) for number in range(6)),
        *(("Ties", f"ref:{number}", [1, 0, 0], {}) for number in range(6)),
    ],
    "rmb": [
        *(
            (f"Pairwise_set/{area}", f"p{number}", [1, 0], {})
            for area in AREAS
            for number in range(6)
        ),
        *(
            (f"BoN_set/{area}", f"b{number}", [1, 0, 0, 0], {})
            for area in AREAS
            for number in range(6)
        ),
    ],
    "rm-bench": [
        (f"{domain}/{level}", f"{number}:{style}", [1, 0], {})
        for domain, level in (("chat", "easy"), ("math", "hard"), ("safety", "normal"))
        for number in range(3)
        for style in range(3)
    ],
    "ppe-preference": [("human preference", str(number), [1, 0], {}) for number in range(12)],
    "ppe-correctness-pool": [("math", str(number), [1, 0, 1, 0, 0, 1], {}) for number in range(8)],
    "judgebench": [
        ("gpt-4o-2024-05-13/mmlu-pro-law", str(number), [1, 0], {"order": True})
        for number in range(12)
    ],
    "realmistake": [
        ("math_word_problem_generation/gpt-4-0613", str(number), [number % 2], {})
        for number in range(16)
    ],
}


def judgements(bench: str, step: float) -> Iterator[dict[str, Any]]:
    """Whole scores from 1 to 5 in such steps; a few samples of items that are judged whole are unreadable."""
    rng = np.random.default_rng(3)
    for subset, name, quality, more in SETS[bench]:
        for j in range(SAMPLES):
            scores: Any = (rng.integers(1, 6, len(quality)) * step).tolist()
            if rng.random() < 0.1 and subset != "Ties":
                scores = None
            row = {"subset": subset, "id": name, "j": j, "scores": scores, "quality": quality}
            if more.get("order"):
                row["order"] = [j % 2, 1 - j % 2]
            yield row | {"meta_reward": float(rng.integers(-2, 3)) / 2}


def imported(folder: Path, bench: str, step: float) -> RunFolder:
    folder.mkdir()
    spec, file = folder / "own.toml", folder / "judged.jsonl"
    spec.write_text(f'extends = "{bench}"\nid = "own"\nthreshold = {3 * step!r}\n')
    file.write_text("".join(json.dumps(row) + "\n" for row in judgements(bench, step)))
    return import_scores(file, str(spec), "judge/one", None, folder / "results").folder


def figures(folder: RunFolder, bench: str) -> list[Any]:
    votes = ["sum", "mean", "median", "majority", "max"]
    if bench not in ("rewardbench-2", "ppe-correctness-pool"):  # judged one by one: no meta reward
        votes += ["meta", "meta-weighted"]
    result = score(folder, votes=votes)
    rows = [
        (r.name.partition(" (thr")[0], r.value, r.low, r.high, r.tied, r.silent, r.auc)
        for r in result.rows
    ]
    curve = [(r.name, r.k, r.vote, r.value, r.low) for r in scale(folder, votes=votes).rows]
    return [*rows, *curve]


SMALL, MIDDLE, LARGE = (1e-10,), (1e-3,), (1e6,)


@pytest.mark.parametrize(
    "steps",
    [SMALL, pytest.param(MIDDLE + LARGE, marks=pytest.mark.long)],
    ids=["tiny", "small and large"],
)
@pytest.mark.parametrize("bench", SETS)
def test_a_table_has_no_unit(tmp_path: Path, bench: str, steps: tuple[float, ...]) -> None:
    wanted = figures(imported(tmp_path / "whole", bench, 1.0), bench)
    for number, step in enumerate(steps):
        found = figures(imported(tmp_path / str(number), bench, step), bench)
        assert len(found) == len(wanted)
        for one, other in zip(wanted, found, strict=True):
            text = [each for each in one if isinstance(each, str)]
            assert text == [each for each in other if isinstance(each, str)]
            numbers = [
                [np.nan if each is None else each for each in row if not isinstance(each, str)]
                for row in (one, other)
            ]
            assert numbers[0] == pytest.approx(numbers[1], abs=1e-9, nan_ok=True)
