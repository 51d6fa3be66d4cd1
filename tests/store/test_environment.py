"""Memory as the kernel counts it: of a process and its children, and of nobody before them."""

import subprocess
import sys
from pathlib import Path

import pytest

from grmeval.store import memory
from tests.helpers import ENVIRONMENT

TOLD = sys.platform == "linux"
"""Elsewhere the system tells nothing, and nothing is made up."""

ASK = "from grmeval.store.environment import memory; print(*map(memory().get, ('peak', 'held')))"


def asked(before: str = "") -> tuple[int, int] | None:
    done = subprocess.run(
        [sys.executable, "-c", f"{before}\n{ASK}"], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    peak, held = done.stdout.split()
    assert (peak == held == "None") is not TOLD
    return (int(peak), int(held)) if TOLD else None


def test_a_peak_stays_and_what_is_held_does_not() -> None:
    small, large = asked(), asked("x = bytearray(300 << 20)\ndel x")
    if small is None or large is None:
        return
    assert 250 < large[0] - small[0] < 350
    assert abs(large[1] - small[1]) < 50


def test_a_child_counts_and_begins_at_nothing() -> None:
    waiting = "x = bytearray(200 << 20); print(1, flush=True); input()"
    before = f"""
import subprocess, sys
held = bytearray(300 << 20)
mine = subprocess.run([sys.executable, "-c", {ASK!r}], capture_output=True, text=True).stdout
assert mine.split()[0] == "None" or int(mine.split()[0]) < 150, mine
del held
pipes = {{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}}
other = subprocess.Popen([sys.executable, "-c", {waiting!r}], **pipes)
other.stdout.readline()
"""
    if found := asked(before):
        peak, held = found
        assert held > 200
        assert peak > 500


def test_where_the_system_does_not_tell_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path, *how: object) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert memory() == {}


def test_this_process_is_told() -> None:
    found = memory()
    assert bool(found) is TOLD
    assert not found or 0 < found["held"] <= found["peak"]
    assert "gpu_peak" not in found
