"""`grmeval score RUN`: read a run folder again; no model is needed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import (
    LATEST,
    AsJson,
    Beside,
    Results,
    Run,
    published_rows,
    takes,
    written_to,
)


@app.command()
@takes(
    *("subset", "section", "limit"),
    *("vote", "k_meta", "protocol", "ties", "on_invalid", "prices"),
    bounded=True,
    **dict.fromkeys(("vote", "k_meta", "protocol", "ties", "on_invalid"), "the record's"),
)
def score(
    *,
    run: Run = LATEST,
    k: Annotated[
        int | None,
        typer.Option(
            "--k", min=1, help="Score as if k samples had been asked. [default: the record's]"
        ),
    ] = None,
    settings: dict[str, Any],
    reparse: Annotated[
        bool,
        typer.Option(
            "--reparse", help="Read the stored texts again with the parser of this grmeval."
        ),
    ] = False,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Put the tables (and what --reparse read) in place of the run's record.",
        ),
    ] = False,
    to: Annotated[list[Path] | None, written_to()] = None,
    beside: Beside = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Score a run again: vote, k, rules; no model needed.

    What is not said is as in the run's record, its saved tables, which stay unless --save.
    """
    from grmeval.cli.output import print_accuracy_json, show_accuracy
    from grmeval.cli.record import keep, looked, older, refuse_damage, refuse_part, say
    from grmeval.cli.settings import check_beside, looked_at, scoring
    from grmeval.errors import Incomplete
    from grmeval.report.accuracy import write_accuracy_table
    from grmeval.score import score as score_run
    from grmeval.score.verdicts import is_record
    from grmeval.store import origin, stops_of
    from grmeval.store import reparse as rewrite

    printed = published_rows(beside)
    (folder,) = looked_at([run], results, settings)
    check_beside(printed, not folder.whole)
    refuse_part(not folder.whole, save)
    result = score_run(
        folder,
        k=k,
        **scoring(settings),
        reparse=reparse,
    )
    if reparse and save:
        rewrite(folder)
    paths, sentence = keep(folder, result, save) if save else ([], None)
    for place in to or ():
        paths += write_accuracy_table(place, result)
    show_accuracy(result, paths, quiet=as_json, beside=printed)
    if save:
        say(sentence)
    elif not to:
        recorded = is_record(folder, result.question)
        say(older(folder, result) if recorded and folder.whole else looked(folder, recorded))
    if as_json:
        print_accuracy_json([result], printed)
    refuse_damage(result.damaged)
    if result.missing:
        whence = origin(folder.record["identity"]).grows
        if result.question and any(stops_of(folder.path)):
            votes = " ".join(f"--vote {vote}" for vote in result.question.votes)
            whence = f"`grmeval run … --adaptive {votes}` asks for them"
        raise Incomplete(f"{result.missing:,} samples of this k are missing; {whence}")
