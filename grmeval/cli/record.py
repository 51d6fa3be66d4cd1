"""The record of a run, its saved tables: which answers become it, and which are only shown.

The law is score/verdicts/record.py; every command that writes into a run folder asks here.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grmeval.score import Accuracy, Prices
    from grmeval.store import RunFolder

__all__ = [
    "Save",
    "keep",
    "keep_group",
    "looked",
    "older",
    "one_place",
    "refuse_damage",
    "refuse_part",
    "say",
]

Save = Annotated[
    bool,
    typer.Option(
        "--save", help="Put what is shown in place of the run's record, its saved tables."
    ),
]


PART = "a part of the benchmark: nothing is written, the run's tables stay as they are"


def keep(
    folder: "RunFolder", result: "Accuracy", save: bool = False, prices: "Prices | None" = None
) -> "tuple[list[Path], str | None]":
    """Write what the record becomes after a question that may have brought samples.

    Gives the files that hold `result`, and a sentence where the record is something else.
    """
    from grmeval.report.accuracy import write_accuracy
    from grmeval.score import answer
    from grmeval.score.verdicts import grown, same, told
    from grmeval.store import saved, size_of

    if not folder.whole:
        return [], PART
    asked, before, size = result.question, saved(folder), size_of(folder)
    if asked is None or before is None or same(asked, before, size):
        return write_accuracy(folder.path, result), None
    lacking = f"{result.missing:,} samples" if result.missing else ""
    lacking = lacking or (f"{result.unrewarded:,} meta rewards" if result.unrewarded else "")
    if save and lacking:
        return (
            [],
            f"nothing is written: {lacking} are missing, and the record lacks none of its own",
        )
    if save:
        return write_accuracy(folder.path, result), None
    after = grown(before, asked, size)
    if same(after, before, size):
        return [], _stays(told(before, asked))
    if lacking:
        every = "meta reward" if result.unrewarded and not result.missing else "sample"
        return [], (
            f"the record stays {told(before, after)} until every {every} of {told(after, before)} is there"
        )
    if same(after, asked, size):
        return write_accuracy(folder.path, result), None
    write_accuracy(folder.path, answer(folder, after, prices=prices))
    return (
        [],
        f"the record is now of {told(after, asked)}; --save puts what is shown here in its place",
    )


def keep_group(
    folder: Path, result: "Accuracy", members: "Sequence[bool]"
) -> "tuple[list[Path], str | None]":
    """The same of the mean of several runs: it is kept where every member's own tables were."""
    from grmeval.report.accuracy import write_accuracy

    if all(members):
        return write_accuracy(folder, result), None
    return [], f"{folder}: nothing is written, as not every member's record is what is shown"


def looked(folder: "RunFolder", usual: bool, save: bool = False) -> str | None:
    """Why files beside the record (of a curve, of a diagnosis) are not to be written; None: they are."""
    from grmeval.score.verdicts import ask, told

    if not folder.whole:
        return PART
    return None if usual or save else _stays(told(ask(folder)))


def one_place(to: "Sequence[Path] | None", save: bool) -> None:
    """ConfigError: files are to go to another place, and into the run's folder as well."""
    from grmeval.errors import ConfigError

    if to and save:
        raise ConfigError(
            f"--save is of the files in the run's folder, --to {to[0]} writes elsewhere: drop one of them"
        )


def refuse_part(part: bool, save: bool) -> None:
    """ConfigError: the record is to be of a part of the benchmark."""
    from grmeval.errors import ConfigError

    if part and save:
        raise ConfigError(
            "--save: the tables in a run's folder are of the whole benchmark, and this is a part of it; "
            "--subset '*' takes all of it"
        )


def older(folder: "RunFolder", result: "Accuracy") -> str | None:
    """What to say where the saved tables answer the same question from what was there then; else None."""
    from grmeval.store import saved_tables

    tables, now = saved_tables(folder), result.rows[0].value
    if tables is None or tables.value is None or round(tables.value - now, 9) == 0:
        return None
    return (
        f"the saved tables have {100 * tables.value:.1f} of this, from the samples and rewards of then; "
        "--save renews them"
    )


def refuse_damage(lost: "Sequence[str]") -> None:
    """StoreError: lines of a run could not be read; what could be has been shown."""
    from grmeval.errors import StoreError

    if lost:
        raise StoreError(f"{'; '.join(lost)}; the command that wrote them asks for what is missing")


def say(sentence: str | None) -> None:
    """On standard error, where there is something to say."""
    from grmeval.cli.output import consoles

    if sentence:
        consoles()[1].print(sentence, soft_wrap=True)


def _stays(record: str) -> str:
    return f"nothing is written: the run's record is of {record}; --save replaces it"
