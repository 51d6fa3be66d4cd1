"""Printed means and differences recompute from their parts; those that do not are named, and only those."""

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from grmeval.benches import groups
from grmeval.measure import estimate
from grmeval.report.published import Number, PaperTable, index, paper_tables, published_for
from grmeval.report.published_check import (
    TOLERANCE,
    Check,
    Difference,
    arithmetic_json,
    arithmetic_lines,
    arithmetic_table,
    check_published,
    printed_differences,
    printed_means,
    recompute,
)
from grmeval.score import score, together
from tests.helpers import grmeval, sampled

FOUR = ("RB", "PPE Pref", "PPE Corr", "RMB")
SECTIONS = ("Chat", "Chat Hard", "Safety", "Reasoning")
SETS = ("MMLU-Pro", "MATH", "GPQA", "MBPP-Plus", "IFEval")
CELLS = ("Help BoN", "Help Pair", "Harm BoN", "Harm Pair")

# What does not add up in the paper.
WRONG = {
    ("7", "DeepSeek-GRM-27B-RFT Greedy (w/o hinted sampling)", "Overall"): "0.3",
    ("8", "DeepSeek-BTRM-27B", "RB"): "-5.4",
    ("8", "CLoud-Gemma-2-27B Greedy", "RB"): "-1.45",
    ("8", "DeepSeek-PairRM-27B", "RB"): "5.45",
    ("15", "DeepSeek-GRM-27B Greedy (w/o MATH data)", "RB"): "-0.575",
}
CHECKED = {"2": 17, "6": 12, "7": 14, "8": 18, "9": 15, "10": 14, "15": 4}
"""Rows whose mean is printed with all its parts, by table."""

DEFINED = printed_means(), printed_differences()
MEANS = [check for check in check_published() if check.kind == "mean"]
GAINS = [check for check in check_published() if check.kind == "difference"]


def place(check: Check) -> tuple[str, str, str]:
    return check.table, check.row, check.column


def wrong(checks: Sequence[Check]) -> set[tuple[str, str, str]]:
    return {place(check) for check in checks if not check.agrees}


def table(*rows: tuple[str, Mapping[str, str]]) -> PaperTable:
    """A table of rows (name, column -> number)."""
    cells = tuple(Number("t", "", row, c, v, "") for row, cs in rows for c, v in cs.items())
    return PaperTable("t", "", "", cells)


def changed(at: tuple[str, str, str], by: str) -> list[PaperTable]:
    """The published tables, one number printed otherwise."""

    def printed(number: Number) -> Number:
        if (number.table, number.row, number.column) != at:
            return number
        sign = "+" if number.value.startswith("+") else ""
        return number._replace(value=f"{Decimal(number.value) + Decimal(by):{sign}}")

    return [t._replace(numbers=tuple(map(printed, t.numbers))) for t in paper_tables()]


def recomputed(tables: Sequence[PaperTable]) -> list[Check]:
    return recompute(tables, *DEFINED)


def test_the_benchmarks_own_definitions_are_the_papers() -> None:
    one = Decimal(1)
    assert printed_means() == {
        "RB": dict.fromkeys(SECTIONS, one),
        "PPE Corr": dict.fromkeys(SETS, one),
        "RMB": dict.fromkeys(CELLS, one),
        "Overall": dict.fromkeys(FOUR, one),
    }


def test_five_of_94_means_do_not_recompute() -> None:
    assert Counter(check.table for check in MEANS) == CHECKED
    off = {place(check): check.off for check in MEANS if not check.agrees}
    assert off == {at: Decimal(by) for at, by in WRONG.items()}
    assert len(MEANS) - len(off) == 89


def test_every_printed_mean_that_has_its_parts_is_checked_by_hand() -> None:
    """An oracle that knows the columns by name, and counts in whole tenths."""
    wholes = {"RB": SECTIONS, "PPE Corr": SETS, "RMB": CELLS, "Overall": FOUR}
    found = {}
    for each in paper_tables():
        tenths = {(n.row, n.column): round(10 * float(n.value)) for n in each.numbers}
        for (row, column), stated in tenths.items():
            parts = [tenths.get((row, part)) for part in wholes.get(column, ())]
            known = [part for part in parts if part is not None]
            if known and len(known) == len(parts):
                off = stated * len(known) - sum(known)  # in tenths of all parts together
                found[each.table, row, column] = 2 * abs(off) <= len(known)
    assert found == {place(check): check.agrees for check in MEANS}


