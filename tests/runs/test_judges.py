"""Every judge from the command to the table: known truth, resumption, parsers, weights, refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binom

from grmeval.errors import ConfigError, EngineError, StoreError
from grmeval.judges import JUDGES
from grmeval.measure import totals
from grmeval.measure.votes import Extra
from grmeval.runs import again, configure, extend, prepare
from grmeval.runs.derived import extract_principles
from grmeval.score import scale, score
from grmeval.score.arrays import read_run
from grmeval.store import RunFolder, item_samples, reparse
from tests.helpers import WRITING, Quiet, grmeval, rows, sampled, unchecked

FAILURES = {"no_score": 0.1, "wrong_count": 0.1, "out_of_range": 0.1, "truncated": 0.1}
EACH = 160
"""Items of two responses, and as many of four."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs and best-of-4; the responses hold what a judge would write."""
    path = tmp_path_factory.mktemp("rows") / "own.jsonl"
    lines = []
    for at in range(2 * EACH):
        n = 2 if at < EACH else 4
        said = [
            f"{at}.{i}\n\\boxed{{{i + 1}}}\nBest Response: {i + 1}\nScores: 9" for i in range(n)
        ]
        best = at % n
        lines.append(
            {
                "id": f"{at:04d}",
                "subset": f"of-{n}",
                "conversation": f"Number {at}?",
                "responses": said,
                "quality": [int(i == best) for i in range(n)],
                "reference": f"{at}.{best}",
            }
        )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def principles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("principles") / "all.txt"
    path.write_text("Correctness (100 %)", "utf-8")
    return path


def asked(name: str, bench: Path | str, principles: Path, **more: Any) -> dict[str, Any]:
    given = {"principles": principles} if WRITING[name].needs.principles else {}
    return {"judge": name, "bench": str(bench), "k": 4, **given, **more}


# ---------------------------------------------------------------------- the truth


@pytest.mark.long
@pytest.mark.parametrize("accuracy", [0.7, 0.4])
@pytest.mark.parametrize("name", WRITING)
def test_the_measured_accuracy_covers_the_truth(
    name: str, accuracy: float, bench: Path, principles: Path, tmp_path: Path
) -> None:
    arguments = {"accuracy": accuracy, "quote": 0.3}
    folder = sampled(tmp_path, **asked(name, bench, principles, engine_args=arguments))
    everything = []
    for block in read_run(folder).blocks:
        assert block.valid.all()
        given = block.scores
        best = np.where(block.best[:, None], given, -1).max(axis=2)
        rest = np.where(block.best[:, None], -1, given).max(axis=2)
        right = best > rest
        assert right.shape == (EACH, 4)
        low, high = binom.interval(0.999, right.size, accuracy)
        assert low <= right.sum() <= high, (name, block.best.shape)
        everything.append(right.mean())
        if WRITING[name].picks:
            assert (np.sort(given, axis=2)[..., -2:] == [0, 1]).all()
    table = score(folder, k=1)
    assert table.rows[0].vote == WRITING[name].votes[0]
    assert table.rows[0].value == pytest.approx(np.mean(everything))


@pytest.mark.parametrize("name", WRITING)
def test_each_failure_has_its_reason(
    name: str, bench: Path, principles: Path, tmp_path: Path
) -> None:
    folder = sampled(tmp_path, **asked(name, bench, principles, limit=100, engine_args=FAILURES))
    found = rows(folder.path)
    for reason, rate in FAILURES.items():
        low, high = binom.interval(0.999, len(found), rate)
        assert low <= sum(row["invalid"] == reason for row in found) <= high, reason
    assert {row["invalid"] for row in found} == {None, *FAILURES}
    assert all((row["weight"] is None) for row in found if row["invalid"])


# ---------------------------------------------------------------------- resumed, extended, read again


@pytest.mark.parametrize("name", WRITING)
def test_a_run_that_died_goes_on_and_another_k_extends_it(
    name: str, bench: Path, principles: Path, tmp_path: Path
) -> None:
    settings = asked(name, bench, principles, limit=20)
    whole = sampled(tmp_path / "whole", **settings)
    with pytest.raises(EngineError):
        sampled(tmp_path / "r", **settings, engine_args={"die_after": 33})
    watcher = Quiet()
    folder = sampled(tmp_path / "r", watcher, **settings)
    assert watcher.samples == 80 - 33
    assert rows(folder.path) == rows(whole.path)
    watcher = Quiet()
    extend(again(RunFolder(folder.path), 6), watcher)
    assert watcher.samples == 40
    assert [row for row in rows(folder.path) if row["j"] < 4] == rows(whole.path)


