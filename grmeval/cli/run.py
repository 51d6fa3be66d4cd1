"""`grmeval run`: sample what is missing, then score."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.headings import UnderHeadings
from grmeval.cli.make_plans import ASKED, asked_of, make_plans
from grmeval.cli.options import Benches, Beside, Config, Copies, Greedy, published_rows, takes
from grmeval.cli.record import Save, keep, keep_group, refuse_part, say

if TYPE_CHECKING:
    from grmeval.benches import Group
    from grmeval.report.signs import Signs
    from grmeval.runs import Plan
    from grmeval.score import Accuracy, Prices
    from grmeval.store import Question, RunFolder


@app.command(cls=UnderHeadings)
@takes(
    *ASKED,
    vote="the judge's first; where the run has a record, the record's",
    protocol="official; where the run has a record, the record's",
)
def run(
    *,
    bench: Benches = None,
    data: Copies = None,
    settings: dict[str, Any],
    name: Annotated[
        str | None,
        typer.Option("--name", help="What you call the run, wherever a RUN is asked for."),
    ] = None,
    greedy: Greedy = False,
    save: Save = False,
    beside: Beside = None,
    config: Config = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the result as JSON: a list with several benchmarks."),
    ] = False,
) -> None:
    """Judge a benchmark's items k times, score the votes.

    The run folder under --results is resumed, extended or just read: what is there is never asked
    again. Its tables are those of the most samples and items that were asked for: fewer, or another vote, are
    shown, and replace them with --save. Without --bench: the packaged sample.
    """
    from grmeval.cli.settings import check_beside
    from grmeval.report.signs import Signs

    settings |= asked_of(bench, greedy, settings)
    printed = published_rows(beside)
    with Signs() as signs:
        plans, groups = make_plans(settings, data or [], config, signs)
        part = any(plan.only for plan in plans)
        check_beside(printed, part)
        refuse_part(part, save)
        if name is not None:
            _name(name, plans)
        _run(plans, groups, printed, as_json, signs, save)


def _name(name: str, plans: "list[Plan]") -> None:
    """Name the one run that is asked for; ConfigError: there are several."""
    from grmeval.errors import ConfigError

    if len(plans) > 1:
        raise ConfigError(f"--name {name}: of one run; {len(plans)} benchmarks are asked for")
    name_run(name, plans[0])


def name_run(name: str, plan: "Plan") -> None:
    """Name a run before it is asked anything; ConfigError: the name is another's, or it has another."""
    from grmeval.errors import ConfigError
    from grmeval.store import check_name, give_name, name_of

    path = plan.path
    if (before := name_of(path)) and before != name:
        raise ConfigError(
            f"--name {name}: {path} is called {before}; `grmeval label {before} {name}` renames it"
        )
    check_name(name, path)
    give_name(plan.folder().path, name)


def _run(
    plans: "list[Plan]",
    groups: "dict[str, Group]",
    printed: list[str],
    as_json: bool,
    signs: "Signs",
    save: bool,
) -> None:
    """Show each result as soon as it is there."""
    from grmeval.cli.output import print_accuracy_json, show_accuracy
    from grmeval.engines import BATCH
    from grmeval.errors import Incomplete
    from grmeval.score import read_prices

    found, kept = [], dict[str, bool]()
    prices = read_prices(plans[0].config.prices)

    def show(result: "Accuracy", paths: list[Path], sentence: str | None) -> None:
        show_accuracy(result, paths, quiet=as_json, beside=printed)
        say(sentence)

    try:
        for result, folder in _sample_and_score(plans, signs, prices):
            found.append(result)
            paths, sentence = keep(folder, result, save, prices)
            kept[result.run["identity"]["bench"]] = bool(paths)
            show(result, paths, sentence)
            if not folder.whole:
                groups = {}  # their means are of whole benchmarks
        if len(found) < len(plans):
            groups = {}  # some have no answers yet
        for (result, path), group in zip(
            _together(groups, plans, found), groups.values(), strict=True
        ):
            found.append(result)
            mine = [kept[bench] for bench in group.members if bench in kept]
            show(result, *keep_group(path, result, mine))
    finally:  # what is finished is told, whatever became of the next
        if as_json and found:
            print_accuracy_json(found, printed, several=len(plans) > 1)
    missing = sum(result.missing for result in found)
    if plans[0].config.engine == BATCH and (missing or len(found) < len(plans)):
        raise typer.Exit(Incomplete.exit_code)  # what to do has been said, and nothing failed
    if missing and not plans[0].config.shard:
        raise Incomplete(f"{missing:,} samples are missing; the same command asks for them")


