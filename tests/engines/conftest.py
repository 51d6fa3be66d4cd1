"""One generating model through vLLM for all tests that can share it: loading it takes longer than they do."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from grmeval.engines import Sampling
from grmeval.engines.vllm import VllmEngine
from tests.heads import few_layers
from tests.helpers import grmeval

__all__ = ["CONTEXT", "SMALL", "Commanded"]

CONTEXT = 2048


def small(model: object) -> tuple[object, ...]:
    """Words of a small run, in float32: three times as fast as bfloat16 on a CPU that lacks it."""
    words = ("--bench", "sample", "--model", model, "--structured", "--dtype", "float32")
    return (*words, "--limit", 2, "--max-tokens", 96, "--max-model-len", CONTEXT)


SMALL = small("demo")


class Commanded(NamedTuple):
    """What `grmeval run` did of these words, and the engine that it loaded."""

    words: tuple[object, ...]
    done: subprocess.CompletedProcess[str]
    results: Path
    engine: VllmEngine


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is quick to load and to ask."""
    return few_layers(tmp_path_factory.mktemp("models") / "few-layers")


@pytest.fixture(scope="session")
def commanded(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commanded]:
    """A run of two samples of two items through the command line; its engine is closed last of all."""
    results, kept = tmp_path_factory.mktemp("commanded"), []
    words = (*small(few), "--results", results)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VllmEngine, "close", lambda engine: kept.append(engine))
        done = grmeval("run", *words, "--k", 2)
    assert done.returncode == 0, done.stderr
    (engine,) = kept
    yield Commanded(words, done, results, engine)
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