def test_every_printed_difference_recomputes() -> None:
    assert Counter(check.table for check in GAINS) == {"3": 8, "6": 8, "11": 2}
    columns = {name for name in index()["columns"] if " vs " in name or "difference" in name}
    assert columns == set(printed_differences())
    numbers = [n for each in paper_tables() for n in each.numbers if n.column in columns]
    assert len(numbers) == len(GAINS)
    assert wrong(GAINS) == set()
    (best,) = [c for c in GAINS if c.table == "6" and c.row == "DeepSeek-GRM-27B Voting@32"]
    base = "DeepSeek-GRM-27B Voting@1"
    assert best.parts == {best.row: Decimal("71.0"), base: Decimal("67.9")}
    assert (best.stated, best.recomputed) == (Decimal("3.1"), Decimal("3.1"))
    helped, harmed = [check for check in GAINS if check.table == "11"]
    assert (helped.recomputed, harmed.recomputed) == (Decimal("0.2"), Decimal("0.5"))


@pytest.mark.parametrize("by", ["0.2", "-0.2"])
def test_a_figure_printed_otherwise_is_found(by: str) -> None:
    for check in [*MEANS, *GAINS]:
        if check.agrees:
            assert wrong(recomputed(changed(place(check), by))) >= {*WRONG, place(check)}


def test_a_part_printed_otherwise_is_found() -> None:
    for check in MEANS:
        for part in check.parts:
            found = recomputed(changed((check.table, check.row, part), "0.6"))
            (again,) = [c for c in found if place(c) == place(check)]
            assert not again.agrees
            assert again.recomputed == check.recomputed + Decimal("0.6") / len(check.parts)


def test_another_definition_is_found() -> None:
    """Without RMB the Overall is what is printed in one row of 43, by chance."""
    three = {"Overall": dict.fromkeys(FOUR[:3], Decimal(1))}
    found = recompute(paper_tables(), three, {})
    assert (len(found), len(wrong(found))) == (43, 42)


@pytest.mark.parametrize(
    ("stated", "agrees"),
    [("80.0", True), ("80.1", True), ("79.9", False), ("80.2", False), ("80.10", True)],
)
def test_a_mean_agrees_within_half_a_tenth_inclusive(stated: str, agrees: bool) -> None:
    printed = table(("row", {"a": "80.0", "b": "80.1", "all": stated}))
    (check,) = recompute([printed], {"all": {"a": Decimal(1), "b": Decimal(1)}}, {})
    assert (check.recomputed, check.agrees) == (Decimal("80.05"), agrees)


def test_weights_weigh() -> None:
    printed = table(("row", {"a": "80.0", "b": "50.0", "all": "70.0"}))
    (check,) = recompute([printed], {"all": {"a": Decimal(1), "b": Decimal("0.5")}}, {})
    assert (check.recomputed, check.off) == (Decimal(70), Decimal(0))


def test_what_lacks_a_part_is_not_checked() -> None:
    printed = table(("row", {"a": "80.0", "all": "80.0"}), ("S Voting@8", {"all vs": "+1.0"}))
    means = {"all": {"a": Decimal(1), "b": Decimal(1)}}
    assert recompute([printed], means, {"all vs": Difference("all", "Voting@1")}) == []
    assert recompute([], means, {}) == []


@pytest.mark.parametrize(
    ("stated", "agrees"),
    [("-1.5", True), ("-1.4", True), ("-1.7", False), ("+1.5", False), ("1.5", True)],
)
def test_a_difference_has_a_sign_or_is_a_distance(stated: str, agrees: bool) -> None:
    printed = table(
        ("S Voting@1", {"all": "70.0"}), ("S Voting@8 (x, y=1)", {"all": "68.5", "gain": stated})
    )
    (check,) = recompute([printed], {}, {"gain": Difference("all", "Voting@1")})
    assert check.agrees == agrees
    assert list(check.parts) == ["S Voting@8 (x, y=1)", "S Voting@1"]


