"""`grmeval panel RUN RUN…`: several models' runs of one benchmark, voted together."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import RUN, AsJson, Results, option
from grmeval.cli.record import Save, keep, say

if TYPE_CHECKING:
    from grmeval.runs.derived import Missing


@app.command()
def panel(
    runs: Annotated[list[str], typer.Argument(help=f"The members. {RUN}")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the panel. [default: made of the members' names]"),
    ] = None,
    vote: Annotated[
        list[str] | None,
        option("vote", default="the first member's; majority where scales are unlike"),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="Samples of each member. [default: all that all have]"),
    ] = None,
    save: Save = False,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Vote over several models' runs, as one panel of judges.

    The panel is a run of its own, with its members' samples in turn; after they have grown, the same
    command takes over what is new: grmeval panel 0a1b 2c3d 4e5f --name trio
    """
    from grmeval.cli.output import consoles, show_accuracy
    from grmeval.cli.settings import results_folder
    from grmeval.errors import Incomplete
    from grmeval.report.accuracy import accuracy_json
    from grmeval.report.grid import json_text
    from grmeval.report.seeds import seeds_json, seeds_line
    from grmeval.runs.derived import panel_of
    from grmeval.score import answer, seed_groups, seeds_alone
    from grmeval.score.verdicts import ask, check_panel_votes, check_same, common_limit
    from grmeval.store import RunFolder, find_run, reward_names

    where = results_folder(results)
    members = [RunFolder(find_run(run, where)) for run in runs]
    common = check_same(members, common_limit(members))
    plan = panel_of(members, where.expanduser().absolute(), name, k)
    check_panel_votes(plan.identity, vote or ())
    folder, new = plan.make()
    out, err = consoles()
    there = f"{new:,} judgements taken over" if new else "every judgement is there"
    err.print(f"{folder.path}: {there}", soft_wrap=True)
    for member in members:
        for rewards in reward_names(member.path):
            err.print(
                f"{member.path}: rewards of {rewards} stay there; "
                f"`grmeval meta-score {folder.path}` asks again",
                soft_wrap=True,
            )
    told = folder.record["asked"]
    question = ask(folder, votes=vote)._replace(k=told["k"], limit=told["limit"])
    result = answer(folder, question)
    alone = question._replace(k=told["k"] // len(members))
    seeds = seeds_alone(members, seed_groups(members), alone, common and common.rows)
    paths, sentence = keep(folder, result, save)
    show_accuracy(result, paths, quiet=as_json)
    say(sentence)
    if as_json:
        content = accuracy_json(result) | ({"seeds": seeds_json(seeds)} if seeds else {})
        sys.stdout.write(json_text(content))
    for row in () if as_json else seeds:
        out.print(seeds_line(row), soft_wrap=True)
    if result.missing:
        raise Incomplete(_lacking(plan.missing()))


def _lacking(missing: "Missing") -> str:
    """What the panel lacks of what was asked, and what brings it."""
    from grmeval.store import origin

    said = []
    if missing.samples:
        grown = [f"{m.path}: {origin(m.record['identity']).grows}" for m in missing.members]
        more = "; ".join([*grown, "then the same `grmeval panel` takes them over"])
        said.append(f"{missing.samples:,} samples are missing; {more}")
    if missing.beyond:
        said.append(
            f"{missing.beyond:,} items have fewer samples of an import, which has no more: "
            "a smaller --k takes what all have"
        )
    return "; ".join(said)
