"""--adaptive: items stop when their verdict will not change; nothing waits, nothing is asked twice."""

import json
import random
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from grmeval.engines import Engine
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Completion, Request
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import score
from grmeval.score.arrays import read_run
from grmeval.store import RunFolder, SampleKey, sample_schema, stops_of
from grmeval.store.fold import write_samples
from grmeval.store.samples import read_rows
from tests.helpers import Quiet, ask, grmeval, rows, sampled

ITEMS = 40
"""Of the packaged sample, by --limit."""

Give = Callable[[Iterable[Request], "Slow"], Iterator[Completion]]


class Slow:
    """The fake judge behind an engine that pulls requests and yields completions in a manner of its own."""

    def __init__(self, engine: Engine, give: Give) -> None:
        self.fake, self._give = engine, give
        self.context, self.asked, self.rounds = engine.context, list[tuple[Any, int]](), 0
        self.facts, self.prompt_tokens, self.close = (
            engine.facts,
            engine.prompt_tokens,
            engine.close,
        )

    def answer(self, request: Request, j: int) -> Completion:
        self.asked.append((request.key, j))
        [found] = [c for c in self.fake.generate([request]) if c.j == j]
        return found

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        self.rounds += 1
        return self._give(requests, self)


def one_by_one(requests: Iterable[Request], engine: Slow) -> Iterator[Completion]:
    for request in requests:
        for j in request.js:
            yield engine.answer(request, j)


def all_at_the_end(requests: Iterable[Request], engine: Slow) -> Iterator[Completion]:
    every = [(request, j) for request in requests for j in request.js]
    yield from (engine.answer(*each) for each in reversed(every))


def windows(requests: Iterable[Request], engine: Slow) -> Iterator[Completion]:
    """Nothing comes before a window is full; out of order inside it; the slot is free when all came."""
    wanted, dice = ((request, j) for request in requests for j in request.js), random.Random(3)
    while window := list(islice(wanted, 37)):
        dice.shuffle(window)
        yield from (engine.answer(*each) for each in window)


def any_order(requests: Iterable[Request], engine: Slow) -> Iterator[Completion]:
    """Continuous batching: as one ends another is pulled; a pull that finds nothing is the last."""
    wanted, dice = ((request, j) for request in requests for j in request.js), random.Random(5)
    running: list[tuple[Request, int]] = []
    while True:
        running += islice(wanted, 64 - len(running))
        if not running:
            return
        yield engine.answer(*running.pop(dice.randrange(len(running))))


def by_a_thread(requests: Iterable[Request], engine: Slow) -> Iterator[Completion]:
    """Requests are pulled ahead by another thread."""
    source = iter(requests)
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(next, source, None)
        while request := ahead.result():
            ahead = pool.submit(next, source, None)
            for j in request.js:
                yield engine.answer(request, j)


def lossy(requests: Iterable[Request], engine: Slow) -> Iterator[Completion]:
    """Of some items nothing ever comes."""
    for request in requests:
        if request.key.id.endswith("2"):
            continue
        for j in request.js:
            yield engine.answer(request, j)


def deaf(requests: Iterable[Request], engine: Slow) -> Iterator[Completion]:
    """Takes nothing."""
    return iter(())


def adaptive(results: Path, give: Give | None = None, **settings: Any) -> tuple[RunFolder, Any]:
    """An adaptive run, and the engine that it was given by."""
    usual = {"bench": "sample", "engine": "fake", "results": results, "k": 16, "adaptive": True}
    usual["limit"] = ITEMS
    plan, made = prepare(configure(usual | settings)), list[Slow]()

    def opened(seed: int) -> Any:
        made.append(Slow(plan.engine(seed), give or any_order))
        return made[-1]

    with Engines(opened) as engines:
        folder = extend(plan, Quiet(), engines)
    return folder, made[-1] if made else None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of an adaptive run."""
    results = tmp_path_factory.mktemp("made")
    adaptive(results)
    return results


@pytest.fixture
def stopped(made: Path, tmp_path: Path) -> RunFolder:
    """The same in this test's own folder: what follows is as if it had been made there."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    [record] = tmp_path.glob("*/*/*/run.json")
    return RunFolder(record.parent)


def missing(folder: RunFolder, k: int = 16, vote: str = "sum") -> int:
    return int(read_run(folder, k, ITEMS).missing(k, vote).sum())


