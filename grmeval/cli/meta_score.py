"""`grmeval meta-score RUN`: a meta RM's reward of each stored judgement, for the votes that count them."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.child import run_child
from grmeval.cli.headings import UnderHeadings
from grmeval.cli.options import LATEST, RUN, AsJson, Results, option, takes

if TYPE_CHECKING:
    from grmeval.config import RunConfig

EVERY = 2**31 - 1
"""A --limit of all items: without one a command takes those of the run's record."""

__all__ = ["in_a_fresh_process", "meta_score"]


@app.command("meta-score", cls=UnderHeadings)
@takes(
    *("meta_model", "meta_template", "name", "k", "subset", "section", "limit"),
    *("revision", "trust_remote_code", "dtype", "max_model_len"),
    *("tensor_parallel", "data_parallel"),
    *("engine", "base_url", "model_tag", "concurrency", "replicas", "ray_address", "engine_args"),
    *("chat_template_kwargs", "seed"),
)
def meta_score(
    *,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"{RUN} Of several the model is loaded once. [default: {LATEST}]",
            metavar="[RUN]...",
            show_default=False,
        ),
    ] = None,
    settings: dict[str, Any],
    name: Annotated[
        str | None,
        typer.Option("--name", help="What votes call it: meta:NAME. [default: the model's name]"),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="The first k samples. [default: the record's]"),
    ] = None,
    limit: Annotated[int | None, option("limit", bounded=True)] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of the fake meta RM. [default: 0]")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Copy of the benchmark. [default: the one that was judged]"),
    ] = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Score a run's judgements with a meta RM.

    Writes rewards/NAME.* into the run's folder, for `--vote meta:NAME`. Killed, the same command goes on
    with what is missing; after the run has grown, with what is new.
    """
    from grmeval.cli.output import consoles
    from grmeval.cli.settings import looked_at
    from grmeval.interrupts import in_turn
    from grmeval.report.grid import json_object as as_object
    from grmeval.report.grid import json_text
    from grmeval.report.meta import ConsoleMeta, scored_lines
    from grmeval.report.signs import Signs
    from grmeval.runs.meta import configure_meta, prepare_meta
    from grmeval.runs.meta import meta_score as score_with_meta

    own = {"name": name, "seed": seed}
    part = {name: settings.pop(name, None) for name in ("subset", "section")}
    flags = {field.removeprefix("meta_"): value for field, value in settings.items()} | own
    found = [each for run in runs or [LATEST] for each in looked_at([run], results, part)]
    folders = list({folder.path.resolve(): folder for folder in found}.values())
    out, err = consoles()
    with Signs() as signs:
        signs.at("looking at the meta RM and the judgements")
        plan = prepare_meta(configure_meta(flags))
        with in_turn():
            progress = ConsoleMeta(err, signs)
            scored = score_with_meta(folders, plan, progress, k=k, limit=limit, data=data)
    if as_json:
        sys.stdout.write(json_text([as_object(each) for each in scored]))
        return
    for line in scored_lines(scored):
        out.print(line, soft_wrap=True)


def in_a_fresh_process(runs: Sequence[Path], config: "RunConfig") -> None:
    """Score runs with the meta RM that `config` names, in a process of its own, which ends with this one.

    What the generator held of memory is free by then, and what the meta RM holds is free afterwards.
    """
    from grmeval.benches import Filter
    from grmeval.errors import ConfigError, EngineError

    _tell_memory()
    words: list[object] = ["meta-score", *runs, "--meta-model", config.meta_model, "--k", config.k]
    words += Filter.of(dict(config)).words
    words += ["--limit", config.limit or EVERY]
    words += ["--meta-template", config.meta_template] if config.meta_template else []
    here = config.engine in ("fake", "ray")  # a server's or a batch's meta RM is loaded here
    words += [
        "--engine",
        config.engine if here else "vllm",
        "--data-parallel",
        config.data_parallel,
    ]
    words += ["--replicas", config.replicas] if config.replicas else []
    words += ["--ray-address", config.ray_address] if config.ray_address else []
    for name, value in config.meta_engine_args.items():
        words += ["--engine-arg", f"{name}={json.dumps(value)}"]
    code = run_child(words)
    if code == ConfigError.exit_code:
        raise ConfigError("the meta RM cannot be asked (see above); the judgements are kept")
    if code:
        raise EngineError(
            f"the meta RM did not finish (exit code {code}, see above); the same command goes on"
        )


def _tell_memory() -> None:
    """What the generator took, and what this process still holds beside the meta RM's."""
    from grmeval.cli.output import consoles
    from grmeval.store import memory

    if found := memory():
        gpu = f", GPU {found['gpu_peak']:,} MiB" if "gpu_peak" in found else ""
        consoles()[1].print(
            f"peak memory {found['peak']:,} MiB{gpu}; {found['held']:,} MiB held now, the engine is closed",
            soft_wrap=True,
        )