@pytest.mark.parametrize("name", WRITING)
def test_the_same_parser_reads_the_same(
    name: str, bench: Path, principles: Path, tmp_path: Path
) -> None:
    arguments = {**FAILURES, "quote": 0.5}
    folder = sampled(tmp_path, **asked(name, bench, principles, limit=40, engine_args=arguments))
    before = rows(folder.path)
    assert (
        "texts read again by this parser: 0 readings differ" in score(folder, reparse=True).footer
    )
    assert reparse(folder) == 0
    assert rows(folder.path) == before


def test_a_weight_is_of_the_pick_that_was_read(
    bench: Path, principles: Path, tmp_path: Path
) -> None:
    folder = sampled(tmp_path, **asked("index-prob", bench, principles, limit=4))
    table = pq.read_table(folder.path / "samples.parquet")
    found = table.to_pylist()
    n = len(found[0]["order"])
    other = found[0]["scores"].index(0.0)
    found[0]["scores"] = [float(i == other) for i in range(n)]
    pq.write_table(
        type(table).from_pylist(found, schema=table.schema), folder.path / "samples.parquet"
    )
    assert reparse(folder) == 1
    after = rows(folder.path)
    assert after[0]["weight"] is None
    assert [row["weight"] for row in after[1:]] == [row["weight"] for row in found[1:]]


def test_an_older_run_record_is_still_known(bench: Path, principles: Path, tmp_path: Path) -> None:
    folder = sampled(tmp_path, **asked("pointwise", bench, principles, limit=4))
    record = json.loads(unchecked(folder.path / "run.json").read_text("utf-8"))
    del record["config"]["principles"]
    record["config"]["vote"] = ["sum"]
    (folder.path / "run.json").write_text(json.dumps(record), "utf-8")
    assert again(RunFolder(folder.path), 5).path == folder.path


# ---------------------------------------------------------------------- weights


def test_weights_vote(bench: Path, principles: Path, tmp_path: Path) -> None:
    folder = sampled(tmp_path, **asked("index-prob", bench, principles, k=8))
    run = read_run(folder)
    by_key = {(row["subset"], row["id"], row["j"]): row["weight"] for row in rows(folder.path)}
    for block in run.blocks:
        assert block.weight is not None
        n = block.best.shape[1]
        assert ((block.weight >= 1 / n) & (block.weight <= 1)).all()
        for at, item in enumerate(block.items[:20]):
            stored = [by_key[run.subset[item], run.id[item], j] for j in range(8)]
            assert block.weight[at].tolist() == stored
        first = block.first(3)
        assert first.weight is not None
        assert first.weight.shape == (EACH, 3)
    result = score(folder, votes=("token-prob", "majority", "sum"))
    by_vote = {row.vote: row for row in result.rows if row.level == "overall"}
    assert by_vote["majority"].value == by_vote["sum"].value
    assert by_vote["majority"].tied == by_vote["sum"].tied > 0 == by_vote["token-prob"].tied
    # By hand: sum of weight x pick, ties wrong, mean over all items of one section.
    wins = []
    for block in run.blocks:
        assert block.weight is not None
        summed = (block.weight[..., None] * block.scores).sum(axis=1)
        assert np.allclose(
            summed,
            totals("token-prob", block.scores, block.valid, extra=Extra(weight=block.weight)),
        )
        wins += (summed.argmax(axis=1) == block.best.argmax(axis=1)).tolist()
    assert by_vote["token-prob"].value == pytest.approx(np.mean(wins))


def test_curves_take_the_votes_of_the_judge(bench: Path, principles: Path, tmp_path: Path) -> None:
    picked = {
        name: sampled(tmp_path, **asked(name, bench, principles))
        for name in ("pointwise", "index", "index-prob")
    }
    votes = {
        name: list(dict.fromkeys(row.vote for row in scale(folder).rows))
        for name, folder in picked.items()
    }
    assert votes == {
        "pointwise": ["sum", "majority"],
        "index": ["majority"],
        "index-prob": ["token-prob", "majority"],
    }
    both = scale(picked["pointwise"], picked["index-prob"])
    assert {row.vote for row in both.rows} == {"majority"}


def test_a_run_without_weights_says_so(bench: Path, principles: Path, tmp_path: Path) -> None:
    folder = sampled(tmp_path, **asked("index", bench, principles, limit=4))
    with pytest.raises(ConfigError, match="tells no probability of its pick"):
        score(folder, votes=("token-prob",))


