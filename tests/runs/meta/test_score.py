"""Meta rewards of stored samples: exactly the missing ones, from what each judgement saw, beside the run."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grmeval.benches import load
from grmeval.engines.scorer import Reward, Scorer, ScoreRequest
from grmeval.errors import ConfigError, DataError, EngineError, StoreError
from grmeval.items import Key
from grmeval.runs.meta import MetaPlan, Scored, configure_meta, meta_score, prepare_meta
from grmeval.store import RewardFile, RunFolder, reward_names
from tests.helpers import rows, sampled

Sampled = tuple[str, str, int]


class Watcher:
    """Counts what it is told."""

    loaded = 0
    samples = 0
    had = 0
    ended = 0

    def loading(self, plan: MetaPlan) -> None:
        self.loaded += 1

    def begin(self, run: Path, samples: int, have: int) -> None:
        self.had = have

    def advance(self, reward: Reward) -> None:
        self.samples += 1

    def end(self) -> None:
        self.ended += 1


def plan(name: str = "m", **settings: Any) -> MetaPlan:
    return prepare_meta(configure_meta({"engine": "fake", "model": name, "engine_args": settings}))


def scored(folder: RunFolder, *, watcher: Watcher | None = None, **settings: Any) -> Scored:
    asked = {n: settings.pop(n) for n in ("k", "limit", "data") if n in settings}
    return meta_score([folder], plan(**settings), watcher or Watcher(), **asked)[0]


def stored(folder: RunFolder, name: str = "m") -> dict[Sampled, float | None]:
    table = pq.read_table(folder.path / "rewards" / f"{name}.parquet").to_pylist()
    found = {(row["subset"], row["id"], row["j"]): row["reward"] for row in table}
    assert len(found) == len(table)
    assert list(found) == sorted(found)
    return found


def test_every_judgement_has_one_and_a_second_command_asks_nothing(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=4)
    before = (folder.path / "run.json").read_bytes()
    first = scored(folder)
    assert (first.had, first.new, first.without) == (0, 300, {})
    assert set(stored(folder)) == {(r["subset"], r["id"], r["j"]) for r in rows(folder.path)}
    watcher = Watcher()
    again = scored(folder, watcher=watcher)
    assert (again.had, again.new, watcher.loaded, watcher.samples) == (300, 0, 0, 0)
    assert (folder.path / "run.json").read_bytes() == before
    record = json.loads((folder.path / "rewards" / "m.json").read_text("utf-8"))
    assert [launch["samples"] for launch in record["launches"]] == [300]
    assert record["launches"][0]["engine"] == {"engine": "fake"}
    assert record["launches"][0]["prompt_tokens"] == first.prompt_tokens > 0
    assert set(record["identity"]) == {"engine", "model", "seed", "template"}


def test_a_run_that_grows_is_scored_where_it_grew(tmp_path: Path) -> None:
    scored(sampled(tmp_path, k=2, limit=30))
    folder = sampled(tmp_path, k=8)
    before = stored(folder)
    grown = scored(folder)
    assert (grown.had, grown.new) == (60, 540)
    after = stored(folder)
    assert {key: after[key] for key in before} == before
    whole = sampled(tmp_path / "whole", k=8)
    scored(whole)
    assert stored(whole) == after


def test_k_and_limit_say_how_much(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=6)
    assert scored(folder, k=2, limit=10).new == 20
    assert {key[2] for key in stored(folder)} == {0, 1}
    assert scored(folder, limit=10).new == 40


def test_a_dead_engine_loses_nothing(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=4)
    watcher = Watcher()
    with pytest.raises(EngineError, match="died after 100"):
        scored(folder, watcher=watcher, die_after=100)
    assert (watcher.samples, watcher.ended) == (100, 1)
    assert (folder.path / "rewards" / "m.jsonl").read_bytes().count(b"\n") == 100
    done = scored(folder)
    assert (done.had, done.new) == (100, 200)
    whole = sampled(tmp_path / "whole", k=4)
    scored(whole)
    assert stored(folder) == stored(whole)
    assert not (folder.path / "rewards" / "m.jsonl").exists()


def test_a_torn_last_line_is_asked_again_and_damage_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = sampled(tmp_path, k=2)
    with pytest.raises(EngineError):
        scored(folder, die_after=50)
    journal = folder.path / "rewards" / "m.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-7])
    assert scored(folder).new == 101
    journal.write_bytes(b"{}\n" + whole)
    assert scored(folder).new == 0
    [said] = caplog.messages
    assert "m.jsonl, line 1: damaged, and left out; the file is kept as m.jsonl.damaged" in said


def test_only_judgements_that_ended_normally_are_asked_about(tmp_path: Path) -> None:
    rates = {"truncated": 0.2, "no_score": 0.2, "engine_error": 0.1}
    folder = sampled(tmp_path, k=6, engine_args=rates)
    ended = [row for row in rows(folder.path) if row["finish"] == "stop"]
    assert {row["invalid"] for row in ended} == {None, "no_score"}
    assert scored(folder).new == len(ended) < 450
    assert set(stored(folder)) == {(r["subset"], r["id"], r["j"]) for r in ended}


def test_what_has_no_reward_is_counted_by_reason_and_not_asked_again(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=4)
    found = scored(folder, prompt_too_long=0.3)
    none = [key for key, reward in stored(folder).items() if reward is None]
    assert found.without == {"prompt_too_long": len(none)}
    assert 50 < len(none) < 130
    assert scored(folder, prompt_too_long=0.3).new == 0


def test_meta_models_lie_side_by_side_and_none_takes_anothers_name(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    scored(folder, auc=0.7)
    scored(folder, name="other", auc=0.9)
    assert reward_names(folder.path) == ["m", "other"]
    assert stored(folder) != stored(folder, "other")
    with pytest.raises(ConfigError, match=r"unlike: engine_args\): --name OTHER keeps both"):
        scored(folder, auc=0.9)
    own = tmp_path / "own.jinja"
    own.write_text("{{ responses }}", "utf-8")
    asked = {"engine": "fake", "model": "m", "engine_args": {"auc": 0.7}, "template": own}
    with pytest.raises(ConfigError, match=r"unlike: template"):
        meta_score([folder], prepare_meta(configure_meta(asked)), Watcher())
    both = prepare_meta(configure_meta(asked | {"name": "own words"}))
    assert meta_score([folder], both, Watcher())[0].name == "own-words"
    assert reward_names(folder.path) == ["m", "other", "own-words"]


def test_rewards_from_elsewhere_are_not_written_over(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1)
    scored(folder)
    (folder.path / "rewards" / "m.json").unlink()
    with pytest.raises(ConfigError, match="not made here"):
        scored(folder)


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1)
    with RewardFile(folder.path, "m").writer():
        with pytest.raises(StoreError, match="being written by process"):
            scored(folder)
        assert scored(folder, name="other").new == 75


def test_a_sample_that_was_drawn_anew_is_another_one(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    scored(folder)
    (folder.path / "samples.parquet").unlink()
    again = sampled(tmp_path, k=2)
    assert again.path == folder.path
    assert scored(again).new == 150


def test_rows_that_changed_since_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"id": "1", "prompt": "2 + 2?", "responses": ["4", "5"], "quality": [1, 0]}
    path.write_text(json.dumps(row) + "\n", "utf-8")
    folder = sampled(tmp_path / "r", bench=str(path), k=2)
    path.write_text(json.dumps(row | {"prompt": "2 + 3?"}) + "\n", "utf-8")
    with pytest.raises(DataError, match="is not the one that was judged"):
        scored(folder)
    assert reward_names(folder.path) == []


class Recorder:
    """A scorer that keeps what it was asked."""

    context = 100

    def __init__(self) -> None:
        self.asked: list[ScoreRequest] = []

    def facts(self) -> dict[str, str]:
        return {"engine": "recorder"}

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        for request in requests:
            self.asked.append(request)
            yield Reward(request, 0.5, None, 1, 0)

    def close(self) -> None:
        self.closed = True


class Recording(MetaPlan):
    """A plan whose scorer is the test's."""

    kept: Recorder

    def scorer(self) -> Scorer:
        return self.kept


