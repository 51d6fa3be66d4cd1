"""`grmeval spct sample`: the judgements that rejective fine-tuning chooses from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grmeval.cli.headings import UnderHeadings
from grmeval.cli.make_plans import ASKED, make_plans
from grmeval.cli.options import AsJson, Config, bench_names, takes
from grmeval.cli.run import name_run, sample_plans
from grmeval.cli.spct import spct

if TYPE_CHECKING:
    from grmeval.report.signs import Signs
    from grmeval.runs import Plan
    from grmeval.store import RunFolder

N_RFT = 3
"""Samples an item without a hint (arXiv 2504.02495)."""

_OF_VERDICTS = ("vote", "protocol", "ties", "on_invalid", "prices")
_OF_A_META_RM = ("meta_model", "meta_template", "meta_engine_args", "k_meta")
_OF_STOPPING = ("adaptive", "k_min", "epsilon")
_LEFT_OUT = (*_OF_VERDICTS, *_OF_A_META_RM, *_OF_STOPPING, "critiques")
"""Settings of `run` that change nothing here: nothing is voted on, and a judge is wanted that writes."""


@spct.command(cls=UnderHeadings)
@takes(
    *(field for field in ASKED if field not in (*_LEFT_OUT, "greedy")),
    k=f"{N_RFT}, as in the paper; the hinted run has 1",
)
def sample(
    *,
    items: Annotated[
        str,
        typer.Argument(
            help="Training items: a folder of `spct data`, or a benchmark file of yours.",
            metavar="DATA",
            autocompletion=bench_names,
        ),
    ],
    settings: dict[str, Any],
    no_hinted: Annotated[
        bool, typer.Option("--no-hinted", help="Only the samples without a hint.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", help="What you call the run; the hinted one is NAME-hinted.", metavar="NAME"
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Sample judgements of training items: k without a hint, and one that is told the truth.

    grmeval spct sample DATA --model my-org/my-grm

    Makes two ordinary run folders, which are resumed and extended as those of `run`; `spct select` makes a
    data set of them. The hinted one is never scored: its prompts name the best response.
    """
    from grmeval.benches import groups
    from grmeval.cli.settings import read_settings
    from grmeval.engines import BATCH
    from grmeval.errors import ConfigError, Incomplete
    from grmeval.report.signs import Signs

    if items in groups():
        raise ConfigError(f"DATA {items}: a group of benchmarks; name one set of items")
    _refuse_head(settings.get("judge") or read_settings(config).get("judge"))
    # What the settings file says of scoring is not meant here.
    given = dict.fromkeys(_LEFT_OUT) | {"adaptive": False, "k": N_RFT} | settings
    for field in ("k_min", "epsilon"):
        del given[field]
    with Signs() as signs:
        (plan,), _ = make_plans(given | {"bench": [items]}, [], config, signs)
        _check(plan)
        # The hinted run first, so that `latest` is the one that can be scored.
        plans = [plan] if no_hinted else [_hinted(plan, signs), plan]
        if name is not None:
            for each, suffix in zip(reversed(plans), ("", "-hinted"), strict=False):
                name_run(name + suffix, each)
        folders = list(sample_plans(plans, signs))
        signs.so_far(None)
    missing = sum(
        len(js)
        for each, folder in zip(plans, folders, strict=True)
        for _, js in each.missing(folder.done())
    )
    _tell(folders, as_json)
    if missing and plan.config.engine == BATCH:
        raise typer.Exit(Incomplete.exit_code)  # what to do has been said, and nothing failed
    if missing:
        raise Incomplete(f"{missing:,} samples are missing; the same command asks for them")


def _refuse_head(judge: str | None) -> None:
    """ConfigError: the judge writes no texts."""
    from grmeval.errors import ConfigError
    from grmeval.judges import JUDGES

    if judge and judge in JUDGES and JUDGES[judge].head:
        raise ConfigError(f"--judge {judge}: a head writes no texts to learn from")


def _check(plan: "Plan") -> None:
    """ConfigError: its judgements could not be trained on."""
    from grmeval.errors import ConfigError
    from grmeval.judges import lacks_truth

    if plan.loaded.spec.source.restricted:
        raise ConfigError(
            f"DATA {plan.loaded.spec.id}: a restricted benchmark: its examples are not to stand in a plain "
            "file, and a training set is one"
        )
    items = plan.items()
    if lacking := [(item, why) for item in items if (why := lacks_truth(item))]:
        (item, why), count = lacking[0], len(lacking)
        raise ConfigError(
            f"DATA {plan.loaded.spec.id}: {count:,} of {len(items):,} items {why} ({'/'.join(item.key)}"
            f"{' …' if count > 1 else ''}): no judgement of them could be trained on; take them out"
        )


def _hinted(plan: "Plan", signs: "Signs") -> "Plan":
    """The same items, judge and model, one sample each, told the truth."""
    from grmeval.runs import prepare

    config = plan.config.model_copy(update={"k": 1})
    return prepare(config, plan.loaded, plan.model, signs.at, hinted=True)


def _tell(folders: "Sequence[RunFolder]", as_json: bool) -> None:
    """Which runs there are, and what makes a training set of them."""
    import json

    from grmeval.cli.output import consoles
    from grmeval.store import name_of

    *hinted, plain = (folder.path for folder in folders)
    if as_json:
        found = dict(zip(("run", "hinted"), map(str, (plain, *hinted)), strict=False))
        print(json.dumps(found, indent=1))
        return
    out, _ = consoles()
    out.print(f"samples: {plain}", soft_wrap=True)
    for path in hinted:
        out.print(f"hinted:  {path}", soft_wrap=True)
    more = "".join(f" --hinted {name_of(path) or path.name}" for path in hinted)
    named = name_of(plain) or plain.name
    out.print(f"next:    grmeval spct select {named}{more} -o SFT", soft_wrap=True)
