"""Imports run one way, and nothing heavy is imported by asking for help."""

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import grmeval

ROOT = Path(grmeval.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

# Top to bottom; parts of one row do not import one another. `measure` lies beside the rows.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("report",),
    ("score", "train"),
    ("runs", "doctor"),
    ("store",),
    ("benches", "judges", "engines", "config"),
    ("remote",),
    ("files", "parquet", "secret_keys"),
    ("items", "errors", "resources", "interrupts", "formulas", "unicode"),
)
# The rooms of a house; `*`: the files that lie in it beside its rooms.
ROOMS = {
    "score": (
        ("curve", "compare", "nightly", "diagnosis", "suite", "planned"),
        ("table",),
        ("verdicts", "cost"),
        ("arrays",),
    ),
    "train": (("data", "smol", "rft", "rl", "meta"), ("select",), ("*",)),
    "runs": (("suite",), ("meta", "imports", "forecast"), ("*",), ("derived",)),
}
# Whoever is outside takes what these hand on, and none of their files.
FACES = {
    *("store", "score", "runs"),
    *(f"{house}.{room}" for house, rows in ROOMS.items() for row in rows for room in row),
}


def levels(rows: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    return {name: level for level, row in enumerate(rows) for name in row}


LEVEL = levels(LAYERS)
HEAVY = {"vllm", "torch", "transformers", "datasets", "pandas", "scipy", "matplotlib", "pyarrow"}
HEAVY |= {"trl", "peft", "accelerate"}  # of the extra [train]


def imported(module: str, source: str, is_package: bool) -> Iterator[str]:
    """Absolute dotted names of everything a module imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package]
            base = ".".join(
                [*(above if node.level else []), *([node.module] if node.module else [])]
            )
            # A name out of the root package may be one of its parts, or a plain name such as
            # __version__; of any deeper package the part is known without it.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def part_of(name: str) -> str | None:
    """The part of the package that a dotted name lies in; None: outside it, or its root.

    The root imports nothing, and anyone may import its plain names.
    """
    root, _, rest = name.partition(".")
    part = rest.split(".")[0]
    return part if root == "grmeval" and f"grmeval.{part}" in MODULES else None


def module_of(name: str) -> str:
    """The module that a dotted name of the package is taken from: a face that hands on `gate`, no gate.py."""
    above, _, last = name.rpartition(".")
    if last in handed_on(above):
        return above
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


@cache
def handed_on(module: str) -> list[str]:
    """What a face names in `__all__`."""
    if module not in MODULES or MODULES[module].name != "__init__.py":
        return []
    return list(getattr(importlib.import_module(module), "__all__", []))


def room_of(module: str) -> str:
    """The folder that a module lies in, below the root: `score.table`; of a part without one its name."""
    package = MODULES[module].name == "__init__.py"
    return (module if package else module.rpartition(".")[0]).partition(".")[2]


def place_in(house: str, module: str) -> str | None:
    """The room of a house, or the file's own name where a row names it, else `*`; None: its face."""
    rest = module.removeprefix(f"grmeval.{house}").removeprefix(".")
    first = rest.split(".")[0]
    return (first if first in levels(ROOMS[house]) else "*") if rest else None


def inside(house: str, module: str, other: str) -> bool:
    """Whether an import from one file of a house to another runs downwards."""
    here, there = place_in(house, module), place_in(house, other)
    if here is None:
        return True
    level = levels(ROOMS[house])
    return here == there or (there is not None and level[here] < level[there])


def allowed(module: str, name: str) -> bool:
    here, there = part_of(module), part_of(name)
    if here is None:
        return False
    if there is None:
        return True
    other = module_of(name)
    if room_of(other) in FACES and other != f"grmeval.{room_of(other)}":
        mine = f"{room_of(module)}."
        if not mine.startswith(f"{room_of(other)}."):
            return False
    if here == there:
        return here not in ROOMS or inside(here, module, other)
    if "measure" in (here, there):
        # runs: when an item needs no more samples; train: whether a meta RM tells right from wrong
        return here in ("score", "runs", "train")
    return LEVEL[here] < LEVEL[there]


def violations(module: str, source: str, is_package: bool = False) -> list[str]:
    return [n for n in imported(module, source, is_package) if not allowed(module, n)]


def test_every_part_has_a_layer() -> None:
    parts = {part_of(module) for module in MODULES} - {None}
    assert parts == {*LEVEL, "measure"}


@pytest.mark.parametrize("house", ROOMS)
def test_every_room_has_a_floor(house: str) -> None:
    rooms = {place_in(house, module) for module in MODULES if part_of(module) == house} - {None}
    assert rooms == {*levels(ROOMS[house])}


@pytest.mark.parametrize("room", sorted(FACES))
def test_a_room_says_what_it_is_for_and_which_file_to_open_first(room: str) -> None:
    path = MODULES.get(f"grmeval.{room}")
    if path is None or path.name != "__init__.py":  # a file among rooms
        return
    said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = re.search(r"Open ([a-z_/]+\.py) first", said)
    assert first, said
    assert (path.parent / first[1]).exists()


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module: str) -> None:
    path = MODULES[module]
    assert violations(module, path.read_text("utf-8"), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("grmeval.store.folder", "from grmeval.score import score"),
        ("grmeval.items", "import grmeval.errors"),
        ("grmeval.judges.parse", "from grmeval.engines.fake import FakeEngine"),
        ("grmeval.config", "from grmeval import benches"),
        ("grmeval.engines.fake", "def f():\n    from grmeval.config import build"),
        ("grmeval.benches.load", "from ..judges import Judge"),
        ("grmeval.measure.votes", "from grmeval.errors import nearest"),
        ("grmeval.report.accuracy", "from grmeval.measure import wilson"),
        (
            "grmeval.score.verdicts.rules",
            "if TYPE_CHECKING:\n    from grmeval.report.accuracy import table",
        ),
        ("grmeval.report.gate", "from grmeval.score.nightly.gate import Gated"),
        ("grmeval.runs.plan", "from grmeval.store.reparse import reread"),
        ("grmeval.cli.compare", "from grmeval.score.compare import Gap"),
        ("grmeval.cli.run", "from grmeval.score.table.accuracy import score"),
        ("grmeval.store.folder", "from grmeval.runs import Plan"),
        ("grmeval.runs.sample", "from grmeval.runs.meta import meta_score"),
        ("grmeval.runs.plan", "from grmeval.runs import Engines"),
        ("grmeval.score.cost.cost", "from grmeval.score.verdicts import Rules"),
        ("grmeval.score.table.footer", "from grmeval.score.curve import scale"),
        ("grmeval.score.compare", "from grmeval.score.curve import Scaling"),
        ("grmeval", "from grmeval.errors import GrmevalError"),
        ("grmeval", "import numpy"),
    ],
)
def test_the_check_can_fail(module: str, source: str) -> None:
    assert len(violations(module, source, is_package=module == "grmeval")) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("grmeval.cli.run", "from grmeval.items import Item\nimport typer"),
        ("grmeval.score.curve.curve", "from grmeval.measure import wilson"),
        ("grmeval.score.curve.curve", "from grmeval.score.curve.points import Point"),
        ("grmeval.score.curve.curve", "from grmeval.score.table import footer"),
        ("grmeval.runs.meta.score", "from grmeval.runs.sample import extend"),
        ("grmeval.cli.run", "from grmeval.score.verdicts import check_votes"),
        ("grmeval.measure.votes", "from . import subsets"),
        ("grmeval.store.folder", "from grmeval import __version__, resources"),
    ],
)
def test_the_check_can_pass(module: str, source: str) -> None:
    assert violations(module, source) == []


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    program = (
        "import json, runpy, sys\n"
        f"sys.argv = ['grmeval', *{words!r}]\n"
        "try:\n    runpy.run_module('grmeval', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *help_text, last = done.stdout.splitlines()
    modules = set(json.loads(last))
    assert any("Usage: grmeval" in line for line in help_text)
    assert "typer" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize("module", [name for name in MODULES if name != "grmeval.__main__"])
def test_every_exported_name_exists(module: str) -> None:
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", [])
    assert [name for name in names if not hasattr(loaded, name)] == []
    assert len(names) == len(set(names))
