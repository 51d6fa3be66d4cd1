"""`grmeval gate RUN --baseline FILE|RUN`: passed (0), inconclusive (4), regressed (5) or broken (3)."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, AsJson, Results, Run, option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grmeval.score import Baseline, Gated
    from grmeval.store import RunFolder

SMALLEST = 1e-6
"""Odds below this are beyond what a t quantile of some hundred items can tell."""

_LISTS = {"invalid": "--invalid", "truncated": "--invalid", "undecided": "--tied"}
"""First word of a limit's name -> what lists the items that broke it."""

EXIT = {"improved": 0, "passed": 0, "broken": 3, "inconclusive": 4, "regressed": 5}


@app.command()
def gate(
    *,
    run: Run = LATEST,
    baseline: Annotated[
        str,
        typer.Option(
            "--baseline", help="A file of `grmeval baseline`, or a run.", metavar="FILE|RUN"
        ),
    ],
    max_drop: Annotated[
        float, typer.Option("--max-drop", min=0, max=100, help="Margin in points, overall.")
    ] = 1.0,
    max_drop_section: Annotated[
        float | None,
        typer.Option(
            "--max-drop-section",
            min=0,
            max=100,
            help="Margin of each section. [default: not asked]",
        ),
    ] = None,
    alpha: Annotated[
        float, typer.Option("--alpha", help="Odds of a false pass, and of a false alarm.")
    ] = 0.05,
    max_invalid: Annotated[
        float | None,
        typer.Option(
            "--max-invalid",
            min=0,
            max=100,
            help="Invalid judgements allowed, in %. [default: surely no more than the baseline's and 5]",
        ),
    ] = None,
    max_undecided: Annotated[
        float | None,
        typer.Option(
            "--max-undecided",
            min=0,
            max=100,
            help="Votes allowed that are tied or silent and not paid as wrong, in %. "
            "[default: surely no more than the baseline's and 5]",
        ),
    ] = None,
    max_truncated: Annotated[
        float | None,
        typer.Option("--max-truncated", min=0, max=100, help="Truncated judgements allowed, in %."),
    ] = None,
    max_tokens: Annotated[
        float | None,
        typer.Option(
            "--max-tokens", min=0, max=1e9, help="Generated tokens per judgement allowed."
        ),
    ] = None,
    allow_change: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-change",
            help="Setting that may differ from the baseline's (judge, template, temperature …); repeatable.",
            metavar="NAME",
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            "--k", min=1, help="Samples an item, of a baseline RUN. [default: that of its record]"
        ),
    ] = None,
    vote: Annotated[
        str | None, option("vote", default="the baseline's; of a run sum", many=False)
    ] = None,
    extend: Annotated[
        int | None,
        typer.Option(
            "--extend",
            min=1,
            help="Where inconclusive, sample up to so many an item and look once more "
            "(each look at half of --alpha).",
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write JUnit XML for CI.", metavar="FILE")
    ] = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a run is worse than a baseline, beyond a margin.

    Exit codes: 0 passed (or improved), 4 inconclusive, 5 regressed, 3 not comparable (samples missing,
    other rows).
    """
    from grmeval.cli.output import consoles, print_json, show_gate, taken
    from grmeval.cli.settings import results_folder
    from grmeval.errors import ConfigError, StoreError
    from grmeval.report.gate import write_junit
    from grmeval.score import Absolute
    from grmeval.score import gate as ask
    from grmeval.store import RunFolder

    if not SMALLEST <= alpha < 0.5:
        raise ConfigError(f"--alpha {alpha:g}: expected a number from {SMALLEST:g} to below 0.5")
    where = results_folder(results)
    folder = RunFolder(taken(run, where))
    beside = _baseline(baseline, where, k, vote, folder)
    absolute = Absolute(
        _share(max_invalid), _share(max_truncated), max_tokens, _share(max_undecided)
    )

    def look(night: RunFolder) -> "Gated":
        return ask(
            night,
            beside,
            max_drop=max_drop / 100,
            max_drop_section=_share(max_drop_section),
            absolute=absolute,
            alpha=alpha,
            looks=2 if extend else 1,
            allow=allow_change or (),
        )

    found = look(folder)
    if extend and found.verdict == "inconclusive" and extend > found.about["samples"]:
        if found.more_samples is False:
            consoles()[1].print("not extended: more samples of this run would not decide")
        else:
            found = look(_extended(folder, extend))
    if found.verdict == "regressed":
        found = replace(found, advice=(*found.advice, *_next(found, folder, beside, where)))
    if as_json:
        print_json(found)
    show_gate(found, quiet=as_json)
    code = EXIT[found.verdict]
    try:
        if junit:
            write_junit(found, junit)
    except StoreError as error:
        # CI would read an older file, or none: that is no pass, and a regression stays one.
        consoles()[1].print(f"error: {error}", soft_wrap=True)
        code = code if found.verdict == "regressed" else error.exit_code
    raise typer.Exit(code)


def _next(
    found: "Gated", night: "RunFolder", baseline: "Baseline", results: Path
) -> "Iterator[str]":
    """What to look at after a regression: the night's items, and those that it lost."""
    from grmeval.store import all_runs

    worse = [check for check in found.checks if check.verdict == "regressed"]
    lost = any(check.kind in ("overall", "section") for check in worse)
    flags = [_LISTS[word] for check in worse if (word := check.name.split()[0]) in _LISTS]
    run = shlex.quote(str(night.path))
    for flag in dict.fromkeys((["--wrong"] if lost else []) + flags):
        yield f"its items: grmeval show {run} {flag}"
    if not lost:
        return
    of_file = (path for path in all_runs(results) if path.name == baseline.about.run_id)
    source = Path(baseline.source)
    before = source if source.is_dir() else next(of_file, None)
    if before:
        yield f"what it lost: grmeval compare {shlex.quote(str(before))} {run} --flips"
    else:
        yield (
            f"what it lost: grmeval compare BASELINE-RUN {run} --flips; it reads runs, not baseline "
            f"files, and run {baseline.about.run_id} is not below {results}"
        )


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _baseline(
    text: str, results: Path, k: int | None, vote: str | None, night: "RunFolder"
) -> "Baseline":
    """From a file, or made of a run on the spot."""
    from grmeval.errors import ConfigError
    from grmeval.score import baseline_of, read_baseline
    from grmeval.score.verdicts import usual_vote
    from grmeval.store import RunFolder, find_run

    if not Path(text).is_file():
        if text.endswith(".json"):
            raise ConfigError(
                f"--baseline {text}: no such file; `grmeval baseline RUN --to {text}` writes one"
            )
        before = RunFolder(find_run(text, results))
        both = (folder.record["identity"] for folder in (before, night))
        return baseline_of(before, k=k, vote=vote or usual_vote(*both))
    found = read_baseline(Path(text))
    for flag, given, there in (("k", k, found.about.k), ("vote", vote, found.about.vote)):
        if given not in (None, there):
            raise ConfigError(f"--{flag} {given}: the baseline {text} holds {there}")
    return found


def _extended(folder: "RunFolder", k: int) -> "RunFolder":
    """The run with k samples an item, sampled as it was."""
    from grmeval.cli.output import consoles
    from grmeval.cli.record import keep
    from grmeval.interrupts import in_turn
    from grmeval.report.progress import ConsoleProgress
    from grmeval.report.signs import Signs
    from grmeval.runs import again, extend
    from grmeval.score import score

    with Signs() as signs:
        signs.at(f"planning {k} samples an item")
        plan = again(folder, k)
        with in_turn():
            extended = extend(plan, ConsoleProgress(consoles()[1], signs))
    keep(extended, score(extended, k=k))
    return extended
