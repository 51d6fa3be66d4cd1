"""Suites: what a paper's tables take as runs, one TOML each in tasks/suites (or a file of the user's)."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from grmeval import resources
from grmeval.config import RunConfig
from grmeval.errors import ConfigError, nearest
from grmeval.files import read_toml
from grmeval.secret_keys import refuse_secrets

__all__ = [
    "Estimates",
    "Role",
    "Suite",
    "SuiteRow",
    "SuiteRun",
    "SuiteTable",
    "read_suite",
    "suites",
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(_Part):
    """A model that the paper had; `default`: a preset that is it."""

    title: str
    default: str | None = None


class SuiteRun(_Part):
    """One `grmeval run`: whose model, which benchmarks or groups, which settings.

    `meta`: the role of its meta RM; `critiques`: the run whose texts it reads.
    """

    model: str
    bench: tuple[str, ...] = Field(min_length=1)
    meta: str | None = None
    critiques: str | None = None
    settings: dict[str, Any] = {}


class SuiteRow(_Part):
    """A printed row, and what makes it: the vote of k samples of a run."""

    row: str
    run: str
    k: int = Field(1, ge=1)
    vote: str = "sum"
    k_meta: int | None = Field(None, ge=1)


class SuiteTable(_Part):
    """A printed table, by its name in `grmeval published`."""

    table: str
    rows: tuple[SuiteRow, ...]


class Estimates(_Part):
    """What a dry run assumes where nothing was measured: tokens of a judgement, tokens a second and GPU."""

    generated: float = Field(gt=0)
    generated_per_second: float = Field(gt=0)
    prompt_per_second: float = Field(gt=0)


class Suite(_Part):
    """Tables, the runs they take, and the models these take; the first model is that of a bare --model."""

    title: str
    protocol: str = "official"
    models: dict[str, Role] = Field(min_length=1)
    runs: dict[str, SuiteRun]
    tables: tuple[SuiteTable, ...]
    estimate: Estimates

    @model_validator(mode="after")
    def _whole(self) -> "Suite":
        before: list[str] = []
        for name, run in self.runs.items():
            for role in filter(None, (run.model, run.meta)):
                _known(f"runs.{name}", role, self.models)
            if run.critiques:  # made before it is read
                _known(f"runs.{name}.critiques", run.critiques, before)
            for setting in run.settings:
                _known(f"runs.{name}.settings", setting, RunConfig.model_fields)
            before.append(name)
        for table in self.tables:
            for row in table.rows:
                _known(f"table {table.table}, {row.row}", row.run, self.runs)
        return self


def _known(where: str, name: str, allowed: Any) -> None:
    if name not in allowed:
        raise ValueError(f"{where}: {name!r}: {nearest(name, list(allowed))}")


def suites() -> list[str]:
    """Names of the packaged ones."""
    return sorted(path.stem for path in (resources.tasks() / "suites").glob("*.toml"))


def read_suite(name: str) -> tuple[str, Suite]:
    """(name, suite) of a packaged suite or a .toml of the user's; ConfigError says what is wrong there."""
    path = Path(name).expanduser()
    if path.suffix != ".toml":
        if name not in suites():
            raise ConfigError(f"SUITE {name!r}: {nearest(name, suites())}; or a .toml of yours")
        path = resources.tasks() / "suites" / f"{name}.toml"
    try:
        suite = Suite(**read_toml(path))
        for name, run in suite.runs.items():
            refuse_secrets(f"{path}: runs.{name}.settings.", run.settings)
        return path.stem, suite
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        said = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}: {where + ': ' if where else ''}{said}") from None
