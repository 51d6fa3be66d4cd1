"""What a benchmark's TOML may say; an unknown key is an error.

A TOML that `extends` another takes over what that one says: tables, sections and expected rows are
added to its own, any other key is replaced.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from grmeval import resources
from grmeval.errors import ConfigError, nearest
from grmeval.files import read_toml

__all__ = [
    "BenchSpec",
    "Section",
    "Source",
    "Table",
    "View",
    "holds",
    "read_spec",
    "read_spec_as",
]


def holds(patterns: Sequence[str], subset: str) -> bool:
    """Whether a subset is named, or matched by a pattern."""
    return subset in patterns or any(fnmatchcase(subset, pattern) for pattern in patterns)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Weight = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class Source(_Strict):
    """Where the rows come from."""

    packaged: str | None = None
    """A file or folder that lies beside the TOML."""
    github: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    """Owner and name of a repository."""
    archive: str | None = None
    """The file in it that is an archive of the rows; without one, the repository's own archive is it."""
    password: str | None = Field(default=None, exclude=True)
    """Of an encrypted zip; its authors publish it. Not in a run's record."""
    restricted: bool = False
    """Whether its authors ask that no example appear in plain text: reports leave texts out unless asked."""
    hub: str | None = None
    """Dataset id on the hub."""
    revision: str | None = None
    """Commit (or branch or tag) on the hub or of the repository."""
    root: str = ""
    """Folder inside a copy or archive that holds the tables; nothing outside it is read."""


_NEEDS = {
    **dict.fromkeys(("pair", "best-of-n", "matrix", "ties"), ("best", "others")),
    "labelled": ("responses", "label", "labels"),
    "conflict-pairs": ("responses", "label", "pairs"),
    "pool": ("responses", "label"),
    "rated": ("responses", "rating"),
}
"""What a table's shape cannot do without."""


class Table(_Strict):
    """Files whose rows have one shape.

    Column names are dotted paths; `loser_list[].answer` is the column `answer` of every element.
    """

    files: str
    """Pattern below the source's root."""
    shape: Literal[
        "neutral",
        "pair",
        "best-of-n",
        "labelled",
        "rated",
        "matrix",
        "conflict-pairs",
        "pool",
        "ties",
    ]
    """How a row becomes items: see `grmeval.benches.shapes`."""
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    """Subsets (patterns) of which rows are taken, or left to another table of the same files."""
    hub: str | None = None
    """Dataset id on the hub, where it is not the source's."""
    id: str | tuple[str, ...] | None = None
    """Column of the id (several: joined by ":"); "" numbers the rows of a file from 1; without it a row's
    `id`, or its number."""
    subset: str | None = None
    """Column of the subset."""
    subset_name: str | None = None
    """The one subset of all its rows. Without either, the file's path less its ending is the subset."""
    subset_prefix: str = ""
    """Put before what the column says."""
    conversation: str | None = None
    """Column of the prompt; without it `conversation`, or `prompt`."""
    turn_marker: str = ""
    """What stands, before `User` or `Assistant` and a line break, between the turns that one text holds."""
    best: str = ""
    others: str = ""
    """pair, best-of-n, matrix, ties: columns of the good and of the other responses."""
    responses: str | tuple[str, ...] = ()
    """labelled: their columns; conflict-pairs, pool: one name with {} for the numbers from 1; rated: one
    column, a list."""
    label: str = ""
    """labelled: column of the verdict; conflict-pairs, pool: list of one 0 or 1 a response."""
    labels: dict[str, tuple[Literal[0, 1], ...]] = {}
    """labelled: what each verdict says of the responses: quality."""
    rating: str = ""
    """rated: column of one number a response; those of the highest are the good ones."""
    strength: str = ""
    """Column of a number: by how much the better response is preferred, of any sign; rows may lack it."""
    pairs: str = ""
    """conflict-pairs: column with pairs of places (from 0) in `responses`."""
    reference: str = "reference"
    group: str = "group"
    cluster: str = "cluster"
    """Columns that a row may lack."""
    meta: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_what_its_shape_needs(self) -> "Table":
        if absent := [name for name in _NEEDS.get(self.shape, ()) if not getattr(self, name)]:
            raise ValueError(f"shape {self.shape!r} needs {', '.join(absent)}")
        if self.shape == "labelled":
            if isinstance(self.responses, str):
                raise ValueError("responses: expected a list of columns")
            lists = any("[]" in column for column in self.responses)
            if not lists and {len(self.responses)} != set(map(len, self.labels.values())):
                raise ValueError(f"labels: expected {len(self.responses)} numbers each")
        if self.shape == "rated" and not isinstance(self.responses, str):
            raise ValueError("responses: expected one column, such as 'completions[].response'")
        if self.shape in ("conflict-pairs", "pool") and not (
            isinstance(self.responses, str) and re.fullmatch(r"[^{}]*\{\}[^{}]*", self.responses)
        ):
            raise ValueError("responses: expected one name with {} for the number, 'response_{}'")
        return self


