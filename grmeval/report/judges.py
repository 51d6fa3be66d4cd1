"""The judges there are: what each writes, its scores, the votes that make sense, what it needs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from grmeval.judges import JUDGES, Needs

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["JudgeLine", "judge_lines", "judges_json", "judges_table"]


@dataclass(frozen=True)
class JudgeLine:
    """One judge; the first of `votes` is used where nobody says which."""

    judge: str
    about: str
    low: int | None
    high: int | None
    votes: tuple[str, ...]
    needs: tuple[str, ...]


def judge_lines() -> list[JudgeLine]:
    """Every judge."""
    return [
        JudgeLine(name, judge.about, *_range(judge), judge.votes, tuple(_words(judge.needs)))
        for name, judge in JUDGES.items()
    ]


def _range(judge: Any) -> tuple[int | None, int | None]:
    return judge.score_range or (None, None)


def _words(needs: Needs) -> list[str]:
    words = ["a reference answer"] if needs.reference else []
    words += ["--principles"] if needs.principles else []
    words += ["--critiques"] if needs.critiques else []
    return words + ([f"{needs.responses} or more responses"] if needs.responses > 1 else [])


def judges_json(lines: Sequence[JudgeLine]) -> str:
    """The same as JSON."""
    return json.dumps([asdict(line) for line in lines], indent=1) + "\n"


def judges_table(lines: Sequence[JudgeLine]) -> "Table":
    """For 80 columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    widths = {"judge": 20, "what it writes": 22, "scores": 6, "votes": 14, "needs": 12}
    for title, width in widths.items():
        table.add_column(title, overflow="fold", width=width)
    for line in lines:
        scores = "any" if line.low is None else f"{line.low}-{line.high}"
        cells = (line.judge, line.about, scores, ", ".join(line.votes), ", ".join(line.needs))
        table.add_row(*map(Text, cells))
    return table
