"""One generating model through vLLM for all tests that can share it: loading it takes longer than they do."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from grmeval.engines import Sampling
from grmeval.engines.vllm import VllmEngine
from tests.helpers import grmeval

__all__ = ["CONTEXT", "SMALL", "Commanded"]

CONTEXT = 2048
SMALL = (
    *("--bench", "sample", "--model", "demo", "--dtype", "float32", "--limit", 2),
    *("--max-tokens", 96, "--max-model-len", CONTEXT),
)
"""In float32: three times as fast as bfloat16 on a CPU without instructions for that."""


class Commanded(NamedTuple):
    """What `grmeval run` did, and the engine that it loaded."""

    done: subprocess.CompletedProcess[str]
    results: Path
    engine: VllmEngine


@pytest.fixture(scope="session")
def commanded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commanded]:
    """A run of two samples of two items through the command line; its engine is closed last of all."""
    results, kept = tmp_path_factory.mktemp("commanded"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VllmEngine, "close", lambda engine: kept.append(engine))
        done = grmeval("run", *SMALL, "--k", 2, "--results", results)
    assert done.returncode == 0, done.stderr
    (engine,) = kept
    yield Commanded(done, results, engine)
    engine.close()


@pytest.fixture(scope="session")
def loaded(commanded: Commanded) -> VllmEngine:
    return commanded.engine


@pytest.fixture
def sampling() -> Sampling:
    """How texts are drawn; a module may say something else."""
    return Sampling(temperature=1.0, top_p=1.0, max_tokens=24)


@pytest.fixture
def engine(loaded: VllmEngine, sampling: Sampling) -> VllmEngine:
    """The shared model, which draws as the test's module wants."""
    loaded._sampling = sampling
    return loaded
