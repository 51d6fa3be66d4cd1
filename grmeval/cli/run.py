"""`grmeval run`: sample what is missing, then score."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import json_object, key_values, option

Text = str | None


@app.command()
def run(
    bench: Annotated[Text, option("bench", "--bench")] = None,
    data: Annotated[Path | None, option("data", "--data")] = None,
    layout: Annotated[Text, option("layout", "--layout")] = None,
    k: Annotated[int | None, option("k", "--k")] = None,
    limit: Annotated[int | None, option("limit", "--limit")] = None,
    model: Annotated[Text, option("model", "--model")] = None,
    revision: Annotated[Text, option("revision", "--revision")] = None,
    dtype: Annotated[Text, option("dtype", "--dtype")] = None,
    max_model_len: Annotated[int | None, option("max_model_len", "--max-model-len")] = None,
    tensor_parallel: Annotated[int | None, option("tensor_parallel", "--tensor-parallel")] = None,
    engine: Annotated[Text, option("engine", "--engine")] = None,
    engine_arg: Annotated[list[str] | None, option("engine_args", "--engine-arg")] = None,
    judge: Annotated[Text, option("judge", "--judge")] = None,
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
    shard: Annotated[Text, option("shard", "--shard")] = None,
    results: Annotated[Path | None, option("results", "--results")] = None,
    vote: Annotated[list[str] | None, option("vote", "--vote")] = None,
    ties: Annotated[Text, option("ties", "--ties")] = None,
    on_invalid: Annotated[Text, option("on_invalid", "--on-invalid")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Judge a benchmark's items k times, score the votes.

    The run folder under --results is resumed, extended or just read: what is there is never asked
    again. Without --bench: the packaged sample.
    """
    from grmeval.cli.output import consoles, show_accuracy
    from grmeval.config import Shard
    from grmeval.errors import ConfigError, Incomplete
    from grmeval.report.progress import ConsoleProgress
    from grmeval.runs.plan import configure, prepare
    from grmeval.runs.sample import extend
    from grmeval.score import score

    if greedy and temperature:
        raise ConfigError(f"--greedy is temperature 0; drop it, or --temperature {temperature:g}")
    config = configure(
        {
            "bench": bench,
            "data": data,
            "layout": layout,
            "k": k,
            "limit": limit,
            "model": model,
            "revision": revision,
            "dtype": dtype,
            "max_model_len": max_model_len,
            "tensor_parallel": tensor_parallel,
            "engine": engine,
            "engine_args": key_values(engine_arg, "--engine-arg"),
            "judge": judge,
            "template": template,
            "system": system,
            "chat_template_kwargs": json_object(chat_template_kwargs, "--chat-template-kwargs"),
            "structured": structured,
            "temperature": 0.0 if greedy else temperature,
            "top_p": top_p,
            "max_tokens": max_tokens,
            "orders": orders,
            "seed": seed,
            "shard": Shard.parse(shard) if shard else None,
            "results": results,
            "vote": tuple(vote) if vote else None,
            "ties": ties,
            "on_invalid": on_invalid,
        }
    )
    plan = prepare(config)
    _, err = consoles()
    if missing := plan.loaded.missing:
        err.print(
            f"{config.bench}: {sum(missing.values()):,} of {sum(plan.loaded.spec.expected.values()):,} "
            f"items are not at hand ({', '.join(missing)})",
            soft_wrap=True,
        )
    progress = ConsoleProgress(err)
    folder = extend(plan, progress)
    if not progress.loaded:
        err.print(f"{folder.path}: every sample is there, no model is loaded", soft_wrap=True)
    result = score(
        folder,
        k=config.k,
        limit=config.limit,
        votes=config.vote,
        ties=config.ties,
        on_invalid=config.on_invalid,
    )
    show_accuracy(result, folder.path, as_json)
    if result.missing and not config.shard:
        raise Incomplete(f"{result.missing:,} samples are missing; the same command asks for them")
