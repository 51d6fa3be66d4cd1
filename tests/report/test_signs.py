"""Signs of life: said as something begins, and again while it lasts; nothing afterwards."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from grmeval.report.progress import ConsoleProgress
from grmeval.report.signs import EVERY, Signs, say
from grmeval.runs import Estimate, Plan, configure, prepare
from tests.helpers import until

OFTEN = 0.001


def test_silence_is_ten_seconds_at_most() -> None:
    assert EVERY == 10


def test_what_begins_is_said_and_then_how_long_it_takes() -> None:
    said: list[str] = []
    with Signs(said.append, OFTEN) as signs:
        signs.at("reading rmb")
        assert said[0] == "reading rmb …"
        until(lambda: len(said) > 2)
        signs.at("loading the model")
        until(lambda: said[-1].startswith("loading the model …, "))
    begun = said.index("loading the model …")
    assert set(said[1:begun]) == {"reading rmb …, 0 s so far"}
    assert set(said[begun + 1 :]) == {"loading the model …, 0 s so far"}


def test_nothing_is_said_where_nothing_is_done_or_all_is_over() -> None:
    said: list[str] = []
    signs = Signs(said.append, OFTEN)
    with signs:
        signs.at("reading")
        until(lambda: len(said) > 1)
        signs.so_far(None)
        before = len(said)
        signs.so_far(lambda: "sampling")
        until(lambda: len(said) > before)
        assert set(said[before:]) == {"sampling"}
    watcher = signs._watcher
    assert watcher
    assert not watcher.is_alive()


def test_an_error_ends_it() -> None:
    signs = Signs(lambda line: None, OFTEN)
    signs.at("reading")
    with pytest.raises(KeyboardInterrupt), signs:
        raise KeyboardInterrupt
    watcher = signs._watcher
    assert watcher
    assert not watcher.is_alive()


def test_a_line_makes_no_terminal_act(capsys: pytest.CaptureFixture[str]) -> None:
    say("reading \x1b[2J")
    assert capsys.readouterr().err == "reading \\x1b[2J\n"


def plan() -> Plan:
    return prepare(configure({"bench": "sample", "engine": "fake"}))


def console() -> Any:
    return Console(file=io.StringIO(), force_terminal=False, width=400)


def test_a_judgement_that_takes_long_is_no_silence() -> None:
    """Lines come by the clock, not with the samples."""
    said: list[str] = []
    shown = console()
    with Signs(said.append, OFTEN) as signs:
        progress = ConsoleProgress(shown, signs)
        progress.loading(plan(), is_open=False)
        until(lambda: said[-1] == "loading engine fake: fake …, 0 s so far")
        progress.begin(Estimate(75, 150, 600, 0, 50_000, 600_000))
        until(lambda: said[-1].startswith("0/600, 0.0 samples/s, 0 tokens/s, "))
        done: Any = SimpleNamespace(tokens=3, invalid=None)
        progress.advance(done)
        progress.end()
        until(lambda: said[-1] == "folding the journal into samples.parquet …")
    assert "600 samples of 75 items: 150 distinct prompts" in shown.file.getvalue()


def test_an_engine_that_is_open_is_not_loaded() -> None:
    said: list[str] = []
    with Signs(said.append, OFTEN) as signs:
        ConsoleProgress(console(), signs).loading(plan(), is_open=True)
    assert said == []
