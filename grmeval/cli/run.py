"""`grmeval run`: sample what is missing, then score."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.headings import UnderHeadings
from grmeval.cli.options import Benches, Beside, Config, Copies, Greedy, published_rows, takes
from grmeval.cli.record import Save, keep, keep_group, refuse_part, say

if TYPE_CHECKING:
    from grmeval.benches import Group
    from grmeval.report.signs import Signs
    from grmeval.runs import Plan
    from grmeval.score import Accuracy, Prices
    from grmeval.store import Question, RunFolder


_LOG = logging.getLogger(__name__)

ASKED = (
    *("layout", "k", "adaptive", "k_min", "epsilon", "subset", "section", "limit"),
    *(
        "model",
        "revision",
        "lora",
        "trust_remote_code",
        "dtype",
        "max_model_len",
        "tensor_parallel",
        "data_parallel",
    ),
    *("engine", "base_url", "model_tag", "concurrency", "allow_identical"),
    *("replicas", "ray_address", "engine_args"),
    *(
        "judge",
        "principles",
        "critiques",
        "template",
        "system",
        "chat_template_kwargs",
        "structured",
        "stop_at_score",
    ),
    *("temperature", "greedy", "top_p", "max_tokens", "orders", "seed", "limit_seed"),
    *("meta_model", "meta_template", "meta_engine_args", "k_meta"),
    *("shard", "results"),
    *("vote", "protocol", "ties", "on_invalid", "prices"),
)
"""Settings of a run."""


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


def asked_of(bench: list[str] | None, greedy: bool, settings: dict[str, Any]) -> dict[str, Any]:
    """What --bench and --greedy say, as settings; ConfigError: --temperature says something else."""
    from grmeval.errors import ConfigError

    if greedy and (heat := settings.get("temperature")):
        raise ConfigError(f"--greedy is temperature 0; drop it, or --temperature {heat:g}")
    cold = {"temperature": 0.0} if greedy else {}
    return cold | ({} if bench is None else {"bench": bench})


def _name(name: str, plans: "list[Plan]") -> None:
    """Name the run before it is asked anything; ConfigError: the name is another's, or there is another."""
    from grmeval.errors import ConfigError
    from grmeval.store import check_name, give_name, name_of

    if len(plans) > 1:
        raise ConfigError(f"--name {name}: of one run; {len(plans)} benchmarks are asked for")
    path = plans[0].path
    if (before := name_of(path)) and before != name:
        raise ConfigError(
            f"--name {name}: {path} is called {before}; `grmeval label {before} {name}` renames it"
        )
    check_name(name, path)
    give_name(plans[0].folder().path, name)


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


def make_plans(
    given: dict[str, Any],
    data: list[str],
    config: Path | None,
    signs: "Signs",
    unseen: bool = False,
) -> "tuple[list[Plan], dict[str, Group]]":
    """(one plan a benchmark, the groups asked for that have a mean of their own), from what flags gave.

    Every mistake that can be seen is found before a model is loaded. `unseen`: a model that can be looked up
    neither here nor at the hub has a plan all the same.
    """
    from grmeval.benches import expand, groups
    from grmeval.cli.settings import data_of, read_settings, settings_file
    from grmeval.config import Shard
    from grmeval.errors import GrmevalError

    settings = read_settings(config)
    copies = settings.pop("data", {})
    for name, value in given.items():  # engine_args: a flag adds to the file's, and wins
        settings[name] = settings.get(name, {}) | value if isinstance(value, dict) else value
    for name in _not_meant(given.get("engine")) - given.keys():
        settings.pop(name, None)
    _refuse_unused(given, bool(settings.get("adaptive")))
    if isinstance(settings.get("shard"), str):
        settings["shard"] = Shard.parse(settings["shard"])
    asked_for = "bench" in settings
    names = settings.pop("bench", ["sample"])
    asked = {name: group for name, group in groups().items() if name in names and group.mean}
    benches = expand(names)
    paths = data_of(benches, data, copies)
    plans, troubles = [], []
    for name in benches:
        try:
            one = settings | {"bench": name, "data": paths.get(name)}
            plans.append(_plan(one, signs, unseen))
        except GrmevalError as error:
            troubles.append(error)
    if troubles:
        said = dict.fromkeys(map(str, troubles))
        if data and not asked_for:
            rows = data[0].rpartition("=")[2]
            said[f"(without --bench the packaged sample is meant; your own: --bench {rows})"] = None
        if file := settings_file(config):
            said[f"({file} is in force)"] = None
        raise type(troubles[0])("\n".join(said))
    return plans, asked


def _not_meant(engine: str | None) -> set[str]:
    """Settings of the file that are of another engine than the one that is asked for now."""
    from grmeval.runs import OF_A_SERVER

    of_a_model = {
        *("model", "revision", "lora"),
        *("meta_model", "meta_template", "meta_engine_args", "k_meta"),
    }
    return {
        *(of_a_model if engine == "fake" else ()),
        *(OF_A_SERVER if engine in ("fake", "vllm") else ()),
    }


def _refuse_unused(given: dict[str, Any], adaptive: bool) -> None:
    """ConfigError: a flag that means something to --adaptive alone, without that."""
    from grmeval.errors import ConfigError

    for name, flag in (("k_min", "--k-min"), ("epsilon", "--epsilon")):
        if name in given and not adaptive:
            raise ConfigError(
                f"{flag} {given[name]:g}: it is of --adaptive; add that, or drop {flag}"
            )


def _plan(settings: dict[str, Any], signs: "Signs", unseen: bool) -> "Plan":
    """One benchmark's; with a meta RM its rewards vote too, unless told otherwise."""
    from grmeval.engines.models import UNSEEN
    from grmeval.errors import InfrastructureError
    from grmeval.judges import JUDGES
    from grmeval.runs import configure, prepare
    from grmeval.runs.meta import meta_of
    from grmeval.score.verdicts import check_countable, check_votes
    from grmeval.store import RewardFile, reward_names

    config = configure(settings)
    meta = meta_of(config)
    if meta and "vote" not in settings:
        own = JUDGES[config.judge].votes[0]
        config = config.model_copy(update={"vote": (own, f"meta:{meta.name}")})
    try:
        plan = prepare(config, tell=signs.at)
    except InfrastructureError as error:
        if not unseen or not config.model:  # nobody says which model it is
            raise
        plan = prepare(config, model=UNSEEN)  # what was wrong with the rows is wrong again
        _LOG.warning("%s", error)
    words = check_votes(config.vote or (), config.k_meta)
    # What could not be counted at the end is said before anything is asked.
    single = any(item.n == 1 and item.pool is None for item in plan.part())
    check_countable(words, single, {*reward_names(plan.path), *([meta.name] if meta else [])})
    if meta:
        RewardFile(plan.path, meta.name).check(meta.identity)
    return plan


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
    sampled = _sampled(plans, signs)
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


def _sampled(plans: "list[Plan]", signs: "Signs") -> "Iterator[RunFolder]":
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
