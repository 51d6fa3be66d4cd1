"""One engine for several benchmarks: loaded once, never with a seed that a run has seen."""

from pathlib import Path
from typing import Any

import pytest

from grmeval.engines.fake import FakeEngine
from grmeval.errors import EngineError
from grmeval.runs import Engines, Plan, configure, extend, prepare
from grmeval.store import RunFolder
from tests.helpers import Quiet, rows


def plan(results: Path, **settings: Any) -> Plan:
    values = {"bench": "sample", "engine": "fake", "limit": 4, "k": 2, "results": results}
    return prepare(configure(values | settings))


class Opened:
    """Opens fake engines that know every item of the sample, and counts."""

    def __init__(self, one: Plan) -> None:
        self.seeds: list[int] = []
        self.closed = 0
        self._plan = one

    def __call__(self, seed: int) -> FakeEngine:
        self.seeds.append(seed)
        engine = FakeEngine(self._plan.loaded.items, self._plan.judge.write, 0, {})
        engine.close = self._close  # type: ignore[method-assign]
        return engine

    def _close(self) -> None:
        self.closed += 1


def seeds(folder: RunFolder) -> list[int]:
    return [launch["engine_seed"] for launch in RunFolder(folder.path).record["launches"]]


def test_several_runs_share_one_engine(tmp_path: Path) -> None:
    plans = [plan(tmp_path), plan(tmp_path, layout="pairs", bench="sample"), plan(tmp_path, seed=1)]
    opened, watcher = Opened(plans[0]), Quiet()
    with Engines(opened) as engines:
        folders = [extend(one, watcher, engines) for one in (plans[0], plans[2])]
        assert opened.closed == 0
    assert (len(opened.seeds), opened.closed, watcher.loaded) == (1, 1, 1)
    assert [seeds(folder) for folder in folders] == [opened.seeds, opened.seeds]
    assert [len(rows(folder.path)) for folder in folders] == [8, 8]


def test_a_run_that_has_seen_the_seed_gets_another_engine(tmp_path: Path) -> None:
    first, other = plan(tmp_path), plan(tmp_path, seed=1)
    opened = Opened(first)
    with Engines(opened) as engines:
        extend(first, Quiet(), engines)
        folder = extend(other, Quiet(), engines)
        grown = extend(plan(tmp_path, seed=1, k=4), Quiet(), engines)
    assert grown.path == folder.path
    assert len(set(seeds(grown))) == 2
    assert len(opened.seeds) == opened.closed == 2


def test_what_is_there_opens_nothing(tmp_path: Path) -> None:
    extend(plan(tmp_path), Quiet())
    opened = Opened(plan(tmp_path))
    with Engines(opened) as engines:
        extend(plan(tmp_path), Quiet(), engines)
    assert (opened.seeds, opened.closed) == ([], 0)


def test_the_same_command_elsewhere_has_the_same_seeds(tmp_path: Path) -> None:
    one, other = (extend(plan(tmp_path / name), Quiet()) for name in "ab")
    assert seeds(one) == seeds(other)


def test_an_engine_that_died_is_closed(tmp_path: Path) -> None:
    dying = plan(tmp_path, engine_args={"die_after": 3})
    opened = Opened(dying)
    with pytest.raises(EngineError), Engines() as engines:
        extend(dying, Quiet(), engines)
    with Engines(opened) as engines:
        extend(plan(tmp_path), Quiet(), engines)
    assert opened.closed == 1