def test_a_run_of_before_there_were_weights_is_read(
    bench: Path, principles: Path, tmp_path: Path
) -> None:
    """A folded part and a journal, both without the column."""
    settings = asked("pointwise", bench, principles, limit=4)
    folder = sampled(tmp_path / "r", **settings)
    whole, plain = rows(folder.path), score(folder)
    path = folder.path / "samples.parquet"
    table = pq.read_table(path)
    old = table.drop_columns(["weight"])
    first = [row["j"] < 2 for row in old.to_pylist()]
    pq.write_table(old.filter(first), path)
    journal = folder.path / "journal" / "0000.jsonl"
    with journal.open("w", encoding="utf-8") as file:
        for row in old.filter([not one for one in first]).to_pylist():
            del row["launch"]
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
    opened = RunFolder(folder.path)
    assert [row.value for row in score(opened).rows] == [row.value for row in plain.rows]
    key = next(iter(prepare(configure({**settings, "engine": "fake"})).items())).key
    assert [sample["weight"] for sample in item_samples(opened, key)] == [None] * 4
    exported = grmeval("export", folder.path)
    assert exported.stdout.count('"weight":null') == len(whole), exported.stderr
    watcher = Quiet()
    sampled(tmp_path / "r", watcher, **settings)
    assert watcher.samples == 0
    assert rows(folder.path) == whole
    pq.write_table(pq.read_table(path).drop_columns(["text"]), path)
    with pytest.raises(StoreError, match="its columns are not those of samples"):
        score(RunFolder(folder.path))


# ---------------------------------------------------------------------- refusals and principles


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--judge", "index"), "--judge index --bench sample: 20 of 75 items have one response"),
        (("--judge", "index-prob", "--limit", 16), "of 16 items have one response"),
        (("--judge", "pointwise-principles"), "with which principles? --principles FILE"),
        (("--judge", "idnex"), "did you mean 'index'?"),
        (("--judge", "index", "--vote", "borda"), "judge index allows majority"),
        (("--principles", "x.txt"), "judge pointwise takes none"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_a_model_is_loaded(
    words: tuple[object, ...], said: str, tmp_path: Path
) -> None:
    found = grmeval("run", "--engine", "fake", "--results", tmp_path / "r", *words)
    assert found.returncode == 2
    assert said in found.stderr
    assert not (tmp_path / "r").exists()


def test_items_without_a_reference_are_counted_inside_the_limit(tmp_path: Path) -> None:
    row = {"subset": "s", "conversation": "2 + 2?", "responses": ["4", "5"], "quality": [1, 0]}
    lines = [row | {"id": str(i)} | ({"reference": "4"} if i else {}) for i in range(9)]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    settings = {"engine": "fake", "judge": "pointwise-reference", "bench": str(path)}
    with pytest.raises(ConfigError, match=r"1 of 9 items have no reference answer \(s/0\)"):
        prepare(configure(settings))
    fine = [limit for limit in range(1, 9) if _accepted({**settings, "limit": limit})]
    assert fine == list(range(1, len(fine) + 1))
    assert fine


def _accepted(settings: dict[str, Any]) -> bool:
    try:
        prepare(configure(settings))
    except ConfigError:
        return False
    return True


def test_the_sample_has_a_reference_for_every_item(tmp_path: Path) -> None:
    folder = sampled(tmp_path, judge="pointwise-reference", k=1)
    assert len(rows(folder.path)) == 75


def test_principles_of_a_run_go_into_another(bench: Path, tmp_path: Path) -> None:
    arguments = {"accuracy": 0.5, "no_score": 0.3}
    folder = sampled(tmp_path / "r", bench=str(bench), k=2, limit=40, engine_args=arguments)
    found = grmeval("principles", folder.path, "--to", tmp_path / "p.jsonl")
    assert found.returncode == 0, found.stderr
    stored = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text("utf-8").splitlines()]
    readable = {(row["subset"], row["id"]) for row in rows(folder.path) if row["scores"]}
    assert {(row["subset"], row["id"]) for row in stored} == readable
    assert {row["principles"] for row in stored} == {"Correctness (100 %)"}
    assert f"principles of {len(stored)} of 40 items written" in found.stderr
    words = ("--judge", "pointwise-principles", "--principles", tmp_path / "p.jsonl")
    more = ("--engine", "fake", "--bench", bench, "--results", tmp_path / "s")
    refused = grmeval("run", *words, *more, "--limit", 40)
    short = 40 - len(readable)
    assert refused.returncode == 2
    assert f"{short} of 40 items have no row in {tmp_path / 'p.jsonl'} (of-" in refused.stderr
    right = extract_principles(folder, tmp_path / "right.jsonl", right=True)
    best = {
        (row["subset"], row["id"])
        for row in rows(folder.path)
        if row["scores"] and _first(row["scores"], row["id"])
    }
    assert right.written == len(best) < len(readable)
    for to, said in (("p.txt", "name it .jsonl"), ("p.jsonl", "no readable judgement in it has")):
        plain = sampled(tmp_path / "t", bench=str(bench), judge="pointwise-plain", k=1, limit=4)
        with pytest.raises(ConfigError, match=said):
            extract_principles(plain, tmp_path / to)


