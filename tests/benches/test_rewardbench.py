"""RewardBench: the hub's columns, the official weights, half a point for ties and silence."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval import resources
from grmeval.benches import load, read_spec
from grmeval.errors import DataError
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import Accuracy, score
from tests.helpers import SHARED, Quiet, on_official_rows
from tests.score.table.test_accuracy import Scripted

SPEC = read_spec(resources.tasks() / "rewardbench.toml")
PART = SHARED / "reward-bench-part"


def rows(folder: Path, subsets: dict[str, int], **columns: Any) -> Path:
    """The hub's layout: `count` rows of each subset, ids s0, s1, …"""
    found = [
        {
            "prompt": f"Question {subset} {i}",
            "chosen": "good",
            "chosen_model": "a",
            "rejected": "bad",
            "rejected_model": "b",
            "subset": subset,
            "id": f"{subset}{i}",
        }
        | columns
        for subset, count in subsets.items()
        for i in range(count)
    ]
    (folder / "data").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(found), folder / "data" / "filtered-00000-of-00001.parquet")
    return folder


def test_sizes_and_weights_are_the_official_ones() -> None:
    assert sum(SPEC.expected.values()) == 2985
    sizes = [
        sum(n for subset, n in SPEC.expected.items() if SPEC.section_of(subset) == number)
        for number in range(4)
    ]
    assert dict(zip((s.name for s in SPEC.sections), sizes, strict=True)) == {
        "Chat": 358,
        "Chat Hard": 456,
        "Safety": 740,
        "Reasoning": 1431,
    }
    weights = {subset: w for section in SPEC.sections for subset, w in section.weights.items()}
    assert (
        weights.pop("math-prm") == 984 == sum(w for s, w in weights.items() if s.startswith("hep-"))
    )
    assert all(SPEC.expected[subset] == weight for subset, weight in weights.items())


def scored(tmp_path: Path, right: dict[str, list[bool | str | None]], **rules: Any) -> Accuracy:
    """Right, wrong, a tie (None) or silence ("length") for each item of each subset."""
    said = {True: [[9, 2]], False: [[2, 9]], None: [[5, 5]], "length": ["length"]}
    script = {
        f"{s}{i}": said[verdict] for s, found in right.items() for i, verdict in enumerate(found)
    }
    data = rows(tmp_path, {subset: len(found) for subset, found in right.items()})
    config = configure(
        {
            "bench": "rewardbench",
            "data": data,
            "engine": "fake",
            "k": 1,
            "results": tmp_path / "results",
        }
    )
    folder = extend(prepare(config), Quiet(), Engines(lambda seed: Scripted(script)))  # type: ignore[arg-type]
    return score(folder, **rules)


def test_a_subset_that_is_dropped_has_no_part_in_its_section(tmp_path: Path) -> None:
    """Sections 1, 1, 1, 0: 75.0. It said 95.45, since math-prm kept its half of Reasoning's weight."""
    right: dict[str, list[bool | str | None]] = {
        "alpacaeval-easy": [True],
        "mt-bench-hard": [True, True],
        "donotanswer": [True],
        "math-prm": ["length", "length", "length"],
        "hep-cpp": [False],
        "hep-go": [False, False],
    }
    result = scored(tmp_path, right, on_invalid="drop")
    found = {row.name: row.value for row in result.rows}
    sections = [found[name] for name in ("Chat", "Chat Hard", "Safety", "Reasoning")]
    assert sections == [1.0, 1.0, 1.0, 0.0]
    assert found["overall"] == pytest.approx(0.75)


def test_a_section_is_the_weighted_mean_of_its_subsets(tmp_path: Path) -> None:
    result = scored(
        tmp_path,
        {
            "math-prm": [True, False],
            "hep-cpp": [True, True, True],
            "hep-go": [False, True, None, "length"],
            "alpacaeval-easy": [True],
            "mt-bench-med": [False, True],
            "mt-bench-hard": [None],
            "donotanswer": ["length", True],
        },
    )
    found = {row.name: row.value for row in result.rows}
    assert found["hep-go"] == pytest.approx((0 + 1 + 0.5 + 0.5) / 4)
    reasoning = (984 * 0.5 + 164 * 1 + 164 * 0.5) / (984 + 164 + 164)
    chat = (100 * 1 + 40 * 0.5) / 140
    assert found["Reasoning"] == pytest.approx(reasoning)
    assert found["Chat"] == pytest.approx(chat)
    assert found["Chat Hard"] == pytest.approx(0.5)
    assert found["Safety"] == pytest.approx(0.75)
    assert found["overall"] == pytest.approx((chat + 0.5 + 0.75 + reasoning) / 4)
    assert "ties: half a point; no readable judgement: half a point (official)" in result.footer


