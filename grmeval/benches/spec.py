"""What a benchmark's TOML may say; an unknown key is an error."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from grmeval.errors import ConfigError

__all__ = ["BenchSpec", "Section", "Source", "Table", "read_spec"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Strict):
    """Where the rows come from."""

    packaged: str | None = None
    """A file that ships beside the TOML."""
    github: str | None = None
    hub: str | None = None
    """Dataset id on the hub."""
    revision: str | None = None
    root: str = ""
    """Folder inside a copy or archive that holds the tables; nothing outside it is read."""


class Table(_Strict):
    """Files whose rows have one shape.

    Column names are dotted paths; `loser_list[].answer` is the column `answer` of every element.
    """

    files: str
    """Pattern below the source's root."""
    shape: Literal["pair", "best-of-n", "neutral"]
    id: str = "id"
    subset: str | None = None
    """Column of the subset; without it the file's path, less its ending, is the subset."""
    conversation: str = "conversation"
    best: str = ""
    others: str = ""
    meta: tuple[str, ...] = ()


class Section(_Strict):
    """Subsets that are reported together: micro average over their items, unless they are weighed."""

    name: str
    subsets: tuple[str, ...]
    """Subset names or patterns."""
    weight: float = Field(1.0, gt=0)
    """Of the section in the overall mean."""
    weights: dict[str, float] = {}
    """Of each subset in the section's mean; empty: micro average."""


class BenchSpec(_Strict):
    """One benchmark: source, rows, sections, official rules."""

    id: str
    title: str
    paper: str
    licence: str
    metric: str
    """One sentence: how the overall number is formed."""
    ties: Literal["wrong", "share", "half", "random"]
    on_invalid: Literal["wrong", "share", "half", "drop"]
    threshold: float = 5.5
    """One-response items: judged right when the mean valid score is at least this."""
    get: str = ""
    """What to tell a user who has no copy."""
    source: Source
    tables: tuple[Table, ...]
    sections: tuple[Section, ...]
    expected: dict[str, int]
    """Items a complete copy has, by subset, in the layout `list`."""

    @model_validator(mode="after")
    def _every_subset_weighs(self) -> "BenchSpec":
        for subset in self.expected:
            section = self.sections[self.section_of(subset)]
            if section.weights and subset not in section.weights:
                raise ValueError(f"section {section.name!r} gives no weight to {subset!r}")
        return self

    def section_of(self, subset: str) -> int:
        """The index of the one section that holds a subset; ConfigError if none does."""
        for index, section in enumerate(self.sections):
            if any(fnmatchcase(subset, pattern) for pattern in section.subsets):
                return index
        raise ConfigError(f"bench {self.id}: no section holds the subset {subset!r}")


def read_spec(path: Path) -> BenchSpec:
    """Read a benchmark's TOML; ConfigError names file and key."""
    try:
        return BenchSpec(**tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join(lines)) from None
