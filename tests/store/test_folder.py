"""The run folder: what is there is never asked again, one writer a shard, damage is named."""

import errno
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from grmeval.config import Shard
from grmeval.errors import ConfigError, EngineError, StoreError
from grmeval.score import score
from grmeval.store import JournalWriter, RunFolder, latest
from tests.helpers import (
    ENVIRONMENT,
    Quiet,
    command,
    grmeval,
    journaled,
    rows,
    running,
    sampled,
    unchecked,
    until,
)


def test_growing_k_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    first, second, third = Quiet(), Quiet(), Quiet()
    sampled(tmp_path, first, k=4, limit=20)
    before = rows(sampled(tmp_path, second, k=8, limit=20).path)
    assert (first.samples, second.samples) == (80, 80)
    sampled(tmp_path, third, k=8, limit=20)
    assert (third.loaded, third.samples) == (0, 0)
    wider = Quiet()
    after = rows(sampled(tmp_path, wider, k=8, limit=40).path)
    assert wider.samples == 160
    assert [row for row in after if row in before] == before


def test_an_extended_run_equals_one_made_at_once(tmp_path: Path) -> None:
    for k in (2, 3, 8):
        grown = sampled(tmp_path / "grown", k=k)
    assert rows(grown.path) == rows(sampled(tmp_path / "once", k=8).path)
    seeds = [launch["engine_seed"] for launch in grown.record["launches"]]
    assert len(set(seeds)) == len(seeds) == 3


def test_a_dead_engine_keeps_what_was_finished(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="died after 100"):
        sampled(tmp_path, k=4, engine_args={"die_after": 100})
    assert len(RunFolder(latest(tmp_path)).done()) == 100
    rest = Quiet()
    folder = sampled(tmp_path, rest, k=4)
    assert rest.samples == 200
    assert rows(folder.path) == rows(sampled(tmp_path / "whole", k=4).path)


def test_a_torn_last_line_is_dropped_and_sampled_again(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        sampled(tmp_path, k=4, engine_args={"die_after": 50})
    journal = next(latest(tmp_path).glob("journal/*.jsonl"))
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-7])
    assert len(RunFolder(latest(tmp_path)).done()) == 49
    watcher = Quiet()
    folder = sampled(tmp_path, watcher, k=4)
    assert watcher.samples == 251
    assert rows(folder.path) == rows(sampled(tmp_path / "whole", k=4).path)


