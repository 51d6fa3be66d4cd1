"""One generating model through vLLM for all tests that can share it: loading it takes longer than they do."""

import os
from collections.abc import Iterator

import pytest

from grmeval.engines import Sampling
from grmeval.engines.models import resolve
from grmeval.engines.settings import ModelSettings
from grmeval.engines.vllm import VllmEngine

__all__ = ["CONTEXT"]

CONTEXT = 2048

if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads that wait for one another while the other cores run other tests wait most of the time.
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def loaded() -> Iterator[VllmEngine]:
    """In float32: three times as fast as bfloat16 on a CPU without instructions for that."""
    settings = ModelSettings(resolve("demo", None).location, dtype="float32", max_model_len=CONTEXT)
    engine = VllmEngine(settings, Sampling(1.0, 1.0, 24), seed=1)
    yield engine
    engine.close()


@pytest.fixture
def sampling() -> Sampling:
    """How texts are drawn; a module may say something else."""
    return Sampling(temperature=1.0, top_p=1.0, max_tokens=24)


@pytest.fixture
def engine(loaded: VllmEngine, sampling: Sampling) -> VllmEngine:
    """The shared model, which draws as the test's module wants."""
    loaded._sampling = sampling
    return loaded