def test_each_judgement_is_shown_with_what_it_saw(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=6, orders="random")
    made = plan()
    recording = Recording(**{name: getattr(made, name) for name in made.__dataclass_fields__})
    recorder = Recorder()
    object.__setattr__(recording, "kept", recorder)
    meta_score([folder], recording, Watcher())
    assert recorder.closed
    samples = {(r["subset"], r["id"], r["j"]): r for r in rows(folder.path)}
    items = {item.key: item for item in load("sample").items}
    assert len(recorder.asked) == len(samples) == 450
    for key, j, (user, said), *_ in recorder.asked:
        row = samples[(*key, j)]
        assert said.content == row["text"]
        shown = "".join(
            f"[The Begin of Response {at}]\n{items[key].responses[index]}\n[The End of Response {at}]\n\n"
            for at, index in enumerate(row["order"], start=1)
        )
        assert shown in user.content
    # Those of an item and order follow one another, so that the prefix cache is of use.
    prompts = [(each.key, each.messages[0].content) for each in recorder.asked]
    changes = sum(a != b for a, b in pairwise(prompts))
    assert changes == len(set(prompts)) - 1


def test_an_unfolded_run_is_scored_too(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    with pytest.raises(EngineError):
        sampled(tmp_path, k=4, engine_args={"die_after": 33})
    assert list((folder.path / "journal").iterdir())
    assert scored(folder, k=4).new == 183


def test_several_runs_load_one_model(tmp_path: Path) -> None:
    folders = [sampled(tmp_path, k=1, seed=seed) for seed in (0, 1)]
    watcher = Watcher()
    found = meta_score(folders, plan(), watcher)
    assert [each.new for each in found] == [75, 75]
    assert watcher.loaded == 1
    assert all(len(stored(folder)) == 75 for folder in folders)


def test_the_fake_knows_which_judgements_are_right(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=8, engine_args={"accuracy": 0.5, "no_score": 0.1})
    scored(folder, auc=0.9999)
    found = stored(folder)
    items = {item.key: item for item in load("sample").items}
    for row in rows(folder.path):
        quality = items[Key(row["subset"], row["id"])].quality
        right = row["scores"] is not None and is_right(row["scores"], quality)
        reward = found[row["subset"], row["id"], row["j"]]
        # Phi^-1(0.9999) x sqrt(2) = 5.3 apart: 2.6 from either side is 2.6 standard deviations or more.
        assert reward is not None
        assert right == (reward > 2.63) or abs(reward - 2.63) < 1.5


def is_right(scores: list[float], quality: tuple[int, ...] | None) -> bool:
    assert quality
    if len(scores) == 1:
        return (scores[0] >= 5.5) == (quality[0] == 1)
    highest = [q for s, q in zip(scores, quality, strict=True) if s == max(scores)]
    return highest == [1]


def test_words_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="which meta RM"):
        configure_meta({})
    with pytest.raises(ConfigError, match="--meta-model deepseek-grm-16b: a model that writes"):
        configure_meta({"model": "deepseek-grm-16b"})
    for name, said in (("LlamaForCausalLM", "a model that writes"), ("X", "no weights in it")):
        (tmp_path / "config.json").write_text(json.dumps({"architectures": [name]}), "utf-8")
        with pytest.raises(ConfigError, match=said):
            prepare_meta(configure_meta({"model": str(tmp_path)}))
    with pytest.raises(ConfigError, match="it has no dtype"):
        configure_meta({"engine": "fake", "dtype": "float32"})
    with pytest.raises(ConfigError, match="--dtype 'float3'"):
        configure_meta({"model": "x", "dtype": "float3"})
    assert replace(plan(), name="x").name == "x"
