"""Laws that hold for anything: the parser, the orders and the store. GRMEVAL_FUZZ examples of each."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grmeval.errors import GrmevalError
from grmeval.items import Item, Key, Message, Reading, Sample
from grmeval.judges import PointwiseJudge
from grmeval.judges.parse import read_scores
from grmeval.judges.thinking import split_thinking
from grmeval.runs.limit import limit_ranks
from grmeval.runs.orders import response_order
from grmeval.store import (
    JournalWriter,
    RunFolder,
    SampleKey,
    items_table,
    run_id,
    sample_schema,
)
from grmeval.store.fold import fold
from grmeval.store.journal import damaged_lines, read_journal
from grmeval.store.samples import read_rows, stored_keys, totals

EXAMPLES = settings().max_examples
# The guard against texts that take a parser quadratic time: generous, but such a text would take hours.
pytestmark = pytest.mark.timeout(60 + EXAMPLES // 8)

JUDGE = PointwiseJudge()
NAMES = sample_schema().names
FORMS = {"boxed", "boxed_decimal", "boxed_out_of_ten", "boxed_markup", "boxed_named", "box_each"}
FORMS |= {"scores_line"}
UNREAD = {"length": "truncated", "prompt_too_long": "prompt_too_long", "error": "engine_error"}
REASONS = {"no_score", "not_a_number", "wrong_count", "out_of_range"}


@pytest.fixture(scope="module", autouse=True)
def quick_disk() -> Iterator[None]:
    """What is written is fuzzed, not when the disk has it; and few rows fill more than one row group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        patch.setattr("grmeval.store.samples.ROW_GROUP", 5)
        yield


# ---------------------------------------------------------------------- texts

PIECES = (
    *(r"\boxed{", r"\boxed {", r"\boxed", "\\", "boxed{", "{", "}", "{}", "}}"),
    *(r"\boxed{10, 1}", r"\boxed{7}", r"\boxed{7} \boxed{3}", r"\boxed{\text{7}, 3}", "\\,"),
    *("Scores:", "\nScores: ", "\n**Score**: ", "Scores: 9, 2\n", "### Scores: (9, 2)\n", "score"),
    *("<think>", "</think>", "<thinking>", "</thinking>", "[THINK]", "[/THINK]"),
    *("◁think▷", "◁/think▷", "<|im_end|>", "[The End of Response 1]", "{% endfor %}"),
    *(*"0123456789", "10", "11", "-1", "+7", "007", "1e1", "NaN", "٧", "²", "７", "9" * 30),
    *(", ", ",", ";", "，", "、", " and ", "|", "&", "/", "/10", " / 10", ".", ".0", "*", "$", "#"),
    *(" ", "\t", "\n", "\r", "\r\n", "\0", "\x0b", "\x0c", "\x1b[2J", "\x85", "\u2028", "\u2029"),
    *("\u202e", "\u2066", "\u200b", "\ufeff", "\u0301", "\ud800", "\udfff", "\U0001f600", "ſ", "K"),
)
WILD = st.text(st.characters(exclude_categories=[]), max_size=20)
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), WILD), max_size=30).map("".join)
SCORES = st.lists(st.integers(1, 10), min_size=1, max_size=8)
FINISHES = st.one_of(st.sampled_from(["stop", *UNREAD]), WILD)
KILOBYTES = 100_000


def repeated(parts: Sequence[tuple[str, int]]) -> str:
    return "".join(text * times for text, times in parts)[:KILOBYTES]


# A few pieces, over and over: what makes a backtracking pattern slow.
FEW = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
LONG = st.lists(st.tuples(FEW, st.integers(1, KILOBYTES)), min_size=1, max_size=4).map(repeated)


def check(reading: Reading, text: str, n: int, finish: str) -> None:
    if reading.scores is None:
        assert reading.form is None
        assert reading.invalid in ({UNREAD[finish]} if finish in UNREAD else REASONS)
    else:
        assert (finish in UNREAD, reading.invalid) == (False, None)
        assert reading.form in FORMS
        assert len(reading.scores) == n
        assert all(1 <= score <= 10 for score in reading.scores)
    assert (reading.thinking, reading.text) == split_thinking(text)
    assert text.startswith(reading.thinking)
    assert text.endswith(reading.text)


@given(HOSTILE, st.integers(1, 8), FINISHES)
def test_any_text_is_read_or_refused_by_name(text: str, n: int, finish: str) -> None:
    check(read_scores(text, n, finish), text, n, finish)


@given(LONG, st.integers(1, 8), FINISHES)
def test_any_long_text_is_read_in_time(text: str, n: int, finish: str) -> None:
    check(read_scores(text, n, finish), text, n, finish)


