"""`grmeval benches`: the benchmarks there are."""

import sys
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import bench_names


@app.command()
def benches(
    bench: Annotated[
        list[str] | None,
        typer.Argument(
            help="Benchmarks or groups, to see all that is known of them. [default: a table of all]",
            autocompletion=bench_names,
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print as JSON, with metric, rules, paper, licence.")
    ] = False,
) -> None:
    """List benchmarks, and whether their rows are here."""
    from grmeval.benches import bench_ids, expand, groups
    from grmeval.cli.output import consoles
    from grmeval.cli.settings import read_settings
    from grmeval.report.benches import bench_lines, benches_json, benches_table, benches_text

    lines = bench_lines(read_settings(None).get("data", {}), expand(bench or bench_ids()))
    if as_json:
        sys.stdout.writelines([benches_json(lines)])
        return
    out, _ = consoles()
    if bench:
        sys.stdout.writelines(benches_text(lines))
        return
    out.print(benches_table(lines, out.width))
    out.print(
        "every section, metric, rules, sources: grmeval benches BENCH\n"
        "rows that are not here: grmeval data fetch BENCH, or --data PATH"
    )
    for name, group in groups().items():
        out.print(f"--bench {name} ({group.title}): {', '.join(group.members)}")
