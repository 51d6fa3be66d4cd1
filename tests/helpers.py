"""What several test files share: the command line as a real process, and a run made in this one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grmeval.items import Sample
from grmeval.judges import JUDGES, PromptedJudge
from grmeval.runs import Estimate, Plan, configure, extend, prepare
from grmeval.store import RunFolder

SHARED = Path(__file__).parents[2] / "shared" / "data"
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "100", "PYTHONWARNINGS": "default"}

WRITING = {
    name: judge
    for name, judge in JUDGES.items()
    if issubclass(judge, PromptedJudge) and not judge.head
}
"""Judges that generate text."""


def on_official_rows(copy: Path) -> pytest.MarkDecorator:
    """For a test on third-party rows, which this repository may not hold; else it is skipped.

    Whatever it runs also runs on rows of our own, in tests that are never skipped.
    """
    why = f"third-party rows, not to be shipped, are not on this machine: {copy}"
    return pytest.mark.skipif(not copy.exists(), reason=why)


class Quiet:
    """A watcher that counts."""

    loaded = 0
    samples = 0

    def loading(self, plan: Plan, is_open: bool) -> None:
        self.loaded += not is_open

    def begin(self, estimate: Estimate) -> None:
        self.estimate = estimate

    def advance(self, sample: Sample) -> None:
        self.samples += 1

    def end(self) -> None:
        pass


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "grmeval", *map(str, arguments)]


def grmeval(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=ENVIRONMENT, check=False, **more
    )


def left_early(*arguments: object) -> int:
    """Exit code of a command whose reader is gone before it writes, and which must not complain."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command(*arguments), stdout=pipe, stderr=pipe, env=ENVIRONMENT
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b""
        return running.wait(60)


def sampled(results: Path, watcher: Quiet | None = None, **settings: Any) -> RunFolder:
    """A run of the fake engine (unless told otherwise) on the packaged sample, in this process."""
    values = {"bench": "sample", "engine": "fake", "results": results} | settings
    return extend(prepare(configure(values)), watcher or Quiet())


def rows(folder: Path) -> list[dict[str, Any]]:
    """samples.parquet, less the one column that says which process wrote a row."""
    table = pq.read_table(folder / "samples.parquet")
    found: list[dict[str, Any]] = table.drop_columns(["launch"]).to_pylist()
    return found
