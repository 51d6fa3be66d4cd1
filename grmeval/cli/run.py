"""`grmeval run`: sample what is missing, then score."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import (
    BESIDE,
    bench_names,
    json_object,
    key_values,
    meta_names,
    model_names,
    option,
    published_rows,
)

if TYPE_CHECKING:
    from grmeval.benches import Group
    from grmeval.runs.plan import Plan
    from grmeval.runs.store import RunFolder
    from grmeval.score import Accuracy

Text = str | None
Texts = list[str] | None


@app.command()
def run(
    bench: Annotated[
        Texts,
        typer.Option(
            "--bench",
            help="Benchmark: an id, a group (all), or a file of yours (.toml, .jsonl, .json, .parquet); "
            "repeatable, the model is loaded once. [default: sample]",
            autocompletion=bench_names,
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Texts,
        typer.Option(
            "--data",
            help="Local copy of the rows: a folder, an archive (.tar.xz, .tar, .zip) or a file; with several "
            "benchmarks BENCH=PATH, repeatable.",
            show_default=False,
        ),
    ] = None,
    layout: Annotated[Text, option("layout", "--layout")] = None,
    k: Annotated[int | None, option("k", "--k")] = None,
    limit: Annotated[int | None, option("limit", "--limit")] = None,
    model: Annotated[Text, option("model", "--model", autocompletion=model_names)] = None,
    revision: Annotated[Text, option("revision", "--revision")] = None,
    lora: Annotated[Path | None, option("lora", "--lora")] = None,
    trust_remote_code: Annotated[bool, option("trust_remote_code", "--trust-remote-code")] = False,
    dtype: Annotated[Text, option("dtype", "--dtype")] = None,
    max_model_len: Annotated[int | None, option("max_model_len", "--max-model-len")] = None,
    tensor_parallel: Annotated[int | None, option("tensor_parallel", "--tensor-parallel")] = None,
    engine: Annotated[Text, option("engine", "--engine")] = None,
    engine_arg: Annotated[Texts, option("engine_args", "--engine-arg")] = None,
    judge: Annotated[Text, option("judge", "--judge")] = None,
    principles: Annotated[Path | None, option("principles", "--principles")] = None,
    critiques: Annotated[Text, option("critiques", "--critiques")] = None,
    template: Annotated[Path | None, option("template", "--template")] = None,
    system: Annotated[Text, option("system", "--system")] = None,
    chat_template_kwargs: Annotated[
        Text, option("chat_template_kwargs", "--chat-template-kwargs")
    ] = None,
    structured: Annotated[bool | None, option("structured", "--structured/--no-structured")] = None,
    temperature: Annotated[float | None, option("temperature", "--temperature")] = None,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Temperature 0, and one sample unless --k says more.")
    ] = False,
    top_p: Annotated[float | None, option("top_p", "--top-p")] = None,
    max_tokens: Annotated[int | None, option("max_tokens", "--max-tokens")] = None,
    orders: Annotated[Text, option("orders", "--orders")] = None,
    seed: Annotated[int | None, option("seed", "--seed")] = None,
    meta_model: Annotated[
        Text, option("meta_model", "--meta-model", autocompletion=meta_names)
    ] = None,
    meta_template: Annotated[Path | None, option("meta_template", "--meta-template")] = None,
    meta_engine_arg: Annotated[Texts, option("meta_engine_args", "--meta-engine-arg")] = None,
    k_meta: Annotated[int | None, option("k_meta", "--k-meta")] = None,
    shard: Annotated[Text, option("shard", "--shard")] = None,
    results: Annotated[Path | None, option("results", "--results")] = None,
    vote: Annotated[Texts, option("vote", "--vote")] = None,
    protocol: Annotated[Text, option("protocol", "--protocol")] = None,
    ties: Annotated[Text, option("ties", "--ties")] = None,
    on_invalid: Annotated[Text, option("on_invalid", "--on-invalid")] = None,
    prices: Annotated[Path | None, option("prices", "--prices")] = None,
    beside: Annotated[Texts, typer.Option("--beside", help=BESIDE)] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="TOML with any of these settings (max_tokens = 512); flags win. "
            "[default: grmeval.toml, where there is one]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the result as JSON: a list with several benchmarks."),
    ] = False,
) -> None:
    """Judge a benchmark's items k times, score the votes.

    The run folder under --results is resumed, extended or just read: what is there is never asked
    again. Without --bench: the packaged sample.
    """
    from grmeval.cli.output import print_accuracy_json, show_accuracy
    from grmeval.errors import ConfigError, Incomplete

    if greedy and temperature:
        raise ConfigError(f"--greedy is temperature 0; drop it, or --temperature {temperature:g}")
    flags: dict[str, Any] = {
        "bench": bench,
        "layout": layout,
        "k": k,
        "limit": limit,
        "model": model,
        "revision": revision,
        "lora": lora,
        "trust_remote_code": trust_remote_code or None,
        "dtype": dtype,
        "max_model_len": max_model_len,
        "tensor_parallel": tensor_parallel,
        "engine": engine,
        "engine_args": key_values(engine_arg, "--engine-arg"),
        "judge": judge,
        "principles": principles,
        "critiques": critiques,
        "template": template,
        "system": system,
        "chat_template_kwargs": json_object(chat_template_kwargs, "--chat-template-kwargs"),
        "structured": structured,
        "temperature": 0.0 if greedy else temperature,
        "top_p": top_p,
        "max_tokens": max_tokens,
        "orders": orders,
        "seed": seed,
        "meta_model": meta_model,
        "meta_template": meta_template,
        "meta_engine_args": key_values(meta_engine_arg, "--meta-engine-arg"),
        "k_meta": k_meta,
        "shard": shard,
        "results": results,
        "vote": vote,
        "protocol": protocol,
        "ties": ties,
        "on_invalid": on_invalid,
        "prices": prices,
    }
    printed = published_rows(beside)
    plans, groups = _plans(flags, data or [], config)
    found = []
    try:
        for result, path in _sample_and_score(plans):
            found.append(result)
            show_accuracy(result, path, quiet=as_json, beside=printed)
        for result, path in _together(groups, plans, found):
            found.append(result)
            show_accuracy(result, path, quiet=as_json, beside=printed)
    finally:  # what is finished is told, whatever became of the next
        if as_json and found:
            print_accuracy_json(found, printed, several=len(plans) > 1)
    missing = sum(result.missing for result in found)
    if missing and not plans[0].config.shard:
        raise Incomplete(f"{missing:,} samples are missing; the same command asks for them")


def _plans(
    flags: dict[str, Any], data: list[str], config: Path | None
) -> "tuple[list[Plan], dict[str, Group]]":
    """(one plan a benchmark, the groups asked for that have a mean of their own).

    Every mistake that can be seen is found before a model is loaded.
    """
    from grmeval.benches import expand, groups
    from grmeval.cli.settings import data_of, read_settings, settings_file
    from grmeval.config import Shard
    from grmeval.errors import GrmevalError

    settings = read_settings(config)
    copies = settings.pop("data", {})
    given = {name: value for name, value in flags.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, dict):  # engine_args: a flag adds to the file's, and wins
            given[name] = settings.get(name, {}) | value
    settings |= given
    if given.get("engine") == "fake":  # asked for now: the file's model is not meant
        of_a_model = {
            "model",
            "revision",
            "lora",
            "meta_model",
            "meta_template",
            "meta_engine_args",
            "k_meta",
        }
        for name in of_a_model - given.keys():
            settings.pop(name, None)
    if isinstance(settings.get("shard"), str):
        settings["shard"] = Shard.parse(settings["shard"])
    names = settings.pop("bench", ["sample"])
    asked = {name: group for name, group in groups().items() if name in names and group.mean}
    benches = expand(names)
    paths = data_of(benches, data, copies)
    plans, troubles = [], []
    for name in benches:
        try:
            plans.append(_plan(settings | {"bench": name, "data": paths.get(name)}))
        except GrmevalError as error:
            troubles.append(error)
    if troubles:
        said = dict.fromkeys(map(str, troubles))
        if file := settings_file(config):
            said[f"({file} is in force)"] = None
        raise type(troubles[0])("\n".join(said))
    return plans, asked


def _plan(settings: dict[str, Any]) -> "Plan":
    """One benchmark's; with a meta RM its rewards vote too, unless told otherwise."""
    from grmeval.judges import JUDGES
    from grmeval.runs.configure import configure
    from grmeval.runs.meta_plan import meta_of
    from grmeval.runs.plan import prepare
    from grmeval.runs.rewards import RewardFile, reward_names
    from grmeval.score.ballots import check_countable, check_votes

    config = configure(settings)
    meta = meta_of(config)
    if meta and "vote" not in settings:
        own = JUDGES[config.judge].votes[0]
        config = config.model_copy(update={"vote": (own, f"meta:{meta.name}")})
    plan = prepare(config)
    words = check_votes(config.vote or (), config.k_meta)
    # What could not be counted at the end is said before anything is asked.
    single = any(item.n == 1 and item.pool is None for item in plan.loaded.items)
    check_countable(words, single, {*reward_names(plan.path), *([meta.name] if meta else [])})
    if meta:
        RewardFile(plan.path, meta.name).check(meta.identity)
    return plan


