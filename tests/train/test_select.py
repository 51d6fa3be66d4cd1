"""Rows of a training set that the fake engine does not write: thinking, hints spoken of, benchmarks."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from grmeval.engines.fake import FakeEngine
from grmeval.items import Completion, Request
from grmeval.runs import Engines, Plan, configure, extend, prepare
from grmeval.store import RunFolder
from grmeval.train.select import Choices, select
from grmeval.train.selection import Selection
from grmeval.train.sources import Sources
from tests.helpers import Quiet


class Thinking(FakeEngine):
    """It thinks before it writes, begins with blank lines, and says that there was a hint."""

    says = "\n"

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for found in super().generate(requests):
            yield found._replace(text=f"<think>Is it 1?</think>\n\n{self.says}{found.text}\n")


class Telling(Thinking):
    says = "As the hint says.\n"


def run(results: Path, engine: type[FakeEngine], hinted: bool, **settings: Any) -> RunFolder:
    values = {"bench": "sample", "engine": "fake", "results": results, "k": 1 if hinted else 3}
    plan = prepare(configure(values | settings), hinted=hinted)
    return extend(plan, Quiet(), Engines(partial(_open, plan, engine)))


def _open(plan: Plan, engine: type[FakeEngine], seed: int) -> FakeEngine:
    return engine(plan.loaded.items, plan.judge.write, 0, {"accuracy": 0.7})


def made(
    tmp_path: Path, plain: type[FakeEngine], hinted: type[FakeEngine]
) -> tuple[Selection, list[Any]]:
    sources = Sources(run(tmp_path, plain, False), run(tmp_path, hinted, True))
    found = select(sources, Choices(), tmp_path / "SFT")
    return found, [json.loads(line) for line in Path(found.path).read_text("utf-8").splitlines()]


def test_thinking_is_left_out_and_said(tmp_path: Path) -> None:
    found, rows = made(tmp_path, Thinking, FakeEngine)
    kept, hinted = found.table["kept"]
    assert kept + hinted == len(rows)
    for row in rows:
        (said,) = row["completion"]
        assert said["content"].startswith("Specific Criteria:")
        assert said["content"].endswith("}")
    assert found.notes == [f"{kept:,} samples were thought about first: their thinking is left out"]


def test_hinted_texts_that_speak_of_a_hint_are_counted_and_kept(tmp_path: Path) -> None:
    found, rows = made(tmp_path, Telling, Telling)
    kept, hinted = found.table["kept"]
    assert hinted == sum(row["provenance"]["hinted"] for row in rows) > 0
    assert list(found.notes) == [
        f"{kept + hinted:,} samples were thought about first: their thinking is left out",
        f"{hinted:,} hinted samples speak of a hint, which no prompt here holds; they are kept",
    ]


def test_a_part_of_a_run_is_selected_as_it_was_asked_for(tmp_path: Path) -> None:
    folder = run(tmp_path, FakeEngine, False, subset=("*-pairs",), limit=10)
    found = select(Sources(folder), Choices(), tmp_path / "SFT")
    assert found.items == 10
    rows = [json.loads(line) for line in Path(found.path).read_text("utf-8").splitlines()]
    assert {row["provenance"]["subset"].split("-")[1] for row in rows} == {"pairs"}