def test_a_mean_is_formed_as_a_run_is_scored(tmp_path: Path) -> None:
    """Of sections as `estimate` does, of benchmarks as `together` does."""
    own = score(sampled(tmp_path, k=1))
    group = groups()["grm-overall"]
    columns = index()["benches"]["grm-overall"]
    for check in MEANS:
        values = [float(part) / 100 for part in check.parts.values()]
        if check.column == "Overall":
            assert list(check.parts) == [columns[bench] for bench in group.members]
            members = [
                replace(
                    own,
                    rows=(replace(own.rows[0], name="overall", value=value),),
                    run={"identity": {"bench": bench}, "launches": []},
                )
                for bench, value in zip(group.members, values, strict=True)
            ]
            found = together("grm-overall", group, members, "").rows[0].value
        else:
            each, ones = np.arange(len(values)), np.ones(len(values))
            found = estimate(np.array(values), ones, each, each, ones).value
        assert 100 * found == pytest.approx(float(check.recomputed), abs=1e-9)


def test_what_does_not_add_up_is_flagged_beside_a_run() -> None:
    benches = {"RB": "rewardbench", "Overall": "grm-overall"}
    for check in MEANS:
        if not check.agrees:
            assert check.flag
            beside = published_for(benches[check.column], [check.row])[check.row]["overall"]
            assert (beside.value, beside.flag) == (float(check.stated), check.flag)


def printed(checks: Sequence[Check]) -> str:
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(arithmetic_table(checks))
    return out.getvalue()


def test_the_table_has_only_what_does_not_agree_in_80_columns() -> None:
    lines = printed(MEANS).splitlines()
    assert max(map(len, lines)) <= 80
    numbers = [line.split()[-3:] for line in lines if line[:3].strip().isdigit()]
    assert numbers == [
        ["68.0", "67.7", "+0.3"],
        ["81.7", "87.1", "-5.4"],
        ["82.0", "83.45", "-1.45"],
        ["87.1", "81.65", "+5.45"],
        ["83.0", "83.575", "-0.575"],
    ]
    third = recompute(
        [table(("row", {"a": "1", "b": "2", "c": "2", "all": "9"}))],
        {"all": dict.fromkeys("abc", Decimal(1))},
        {},
    )
    assert "1.667" in printed(third)
    assert "1.6666" not in printed(third)


def test_the_lines_count() -> None:
    assert arithmetic_lines(check_published()) == [
        "89 of 94 printed means recompute within 0.05",
        "18 of 18 printed differences recompute within 0.1",
    ]
    assert arithmetic_lines(check_published("3")) == [
        "8 of 8 printed differences recompute within 0.1"
    ]
    assert arithmetic_lines(check_published("13")) == [
        "no number here is a mean or a difference of others printed with it"
    ]


def test_a_row_is_checked_against_rows_that_were_not_asked_for() -> None:
    (mean, gain) = check_published("6", "grm 27b voting@32 metarm")
    assert (mean.kind, gain.kind, gain.agrees) == ("mean", "difference", True)
    assert "DeepSeek-GRM-27B Voting@1" in gain.parts


def test_the_json_has_all_of_them() -> None:
    found = json.loads(arithmetic_json(check_published()))
    assert len(found) == len(MEANS) + len(GAINS)
    off = [line for line in found if not line["agrees"]]
    assert {(line["table"], line["row"], line["column"]) for line in off} == set(WRONG)
    assert off[-1]["parts"] == {
        "Chat": 96.1,
        "Chat Hard": 70.4,
        "Safety": 85.3,
        "Reasoning": 82.5,
    }
    assert {line["tolerance"] for line in found} == set(map(float, TOLERANCE.values()))


def test_the_command() -> None:
    found = grmeval("published", "--check")
    assert (found.returncode, found.stderr) == (0, "")
    assert all(row in found.stdout for _, row, _ in WRONG)
    assert "89 of 94 printed means recompute within 0.05" in found.stdout
    clean = grmeval("published", "--check", "--table", 9)
    assert clean.stdout == "15 of 15 printed means recompute within 0.05\n"
    some = json.loads(grmeval("published", "--check", "--row", "w/o math", "--json").stdout)
    assert [line["agrees"] for line in some] == [False, True]
    unknown = grmeval("published", "--check", "--table", "5")
    assert (unknown.returncode, unknown.stdout) == (2, "")
