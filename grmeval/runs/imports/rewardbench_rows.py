"""Per-item results of the RewardBench tools (github.com/allenai/reward-bench) -> the neutral columns.

RewardBench     id, subset, results, and perhaps scores_chosen, scores_rejected
RewardBench 2   id, subset, results, scores (one a response, the correct ones first), num_correct, text

The tools also write the texts and the model's settings beside; they are not read.
"""

import reprlib
from typing import Any

from grmeval.errors import DataError

__all__ = ["is_result", "neutral"]


def is_result(row: dict[str, Any]) -> bool:
    """Whether a row is a result of the tools: those number no judgements."""
    return "results" in row and not ("scores" in row and "j" in row)


def neutral(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The row's judgement, with its own `results` beside, where there are scores to hold it against."""
    known = {name: row[name] for name in ("subset", "id") if name in row} | {"j": 0}
    if row.get("scores") is not None or row.get("num_correct") is not None:
        return known | _best_of_n(row, where)
    scores = [_unwrapped(row.get(f"scores_{name}")) for name in ("chosen", "rejected")]
    if scores != [None, None]:
        return known | {"scores": scores, "quality": [1, 0], "results": row["results"]}
    # Judges without scores: the tools leave both columns out, or empty.
    outcomes = {1: [1, 0], 0: [0, 1], 0.5: [1, 1]}
    result = row["results"]
    if isinstance(result, bool | str | list | dict) or result not in outcomes:
        raise DataError(
            f"{where}: results: expected 1, 0 or 0.5, found {reprlib.repr(result)}; "
            "other judgements need the neutral format (docs/benchmarks.md)"
        )
    return known | {"scores": outcomes[result], "quality": [1, 0]}


def _best_of_n(row: dict[str, Any], where: str) -> dict[str, Any]:
    scores, correct = row.get("scores"), row.get("num_correct")
    if scores is None:
        raise DataError(
            f"{where}: scores: null beside results: which response won is not told; leave the row out, or "
            "bring its scores"
        )
    found = {
        "scores": [_unwrapped(score) for score in scores] if isinstance(scores, list) else scores
    }
    if correct is None or not isinstance(scores, list):
        return found | {"results": row["results"]}
    if type(correct) not in (int, float) or correct not in range(1, len(scores) + 1):
        raise DataError(
            f"{where}: num_correct: expected a whole number from 1 to the {len(scores)} scores, found "
            f"{reprlib.repr(correct)}"
        )
    good = int(correct)
    return found | {"quality": [1] * good + [0] * (len(scores) - good), "results": row["results"]}


def _unwrapped(score: Any) -> Any:
    return score[0] if isinstance(score, list) and len(score) == 1 else score