@pytest.mark.parametrize("give", [one_by_one, all_at_the_end, windows, any_order, by_a_thread])
def test_no_engine_waits_whatever_its_manner(give: Give, tmp_path: Path) -> None:
    folder, engine = adaptive(tmp_path, give)
    assert missing(folder) == 0
    assert len(engine.asked) == len(set(engine.asked)), "a sample was asked for twice"
    assert len(engine.asked) < 0.85 * ITEMS * 16
    assert engine.rounds <= 16
    assert extend(prepare(configure(asked_again(tmp_path))), Quiet()).path == folder.path


def asked_again(results: Path) -> dict[str, Any]:
    usual = {"bench": "sample", "engine": "fake", "results": results, "k": 16, "adaptive": True}
    return usual | {"limit": ITEMS}


def test_a_busy_engine_is_given_work_ahead(tmp_path: Path) -> None:
    """One slot: the next request depends on nothing that runs, so that one round is all there is."""
    _, engine = adaptive(tmp_path, one_by_one)
    assert engine.rounds == 1


def test_what_never_comes_stays_missing_and_ends_the_launch(tmp_path: Path) -> None:
    folder, engine = adaptive(tmp_path, lossy)
    assert len(engine.asked) == len(set(engine.asked))
    lost = {key.id for key in read_ids(folder) if key.id.endswith("2")}
    assert missing(folder) == 16 * len(lost)
    adaptive(tmp_path)
    assert missing(folder) == 0
    nothing, engine = adaptive(tmp_path / "deaf", deaf)
    assert (engine.rounds, missing(nothing)) == (1, 16 * ITEMS)


def read_ids(folder: RunFolder) -> Any:
    from grmeval.items import Key

    table = folder.items(ITEMS)
    return list(map(Key, table["subset"].to_pylist(), table["id"].to_pylist()))


def test_what_stopped_is_data(tmp_path: Path) -> None:
    folder, _ = adaptive(tmp_path, k_min=3, epsilon=0.05)
    stops = list(stops_of(folder.path))
    depth = read_run(folder, None, ITEMS).depth
    assert len(stops) == (depth < 16).sum()
    for stop in stops:
        assert (stop.most, stop.votes, stop.k_min, stop.epsilon) == (16, ("sum",), 3, 0.05)
        assert stop.k >= 3
        assert stop.change <= 0.05
        assert (stop.rule == "bound") == (stop.change == 0)
        if "pair" in stop.subset:
            assert stop.k % 2 == 0, "balanced orders are kept whole"
    told = folder.record["launches"][-1]["adaptive"]
    assert told == {
        **{"votes": ["sum"], "most": 16, "k_min": 3, "epsilon": 0.05},
        "stopped": len(stops),
    }
    assert run_ids(tmp_path) == run_ids_of_a_plain_run(tmp_path / "plain")


def run_ids(results: Path) -> set[str]:
    return {path.parent.name for path in results.glob("*/*/*/run.json")}


def run_ids_of_a_plain_run(results: Path) -> set[str]:
    sampled(results, k=1)
    return run_ids(results)


def test_killed_anywhere_the_same_command_goes_on(tmp_path: Path) -> None:
    """The engine dies every 70 samples; in the end each item is at k or stopped, no sample is twice."""
    dying: dict[str, Any] = {"engine_args": {"die_after": 70}}
    deaths = 0
    while True:
        try:
            folder = extend(prepare(configure(asked_again(tmp_path) | dying)), Quiet())
            break
        except EngineError:
            deaths += 1
    assert deaths >= 3
    assert missing(folder) == 0
    keys = [(row["subset"], row["id"], row["j"]) for row in rows(folder.path)]
    assert len(keys) == len(set(keys)) < 0.85 * ITEMS * 16
    watcher = Quiet()
    extend(prepare(configure(asked_again(tmp_path))), watcher)
    assert watcher.loaded == 0, "nothing is missing: no model is loaded"


