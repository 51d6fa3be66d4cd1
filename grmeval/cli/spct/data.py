"""`grmeval spct data`: training items out of preference sets."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli.against import (
    Against,
    Ngram,
    Threshold,
    against_of,
    benches_of,
    local_copies,
)
from grmeval.cli.spct import spct


def _source_names(incomplete: str) -> list[str]:
    from grmeval.train.data import training_sets

    return [name for name in training_sets() if name.startswith(incomplete)]


@spct.command()
def data(
    source: Annotated[
        list[str],
        typer.Option(
            "--source",
            help="Where items come from: helpsteer2-preference, skywork-reward-preference, offsetbias, "
            "ultrafeedback, math, math-pairs; a benchmark; or a file of yours (a TOML, or rows); "
            "repeatable. What several have is the first one's.",
            autocompletion=_source_names,
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write; `--bench DATA` takes it.")
    ],
    against: Against = None,
    copies: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            help="Local copy of a source's or a benchmark's rows, as NAME=PATH; repeatable.",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            help="Items kept of each source, or of one: SOURCE=N; drawn by the seed; repeatable. "
            "[default: all]",
            metavar="[SOURCE=]N",
            show_default=False,
        ),
    ] = None,
    max_characters: Annotated[
        int,
        typer.Option("--max-characters", min=1, help="Of a prompt and all its responses together."),
    ] = 32_000,
    ngram: Ngram = 13,
    threshold: Threshold = 0.4,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print data.json.")] = False,
) -> None:
    """Make training items out of preference sets, none of which holds a benchmark's texts.

    grmeval spct data --source helpsteer2-preference --source offsetbias -o DATA

    Single responses, pairs and more are kept as they are. What is dropped is counted, rule by rule.
    """
    from grmeval.cli.output import show_tables, told
    from grmeval.errors import DataError
    from grmeval.report.grid import json_text
    from grmeval.report.signs import Signs
    from grmeval.report.training_data import training_data_tables
    from grmeval.train.data import Settings, check_out, check_sources, make, read_source, write

    check_sources(source)
    limits = _limits(source, limit or [])
    given = local_copies(source, against, copies)
    benches, missing = against_of(against, given)
    asked = {
        "source": source,
        "against": against or ["all"],
        "limit": limits,
        "max_characters": max_characters,
        "ngram": ngram,
        "threshold": threshold,
        "seed": seed,
    }
    check_out(out, asked)
    compared = list[dict[str, Any]]()
    with Signs() as signs:
        sources = []
        for name in source:
            signs.at(f"reading {name}")
            sources.append(read_source(name, given.get(name)))
        signs.at("holding them against benchmarks" if benches else "cleaning")
        settings = Settings(seed, limits, max_characters, ngram, threshold)
        made = make(sources, benches_of(benches, given, compared), settings)
        if not made.items:
            reasons = [
                f"{n:,} of {each.name} by {rule!r}"
                for each in made.counts
                for rule, n in each.dropped.items()
                if n
            ]
            raise DataError(f"no item is left: dropped are {', '.join(reasons)}")
        signs.at(f"writing {out}")
        record = write(out, made, sources, compared, missing, asked)
    if as_json:
        sys.stdout.write(json_text(record))
    else:
        show_tables(lambda width: training_data_tables(record, out, width))
    told([out / record["rows"], out / "bench.toml", out / "data.json"])


def _limits(source: list[str], given: list[str]) -> dict[str, int]:
    """Items kept of each source, by its name; one that is named goes before what is said of all."""
    from grmeval.errors import ConfigError, nearest

    limits = dict[str, int]()
    for text in sorted(given, key=lambda text: "=" in text):
        name, equals, number = text.rpartition("=")
        if equals and name not in source:
            raise ConfigError(f"--limit {text}: expected SOURCE=N; {nearest(name, source)}")
        if not number.isdecimal() or not int(number):
            raise ConfigError(f"--limit {text}: expected a whole number from 1")
        limits |= dict.fromkeys([name] if equals else source, int(number))
    return limits
