"""`grmeval merge`: join folders of one run that were sampled apart."""

from typing import Annotated

import typer

from grmeval.cli import app


@app.command()
def merge(
    into: Annotated[
        str,
        typer.Argument(
            help="Run folder that takes the samples, or a folder with one run below it: a shard's."
        ),
    ],
    others: Annotated[list[str], typer.Argument(help="Folders of the same run (shards).")],
) -> None:
    """Join folders of one run.

    Samples that INTO has are kept, the others' are added:
    grmeval merge results-1/rmb/my-grm/0a1b2c results-2/rmb/my-grm/0a1b2c"""
    from grmeval.cli.settings import results_folder
    from grmeval.store import RunFolder, find_run, reward_names, take_stops

    place, *more = (find_run(run, results_folder(None)) for run in (into, *others))
    target = RunFolder(place)
    for path in more:
        other, had = RunFolder(path), target.done()
        added = target.merge(other)
        take_stops(target, other, had)
        print(f"{path}: {added:,} samples added")
        for name in reward_names(path):
            print(f"{path}: rewards of {name} stay there; `grmeval meta-score {place}` asks again")
    print(f"now: grmeval score {place} --save")