def test_a_run_grows_in_every_direction(tmp_path: Path) -> None:
    """--k raised, --epsilon lowered, another vote, and all the rest without --adaptive."""
    folder, _ = adaptive(tmp_path, k=8)
    made = [len(rows(folder.path))]
    for more in (
        {"k": 16},
        {"k": 16, "epsilon": 0.001},
        {"k": 16, "epsilon": 0.001, "vote": ("sum", "majority")},
    ):
        adaptive(tmp_path, **more)
        assert missing(folder) == 0
        made.append(len(rows(folder.path)))
    assert made == sorted(made)
    assert made[0] < made[1] < made[2] < ITEMS * 16
    assert missing(folder, 16, "majority") == 0
    whole = sampled(tmp_path, limit=ITEMS, k=16)
    assert len(rows(whole.path)) == ITEMS * 16
    plain = sampled(tmp_path / "plain", limit=ITEMS, k=16)
    assert rows(whole.path) == rows(plain.path)
    assert not read_run(whole, None, ITEMS).stopped.any()
    for k in (4, 16):
        assert score(whole, k=k).rows == score(plain, k=k).rows
    _, engine = adaptive(tmp_path, k=16)
    assert engine is None


def test_of_a_plain_run_what_is_there_is_looked_at_first(tmp_path: Path) -> None:
    sampled(tmp_path, limit=ITEMS, k=8)
    folder, engine = adaptive(tmp_path, k=32)
    assert missing(folder, 32) == 0
    assert min(j for _, j in engine.asked) == 8
    assert len(engine.asked) < 0.7 * ITEMS * 24


def test_verdicts_are_those_of_the_samples_that_items_stopped_with(
    stopped: RunFolder, tmp_path: Path
) -> None:
    """Beside the whole run: the same verdicts but for few; samples are the first of it."""
    folder = stopped
    plain = sampled(tmp_path / "plain", limit=ITEMS, k=16)
    there = {(row["subset"], row["id"], row["j"]): row for row in rows(plain.path)}
    assert all(there[row["subset"], row["id"], row["j"]] == row for row in rows(folder.path))
    part, full = (score(each, k=16).verdicts.to_pylist() for each in (folder, plain))
    assert sum(a["win"] != b["win"] for a, b in zip(part, full, strict=True)) <= 5
    assert not any(row["win"] is None for row in part)
    few, first = read_run(folder, None, ITEMS), read_run(plain, None, ITEMS).first(2)
    two = [score(folder, k=2).rows[0].value, score_of(first)]
    assert two[0] == two[1], (
        "of the first 2, and no mean over subsets of what was drawn till it stopped"
    )
    assert few.depth.min() >= 2


def score_of(run: Any) -> float:
    from grmeval.score.verdicts import Rules, judge_run

    verdicts = judge_run(run, "sum", [2], Rules.choose(run.record["spec"]))
    units = verdicts._told(range_of(verdicts), 0)
    return float(verdicts.estimate(run, 0, units, "overall").value)


def range_of(verdicts: Any) -> Any:
    import numpy as np

    return np.arange(len(verdicts.first))


def test_shards_limits_parts_and_merge(tmp_path: Path) -> None:
    for number in (1, 2):
        config = {"shard": {"index": number, "count": 2}}
        adaptive(tmp_path / str(number), None, **config)
    one, two = (next((tmp_path / name).glob("*/*/*/run.json")).parent for name in "12")
    assert missing(RunFolder(one)) > 0
    assert grmeval("merge", one, two).returncode == 0
    assert missing(RunFolder(one)) == 0
    stops = list(stops_of(one))
    assert (
        len(stops)
        == len({stop.name for stop in stops})
        == read_run(RunFolder(one), None, ITEMS).stopped.sum()
    )
    assert grmeval("merge", one, two).returncode == 0
    assert list(stops_of(one)) == stops

    limited, _ = adaptive(tmp_path / "limit", limit=20, subset=("*-pairs",))
    run = read_run(limited)
    assert (run.depth > 0).sum() == 20
    assert all("pairs" in stop.subset for stop in stops_of(limited.path))


def test_a_merge_leaves_stops_of_other_judgements_behind(
    stopped: RunFolder, tmp_path: Path
) -> None:
    """Samples that were there before are kept, and the other's stops are not about those."""
    here = sampled(tmp_path / "here", limit=ITEMS, k=1)
    assert grmeval("merge", here.path, stopped.path).returncode == 0
    assert not list(stops_of(here.path))


