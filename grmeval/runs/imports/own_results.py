"""A file's own results, held against its scores: under which rule for ties do those give these?"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from grmeval.benches import BenchSpec
from grmeval.runs.imports.judgement_file import Judgement

__all__ = ["OwnResults"]

RULES = ("wrong", "share", "half")
"""Words of --ties whose verdict is no draw."""

CLOSE = 1e-6
SHOWN = 5
"""Subsets that a note lists."""


class OwnResults:
    """Rows are added one by one; `notes` then says what agrees.

    Counted are rows that say what they earn, and of which it is known which responses are good. What a
    row of RewardBench 2's Ties earns is no matter of that row alone.
    """

    def __init__(self, spec: BenchSpec) -> None:
        self._spec = spec
        self._rows = Counter[str]()
        self._agree = {rule: Counter[str]() for rule in RULES}
        self._first: dict[str, str] = {}

    def add(self, row: Judgement, subset: str) -> None:
        """Take a row as it stands in the file, and the subset of its item."""
        if row.result is None or row.scores is None or row.quality is None:
            return
        if self._spec.sections[self._spec.section_of(subset)].rule == "ties":
            return
        self._rows[subset] += 1
        for rule, earned in _earned(row.scores, row.quality).items():
            if abs(earned - row.result) <= CLOSE:
                self._agree[rule][subset] += 1
            else:
                said = f"results {row.result:g} where the scores earn {earned:g}"
                self._first.setdefault(rule, f"{row.where}: {said}")

    def notes(self, file: Path) -> tuple[str, ...]:
        """A line under the rule in force, and one on the rule that the file's results follow, if another."""
        rows, ruling = self._rows.total(), self._spec.ties
        if not rows or ruling not in RULES:
            return ()
        agree = {rule: counts.total() for rule, counts in self._agree.items()}
        of = f"{file}: its own results: {agree[ruling]:,} of {rows:,} are what its scores earn"
        line = f"{of} under ties: {ruling}, the rule in force"
        if agree[ruling] == rows:
            return (line,)
        unlike = ((s, n - self._agree[ruling][s], n) for s, n in sorted(self._rows.items()))
        return f"{line}; not {_listed(unlike)}", self._others(agree, rows)

    def _others(self, agree: dict[str, int], rows: int) -> str:
        follows = [rule for rule in RULES if agree[rule] == rows]
        if follows:
            word = " and ".join(follows)
            return f"all of them under ties: {word}: `grmeval score RUN --ties {follows[0]}`"
        best = max(RULES, key=lambda rule: agree[rule])
        counts = ", ".join(f"{rule} {agree[rule]:,}" for rule in RULES)
        return f"no rule gives all of them ({counts}); the first that {best} does not: {self._first[best]}"


def _earned(scores: tuple[float | None, ...], quality: tuple[int, ...]) -> dict[str, float]:
    """What one judgement earns, by the rule for ties; a response without a score is behind all others."""
    highest = max(score for score in scores if score is not None)
    winners = [good for score, good in zip(scores, quality, strict=True) if score == highest]
    won = sum(winners) / len(winners)
    if won in (0, 1):
        return dict.fromkeys(RULES, won)
    return {"wrong": 0.0, "share": won, "half": 0.5}


def _listed(unlike: Iterable[tuple[str, int, int]]) -> str:
    found = [f"{subset} {other:,} of {rows:,}" for subset, other, rows in unlike if other]
    return ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" * (len(found) > SHOWN))
