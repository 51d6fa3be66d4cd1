"""A run folder as arrays: what is read in columns is what a loop over the rows would have found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grmeval.errors import StoreError
from grmeval.items import Sample
from grmeval.score.arrays import Block, RunArrays, read_run
from grmeval.store import JournalWriter, RunFolder, SampleKey, sample_schema
from grmeval.store.fold import write_samples
from tests.helpers import sampled

K = 5
"""Samples an item, where none is missing."""

Members = dict[tuple[str, str], list[dict[str, Any]]]
"""(subset, id or pool) -> the rows of items.parquet of that item."""


def key(sample: Sample) -> SampleKey:
    return SampleKey(sample.subset, sample.id, sample.j)


def some_sample(row: dict[str, Any], j: int, launch: str, rng: np.random.Generator) -> Sample:
    """A judgement of a row of items.parquet: readable, in part (not where it is of one response), or not."""
    scores: list[float | None] = [float(s) for s in rng.integers(1, 11, size=row["n"])]
    if row["n"] > 1 and rng.random() < 0.2:
        scores[rng.integers(row["n"])] = None
    invalid = None if rng.random() < 0.7 else str(rng.choice(["no_score", "truncated"]))
    return Sample(
        subset=row["subset"],
        id=row["id"],
        j=j,
        order=tuple(range(row["n"])),
        scores=None if invalid else tuple(scores),
        invalid=invalid,
        form=None if invalid else str(rng.choice(["boxed", "line"])),
        finish="stop",
        prompt_tokens=int(rng.integers(100)),
        cached_tokens=int(rng.integers(100)),
        tokens=int(rng.integers(100)),
        parser=1,
        launch=launch,
        thinking="",
        text="",
    )


def store(
    folder: RunFolder, stored: Sequence[Sample], journals: Sequence[Sequence[Sample]]
) -> None:
    """Put samples in place of a run's: folded, and in journals that are not."""
    names = sample_schema().names
    rows = [(key(s), tuple(asdict(s)[name] for name in names)) for s in sorted(stored, key=key)]
    write_samples(folder.path, rows)
    for samples in journals:
        with JournalWriter(folder.path / "journal" / f"{samples[0].launch}.jsonl") as journal:
            for sample in samples:
                journal.write(sample)


def scattered(folder: RunFolder, seed: int) -> dict[SampleKey, Sample]:
    """Random samples, a third of them folded, keys twice, items that the run has not; those that count."""
    rng = np.random.default_rng(seed)
    rows = [*folder.items().to_pylist(), {"subset": "none", "id": "such", "n": 2}]
    parts = []
    for launch, share in (("0000", 0.7), ("0001", 0.6), ("0002", 0.4)):
        js = [(row, j) for row in rows for j in range(K) if rng.random() < share]
        parts.append([some_sample(row, j, launch, rng) for row, j in js])
    for part in parts[1:]:
        rng.shuffle(part)
    store(folder, parts[0], parts[1:])
    with (folder.path / "journal" / "0002.jsonl").open("ab") as torn:
        torn.write(b'{"subset": "none", "id"')
    return {key(sample): sample for part in reversed(parts) for sample in part}


def expected_block(block: Block, members: Members, known: dict[SampleKey, Sample]) -> Block:
    """What a block of these items should hold."""
    size, every = block.best.shape[1], list(members.items())
    here = [every[item] for item in block.items.tolist()]
    js = [
        j
        for (subset, _), rows in here
        for row in rows
        for j in range(K)
        if SampleKey(subset, row["id"], j) in known
    ]
    shape = (len(here), max(js, default=-1) + 1)
    drawn, valid = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    scores = np.full((*shape, size), np.nan)
    for at, ((subset, _), rows) in enumerate(here):
        for j in range(shape[1]):
            made = [known.get(SampleKey(subset, row["id"], j)) for row in rows]
            if None in made:
                break
            drawn[at, j] = True
            found = [sample.scores for sample in made if sample]
            valid[at, j] = any(found)
            # A pool's responses have a judgement each, other items one of all responses.
            flat = [(s or (None,))[0] for s in found] if block.pooled else found[0] or [None] * size
            scores[at, j] = [np.nan if s is None else s for s in flat]
    return replace(block, scores=scores, valid=valid, drawn=drawn)