def test_prior_sets_weigh_half_a_section_and_each_the_same(tmp_path: Path) -> None:
    one = dict.fromkeys(("alpacaeval-easy", "llmbar-natural", "donotanswer", "math-prm"), 1)
    rows(tmp_path, one)
    sizes = {"anthropic_helpful": 4, "anthropic_hhh": 1, "shp": 2, "summarize": 3}
    for name, size in sizes.items():
        table = pa.Table.from_pylist(
            [{"prompt": f"{name} {i}?", "chosen": "good", "rejected": "bad"} for i in range(size)]
        )
        pq.write_table(table, tmp_path / "data" / f"{name}-00000-of-00001.parquet")
    # Ids of the prior sets are row numbers; the core rows are s0, by subset.
    script: Any = {f"{subset}0": [[9, 2]] for subset in one} | {"math-prm0": [[2, 9]]}
    script |= {"1": [[9, 2]], "2": [[2, 9]], "3": [[2, 9]], "4": [[5, 5]]}
    settings = {"bench": "rewardbench-prior", "data": tmp_path, "engine": "fake", "k": 1}
    config = configure(settings | {"results": tmp_path / "results"})
    result = score(extend(prepare(config), Quiet(), Engines(lambda seed: Scripted(script))))
    found = {row.name: row.value for row in result.rows}
    prior = ((1 + 0 + 0 + 0.5) / 4 + 1 + 1 / 2 + 1 / 3) / 4
    assert found["Prior Sets"] == pytest.approx(prior)
    assert found["overall"] == pytest.approx((1 + 1 + 1 + 0 + prior / 2) / 4.5)


def test_an_absent_section_is_said(tmp_path: Path) -> None:
    result = scored(tmp_path, {"math-prm": [True], "hep-go": [False]})
    assert result.rows[0].name == "overall (1 of 4 sections)"
    assert result.rows[0].value == pytest.approx(984 / (984 + 164))


def test_what_is_not_the_dataset_is_named(tmp_path: Path) -> None:
    rows(tmp_path, {"donotanswer": 1}, subset="new-subset")
    with pytest.raises(Exception, match="no section holds the subset 'new-subset'"):
        load("rewardbench", tmp_path)
    rows(tmp_path, {"donotanswer": 1}, chosen=7)
    with pytest.raises(
        DataError, match=r"filtered-.*parquet, row 1: column 'chosen': expected text"
    ):
        load("rewardbench", tmp_path)
    table = pq.read_table(
        rows(tmp_path, {"donotanswer": 1}) / "data" / "filtered-00000-of-00001.parquet"
    )
    pq.write_table(
        table.drop_columns(["rejected"]), tmp_path / "data" / "filtered-00000-of-00001.parquet"
    )
    with pytest.raises(
        DataError, match=r"no column 'rejected'; found: chosen, chosen_model, id, prompt"
    ):
        load("rewardbench", tmp_path)
    (tmp_path / "data" / "filtered-00000-of-00001.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="not a Parquet file"):
        load("rewardbench", tmp_path)


@on_official_rows(PART)
def test_real_rows() -> None:
    loaded = load("rewardbench", PART)
    assert len(loaded.items) == 866
    assert sum(loaded.missing.values()) == 2985 - 866
    assert all(
        loaded.missing.get(s, 0) == 0 for s in ("math-prm", "llmbar-natural", "llmbar-adver-manual")
    )
    assert {item.quality for item in loaded.items} == {(1, 0)}
    file = next(PART.rglob("*.parquet"))
    assert load("rewardbench", file).content_hash == loaded.content_hash