def test_responses_judged_one_by_one_stop_together(tmp_path: Path) -> None:
    folder, _ = adaptive(tmp_path, layout="single")
    run = read_run(folder, None, ITEMS)
    assert missing(folder) == 0
    pooled = [stop for stop in stops_of(folder.path) if stop.pool]
    assert pooled
    assert len(run.id) == ITEMS
    assert run.stopped.any()
    pairs, _ = adaptive(tmp_path / "pairs", layout="pairs")
    assert missing(pairs) == 0
    assert all(stop.k % 2 == 0 for stop in stops_of(pairs.path) if "single" not in stop.subset)


def test_unreadable_judgements_are_empty_votes(tmp_path: Path) -> None:
    folder, _ = adaptive(tmp_path, engine_args={"no_score": 0.3, "truncated": 0.1})
    assert missing(folder) == 0
    silent, engine = adaptive(tmp_path / "silent", engine_args={"no_score": 1.0}, limit=10)
    assert not list(stops_of(silent.path)), "who says nothing has no verdict to keep"
    assert len(engine.asked) == 160


@pytest.mark.parametrize("vote", ["mean", "median", "majority"])
def test_other_votes(vote: str, tmp_path: Path) -> None:
    folder, engine = adaptive(tmp_path, vote=(vote,))
    assert missing(folder, 16, vote) == 0
    assert len(engine.asked) < ITEMS * 16
    kinds = {stop.rule for stop in stops_of(folder.path)}
    assert kinds == ({"bound"} if vote == "median" else kinds)


def test_a_damaged_line_is_a_stop_that_is_decided_again(stopped: RunFolder, tmp_path: Path) -> None:
    folder = stopped
    [path] = (folder.path / "stopped").iterdir()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0].replace(b'"k":', b'"k": 1'), *lines[1:]]))
    assert missing(folder) > 0
    [said] = read_run(folder, None, ITEMS).damaged
    assert "line 1: damaged, and left out" in said
    adaptive(tmp_path)
    assert missing(folder) == 0
    assert not read_run(folder, None, ITEMS).damaged
    assert path.read_bytes() == b"".join(lines[1:])
    path.write_bytes(b"".join(line.replace(b'"k":', b'"k": 1') for line in lines))
    [said] = read_run(folder, None, ITEMS).damaged
    assert f"line 1: damaged, and left out (and {len(lines) - 1} more lines of it)" in said
    assert extend(prepare(configure(asked_again(tmp_path))), Quiet()).path == folder.path
    assert not read_run(folder, None, ITEMS).damaged


def test_a_stop_of_which_a_sample_is_lost_is_no_more(stopped: RunFolder, tmp_path: Path) -> None:
    """Drawn anew the sample may be another one: what was decided by the first is decided again."""
    folder = stopped
    [gone, *_] = before = list(stops_of(folder.path))
    names = sample_schema().names
    keyed = [(SampleKey(*row[:3]), row) for row in read_rows(folder.path, names)]
    kept = [each for each in keyed if each[0] != SampleKey(gone.subset, gone.id, 0)]
    write_samples(folder.path, kept)
    assert missing(folder) > 0
    plain = prepare(configure(asked_again(tmp_path) | {"adaptive": False, "k": 1}))
    extend(plain, Quiet())
    assert list(stops_of(folder.path)) == [stop for stop in before if stop.name != gone.name]
    adaptive(tmp_path)
    assert missing(folder) == 0


def test_pairs_stop_at_even_counts_whatever_was_there(tmp_path: Path) -> None:
    """A run that was killed with samples 0, 1 and 4: sample 2 and 3 make 5, an order more of one side."""

    def torn(requests: Iterable[Request], engine: Slow) -> Iterator[Completion]:
        for request in requests:
            yield from (engine.answer(request, j) for j in request.js if j in {0, 1, 4})

    sure = {"accuracy": 0.95}
    adaptive(tmp_path, torn, adaptive=False, engine_args=sure)
    folder, _ = adaptive(tmp_path, engine_args=sure)
    assert missing(folder) == 0
    run = read_run(folder, None, ITEMS)
    pairs = set(zip(run.subset[run.n == 2], run.id[run.n == 2], strict=True))
    counts = {stop.k for stop in stops_of(folder.path) if (stop.subset, stop.id) in pairs}
    assert counts
    assert not any(count % 2 for count in counts)