def test_damage_inside_a_journal_costs_that_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(EngineError):
        sampled(tmp_path, k=4, engine_args={"die_after": 50})
    journal = next(latest(tmp_path).glob("journal/*.jsonl"))
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[3] = b'{"subset": "x\n'
    journal.write_bytes(b"".join(lines))
    assert len(RunFolder(latest(tmp_path)).done()) == 49
    watcher = Quiet()
    folder = sampled(tmp_path, watcher, k=4)
    assert watcher.samples == 251
    [said] = caplog.messages
    assert "0000.jsonl, line 4: damaged, and left out; the file is kept" in said
    assert rows(folder.path) == rows(sampled(tmp_path / "whole", k=4).path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    parquet = folder.path / "samples.parquet"
    parquet.write_bytes(parquet.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"samples\.parquet: damaged"):
        sampled(tmp_path, k=4)
    (folder.path / "items.parquet").write_bytes(b"no")
    with pytest.raises(StoreError, match=r"items\.parquet: damaged"):
        RunFolder(folder.path).items()
    (folder.path / "run.json").write_text("{")
    with pytest.raises(StoreError, match=r"run\.json: cannot be read"):
        RunFolder(folder.path)


def test_a_newer_format_and_another_identity_are_refused(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    path = unchecked(folder.path / "run.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"format": 99}))
    with pytest.raises(StoreError, match="format 99 by a newer grmeval"):
        sampled(tmp_path, k=2)
    path.write_text(json.dumps(record | {"identity": {"bench": "other"}}))
    with pytest.raises(StoreError, match="another run's identity"):
        sampled(tmp_path, k=2)


@pytest.mark.parametrize(
    ("first", "second", "allowed"),
    [
        (None, None, False),
        (None, "1/2", False),
        ("1/2", None, False),
        ("1/2", "1/2", False),
        ("1/2", "2/2", True),
        ("1/2", "2/4", False),
    ],
)
def test_one_writer_of_what_may_overlap(
    tmp_path: Path, first: str | None, second: str | None, allowed: bool
) -> None:
    held, wanted = (Shard.parse(text) if text else None for text in (first, second))
    folder = sampled(tmp_path, k=1)
    other = RunFolder(folder.path)
    with folder.writer(held):
        if allowed:
            with other.writer(wanted):
                pass
        else:
            with (
                pytest.raises(StoreError, match=f"being written by process {os.getpid()} on "),
                other.writer(wanted),
            ):
                pass
    with other.writer(wanted):
        pass


@pytest.mark.long
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_runs_resume(tmp_path: Path, stop: signal.Signals) -> None:
    slow = ("run", "--engine", "fake", "--results", tmp_path, "--engine-arg", "latency=0.05")
    with running(*slow) as at_work:
        assert until(lambda: journaled(tmp_path), at_work)
        at_work.send_signal(stop)
        _, stderr = at_work.communicate()
    assert at_work.returncode == 130
    assert "the same command goes on" in stderr
    done = len(RunFolder(latest(tmp_path)).done())
    assert 0 < done < 600
    watcher = Quiet()
    folder = sampled(tmp_path, watcher)
    assert watcher.samples == 600 - done
    assert rows(folder.path) == rows(sampled(tmp_path / "whole").path)


def test_shards_in_one_folder_and_in_folders_of_their_own(tmp_path: Path) -> None:
    whole = sampled(tmp_path / "whole", k=3)
    for index in (1, 2, 3):
        shard = Shard(index=index, count=3)
        together = sampled(tmp_path / "together", k=3, shard=shard)
        sampled(tmp_path / f"apart{index}", k=3, shard=shard)
    assert rows(together.path) == rows(whole.path)
    target, *others = (latest(tmp_path / f"apart{index}") for index in (1, 2, 3))
    merged = grmeval("merge", *(tmp_path / f"apart{index}" for index in (1, 2, 3)))
    assert merged.returncode == 0, merged.stderr
    assert rows(target) == rows(whole.path)
    again = grmeval("merge", target, *others)
    assert ": 0 samples added" in again.stdout
    record = RunFolder(target).record
    names = [launch["name"] for launch in record["launches"]]
    assert names == ["0000-1-of-3", "0001-2-of-3", "0002-3-of-3"]
    alone = grmeval("run", "--engine", "fake", "--k", 3, "--results", tmp_path / "apart1")
    assert "loading" not in alone.stderr


def test_shards_that_run_at_once_in_one_folder(tmp_path: Path) -> None:
    options = [
        "--engine",
        "fake",
        "--k",
        16,
        "--engine-arg",
        "latency=0.0005",
        "--results",
        tmp_path,
    ]
    shards = [
        subprocess.Popen(
            command("run", *options, "--shard", f"{index}/2"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        for index in (1, 2)
    ]
    for shard in shards:
        _, stderr = shard.communicate(timeout=60)
        assert shard.returncode == 0, stderr.decode()
    whole = sampled(tmp_path / "whole", k=16, engine_args={"latency": 0})
    assert rows(latest(tmp_path)) == rows(whole.path)
    assert not RunFolder(latest(tmp_path)).journals()


def test_merge_refuses_another_run(tmp_path: Path) -> None:
    one, other = sampled(tmp_path, k=1), sampled(tmp_path, k=1, seed=1)
    with pytest.raises(ConfigError, match="identities differ in seed"):
        one.merge(other)


def test_a_failing_fsync_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal = JournalWriter(tmp_path / "journal" / "0000.jsonl")
    monkeypatch.setattr("grmeval.store.journal.os.fsync", fails)
    with (
        pytest.raises(StoreError, match=r"0000\.jsonl: cannot be written: Input/output error"),
        journal,
    ):
        pass


def test_provenance_survives_a_kill(tmp_path: Path) -> None:
    slow = ("run", "--engine", "fake", "--results", tmp_path, "--engine-arg", "latency=0.05")
    with running(*slow) as at_work:
        assert until(lambda: journaled(tmp_path), at_work)
    folder = sampled(tmp_path)
    assert [launch["engine"] for launch in folder.record["launches"]] == [{"engine": "fake"}] * 2
    footer = score(folder).footer[-1]
    assert "2 launches" in footer
    assert "unlike" not in footer


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="--results"):
        sampled(tmp_path / "file", k=1)
    with pytest.raises(ConfigError, match="no run with samples"):
        latest(tmp_path / "nothing")


def test_votes_of_another_judge_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allows sum, mean, median, majority"):
        sampled(tmp_path, vote=("token-prob",))
