"""Answers of a batch file -> samples of the run that asked, read as an engine's completions are."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.engines import BATCH
from grmeval.engines.batch import read_answer, read_completion
from grmeval.errors import DataError
from grmeval.runs.batch import Place, Places, batch_plan
from grmeval.runs.imports.file_rows import read_file
from grmeval.runs.plan import Plan
from grmeval.runs.sample import make_sample
from grmeval.store import RunFolder, SampleKey, commit, now

__all__ = ["Answers", "import_answers", "run_named"]

SHOWN = 5
"""Rows that a message names."""


class Answers(NamedTuple):
    """What files of answers came to: `new` samples; `there`: answers to requests that have one already.

    `failed`: reason -> rows (file and line) of requests that failed, whose samples are missing still.
    """

    new: int
    there: int
    failed: dict[str, list[str]]


def run_named(files: Sequence[Path]) -> str:
    """The run-id that the first answer names; DataError: it names none."""
    for where, row in _rows(files):
        name = read_answer(row, where).custom_id
        if found := re.match(r"([0-9a-f]{12})-", name):
            return found[1]
        raise DataError(f"{where}: custom_id {name[:64]!r} is no name that `grmeval export` gives")
    raise DataError(f"{', '.join(map(str, files))}: no rows")


def import_answers(folder: RunFolder, files: Sequence[Path]) -> Answers:
    """Put the answers to a run's requests into it.

    A sample that is there is never replaced; of two answers to one request the first counts. Nothing is
    written before every row of every file was checked: DataError names those that are not of this run.
    """
    plan = batch_plan(folder)
    places = Places(plan)
    with folder.writer(None):
        folder.fold(None)
        found = _survey(files, places, folder.done())
        if found.new:
            _write(plan, folder, files, places, found.new)
    failed: dict[str, list[str]] = {}
    for where, reason in found.failed.values():
        failed.setdefault(reason, []).append(where)
    return Answers(len(found.new), found.there, failed)


class _Survey(NamedTuple):
    new: set[SampleKey]
    there: int
    failed: dict[SampleKey, tuple[str, str]]


def _survey(files: Sequence[Path], places: Places, done: set[SampleKey]) -> _Survey:
    """Look at every row before one is taken."""
    new, failed = set[SampleKey](), dict[SampleKey, tuple[str, str]]()
    there, strangers = 0, list[str]()
    for where, row in _rows(files):
        answer = read_answer(row, where)
        place = places.of(answer.custom_id)
        if isinstance(place, str):
            strangers.append(f"{where}: custom_id {answer.custom_id[:64]!r} {place}")
        elif not answer.judged:
            failed.setdefault(_key(place), (where, answer.failed))
        elif (key := _key(place)) in done or key in new:
            there += 1
        else:
            new.add(key)
    if strangers:
        more = [f"and {len(strangers) - SHOWN:,} more rows"] if len(strangers) > SHOWN else []
        raise DataError("\n".join([*strangers[:SHOWN], *more, "nothing is imported"]))
    return _Survey(new, there, {k: v for k, v in failed.items() if k not in new | done})


def _write(
    plan: Plan, folder: RunFolder, files: Sequence[Path], places: Places, new: set[SampleKey]
) -> None:
    """One launch: the first answer to each of these requests."""
    facts = {
        "commit": commit(),
        "data": plan.loaded.origin,
        "engine": {"engine": BATCH},
        "files": [f"{file.name} sha256:{_hash(file)}" for file in files],
    }
    models, left = dict[str, None](), set(new)
    tokens = prompt_tokens = 0
    with folder.launch(None, _unused, facts) as launch:
        for where, row in _rows(files):
            answer = read_answer(row, where)
            place = places.of(answer.custom_id)
            if isinstance(place, str) or not answer.judged or _key(place) not in left:
                continue
            left.remove(_key(place))
            item, _, j = place
            (request,) = plan.requests([(item, (j,))])
            completion = read_completion(request, j, answer)
            launch.journal.write(make_sample(plan.judge, completion, launch.name))
            tokens += completion.tokens
            prompt_tokens += completion.prompt_tokens
            if answer.reply and answer.reply.model:
                models[answer.reply.model] = None
    folder.describe_launch(
        launch.name,
        ended=now(),
        engine={"engine": BATCH} | ({"model": " + ".join(models)} if models else {}),
        samples=len(new) - len(left),
        tokens=tokens,
        prompt_tokens=prompt_tokens,
    )
    folder.fold(None)


def _key(place: Place) -> SampleKey:
    return SampleKey(*place.item.key, place.j)


def _unused(_: str, taken: set[int]) -> int:
    """A number for a launch whose engine's seed nobody knows: none that another launch has."""
    return next(number for number in count() if number not in taken)


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _rows(files: Sequence[Path]) -> Iterator[tuple[str, Any]]:
    for file in files:
        yield from read_file(file)