@given(SCORES, HOSTILE)
def test_what_a_judge_writes_is_read_whatever_it_says_before(
    scores: list[int], analysis: str
) -> None:
    text = JUDGE.write(scores, analysis)
    assert JUDGE.read(text, len(scores), "stop")[:3] == (tuple(scores), None, "boxed")
    assert JUDGE.read(text, len(scores), "length")[:3] == (None, "truncated", None)


@given(HOSTILE, HOSTILE, SCORES, st.sampled_from([", ", "} \\boxed{", "/10, ", ".0, "]))
def test_lines_before_a_judgement_never_give_it_other_scores(
    before: str, text: str, scores: list[int], between: str
) -> None:
    """A thought that was opened above, or a box that a line above left open, may hide scores.

    Boxes that are named may be more by those of lines above.
    """
    text += f"\\boxed{{{between.join(map(str, scores))}}}"
    alone, below = (read_scores(t, len(scores), "stop") for t in (text, f"{before}\n{text}"))
    assert below.scores in (alone.scores, None) or alone.text == ""
    opened = "<think" in before or "[THINK]" in before or "◁think▷" in before
    if alone.form not in (None, "box_each") and below.text and not opened:
        assert (below.scores, below.form) == (alone.scores, alone.form)


# ---------------------------------------------------------------------- orders

ALIKE = st.sampled_from(["", "a", "b", "\0", "a\0", "\0a", "a\0b", "b\0a"])
NAME = st.one_of(
    ALIKE, st.sampled_from(["A", "à", "a\u0300", "a ", "\u202ea", "1", "01", "\ud800"]), WILD
)
KEYS = st.builds(Key, NAME, NAME)
POLICIES = st.sampled_from(["balanced", "random"])


@given(POLICIES, st.integers(), KEYS, st.integers(1, 16), st.integers(0, 2**40))
def test_an_order_is_a_permutation_and_always_the_same(
    policy: str, seed: int, key: Key, n: int, j: int
) -> None:
    order = response_order(policy, seed, key, n, j)
    assert sorted(order) == list(range(n))
    assert order == response_order(policy, seed, Key(*key), n, j)


@given(st.integers(), KEYS, st.integers(1, 12), st.integers(0, 2**40), st.integers(0, 99))
def test_balanced_orders_show_every_response_in_every_slot_equally_often(
    seed: int, key: Key, n: int, start: int, turns: int
) -> None:
    orders = [response_order("balanced", seed, key, n, start + j) for j in range(n)]
    assert all(sorted(slot) == list(range(n)) for slot in zip(*orders, strict=True))
    assert response_order("balanced", seed, key, n, start + turns * n) == orders[0]


def toy(subset: str, name: str, group: str | None) -> Item:
    return Item("toy", subset, name, (Message("user", "?"),), ("a", "b"), group=group)


def distinct(of: st.SearchStrategy[Item]) -> st.SearchStrategy[list[Item]]:
    return st.lists(of, min_size=1, max_size=24, unique_by=lambda item: item.key)


ITEMS = st.one_of(
    distinct(st.builds(toy, ALIKE, ALIKE, st.one_of(st.none(), ALIKE))),
    distinct(st.builds(toy, NAME, NAME, st.one_of(st.none(), NAME))),
)


def unit(item: Item) -> tuple[str, bool, str]:
    """What --limit counts: a group, or an item without one."""
    return item.subset, item.group is None, item.id if item.group is None else item.group


@given(ITEMS, st.integers(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_limits_take_whole_groups_by_sections_and_never_by_rows(
    items: list[Item], seed: int, sections: int, random: Any
) -> None:
    def section(subset: str) -> int:
        return sum(map(ord, subset)) % sections

    ranks = dict(zip((i.key for i in items), limit_ranks(items, section, seed), strict=True))
    shuffled = random.sample(items, len(items))
    again = dict(zip((i.key for i in shuffled), limit_ranks(shuffled, section, seed), strict=True))
    assert again == ranks

    units = {(ranks[item.key], unit(item)) for item in items}
    assert sorted(rank for rank, _ in units) == list(range(len({unit(item) for item in items})))

    at = [section(name[0]) for _, name in sorted(units)]
    sizes = {number: at.count(number) for number in at}
    for number, size in sizes.items():
        share = Fraction(size, len(at))
        for n in range(1, len(at) + 1):
            # The bound that test_orders.py derives.
            off = abs(at[:n].count(number) - n * share)
            assert off <= (1 + share * (len(sizes) - 2)) / 2


# ---------------------------------------------------------------------- the store

# What make_sample lets through: any text that UTF-8 can hold.
TEXT = HOSTILE.map(lambda text: text.encode("utf-8", "replace").decode())
SHORT = NAME.map(lambda text: text.encode("utf-8", "replace").decode())
COUNTS = st.integers(0, 2**31 - 1)
LAUNCH = "0000"

COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "subset": SHORT,
    "id": SHORT,
    "j": COUNTS,
    "order": st.lists(st.integers(0, 2**15 - 1), max_size=5).map(tuple),
    "scores": st.one_of(
        st.none(), st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5).map(tuple)
    ),
    "invalid": st.one_of(st.none(), SHORT),
    "form": st.one_of(st.none(), SHORT),
    "finish": SHORT,
    "prompt_tokens": COUNTS,
    "cached_tokens": COUNTS,
    "tokens": COUNTS,
    "parser": st.integers(0, 2**15 - 1),
    "launch": st.just(LAUNCH),
    "thinking": TEXT,
    "text": TEXT,
}
SAMPLES = st.lists(st.builds(Sample, **COLUMNS), max_size=4)

