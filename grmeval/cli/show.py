"""`grmeval show RUN`: the story of a run, a list of its items, or one item in it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, Results, Run, takes
from grmeval.cli.record import refuse_damage


@app.command()
@takes(
    *("subset", "section", "limit"),
    *("vote", "k_meta", "protocol", "ties", "on_invalid"),
    bounded=True,
)
def show(
    *,
    run: Run = LATEST,
    item: Annotated[
        str | None, typer.Option("--item", help="Item: id, or subset/id, with its judgements.")
    ] = None,
    j: Annotated[
        int | None, typer.Option("--j", min=0, help="Only sample j of the item. [default: all]")
    ] = None,
    wrong: Annotated[
        bool, typer.Option("--wrong", help="List the items whose vote picks another response.")
    ] = False,
    tied: Annotated[
        bool, typer.Option("--tied", help="List those whose best response ties with another.")
    ] = False,
    invalid: Annotated[
        bool, typer.Option("--invalid", help="List those with a judgement that could not be read.")
    ] = False,
    flipped: Annotated[
        str | None,
        typer.Option(
            "--flipped",
            help="List those whose verdict differs from this run's, as `compare` counts them.",
            metavar="RUN",
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="List by the first k samples. [default: the record's]"),
    ] = None,
    settings: dict[str, Any],
    texts: Annotated[
        bool | None,
        typer.Option(
            "--texts/--no-texts",
            help="The item's conversation and responses as well; in a list the first words of prompts. "
            "[default: no; in a list yes, but for restricted and large benchmarks]",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Copy of the benchmark, for --texts. [default: the one that was judged]"
        ),
    ] = None,
    results: Results = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Show a run, items of it, or one item's judgements.

    --wrong, --tied, --invalid and --flipped list the items to which any of them applies; --subset or
    --section alone lists all of theirs.
    """
    from grmeval.benches import Filter
    from grmeval.cli.settings import results_folder
    from grmeval.errors import ConfigError
    from grmeval.report.story import as_json_text, item_story, run_story
    from grmeval.report.story_lines import item_text, run_text
    from grmeval.score import OUTCOMES
    from grmeval.store import RunFolder, find_run

    listed = wrong or tied or invalid or flipped is not None
    only = Filter.of(settings)
    voting = k or settings.keys() - {"subset", "section"}
    if item is not None and (listed or voting):
        raise ConfigError(
            "--item opens one item: drop what lists several, and how they are voted on"
        )
    if listed or (only and item is None):
        if j is not None:
            raise ConfigError("--j is of one item: name it with --item ID")
        flags = {"wrong": wrong, "tied": tied}
        found = [name for name, wanted in flags.items() if wanted] if listed else [*OUTCOMES, ""]
        _list(run, found, invalid, flipped, k, settings, texts, data, results, as_json)
        return
    if voting and item is None:
        raise ConfigError("which items? --wrong, --tied, --invalid, --flipped RUN, or --subset '*'")
    if item is None and (j is not None or texts or data):
        raise ConfigError("--j, --texts and --data are of one item: name it with --item ID")
    if data and not texts:
        raise ConfigError("--data is where --texts takes the texts from: add --texts")
    folder = RunFolder(find_run(run, results_folder(results)))
    if item is None:
        whole = run_story(folder)
        sys.stdout.writelines([as_json_text(whole)] if as_json else run_text(whole))
    else:
        story = item_story(folder, item, j=j, texts=bool(texts), data=data, only=only)
        sys.stdout.writelines([as_json_text(story)] if as_json else item_text(story))


def _list(
    run: str,
    outcomes: list[str],
    invalid: bool,
    flipped: str | None,
    k: int | None,
    settings: dict[str, Any],
    texts: bool | None,
    data: Path | None,
    results: Path | None,
    as_json: bool,
) -> None:
    """Print the items that are asked for."""
    from grmeval.cli.output import consoles, print_json
    from grmeval.cli.settings import looked_at
    from grmeval.errors import ConfigError
    from grmeval.report.item_list import item_table, with_prompts
    from grmeval.score import flipped as flips_of
    from grmeval.score import list_items

    folder, *others = looked_at([run, *([flipped] if flipped else [])], results, settings)
    rules = {name: value for name, value in settings.items() if name not in ("subset", "section")}
    votes = rules.pop("vote", [None])
    if len(votes) > 1:
        raise ConfigError(f"--vote {votes[1]}: a list is of one vote, and {votes[0]} is given too")
    rules |= {"k": k, "vote": votes[0]}
    for other in others:
        if not rules.keys() & {"protocol", "ties", "on_invalid"}:
            rules["protocol"] = "official"  # as `compare` does, whatever either run's record says
        changed = flips_of(other, folder, **rules)
        rules |= {"k": changed.k, "limit": changed.limit, "vote": changed.vote}
        rules |= {"flips": changed.changes, "before": changed.before}
    result = list_items(folder, outcomes=outcomes, invalid=invalid, **rules)
    result = with_prompts(result, folder, texts, data)
    if as_json:
        print_json(result)
    else:
        out, _ = consoles()
        if result.rows:
            out.print(item_table(result, out.width))
        for note in result.footer:
            out.print(note, soft_wrap=not out.is_terminal)
        out.print(f"{len(result.rows):,} of {result.items:,} items", soft_wrap=True)
    refuse_damage(result.damaged)