class Section(_Strict):
    """Subsets that are reported together: micro average over their items, unless they are weighed."""

    name: str
    subsets: tuple[str, ...]
    """Subset names or patterns."""
    weight: Weight = 1.0
    """Of the section in the overall mean."""
    weights: dict[str, Weight] = {}
    """Of each subset in the section's mean; empty: micro average."""
    rule: Literal["accuracy", "ties", "best-of-k"] = "accuracy"
    """What its items are worth together: right verdicts; RewardBench 2's Ties; the area of best-of-K."""


class View(_Strict):
    """Subsets that are also reported by themselves, formed as the overall is."""

    name: str
    subsets: tuple[str, ...]
    """Subset names or patterns."""


_METRICS = {
    "mean": "mean of the sections, each a micro average over its items",
    "micro": "micro average over the items",
    "roc-auc": "ROC-AUC over one-response items",
}
"""What `overall` comes to, where a TOML does not say it better."""


class BenchSpec(_Strict):
    """One benchmark: source, rows, sections, official rules."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    paper: str = ""
    licence: str = ""
    overall: Literal["mean", "micro", "roc-auc"] = "mean"
    """Mean of the sections under their weights; micro average; ROC-AUC over one-response items."""
    games: bool = False
    """Pairs: vote inside each response order, right where more orders are won than lost (JudgeBench)."""
    figures: tuple[Literal["detection", "pools", "arena", "ties-too"], ...] = ()
    """What else is computed: see `grmeval.score.table.benchmark_figures`."""
    metric: str = ""
    """One sentence: how the overall number is formed."""
    ties: Literal["wrong", "share", "half", "random"] = "wrong"
    on_invalid: Literal["wrong", "share", "half", "drop"] = "wrong"
    threshold: float = Field(default=5.5, allow_inf_nan=False)
    """One-response items: judged right when the mean valid score is at least this."""
    get: str = ""
    """What to tell a user who has no copy."""
    source: Source
    tables: tuple[Table, ...]
    sections: tuple[Section, ...] = (Section(name="all", subsets=("*",)),)
    views: tuple[View, ...] = ()
    expected: dict[str, Annotated[int, Field(ge=0)]] = {}
    """Items a complete copy has, by subset, in the layout `list`; responses judged apart are one item."""

    @model_validator(mode="before")
    @classmethod
    def _metric_in_words(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("metric"):
            values = values | {"metric": _METRICS.get(values.get("overall", "mean"), "")}
        return values

    @model_validator(mode="after")
    def _every_name_is_one(self) -> "BenchSpec":
        for kind, named in (("sections", self.sections), ("views", self.views)):
            names = ["overall", *(each.name for each in named)]
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"{kind}: the name {twice[0]!r} is taken")
        return self

    @model_validator(mode="after")
    def _every_subset_weighs(self) -> "BenchSpec":
        for subset in self.expected:
            try:
                self.weight_of(subset)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self

    def section_of(self, subset: str) -> int:
        """The index of the one section that holds a subset; ConfigError if none does."""
        for index, section in enumerate(self.sections):
            if holds(section.subsets, subset):
                return index
        raise ConfigError(f"bench {self.id}: no section holds the subset {subset!r}")

    def weight_of(self, subset: str) -> float:
        """A subset's weight in its section (1 where subsets are not weighed); ConfigError if it has none."""
        section = self.sections[self.section_of(subset)]
        if section.weights and subset not in section.weights:
            raise ConfigError(
                f"bench {self.id}: section {section.name!r} gives no weight to the subset {subset!r}"
            )
        return section.weights.get(subset, 1.0)


Spec = TypeVar("Spec", bound=BenchSpec)


def read_spec(path: Path) -> BenchSpec:
    """Read a benchmark's TOML; ConfigError names file and key."""
    return read_spec_as(path, BenchSpec)


