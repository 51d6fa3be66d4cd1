"""Hand-worked judgements -> verdicts, sections, overall, counts; and k by subsets."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from grmeval.errors import ConfigError
from grmeval.items import Completion, Message, Request
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.score import Accuracy, Row, scale, score
from grmeval.store import RunFolder
from tests.helpers import Quiet, sampled

Script = Mapping[str, list[list[int] | str]]


class Scripted:
    """An engine that gives item `id` its j-th listed scores (item order), or a reason to have none."""

    context = 4096

    def __init__(self, script: Script) -> None:
        self.script = script

    def facts(self) -> dict[str, str]:
        return {"engine": "scripted"}

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        return 1

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            for j in request.js:
                said = self.script[request.key.id][j]
                if isinstance(said, str):
                    yield Completion(request, j, "", said, 1, 0, 0)
                else:
                    boxed = ", ".join(str(said[i]) for i in request.order)
                    yield Completion(request, j, f"Scores: \\boxed{{{boxed}}}", "stop", 1, 0, 9)

    def close(self) -> None:
        pass


def rmb(folder: Path, pairs: Mapping[str, int], bons: Mapping[str, int]) -> Path:
    """RMB files: pair ids by subset path, and best-of-n ids with their number of losers."""
    for name in pairs:
        path = folder / "RMB_dataset" / "Pairwise_set" / f"{name.split(':')[0]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        row = _row("pair_uid", name) | {"chosen": {"answer": "good"}, "reject": {"answer": "bad"}}
        _append(path, row)
    for name, losers in bons.items():
        path = folder / "RMB_dataset" / "BoN_set" / f"{name.split(':')[0]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        rest = [{"answer": f"bad{i}"} for i in range(losers)]
        _append(path, _row("bon_uid", name) | {"bon_best": {"answer": "good"}, "loser_list": rest})
    return folder


def _row(uid: str, name: str) -> dict[str, Any]:
    return {uid: name.split(":")[1], "conversation_input": [{"role": "user", "content": name}]}


def _append(path: Path, row: Any) -> None:
    before = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([*before, row]))


def run(tmp_path: Path, script: Script, k: int, **settings: Any) -> RunFolder:
    pairs = {"Helpfulness/A/x:p1": 1, "Helpfulness/A/x:p2": 1, "Harmlessness/S1:p3": 1}
    bons = {"Helpfulness/A/x:b1": 2, "Harmlessness/S1:b2": 3}
    if not (tmp_path / "RMB_dataset").exists():
        rmb(tmp_path, pairs, bons)
    values = {
        "bench": "rmb",
        "data": tmp_path,
        "engine": "fake",
        "k": k,
        "results": tmp_path / "results",
    }
    return extend(
        prepare(configure(values | settings)), Quiet(), Engines(lambda seed: Scripted(script))
    )


def named(result: Accuracy, name: str, vote: str = "sum") -> Row:
    return next(row for row in result.rows if row.name == name and row.vote == vote)


SCRIPT: Script = {
    "p1": [[9, 2], [3, 5]],  # 12 : 7, right
    "p2": [[4, 4], [6, 6]],  # a tie
    "p3": [[2, 9], "length"],  # one readable judgement, wrong
    "b1": [[5, 5, 1], [8, 7, 1]],  # 13 : 12 : 2, right
    "b2": ["length", "error"],  # nothing readable
    "b1#1": [[5, 5], [8, 7]],
    "b1#2": [[5, 1], [8, 9]],
    "b2#1": [[7, 1], [7, 1]],
    "b2#2": [[7, 1], [7, 1]],
    "b2#3": [[7, 7], [7, 7]],
}


def test_official_rule_and_the_mean_of_four_cells(tmp_path: Path) -> None:
    result = score(run(tmp_path, SCRIPT, 2))
    cells = {
        "Helpfulness pairs": 0.5,
        "Helpfulness best-of-n": 1.0,
        "Harmlessness pairs": 0.0,
        "Harmlessness best-of-n": 0.0,
    }
    assert {name: named(result, name).value for name in cells} == cells
    overall = named(result, "overall")
    assert overall.value == pytest.approx(1.5 / 4)
    assert overall.low < 1.5 / 4 < overall.high
    assert (overall.samples, overall.invalid, overall.missing) == (10, 3, 0)
    assert overall.reasons == {"engine_error": 1, "truncated": 2}
    assert "invalid judgements: 3 of 10 (truncated 2, engine_error 1)" in result.footer
    assert (overall.tied, overall.silent, overall.items, overall.expected) == (1, 1, 5, 20917)
    assert any("incomplete data: 20,915 of 20,917" in line for line in result.footer)
    assert "ties: wrong; no readable judgement: wrong (official)" in result.footer


@pytest.mark.parametrize(
    ("ties", "on_invalid", "expected"),
    [
        ("share", "wrong", (0.75 + 1 + 0 + 0) / 4),
        ("half", "wrong", (0.75 + 1 + 0 + 0) / 4),
        ("wrong", "share", (0.5 + 1 + 0 + 0.25) / 4),
        ("wrong", "half", (0.5 + 1 + 0 + 0.5) / 4),
        ("wrong", "drop", (0.5 + 1 + 0) / 3),
    ],
)
def test_other_rules_are_a_reread_and_are_said(
    tmp_path: Path, ties: str, on_invalid: str, expected: float
) -> None:
    folder = run(tmp_path, SCRIPT, 2)
    result = score(folder, ties=ties, on_invalid=on_invalid)
    assert result.rows[0].level == "overall"
    assert result.rows[0].value == pytest.approx(expected)
    assert any("not the official rule" in line for line in result.footer)
    with pytest.raises(ConfigError, match="did you mean 'share'"):
        score(folder, ties="shar")


def test_pairs_layout_must_win_every_pair_of_a_group(tmp_path: Path) -> None:
    result = score(run(tmp_path, SCRIPT, 2, layout="pairs"))
    assert named(result, "Helpfulness best-of-n").value == 1.0
    assert named(result, "Harmlessness best-of-n").value == 0.0
    shared = score(run(tmp_path, SCRIPT, 2, layout="pairs"), ties="share")
    assert named(shared, "Harmlessness best-of-n").value == 0.5
    assert named(shared, "overall").items == 5


@pytest.mark.parametrize("on_invalid", ["share", "half", "drop"])
def test_a_group_with_a_lost_pair_is_lost_whatever_is_silent(
    tmp_path: Path, on_invalid: str
) -> None:
    script = dict(SCRIPT) | {"b2#1": [[1, 9], [1, 9]], "b2#2": ["length", "length"]}
    folder = run(tmp_path, script, 2, layout="pairs")
    result = score(folder, on_invalid=on_invalid)
    assert named(result, "Harmlessness best-of-n").value == 0.0
    assert named(result, "Harmlessness best-of-n").items == 1


@pytest.mark.parametrize(
    ("said", "how", "expected"),
    [
        # Two pairs won, one silent: the coin is tossed for that one alone. It was 1/8.
        (([7, 1], [7, 1], "length"), {"on_invalid": "share"}, 1 / 2),
        (([7, 1], "length", "length"), {"on_invalid": "share"}, 1 / 4),
        (("length", "length", "length"), {"on_invalid": "share"}, 1 / 8),
        (([7, 1], [7, 7], "length"), {"on_invalid": "share"}, 0.0),  # a tie is wrong
        (([7, 1], [7, 7], "length"), {"on_invalid": "share", "ties": "share"}, 1 / 4),
        (([7, 1], [7, 1], "length"), {"on_invalid": "half"}, 1 / 2),
        (([7, 1], [7, 1], "length"), {"on_invalid": "wrong"}, 0.0),
    ],
)
def test_a_silent_pair_of_a_group_is_guessed_alone(
    tmp_path: Path, said: Any, how: dict[str, Any], expected: float
) -> None:
    script = dict(SCRIPT) | {f"b2#{at}": [one] for at, one in enumerate(said, start=1)}
    result = score(run(tmp_path, script, 1, layout="pairs"), **how)
    assert named(result, "Harmlessness best-of-n").value == pytest.approx(expected)


def test_an_overall_of_fewer_sections_says_so(tmp_path: Path) -> None:
    rmb(tmp_path, {"Helpfulness/A/x:p1": 1}, {"Helpfulness/A/x:b1": 2})
    result = score(run(tmp_path, SCRIPT, 2))
    assert result.rows[0].name == "overall (2 of 4 sections)"
    assert (
        "overall is INCOMPLETE: no verdict in Harmlessness best-of-n, Harmlessness pairs"
        in result.footer
    )
    curve = scale(run(tmp_path, SCRIPT, 2))
    assert curve.rows[0].name == "overall (2 of 4 sections)"


def test_what_lies_beyond_a_gap_does_not_count(tmp_path: Path) -> None:
    """Of an unfinished extension the short judgements are there first: they are not a fair sample."""
    folder = run(tmp_path, SCRIPT, 2)
    before = score(folder, k=1)
    path = folder.path / "samples.parquet"
    table = pq.read_table(path)
    extra = table.filter(pc.equal(table["j"], 1))
    extra = extra.set_column(2, "j", pa.array([7] * extra.num_rows, pa.int32()))
    pq.write_table(pa.concat_tables([table, extra]), path)
    assert str(score(folder, k=1).rows) == str(before.rows)
    assert named(before, "Helpfulness pairs").value == pytest.approx(0.25)


def test_votes_side_by_side(tmp_path: Path) -> None:
    script = dict(SCRIPT) | {"p1": [[9, 2], [3, 4], [3, 4]]}
    script = {name: [*said, said[-1]][:3] for name, said in script.items()}
    result = score(run(tmp_path, script, 3), votes=["sum", "majority"])
    assert named(result, "Helpfulness pairs", "sum").value == 0.5
    assert named(result, "Helpfulness pairs", "majority").value == 0.0
    assert result.verdicts.num_rows == 10


def test_a_smaller_k_is_the_mean_over_subsets(tmp_path: Path) -> None:
    folder = run(tmp_path, SCRIPT, 2)
    at_one = score(folder, k=1)
    # p1: right in one of two samples; b1: a tie, then right; p3: invalid or wrong.
    assert named(at_one, "Helpfulness pairs").value == pytest.approx(0.25)
    assert named(at_one, "Helpfulness best-of-n").value == pytest.approx(0.5)
    assert any(
        "k=1 from up to 2 stored samples: mean over subsets, exact" in s for s in at_one.footer
    )
    curve = scale(folder, votes=["sum"])
    overall = [row for row in curve.rows if row.level == "overall"]
    assert [row.k for row in overall] == [1, 2]
    assert [row.value for row in overall] == pytest.approx([0.75 / 4, 1.5 / 4])
    assert [row.subsets for row in overall] == ["exact", "1 subset"]


def test_samples_that_are_missing_are_no_scores(tmp_path: Path) -> None:
    result = score(run(tmp_path, SCRIPT, 2), k=3)
    overall = named(result, "overall (0 of 4 sections)")
    assert math.isnan(overall.value)
    assert any("unfinished: 5 items have fewer than 3 samples" in line for line in result.footer)
    assert (overall.items, overall.missing, result.missing) == (0, 5, 5)


def test_single_responses_are_judged_by_the_threshold_and_have_an_auc(tmp_path: Path) -> None:
    config = configure({"bench": "sample", "engine": "fake", "k": 2, "results": tmp_path})
    plan = prepare(config)
    singles = tuple(item for item in plan.items() if item.n == 1)
    right: list[list[int] | str] = [[9], [2]]  # mean 5.5: at the threshold, so judged right
    wrong: list[list[int] | str] = [[5], [5]]
    script = {item.id: right if item.quality == (1,) else wrong for item in singles}
    only = replace(plan, loaded=replace(plan.loaded, items=singles))
    result = score(extend(only, Quiet(), Engines(lambda seed: Scripted(script))))
    overall = named(result, "overall")
    assert (overall.value, overall.auc, overall.items) == (1.0, 1.0, 20)
    script = {item.id: wrong for item in singles}
    again = replace(only, config=config.model_copy(update={"results": tmp_path / "other"}))
    result = score(extend(again, Quiet(), Engines(lambda seed: Scripted(script))))
    assert (named(result, "overall").value, named(result, "overall").auc) == (0.5, 0.5)


def test_limit_scores_the_items_that_limit_takes(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2)
    limited = score(folder, limit=20)
    assert named(limited, "overall").items == 20
    assert any("--limit 20: a stratified part" in line for line in limited.footer)
    assert not any("--limit" in line for line in score(folder, limit=1000).footer)
    assert [named(limited, s).items for s in ("Arithmetic", "Code", "Safety")] == [4, 4, 4]
    apart = score(sampled(tmp_path / "apart", k=2, limit=20))
    assert str(limited.rows) == str(apart.rows)
