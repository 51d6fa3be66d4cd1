"""A file of judgements that another program made -> a run, to be scored as any other."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from grmeval.benches import at_hand, find_spec, load
from grmeval.engines.models import slug
from grmeval.errors import ConfigError
from grmeval.files import write_with
from grmeval.items import Key, Sample
from grmeval.parquet import write_parquet
from grmeval.runs.imports.consistency import MISSING_GAME, Survey
from grmeval.runs.imports.judgement_file import Judgement, read_judgements
from grmeval.runs.imports.own_results import OwnResults
from grmeval.runs.limit import limit_ranks
from grmeval.secret_keys import refuse_secrets
from grmeval.store import IMPORT, RunFolder, SampleKey, commit, items_table, now, run_id

__all__ = ["REWARDS", "Imported", "import_scores"]

REWARDS = "rewards/imported.parquet"


class Imported(NamedTuple):
    """The run, how many of its samples are new, and what is to be said of the file besides."""

    folder: RunFolder
    new: int
    notes: tuple[str, ...]


def import_scores(
    file: Path, bench: str, model: str, data: Path | None, results: Path, as_stored: bool = False
) -> Imported:
    """Make the run of a file's judgements below `results`, or find it there.

    `model` names who judged. The benchmark's rows are read where they are at hand (`data`, packaged,
    the hub's cache); else the file's `quality` says which items there are. Items without a judgement are
    no part of the run. `as_stored`: no guard is taken off a CSV's texts.
    Nothing is written before every row was checked: DataError, or ConfigError.
    """
    if not model.strip():
        raise ConfigError("--model: name the judge that made these judgements")
    refuse_secrets("--model ", model)
    spec, beside = find_spec(bench)
    rows = load(bench, data) if data or at_hand(spec, beside) else None
    survey, own = Survey(spec, rows), OwnResults(spec)
    read = partial(read_judgements, file, as_stored)
    for row in read():
        for one in survey.singles(row):
            survey.add(one)
        own.add(row, survey.key(row).subset)
    survey.finish()
    loaded, left_out = survey.judged()
    label = slug(model.replace("/", "--"))
    identity = {
        "bench": spec.id,
        "data": loaded.content_hash,
        "engine": IMPORT,
        "file": survey.content_hash(),
        "judge": {"name": IMPORT},
        "layout": "list",
        "model": model,
        "orders": survey.orders,
        "seed": 0,
    }
    asked = {
        "asked": {"k": survey.most, "limit": None},
        "config": {
            "bench": bench,
            "data": str(data) if data else None,
            "file": str(file),
            "label": label,
            "model": model,
            "texts": rows is not None,
        },
        "spec": loaded.spec.model_dump(mode="json") | {"missing": {}, "left_out": left_out},
    }
    # Of all rows at hand, so that --limit takes of a part what it takes of the whole.
    everything = rows.items if rows else loaded.items
    ranks = dict(
        zip(
            (item.key for item in everything),
            limit_ranks(everything, spec.section_of, 0),
            strict=True,
        )
    )
    table = items_table(loaded.items, [ranks[item.key] for item in loaded.items])
    path = results / spec.id / label / run_id(identity)
    folder = RunFolder.create(path, identity, lambda: table, **asked)
    with folder.writer(None):
        folder.fold(None)
        folder.update(**asked)
        new = _take_over(folder, survey, read, loaded.origin)
    notes = own.notes(file)
    if survey.unplayed:
        told = f"{file}: {len(survey.unplayed):,} games are missing (pairs in one order alone)"
        notes = (f"{told}: each counts as an unread one, {MISSING_GAME}", *notes)
    return Imported(folder, new, notes)


def _take_over(
    folder: RunFolder, survey: Survey, read: Callable[[], Iterator[Judgement]], origin: str
) -> int:
    """Write what is not there yet; gives how many samples those were."""
    if survey.rewards and not (folder.path / REWARDS).exists():
        _write_rewards(folder.path / REWARDS, survey.rewards)
    done = folder.done()
    new = survey.samples - len(done)
    if new:
        facts = {"commit": commit(), "data": origin, "engine": {"engine": IMPORT}}
        with folder.launch(None, lambda _, taken: len(taken), facts) as launch:
            told = chain.from_iterable(map(survey.singles, read()))
            for one in chain(told, survey.unplayed):
                key = survey.key(one)
                if SampleKey(*key, one.j) not in done:
                    launch.journal.write(_sample(key, one, launch.name))
        folder.describe_launch(launch.name, ended=now(), samples=new)
        folder.fold(None)
    return new


def _sample(key: Key, row: Judgement, launch: str) -> Sample:
    return Sample(
        subset=key.subset,
        id=key.id,
        j=row.j,
        order=row.order,
        scores=row.scores,
        invalid=row.invalid,
        form=None if row.scores is None else "imported",
        finish="stop",
        prompt_tokens=row.prompt_tokens,
        cached_tokens=0,
        tokens=row.tokens,
        parser=0,
        launch=launch,
        thinking=row.thinking,
        text=row.text,
    )


def _write_rewards(path: Path, rewards: list[tuple[str, str, int, float]]) -> None:
    import pyarrow as pa

    kinds = {"subset": pa.string(), "id": pa.string(), "j": pa.int32(), "reward": pa.float64()}
    columns = zip(kinds.items(), zip(*sorted(rewards), strict=True), strict=True)
    table = pa.table({name: pa.array(values, kind) for (name, kind), values in columns})
    write_with(path, lambda temporary: write_parquet(temporary, table))