def check_counts(
    run: RunArrays, members: Members, known: dict[SampleKey, Sample], k: int | None
) -> None:
    of = {(s, row["id"]): at for at, ((s, _), rows) in enumerate(members.items()) for row in rows}
    mine = [(of[s.subset, s.id], s) for s in known.values() if (s.subset, s.id) in of]
    counted = [(at, sample) for at, sample in mine if k is None or sample.j < k]

    def per_item(values: dict[int, int]) -> list[int]:
        return [values.get(at, 0) for at in range(len(members))]

    def summed(name: str) -> list[int]:
        sums = Counter[int]()
        for at, sample in counted:
            sums[at] += getattr(sample, name)
        return per_item(sums)

    assert run.samples.tolist() == per_item(Counter(at for at, _ in counted))
    assert run.invalid.tolist() == per_item(Counter(at for at, s in counted if s.scores is None))
    assert run.tokens.tolist() == summed("tokens")
    assert run.taken[None].prompt_tokens.tolist() == summed("prompt_tokens")
    assert run.taken[None].cached_tokens.tolist() == summed("cached_tokens")
    assert list(run.reasons) == sorted({s.invalid for _, s in mine if s.invalid})
    for reason, counts in run.reasons.items():
        assert counts.tolist() == per_item(Counter(at for at, s in counted if s.invalid == reason))
    assert run.forms == Counter(sample.form for _, sample in counted if sample.scores)
    assert run.launches == tuple(sorted({sample.launch for _, sample in mine}))


@pytest.mark.parametrize("layout", ["list", "single"])
@pytest.mark.parametrize("seed", range(2))
def test_columns_hold_what_the_rows_say(tmp_path: Path, seed: int, layout: str) -> None:
    folder = sampled(tmp_path, k=1, layout=layout)
    known = scattered(folder, seed)
    for k, limit in ((None, None), (3, None), (2, 11)):
        check_columns(folder, known, k, limit)


def check_columns(
    folder: RunFolder, known: dict[SampleKey, Sample], k: int | None, limit: int | None
) -> None:
    members: Members = {}
    pooled = False
    for row in folder.items().to_pylist():
        pooled |= row["pool"] is not None
        if limit is None or row["rank"] < limit:
            members.setdefault((row["subset"], row["pool"] or row["id"]), []).append(row)
    run = read_run(folder, k, limit)
    assert list(zip(run.subset, run.id, strict=True)) == list(members)
    assert any(block.pooled for block in run.blocks) == pooled
    assert sorted(item for block in run.blocks for item in block.items) == list(range(len(members)))
    for rows in members.values():
        rows.sort(key=lambda row: row["slot"])
    for block in run.blocks:
        wanted = expected_block(block, members, known)
        for name in ("scores", "valid", "drawn"):
            np.testing.assert_array_equal(getattr(block, name), getattr(wanted, name), name)
    check_counts(run, members, known, k)


def test_a_run_without_samples_has_empty_blocks(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1)
    (folder.path / "samples.parquet").unlink()
    run = read_run(folder)
    assert {block.scores.shape[1] for block in run.blocks} == {0}
    assert (run.samples.sum(), run.reasons, run.forms, run.launches) == (0, {}, {}, ())


def test_the_first_row_of_a_key_in_a_journal_counts(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1)
    row = folder.items().to_pylist()[0]
    one = some_sample(row, 0, "0000", np.random.default_rng(1))
    first, second = (replace(one, invalid=why, scores=None, form=None) for why in "ab")
    store(folder, [], [[first, second]])
    run = read_run(folder)
    assert {name: counts.sum() for name, counts in run.reasons.items()} == {"a": 1}


BROKEN: dict[str, dict[str, Any]] = {
    "a sample with more or fewer scores than responses": {"scores": (1.0,) * 9},
    "a sample without j": {"j": None},
    "a sample without tokens": {"tokens": None},
}


@pytest.mark.parametrize("said", BROKEN)
@pytest.mark.parametrize("folded", [True, False])
def test_rows_that_are_no_samples_are_damage(tmp_path: Path, said: str, folded: bool) -> None:
    folder = sampled(tmp_path, k=1)
    row = folder.items().to_pylist()[0]
    sample = replace(some_sample(row, 0, "0001", np.random.default_rng(0)), **BROKEN[said])
    store(folder, [sample] if folded else [], [] if folded else [[sample]])
    name = "samples.parquet" if folded else "0001.jsonl"
    with pytest.raises(StoreError, match=f"{name}: damaged: {said}"):
        read_run(folder)


@pytest.mark.long
@pytest.mark.parametrize("name", ["samples.parquet", "journal/0001.jsonl"])
def test_a_changed_byte_gives_rows_or_a_named_error(tmp_path: Path, name: str) -> None:
    folder, rng = sampled(tmp_path, k=1), np.random.default_rng(0)
    scattered(folder, 0)
    path = folder.path / name
    whole = path.read_bytes()
    said: list[str] = []
    places, changes = rng.integers(len(whole), size=100), rng.integers(1, 256, size=100)
    for place, change in zip(places.tolist(), changes.tolist(), strict=True):
        damaged = bytearray(whole)
        damaged[place] ^= change
        path.write_bytes(damaged)
        try:
            said += read_run(folder).damaged
        except StoreError as error:
            said.append(str(error))
    assert len(said) > 20
    assert all(line.startswith(str(path)) for line in said)
