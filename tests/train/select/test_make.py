"""Rows of a training set that the fake engine does not write: thinking, hints spoken of, benchmarks."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grmeval.engines.fake import FakeEngine
from grmeval.errors import ConfigError
from grmeval.items import Completion, Request
from grmeval.runs import Engines, Plan, configure, extend, prepare
from grmeval.runs.derived import panel_of
from grmeval.store import RunFolder
from grmeval.train.select.folder import Selection
from grmeval.train.select.make import Choices, select
from grmeval.train.select.runs import Sources
from tests.helpers import Quiet, sampled


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


def rows_file(tmp_path: Path, *labels: list[int] | None) -> Path:
    """A benchmark of pairs with these labels."""
    made = [
        {"id": at, "prompt": f"Which, {at}?", "responses": ["one", "two"]}
        | ({} if label is None else {"quality": label})
        for at, label in enumerate(labels)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
    return path


def test_items_whose_labels_single_out_none_are_dropped_as_such(tmp_path: Path) -> None:
    path = rows_file(tmp_path, [1, 0], [1, 1], [0, 1], [0, 1])
    settings: dict[str, Any] = {"bench": str(path), "k": 3, "engine_args": {"accuracy": 0.5}}
    found = select(Sources(sampled(tmp_path / "r", **settings)), Choices(), tmp_path / "SFT")
    assert found.table["no best"] == [3, 0]
    assert sum(plain for plain, _ in found.table.values()) == 12
    assert "no best: the item's labels single out no best response" in (
        tmp_path / "SFT" / "select.md"
    ).read_text("utf-8")


def test_runs_that_cannot_be_trained_on(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 of 2 items are unlabelled"):
        Sources(sampled(tmp_path, bench=str(rows_file(tmp_path, [1, 0], None)), k=1))
    with pytest.raises(ConfigError, match="judge scalar writes no texts to learn from"):
        Sources(sampled(tmp_path, judge="scalar", k=1, limit=2))
    with pytest.raises(ConfigError, match="judged one by one"):
        Sources(sampled(tmp_path, layout="single", k=1))
    members = [sampled(tmp_path, k=1, seed=seed) for seed in (0, 1)]
    panel, _ = panel_of(members, tmp_path).make()
    with pytest.raises(ConfigError, match="a panel, or imported: nobody here knows"):
        Sources(panel)


def test_rows_that_changed_since_they_were_judged(tmp_path: Path) -> None:
    folder = sampled(tmp_path / "r", bench=str(rows_file(tmp_path, [1, 0], [0, 1])), k=3)
    rows_file(tmp_path, [1, 0], [1, 0])
    with pytest.raises(ConfigError, match="its model, rows or template changed since"):
        Sources(folder)


def test_other_judgements_make_another_set(tmp_path: Path) -> None:
    folder = sampled(tmp_path / "r", k=3)
    select(Sources(folder), Choices(), tmp_path / "SFT")
    deeper = sampled(tmp_path / "r", k=4)
    assert deeper.path == folder.path
    with pytest.raises(ConfigError, match=r"made otherwise \(other k, judgements\)"):
        select(Sources(deeper), Choices(), tmp_path / "SFT")


def test_a_benchmark_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = sampled(tmp_path / "r", bench=str(rows_file(tmp_path, [1, 0], [0, 1])), k=3)
    assert Sources(folder).benchmark is None
    monkeypatch.setattr("grmeval.train.select.runs.bench_ids", lambda: ["rows", "sample"])
    assert Sources(folder).benchmark == "rows"
    assert Sources(sampled(tmp_path, k=1)).benchmark is None  # the packaged sample
