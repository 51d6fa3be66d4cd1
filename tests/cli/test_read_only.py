"""A run that may be read and not written, an archive or a colleague's, is drawn, scored and diagnosed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from grmeval.store import all_runs
from tests.helpers import ask, grmeval, sampled

NOBODY = 65534


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """For root no folder is read-only: what is inside runs as a user for whom file modes count."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder with one run, both read-only; all that the commands import is imported."""
    place = Path(tempfile.mkdtemp(prefix="grmeval-"))  # pytest's own folders are closed to others
    try:
        run = sampled(place / "r", k=2, limit=6).path
        for words in (
            ["scale-curve", run],
            ["diagnose", run],
            ["score", run, "--save"],
            ["trend", place],
        ):
            ask(*words)
        for path in [*place.rglob("*"), place]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield place
    finally:
        for path in [place, *place.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(place)


@pytest.mark.parametrize(
    "words",
    [["scale-curve"], ["scale-curve", "--json"], ["diagnose"], ["diagnose", "--json"], ["trend"]],
)
def test_what_nobody_asked_to_be_written_is_printed_and_said(place: Path, words: list[str]) -> None:
    (run,) = all_runs(place / "r")
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    with nobody():
        with pytest.raises(PermissionError):
            (run / "new").touch()
        found = grmeval(words[0], place if words == ["trend"] else run, *words[1:], cwd=place)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("{" if "--json" in words else "grmeval sample")
    (said,) = found.stderr.splitlines()
    assert said.startswith(f"read-only, nothing is written there: {place}")
    assert before == {path: path.stat().st_mtime_ns for path in place.rglob("*")}


def test_scoring_writes_nothing_unless_asked(place: Path) -> None:
    (run,) = all_runs(place / "r")
    with nobody():
        found = grmeval("score", run, cwd=place)
        asked = [
            grmeval(*words, cwd=place)
            for words in (("score", run, "--save"), ("trend", place, "--to", place / "t"))
        ]
    assert (found.returncode, found.stderr) == (0, "")
    assert "overall" in found.stdout
    for each in asked:
        assert (each.returncode, "cannot be written" in each.stderr) == (3, True)
