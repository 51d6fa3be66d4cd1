"""How a report speaks of several runs: what each is called, what they have in common."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grmeval.store import RunFolder, name_of

__all__ = ["labels", "records", "said_once", "title"]


def labels(folders: Sequence[RunFolder], given: Sequence[str | None] | None = None) -> list[str]:
    """Each run's model, and where models are called alike the name that people gave the run, or, where that
    is not its own, the model with as much of the run-id or path as tells it apart.

    `given`: other names than those of the folders.
    """
    models = [str(folder.record["config"]["label"]) for folder in folders]
    given = given or [name_of(folder.path) for folder in folders]
    own = [
        name if models.count(model) > 1 and given.count(name) == 1 and name not in models else None
        for model, name in zip(models, given, strict=True)
    ]
    paths = [folder.path for folder in folders]
    found: list[str] = []
    for apart in ([path.name[:4] for path in paths], [path.name for path in paths], paths):
        found = [
            name or (f"{model} {more}" if models.count(model) > 1 else model)
            for name, model, more in zip(own, models, apart, strict=True)
        ]
        if len(set(found)) == len(found):
            break
    return found


def title(folders: Sequence[RunFolder]) -> str:
    """The benchmark and the models."""
    return f"{folders[0].record['spec']['title']} · {', '.join(labels(folders))}"


def said_once(footers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Lines by label: what all have in common once, the others with whose they are."""
    for line in dict.fromkeys(line for lines in footers.values() for line in lines):
        whose = [label for label, lines in footers.items() if line in lines]
        yield line if len(whose) == len(footers) else f"{', '.join(whose)}: {line}"


def records(folders: Sequence[RunFolder]) -> dict[str, Any]:
    """Identity and launches; of several runs by run-id, or by path where one run has several folders."""
    names = [folder.path.name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder.path) for folder in folders]
    found = {
        name: {key: folder.record[key] for key in ("identity", "launches")}
        for name, folder in zip(names, folders, strict=True)
    }
    return next(iter(found.values())) if len(found) == 1 else found
