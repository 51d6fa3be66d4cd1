"""--seed draws samples, --limit-seed chooses the items of --limit; older runs keep theirs."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import load
from grmeval.errors import ConfigError
from grmeval.runs import again, configure, prepare, preview
from grmeval.runs.limit import limit_ranks
from grmeval.score import compare, score
from grmeval.store import RunFolder, limit_seed
from tests.helpers import ask, grmeval, rows, sampled, unchecked

FEW: dict[str, Any] = {"k": 2, "limit": 12}
Names = set[tuple[str, str]]


def judged(folder: RunFolder) -> Names:
    return {(row["subset"], row["id"]) for row in rows(folder.path)}


def chosen(seed: int) -> Names:
    """The first 12 items of the order of a seed."""
    loaded = load("sample")
    ranks = limit_ranks(loaded.items, loaded.spec.section_of, seed)
    return {
        (i.key.subset, i.key.id) for i, rank in zip(loaded.items, ranks, strict=True) if rank < 12
    }


def of_before(results: Path, seed: int) -> RunFolder:
    """A run as grmeval made it while --seed chose the items: nothing in it says limit_seed."""
    folder = sampled(results, seed=seed, limit_seed=seed, **FEW)
    record = unchecked(folder.path / "run.json")
    content = json.loads(record.read_text())
    del content["config"]["limit_seed"]
    record.write_text(json.dumps(content))
    return RunFolder(folder.path)


def test_seeds_draw_other_samples_of_the_same_items(tmp_path: Path) -> None:
    runs = [sampled(tmp_path, seed=seed, **FEW) for seed in range(3)]
    assert [judged(run) for run in runs] == [chosen(0)] * 3
    orders = [[row["order"] for row in rows(run.path)] for run in runs]
    assert orders[0] != orders[1] != orders[2]
    assert len({run.path for run in runs}) == 3
    assert all(row.items for row in compare(*runs).rows)
    other = sampled(tmp_path, limit_seed=1, **FEW)
    assert judged(other) == chosen(1) != chosen(0)


def test_only_a_seed_that_is_not_the_runs_own_is_in_its_name(tmp_path: Path) -> None:
    """So a run of before, whose items its own seed chose, has the name that it had."""

    def identity(**settings: int) -> object:
        values = {"bench": "sample", "engine": "fake", "results": tmp_path} | settings
        return prepare(configure(values)).identity.get("limit_seed")

    assert identity() is identity(seed=3, limit_seed=3) is None
    assert (identity(seed=3), identity(limit_seed=3)) == (0, 3)
    assert limit_seed({"seed": 3}) == limit_seed({"seed": 5, "limit_seed": 3}) == 3


def test_a_run_of_before_goes_on_with_its_own_items(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = of_before(tmp_path, seed=1)
    assert judged(before) == chosen(1)
    assert score(before).rows[0].items == 12
    assert again(before, 3).path == before.path
    same = sampled(tmp_path, seed=1, **FEW | {"limit": 16})
    assert same.path == before.path
    assert judged(same) > chosen(1)
    assert "its --limit takes the items of --limit-seed 1, as --seed did" in caplog.text
    # It is still one of before, and goes on so.
    assert sampled(tmp_path, seed=1, **FEW | {"limit": 16}).path == before.path
    fresh = sampled(tmp_path, seed=1, limit_seed=0, **FEW)
    assert (fresh.path != before.path, judged(fresh)) == (True, chosen(0))
    # Now there is one of the default, which is what a command means that says nothing.
    assert sampled(tmp_path, seed=1, **FEW).path == fresh.path
    assert sampled(tmp_path, seed=1, limit_seed=1, **FEW).path == before.path


def test_a_run_that_a_limit_seed_was_named_for_is_none_of_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = sampled(tmp_path, seed=5, limit_seed=5, **FEW)
    usual = sampled(tmp_path, seed=5, **FEW)
    assert usual.path != named.path
    assert (judged(named), judged(usual)) == (chosen(5), chosen(0))
    assert "as --seed did" not in caplog.text


def test_runs_whose_limits_are_unlike_are_told_why(tmp_path: Path) -> None:
    first, other = sampled(tmp_path, **FEW), of_before(tmp_path, seed=1)
    said = "--limit 12 takes the items of --limit-seed 0 of one, of 1 of the other"
    with pytest.raises(ConfigError, match=said):
        compare(first, other)


def test_a_look_with_a_limit_takes_the_runs_own_rule(tmp_path: Path) -> None:
    run = sampled(tmp_path, seed=1, limit_seed=2, k=2)
    found = json.loads(ask("score", run.path, "--limit", 12, "--json"))
    assert found["rows"][0]["items"] == 12
    assert "--limit 12: a stratified part of the items (--limit-seed 2)" in found["notes"]
    kept = score(run, limit=12).verdicts.to_pylist()
    assert {(row["subset"], row["id"]) for row in kept} == chosen(2)
    for words in (("diagnose", run.path), ("scale-curve", run.path)):
        assert grmeval(*words, "--limit", 12, "--json").returncode == 0


def test_a_prompt_is_of_the_first_item_that_a_limit_takes() -> None:
    loaded = load("sample")
    for seed in (0, 4):
        ranks = limit_ranks(loaded.items, loaded.spec.section_of, seed)
        config = configure({"engine": "fake", "seed": 9, "limit_seed": seed})
        assert preview(config).key == loaded.items[ranks.index(0)].key
        shown = json.loads(ask("prompt", "sample", "--seed", 9, "--limit-seed", seed, "--json"))
        assert shown["id"] == loaded.items[ranks.index(0)].id