REFUSED: list[tuple[list[object], str]] = [
    (["--vote", "max"], "any further sample can change it"),
    (["--vote", "meta"], "the meta rewards come after the samples"),
    (["--k-min", 9], "--k-min 9: more than --k 8, which is the most"),
    (["--judge", "scalar", "--k", 1], "gives the same numbers again after 1"),
]


@pytest.mark.parametrize(("words", "why"), REFUSED)
def test_what_cannot_stop_early_is_refused(words: list[object], why: str, tmp_path: Path) -> None:
    said = ask("run", "--engine", "fake", "--adaptive", "--results", tmp_path, *words, code=2)
    assert why in said
    assert not run_ids(tmp_path)


def test_settings_of_adaptive_without_it(tmp_path: Path) -> None:
    for words, name in ((["--k-min", 4], "--k-min 4"), (["--epsilon", 0.1], "--epsilon 0.1")):
        said = ask("run", "--engine", "fake", "--results", tmp_path, *words, code=2)
        assert f"{name}: it is of --adaptive" in said
    with pytest.raises(ConfigError, match="--epsilon"):
        configure(asked_again(tmp_path) | {"epsilon": 0.7})


def test_commands_are_right_or_refuse(tmp_path: Path) -> None:
    """Documented usage: the table says what was saved; nights and diagnoses are of a fixed k."""
    words = ("--engine", "fake", "--k", 16, "--limit", ITEMS, "--results", tmp_path)
    shown = " ".join(ask("run", *words, "--adaptive").split())
    told = re.search(
        rf"adaptive: k ≤ 16, mean (\d+\.\d); (\d+) of {ITEMS} items stopped early, (\d+) take all 16; "
        r"(\d+) % of samples and about ([\d,]+) tokens not asked",
        shown,
    )
    assert told
    assert int(told[2]) + int(told[3]) == ITEMS
    assert int(told[4]) == pytest.approx(100 * (1 - float(told[1]) / 16), abs=1)
    ask("run", *words, "--seed", 1)
    first, second = (path.parent for path in sorted(tmp_path.glob("*/*/*/run.json")))
    early, plain = sorted((first, second), key=lambda path: len(rows(path)))
    run = read_run(RunFolder(early), None, ITEMS)
    saved = (16 - run.depth) * run.tokens / run.samples
    assert int(told[5].replace(",", "")) == pytest.approx(saved.sum(), abs=1)

    compared = " ".join(ask("compare", early, plain).split())
    assert f"{told[1]} samples (k ≤ 16), " in compared
    assert "over seeds" not in compared
    assert "no mean over subsets" in compared


def test_curves_and_nights_of_items_that_stopped(tmp_path: Path) -> None:
    """Documented usage: curves by the votes that items stopped under; nights at a k that all have."""
    words = ("--engine", "fake", "--k", 16, "--limit", ITEMS, "--results", tmp_path)
    ask("run", *words, "--adaptive")
    [first] = (path.parent for path in tmp_path.glob("*/*/*/run.json"))
    curve = " ".join(ask("scale-curve", first).split())
    assert re.search(r"all have k=\d, --ks goes on", curve)
    assert "majority" not in curve
    curve = " ".join(ask("scale-curve", first, "--ks", "2,16").split())
    assert re.search(r"beyond k=\d of those that an item has, at k=16", curve)
    said = ask("scale-curve", first, "--vote", "majority", "--ks", "2,16", code=2)
    assert "stopped under sum: --vote sum goes on beyond k=2, majority has no verdict" in said
    said = ask("score", first, "--vote", "majority", code=3)
    assert "`grmeval run … --adaptive --vote majority` asks for them" in said
    night = ("baseline", first, "--to", tmp_path / "b.json")
    said = ask(*night, code=3)
    assert "stopped early (--adaptive)" in said
    assert "all items have --k 2; `grmeval run … --k 16` without --adaptive draws" in said
    assert "stopped early (--adaptive)" in ask("diagnose", first, code=3)
    ask("run", *words[:2], "--k", 8, *words[4:])
    ask(*night, "--k", 8)
    plain = sampled(tmp_path / "plain", limit=ITEMS, k=8)
    ask("baseline", plain.path, "--to", tmp_path / "plain.json")
    mine, theirs = (json.loads((tmp_path / name).read_text()) for name in ("b.json", "plain.json"))
    assert mine["figures"] == theirs["figures"]
    ask("run", *words)
    ask(*night)