def _together(
    groups: "dict[str, Group]", plans: "list[Plan]", results: "list[Accuracy]"
) -> "Iterator[tuple[Accuracy, Path]]":
    """Each group's own number, and the folder of its tables."""
    from grmeval.score import together
    from grmeval.store import run_id

    for name, group in groups.items():
        members = [
            result
            for plan, result in zip(plans, results, strict=False)
            if plan.loaded.spec.id in group.members
        ]
        label = plans[0].model.label
        runs = run_id({"runs": sorted(result.about["run_id"] for result in members)})
        yield (
            together(name, group, members, label),
            plans[0].config.results / name / label / runs,
        )


def _sample_and_score(
    plans: "list[Plan]", signs: "Signs", prices: "Prices | None"
) -> "Iterator[tuple[Accuracy, RunFolder]]":
    """Each run's result as soon as it is there, and the run, or the part of it that was asked for."""
    from grmeval.cli.meta_score import in_a_fresh_process
    from grmeval.engines import BATCH
    from grmeval.errors import GrmevalError
    from grmeval.score import answer
    from grmeval.store import has_samples, parts_of

    failure: GrmevalError | None = None
    sampled = sample_plans(plans, signs)
    if plans[0].config.meta_model:
        # To the end: only then is the generator's engine closed. What is finished is told all the same.
        done: list[RunFolder] = []
        try:
            done += sampled
            signs.so_far(None)
            in_a_fresh_process([plan.path for plan in plans], plans[0].config)
        except GrmevalError as error:
            failure = error
        sampled = iter(done)
    for plan, folder in zip(plans, sampled, strict=failure is None):
        if plan.config.engine == BATCH and not has_samples(folder.path):
            continue  # nothing to score yet
        signs.at(f"scoring {plan.loaded.spec.id}")
        (looked,) = parts_of([folder], plan.only)
        result = answer(looked, _question(plan, looked, failure is None), prices=prices)
        signs.so_far(None)
        yield result, looked
    if failure:
        raise failure


def _question(plan: "Plan", folder: "RunFolder", guided: bool) -> "Question":
    """What was asked; votes and rules that were not said are the record's. `guided`: with meta rewards."""
    from grmeval.score.verdicts import ask, own_votes
    from grmeval.store import is_meta_vote

    config = plan.config
    said = config.model_dump(include=config.model_fields_set & {"protocol", "ties", "on_invalid"})
    asked = ask(folder, k=config.k, votes=config.vote, k_meta=config.k_meta, **said)
    asked = asked._replace(limit=config.limit)
    if guided:
        return asked
    votes = tuple(vote for vote in asked.votes if not is_meta_vote(vote))
    usual = own_votes(folder.record["identity"])[:1]
    return asked._replace(votes=votes or usual, k_meta=None)


def sample_plans(plans: "list[Plan]", signs: "Signs") -> "Iterator[RunFolder]":
    """Each run as soon as it has all its samples; after the last the engine is closed."""
    from grmeval.cli.output import consoles
    from grmeval.interrupts import in_turn
    from grmeval.report.progress import ConsoleProgress
    from grmeval.runs import Engines, extend

    _, err = consoles()
    with in_turn(), Engines() as engines:
        for plan in plans:
            spec = plan.loaded.spec
            if missing := plan.loaded.missing:
                names = ", ".join(list(missing)[:3]) + (" …" if len(missing) > 3 else "")
                err.print(
                    f"{spec.id}: {sum(missing.values()):,} of {sum(spec.expected.values()):,} "
                    f"items are not at hand ({names})",
                    soft_wrap=True,
                )
            signs.so_far(lambda: "looking at what is there …")
            progress = ConsoleProgress(err, signs)
            folder = extend(plan, progress, engines)
            if not progress.loaded:
                err.print(f"{folder.path}: {_unasked(plan, folder)}", soft_wrap=True)
            yield folder


def _unasked(plan: "Plan", folder: "RunFolder") -> str:
    """Why no model was loaded."""
    from grmeval.engines import BATCH

    waiting = plan.config.engine == BATCH and plan.missing(folder.done())
    if not waiting:
        return "every sample is there, no model is loaded"
    missing = sum(len(js) for _, js in waiting)
    return (
        f"{missing:,} samples wait for answers: `grmeval export {folder.path.name} --what requests --to "
        "requests.jsonl`, then `grmeval import answers` what comes back; exit 3 until then"
    )
