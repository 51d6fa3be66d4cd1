"""Benchmarks that rows are held against: `--against`, and those of them whose rows are at hand."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli.options import bench_names

if TYPE_CHECKING:
    from grmeval.benches import Loaded

__all__ = ["Against", "Ngram", "Threshold", "against_of", "benches_of", "local_copies"]

ALL, NONE = "all", "none"

Against = Annotated[
    list[str] | None,
    typer.Option(
        "--against",
        help="Benchmark whose texts are looked for: an id, a group, a file; repeatable; or none. "
        "[default: all whose rows are at hand]",
        autocompletion=bench_names,
        show_default=False,
    ),
]
Ngram = Annotated[
    int, typer.Option("--ngram", min=3, max=100, help="Words in a row that two texts share.")
]
Threshold = Annotated[
    float,
    typer.Option(
        "--threshold",
        min=0.01,
        max=1,
        help="Share of the words of a benchmark's text, in such rows, from which on it counts as held.",
    ),
]


def local_copies(
    rows: Sequence[str], against: Sequence[str] | None, given: Sequence[str] | None
) -> dict[str, Path]:
    """Local copies by name: of `--data NAME=PATH`, and of the settings file."""
    from grmeval.benches import bench_ids, expand
    from grmeval.cli.settings import data_of, read_settings

    others = expand(name for name in against or () if name not in (ALL, NONE))
    names = list(dict.fromkeys([*rows, *others, *bench_ids()]))
    known = read_settings(None).get("data", {})
    return data_of(names, list(given or ()), {name: known[name] for name in known if name})


def against_of(
    names: Sequence[str] | None, data: Mapping[str, Path]
) -> tuple[list[str], list[str]]:
    """(benchmarks to compare with, those of all whose rows are not at hand); `data`: known local copies.

    ConfigError: a name that is no benchmark, or `none` beside others.
    """
    from grmeval.benches import at_hand, bench_ids, expand, find_spec
    from grmeval.errors import ConfigError

    wanted = list(names or [ALL])
    if NONE in wanted:
        if len(wanted) > 1:
            raise ConfigError(f"--against {NONE}: stands alone; drop it or the others")
        return [], []
    if ALL not in wanted:
        return expand(wanted), []
    here = {each for each in bench_ids() if each in data or at_hand(*find_spec(each))}
    others = [name for name in wanted if name != ALL]
    chosen = [*sorted(here), *(name for name in expand(others) if name not in here)]
    return chosen, [each for each in bench_ids() if each not in chosen]


def benches_of(
    names: Sequence[str], data: Mapping[str, Path], compared: list[dict[str, Any]]
) -> "Iterator[tuple[str, Loaded]]":
    """Each benchmark with its items, one at a time; `compared` gets what a record says of each.

    ConfigError: two of them have one id.
    """
    from grmeval.benches import load
    from grmeval.errors import ConfigError

    for name in names:
        loaded = load(name, data.get(name))
        if any(each["bench"] == loaded.spec.id for each in compared):
            raise ConfigError(
                f"{name}: another one has the id {loaded.spec.id!r} too; give this file another name"
            )
        about = {"bench": loaded.spec.id, "title": loaded.spec.title, "origin": loaded.origin}
        about |= {"content_hash": loaded.content_hash}
        counts = {"items": len(loaded.items), "missing": sum(loaded.missing.values())}
        compared.append(about | counts)
        yield loaded.spec.id, loaded