def read_spec_as(path: Path, kind: type[Spec]) -> Spec:
    """The same of a TOML that may say more."""
    _check_places(path)
    try:
        return kind(**_read(path))
    except ValidationError as error:
        said = (f"{path}: {_explain(each, kind)}" for each in error.errors())
        raise ConfigError("\n".join(said)) from None


def _check_places(path: Path) -> None:
    """A TOML may come from anyone: what it names lies below the folder that holds the rows."""
    source = read_toml(path).get("source")
    for key in ("packaged", "root", "archive"):
        named = source.get(key) if isinstance(source, dict) else None
        if isinstance(named, str) and not _is_below(named):
            where = "beside this TOML" if key == "packaged" else "inside the copy of the rows"
            raise ConfigError(
                f"{path}: source.{key}: {named!r}: expected a path {where}: no '..', not absolute; "
                "--data PATH names a copy anywhere"
            )


def _is_below(named: str) -> bool:
    windows, posix = PureWindowsPath(named), PurePosixPath(named)
    return not (
        windows.drive or windows.root or posix.root or ".." in windows.parts or "\0" in named
    )


def _explain(problem: Any, kind: type[BenchSpec]) -> str:
    place = [str(part) for part in problem["loc"]]
    if problem["type"] != "extra_forbidden":
        return ": ".join(
            filter(None, (".".join(place), problem["msg"].removeprefix("Value error, ")))
        )
    parts: dict[str, type[BaseModel]] = {"source": Source, "tables": Table}
    parts |= {"sections": Section, "views": View}
    owner = parts.get(place[0], kind)
    known = sorted(owner.model_fields) + ([] if owner is not kind else ["extends", "keep"])
    return f"{'.'.join(place)}: unknown key; {nearest(place[-1], known)}"


def _read(path: Path) -> dict[str, Any]:
    own = read_toml(path)
    name = own.pop("extends", None)
    if name is None:
        return own
    packaged = sorted(base.stem for base in resources.tasks().glob("*.toml"))
    if name not in packaged:
        raise ConfigError(f"{path}: extends {name!r}: {nearest(str(name), packaged)}")
    for key, kind in (("tables", list), ("sections", list), ("expected", dict)):
        if not isinstance(own.get(key, kind()), kind):
            raise ConfigError(f"{path}: {key}: expected a table")
    inherited = {"tables": [], "sections": [], "expected": {}} | _read(
        resources.tasks() / f"{name}.toml"
    )
    if rows := inherited["source"].get("packaged"):
        inherited["source"]["packaged"] = str(resources.tasks() / rows)
    if own.keys() & {"sections", "tables", "overall", "keep"}:  # those describe what was
        inherited.pop("metric", None)
        inherited["title"] += f", as {path.stem}"
    if isinstance(own.get("source"), dict):  # what must not be published stays so
        own["source"].setdefault("restricted", inherited["source"].get("restricted", False))
    joined = {key: inherited[key] + own.get(key, []) for key in ("tables", "sections")}
    joined["expected"] = inherited["expected"] | own.get("expected", {})
    kept = own.pop("keep", None)
    return inherited | own | joined if kept is None else _only(path, inherited | own | joined, kept)


def _only(path: Path, values: dict[str, Any], kept: Any) -> dict[str, Any]:
    """What is left of a benchmark where some sections, and the rows of their subsets, are kept."""
    names = [section.get("name") for section in values["sections"]]
    if not (isinstance(kept, list) and kept):
        raise ConfigError(
            f"{path}: keep: expected a list of sections: {', '.join(map(str, names))}"
        )
    if unknown := [name for name in kept if name not in names]:
        raise ConfigError(f"{path}: keep: {unknown[0]!r}: {nearest(str(unknown[0]), names)}")
    sections = [section for section in values["sections"] if section.get("name") in kept]
    subsets = [subset for section in sections for subset in section.get("subsets", [])]
    tables = []
    for table in values["tables"]:
        one = table.get("subset_name") if "subset" not in table else None
        mine = [one] if one else table.get("only")
        wanted = subsets if mine is None else [name for name in mine if holds(subsets, name)]
        tables += [table | {"only": wanted}] if wanted else []
    expected = {name: rows for name, rows in values["expected"].items() if holds(subsets, name)}
    return values | {"sections": sections, "tables": tables, "expected": expected, "views": []}
