"""What several files of the command line share."""

import pytest

from tests.helpers import child_here


@pytest.fixture
def children_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that starts another has it run in this process; for tests that are not of processes."""
    for module in ("suite", "meta_score"):
        monkeypatch.setattr(f"grmeval.cli.{module}.run_child", child_here)