def _together(
    groups: "dict[str, Group]", plans: "list[Plan]", results: "list[Accuracy]"
) -> "Iterator[tuple[Accuracy, Path]]":
    """Each group's own number, and the folder of its tables."""
    from grmeval.runs.store import run_id
    from grmeval.score import together

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


def _sample_and_score(plans: "list[Plan]") -> "Iterator[tuple[Accuracy, Path]]":
    """Each run's result as soon as it is there."""
    from grmeval.cli.meta_score import in_a_fresh_process
    from grmeval.errors import GrmevalError
    from grmeval.runs.rewards import is_meta_vote
    from grmeval.score import read_prices, score

    prices = read_prices(plans[0].config.prices)
    failure: GrmevalError | None = None
    sampled = _sampled(plans)
    if plans[0].config.meta_model:
        # To the end: only then is the generator's engine closed. What is finished is told all the same.
        done: list[RunFolder] = []
        try:
            done += sampled
            in_a_fresh_process([plan.path for plan in plans], plans[0].config)
        except GrmevalError as error:
            failure = error
        sampled = iter(done)
    for plan, folder in zip(plans, sampled, strict=failure is None):
        config = plan.config
        votes = [v for v in config.vote or () if failure is None or not is_meta_vote(v)]
        result = score(
            folder,
            k=config.k,
            limit=config.limit,
            votes=votes or None,
            protocol=config.protocol,
            ties=config.ties,
            on_invalid=config.on_invalid,
            k_meta=config.k_meta if failure is None else None,
            prices=prices,
        )
        yield result, folder.path
    if failure:
        raise failure


def _sampled(plans: "list[Plan]") -> "Iterator[RunFolder]":
    """Each run as soon as it has all its samples; after the last the engine is closed."""
    from grmeval.cli.output import consoles
    from grmeval.report.progress import ConsoleProgress
    from grmeval.runs.engines import Engines
    from grmeval.runs.sample import extend

    _, err = consoles()
    with Engines() as engines:
        for plan in plans:
            spec = plan.loaded.spec
            if missing := plan.loaded.missing:
                names = ", ".join(list(missing)[:3]) + (" …" if len(missing) > 3 else "")
                err.print(
                    f"{spec.id}: {sum(missing.values()):,} of {sum(spec.expected.values()):,} "
                    f"items are not at hand ({names})",
                    soft_wrap=True,
                )
            progress = ConsoleProgress(err)
            folder = extend(plan, progress, engines)
            if not progress.loaded:
                err.print(
                    f"{folder.path}: every sample is there, no model is loaded", soft_wrap=True
                )
            yield folder
