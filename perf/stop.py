"""What --stop-at-score saves: the share of tokens behind the scores, and the readings that it changes.

    python perf/stop.py [RUN...] [--results results]
    python perf/stop.py [--model demo] [--limit 20] [--k 4] [--max-tokens 256] [--dtype D] [--template T]
    python perf/stop.py --small

RUN: a finished run whose judge writes and whose rows are at hand. Each stored judgement is cut where it would
have been stopped; the tokens behind are counted by characters. A judgement that goes on to give other scores
is read otherwise then: their number is what to look at before the flag is used with a model. Without RUN a
model is asked twice, as always and with the flag, decoding unconstrained. `--small`: so is the fake engine.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console

from grmeval.items import Key, Known
from grmeval.report.progress import ConsoleProgress
from grmeval.report.signs import Signs
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.store import (
    RunFolder,
    find_run,
    judged_items,
    judged_rows,
    reading_judge,
    sample_batches,
)

WATCHER = ConsoleProgress(Console(stderr=True), Signs())
COLUMNS = ["subset", "id", "order", "finish", "tokens", "invalid", "text"]


def replayed(folder: RunFolder) -> None:
    """What its judgements would have saved, had they been stopped."""
    judge = reading_judge(folder)
    items = judged_items(folder, judged_rows(folder, None), None, "perf/stop.py")
    stops = {key: judge.stop(item) for key, item in items.items()}
    count = Counter[str]()
    saved = 0.0
    for batch in sample_batches(folder, COLUMNS, 8192):
        for row in batch.to_pylist():
            key, text, n = Key(row["subset"], row["id"]), row["text"], len(row["order"])
            count["samples"] += 1
            count["tokens"] += row["tokens"]
            count["readable"] += row["invalid"] is None
            stop = stops[key]
            end = stop(text, "", 0) if stop else None
            if end is None:
                continue
            known = Known(responses=items[key].responses)
            whole = judge.read(text, n, row["finish"], known)
            cut = judge.read(text[:end], n, "stop", known)
            count["stopped"] += 1
            count["otherwise"] += whole.scores is not None and cut.scores != whole.scores
            count["gained"] += whole.scores is None
            saved += row["tokens"] * (1 - end / len(text))
    share = saved / max(1, count["tokens"])
    print(
        f"{folder.path.name}: {count['samples']:,} judgements, {count['readable']:,} readable, "
        f"{count['tokens']:,} tokens written\n"
        f"  {count['stopped']:,} would be stopped; tokens saved {share:.1%}; "
        f"read otherwise {count['otherwise']:,}, read where the whole was not {count['gained']:,}\n"
        f"  {verdict(count['otherwise'], share)}"
    )


def verdict(otherwise: int, share: float) -> str:
    """What it comes to, in a line."""
    number = f"{format(otherwise, ',') if otherwise else 'no'} judgement{'s' * (otherwise > 1)}"
    return f"{number} would be read otherwise; {100 * share:.1f} % saved"


def asked(settings: dict[str, object]) -> None:
    """A model without the flag and with it: the first run replayed, and what each wrote."""
    with tempfile.TemporaryDirectory() as folder, Engines() as engines:
        for stopping in (False, True):
            given = settings | {"stop_at_score": stopping, "results": Path(folder)}
            run = extend(prepare(configure(given)), WATCHER, engines)
            if not stopping:
                replayed(run)
            samples = tokens = readable = 0
            for batch in sample_batches(run, ["tokens", "invalid"], 8192):
                samples += batch.num_rows
                tokens += sum(batch.column("tokens").to_pylist())
                readable += batch.column("invalid").null_count
            name = "--stop-at-score" if stopping else "as always"
            print(
                f"  {name:15} {tokens / samples:6.1f} tokens a judgement, {readable} of {samples} readable"
            )


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("runs", nargs="*", metavar="RUN", help="finished runs whose judgements are cut; none: ask")
    add("--results", type=Path, default=Path("results"), help="where RUNs are (%(default)s)")
    add("--model", default="demo", help="whom to ask, twice (%(default)s)")
    add("--judge", default="pointwise", help="how it is asked (%(default)s)")
    add("--limit", type=int, default=20, help="items of the packaged sample (%(default)s)")
    add("--k", type=int, default=4, help="samples an item (%(default)s)")
    add("--max-tokens", type=int, default=256, help="of one judgement (%(default)s)")
    add("--dtype", default="auto", help="number format of the weights (%(default)s)")
    add("--template", type=Path, help="another prompt: a Jinja file")
    add("--small", action="store_true", help="ask the fake engine: does it go through?")
    given = parser.parse_args()
    for run in given.runs:
        replayed(RunFolder(find_run(run, given.results)))
    settings = {"bench": "sample", "judge": given.judge, "limit": given.limit, "k": given.k}
    if given.small:
        quoting = {"chatter": 400, "quote": 0.5}
        asked(settings | {"engine": "fake", "engine_args": quoting})
    elif not given.runs:
        settings |= {"model": given.model, "dtype": given.dtype, "structured": False}
        asked(settings | {"max_tokens": given.max_tokens, "template": given.template})


if __name__ == "__main__":
    main()