def _first(scores: list[float], name: str) -> bool:
    """Whether the best response, as the rows above label it, stands alone at the top."""
    best = int(name) % len(scores)
    return all(scores[best] > other for i, other in enumerate(scores) if i != best)


def test_the_first_sample_with_principles_counts_wherever_it_lies(
    bench: Path, tmp_path: Path
) -> None:
    folder = sampled(tmp_path, bench=str(bench), k=3, limit=2)
    table = pq.read_table(folder.path / "samples.parquet")
    found = table.to_pylist()
    for row in found:
        row["text"] = row["text"].replace("Correctness (100 %)", f"Number {row['j']}")
        if row["j"] == 0:
            row["text"] = "Scores: \\boxed{1, 2}"
    pq.write_table(
        type(table).from_pylist(found, schema=table.schema), folder.path / "samples.parquet"
    )
    assert extract_principles(folder, tmp_path / "p.jsonl") == (2, 2)
    said = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text("utf-8").splitlines()]
    assert [row["principles"] for row in said] == ["Number 1", "Number 1"]


def test_a_restricted_run_gives_no_principles(bench: Path, tmp_path: Path) -> None:
    folder = sampled(tmp_path, bench=str(bench), k=1, limit=2)
    record = json.loads(unchecked(folder.path / "run.json").read_text("utf-8"))
    record["spec"]["source"]["restricted"] = True
    (folder.path / "run.json").write_text(json.dumps(record), "utf-8")
    found = grmeval("principles", folder.path, "--to", tmp_path / "p.jsonl")
    assert found.returncode == 2
    assert "restricted benchmark" in found.stderr
    assert not (tmp_path / "p.jsonl").exists()


def test_the_judges_are_listed() -> None:
    found = grmeval("judges")
    assert found.returncode == 0, found.stderr
    assert max(map(len, found.stdout.splitlines())) <= 100
    assert all(f"\n {name} " in found.stdout for name in JUDGES)
    listed = json.loads(grmeval("judges", "--json").stdout)
    assert [line["judge"] for line in listed] == list(JUDGES)
    assert {line["judge"]: line["votes"][0] for line in listed} == {
        name: judge.votes[0] for name, judge in JUDGES.items()
    }


def test_an_item_is_shown_with_the_weights_of_its_picks(
    bench: Path, principles: Path, tmp_path: Path
) -> None:
    folder = sampled(tmp_path, **asked("index-prob", bench, principles, limit=1, k=2))
    row = rows(folder.path)[1]
    found = grmeval("show", folder.path, "--item", f"{row['subset']}/{row['id']}")
    assert f"; weight {row['weight']:.3f}; " in found.stdout, found.stderr


def test_a_settings_file_names_principles_beside_it(bench: Path, tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text("Correctness (100 %)", "utf-8")
    text = 'judge = "pointwise-principles"\nprinciples = "all.txt"\nengine = "fake"\n'
    (tmp_path / "own.toml").write_text(text + f'bench = "{bench}"\n', "utf-8")
    words = ("--config", tmp_path / "own.toml", "--limit", 2, "--k", 1)
    found = grmeval("run", *words, "--results", tmp_path / "r")
    assert found.returncode == 0, found.stderr
    assert "judge pointwise-principles; " in found.stdout
    assert "; principles " in found.stdout


@pytest.mark.parametrize("name", WRITING)
def test_a_prompt_is_shown(name: str, principles: Path) -> None:
    given = ("--principles", principles) if WRITING[name].needs.principles else ()
    item = "arithmetic-pairs/arithmetic-pair-01"
    found = grmeval("prompt", "sample", "--judge", name, *given, "--item", item)
    assert found.returncode == 0, found.stderr
    assert ("[The Begin of the Reference Answer]" in found.stdout) == (
        name == "pointwise-reference"
    )
    assert f"{WRITING[name].last}: " in found.stdout