# Few keys, so that many samples share one; what they say tells them apart.
FEW_KEYS: dict[str, st.SearchStrategy[Any]] = {
    "subset": st.sampled_from(["", "a", "a\0"]),
    "id": st.sampled_from(["", "1", "\0", "à"]),
    "j": st.integers(0, 2),
    "text": SHORT,
}
PLAIN_COLUMNS = {name: st.just(0) for name in COLUMNS} | {
    "order": st.just((0,)),
    **{name: st.just(None) for name in ("scores", "invalid", "form")},
    **{name: st.just("") for name in ("finish", "launch", "thinking")},
}
JOURNALS = st.lists(
    st.lists(st.builds(Sample, **(PLAIN_COLUMNS | FEW_KEYS)), max_size=8), min_size=1, max_size=2
)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


def write(path: Path, written: Sequence[Sample]) -> None:
    path.unlink(missing_ok=True)
    with JournalWriter(path) as journal:
        for sample in written:
            journal.write(sample)


def as_sample(row: dict[str, Any]) -> Sample:
    scores = None if row["scores"] is None else tuple(row["scores"])
    return Sample(**(row | {"scores": scores, "order": tuple(row["order"])}))


def read(path: Path) -> list[Sample]:
    return [as_sample(row) for _, row in read_journal(path)]


def exact(found: Sequence[Sample]) -> list[str]:
    """Comparable to the last bit: -0.0 is not 0.0."""
    return list(map(repr, found))


@given(SAMPLES)
def test_a_journal_gives_back_what_it_was_given(scratch: Path, written: list[Sample]) -> None:
    path = scratch / f"{LAUNCH}.jsonl"
    write(path, written)
    assert exact(read(path)) == exact(written)
    lines = path.read_bytes()
    for offset, row in read_journal(path):
        assert json.loads(lines[offset : lines.index(b"\n", offset)])["j"] == row["j"]


@given(SAMPLES, st.integers(min_value=0))
def test_a_torn_journal_keeps_every_whole_line(
    scratch: Path, written: list[Sample], cut: int
) -> None:
    path = scratch / f"{LAUNCH}.jsonl"
    write(path, written)
    whole = path.read_bytes()
    torn = whole[: cut % (len(whole) + 1)]
    path.write_bytes(torn)
    assert exact(read(path)) == exact(written[: torn.count(b"\n")])


@given(SAMPLES.filter(bool), st.integers(min_value=0), st.integers(min_value=0))
def test_a_torn_line_inside_a_journal_costs_that_line(
    scratch: Path, written: list[Sample], which: int, cut: int
) -> None:
    path = scratch / f"{LAUNCH}.jsonl"
    write(path, written)
    lines = [line + b"\n" for line in path.read_bytes().split(b"\n")[:-1]]
    number = which % len(lines)
    lines[number] = lines[number][: cut % (len(lines[number]) - 1)] + b"\n"
    path.write_bytes(b"".join(lines))
    assert exact(read(path)) == exact(written[:number] + written[number + 1 :])
    assert damaged_lines(path) == [f"{path}, line {number + 1}: damaged, and left out"]


def stored(folder: Path) -> list[tuple[Any, ...]]:
    return list(read_rows(folder, NAMES))


def rewritten(folder: Path, journals: Sequence[Sequence[Sample]]) -> list[Path]:
    paths = [folder / f"{number:04d}.jsonl" for number in range(len(journals))]
    for path, written in zip(paths, journals, strict=True):
        write(path, written)
    return paths


