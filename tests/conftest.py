"""What holds for every test."""

import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
LAWS = "tests/test_fuzz.py"
"""Its tests share nothing, and `make fuzz` runs no others."""

# Whoever starts the tests in the background of a script has Ctrl-C ignored, and processes that tests start
# would inherit that: with a handler here they have the usual one.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Read as huggingface_hub is imported; the command line runs in this process too.
os.environ["HF_HUB_OFFLINE"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads that wait for one another while the other cores run other tests wait most of the time. Before
    # tests/helpers.py is imported, which keeps the environment for what it starts.
    os.environ["OMP_NUM_THREADS"] = "1"
# Examples of each law that anything has to obey: few each time, many in `make test-long`.
settings.register_profile(
    "grmeval",
    max_examples=int(os.environ.get("GRMEVAL_FUZZ", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("grmeval")


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """What a process has written outlives its being killed: only a machine that goes down loses it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture reads them: which of the authors' rows are missing."""
    for mark in item.iter_markers("official_rows"):
        (copy,) = mark.args
        if not copy.exists():
            pytest.fail(
                f"the authors' rows are not at {copy}: put a copy there (`grmeval benches` says where each "
                "comes from), or leave out what needs them: -m 'not official_rows and not long'",
                pytrace=False,
            )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests go to one process, for what they share is made once; files go to whichever is free.

    Those that load vLLM, or train, are as one file: they take every core, and long to import. Of Ray each
    process does so for itself.
    (`--dist loadgroup` is for that, but its groups have no effect with pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file == LAWS:
                return nodeid
            return "every core" if _takes_every_core(file) else file

    return ByFile(config, log)


@cache
def _takes_every_core(file: str) -> bool:
    text = (ROOT / file).read_text("utf-8")
    heavy = "pytest.mark.vllm" in text or "pytest.mark.train" in text
    return heavy and "pytest.mark.ray" not in text