@given(JOURNALS, JOURNALS)
def test_a_fold_keeps_the_first_row_of_each_key_in_order(
    scratch: Path, earlier: list[list[Sample]], later: list[list[Sample]]
) -> None:
    (scratch / "samples.parquet").unlink(missing_ok=True)
    first: dict[SampleKey, str] = {}
    for journals in (earlier, later):
        paths = rewritten(scratch, journals)
        for sample in (sample for written in journals for sample in written):
            key = SampleKey(sample.subset, sample.id, sample.j)
            first.setdefault(key, sample.text)
        assert stored_keys(scratch, paths) == first.keys()
        fold(scratch, paths)
        assert not any(path.exists() for path in paths)
        rows = stored(scratch)
        text = NAMES.index("text")
        assert [(SampleKey(*row[:3]), row[text]) for row in rows] == sorted(first.items())

        fold(scratch, rewritten(scratch, journals))
        fold(scratch, [])
        assert stored(scratch) == rows
        assert totals(scratch)["samples"] == len(first)


@given(SAMPLES)
def test_a_fold_changes_no_value(scratch: Path, written: list[Sample]) -> None:
    (scratch / "samples.parquet").unlink(missing_ok=True)
    path = scratch / f"{LAUNCH}.jsonl"
    write(path, written)
    fold(scratch, [path])
    rows = [as_sample(dict(zip(NAMES, row, strict=True))) for row in stored(scratch)]
    kept = [next(group) for _, group in groupby(sorted(written, key=_key), key=_key)]
    assert exact(rows) == exact(kept)


def _key(sample: Sample) -> SampleKey:
    return SampleKey(sample.subset, sample.id, sample.j)


# ---------------------------------------------------------------------- damage

IDENTITY = {"bench": "toy", "judge": {"name": "pointwise", "orders": [1, 2]}, "seed": 0}
SPEC = {"id": "toy", "title": "toy", "source": {}, "tables": []}
ASKED: dict[str, Any] = {"asked": {"k": 1, "limit": None}, "config": {"label": "toy"}, "spec": SPEC}
FILES = ("journal/0000.jsonl", "run.json", "samples.parquet")


def no_items() -> Any:
    return items_table([], [])


def small_run(path: Path) -> dict[str, bytes]:
    """A run of two launches, one folded, one not; its files."""
    run = RunFolder.create(path, IDENTITY, no_items, **ASKED)
    for launch in (1, 0):
        with run.launch(None, lambda name, taken: len(taken), {"commit": None}) as started:
            for at in range(6):
                scores, invalid = ((7.0, 3.0), None) if at % 3 else (None, "no_score")
                said = ("\ud55c \u0000 \u202e", f"\\boxed{{7, 3}} \ud5ff {at}" * (at + 1))
                place = (f"s\u00e9{at % 2}", f"\uac00{at}", launch, (1, 0), scores, invalid)
                sample = Sample(*place, None, "stop", 99, 0, 55, 1, started.name, *said)
                started.journal.write(sample)
        if launch:
            run.fold(None)
    (path / "journal" / "0001.jsonl").rename(path / FILES[0])
    return {name: (path / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def small() -> Iterator[tuple[Path, dict[str, bytes]]]:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "run", small_run(Path(folder) / "run")


@pytest.mark.parametrize("name", FILES)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_gives_rows_or_a_named_error(
    name: str, small: tuple[Path, dict[str, bytes]], place: int, change: int
) -> None:
    path, files = small
    for each, content in files.items():
        (path / each).write_bytes(content)
    damaged = bytearray(files[name])
    damaged[place % len(damaged)] ^= change
    (path / name).write_bytes(damaged)
    journal = path / FILES[0]
    for look in (
        lambda: list(read_journal(journal)),
        lambda: stored(path),
        lambda: totals(path),
        lambda: RunFolder(path).done(),
        lambda: RunFolder.create(path, IDENTITY, no_items, **ASKED),
        lambda: RunFolder(path).fold(None),
        lambda: stored(path),
    ):
        with suppress(GrmevalError):
            look()


# ---------------------------------------------------------------------- the run's id

PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), PLAIN),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(PLAIN, inner, max_size=4)),
    max_leaves=12,
)


def turned(value: Any) -> Any:
    """The same JSON, the fields of every object in the other order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


@given(st.dictionaries(PLAIN, JSON, max_size=6), PLAIN, JSON)
def test_a_runs_id_is_that_of_its_identity(identity: dict[str, Any], name: str, value: Any) -> None:
    found = run_id(identity)
    assert len(found) == 12
    assert set(found) <= set("0123456789abcdef")
    assert run_id(turned(identity)) == found
    assert run_id(json.loads(json.dumps(identity))) == found
    changed = identity | {name: [identity.get(name), value]}
    assert run_id(changed) != found
