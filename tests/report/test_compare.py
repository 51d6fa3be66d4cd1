"""What `compare` and `scale-curve` print and write: nothing cut, nothing invented; and the figure."""

import csv
import io
import json
import math
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from grmeval.report.compare import compare_tables, write_comparison
from grmeval.report.curve import curve_tables, write_scaling
from grmeval.report.plots import drawing, entitle, save, write_curve
from grmeval.score import Comparison, CurveRow, Flip, Gap, Scaling, Slope

NAN = math.nan
GAP = Gap(
    run="deepseek-grm-27b-step-4000",
    run_id="0a1b2c3d4e5f",
    vote="sum",
    level="overall",
    name="overall",
    metric="accuracy",
    k=32,
    first=0.8512,
    value=0.8623,
    difference=0.0111,
    low=-0.1035,
    high=0.1257,
    error=0.01,
    p=0.00001,
    test="sign-flip",
    q=NAN,
    detectable=0.028,
    items=20_917,
    clusters=2649,
    won=1034,
    lost=1029,
)
SUBSET = replace(
    GAP, level="subset", name="Helpfulness/Classification/Text Classification", q=0.0312
)
NOTHING = dict.fromkeys(
    ("first", "value", "difference", "low", "high", "error", "p", "q", "detectable"), NAN
)
EMPTY = replace(GAP, level="section", name="a|b", items=0, won=0, lost=0, **NOTHING)  # type: ignore[arg-type]
FLIPS = tuple(
    Flip(GAP.run, GAP.run_id, "sum", "Math", f"m{at}", "", 1.0 - at, float(at)) for at in (0, 1)
)


def comparison(*rows: Gap, flips: tuple[Flip, ...] = ()) -> Comparison:
    about = {"limit": None, "ties": "half", "on_invalid": "half", "first_run": "ffff"}
    return Comparison("RMB · m, n · k=32", rows, flips, ("a rule",), about, {})


def printed(table: object, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(table)
    return out.getvalue()


def heads(table: Any) -> list[str]:
    return [str(column.header) for column in table.columns]


# ---------------------------------------------------------------------- compare


@pytest.mark.parametrize("rows", [(GAP, SUBSET), (GAP, EMPTY, SUBSET), (GAP,)])
def test_a_comparison_fits_80_columns_and_cuts_no_number(rows: tuple[Gap, ...]) -> None:
    (table,), _ = compare_tables(comparison(*rows), 80)
    lines = printed(table).splitlines()
    assert max(map(len, lines)) <= 80
    mine = next(line for line in lines if line.startswith(" overall"))
    numbers = ["86.2", "+1.1", "-10.3,", "+12.6", "<0.001", "1034:1029"]
    assert all(number in mine.split() for number in numbers)
    (wide,), _ = compare_tables(comparison(*rows), 400)
    assert {"first", "items", "won:lost"} <= set(heads(wide))
    assert ("q" in heads(wide)) == (SUBSET in rows)
    assert "20,917" in printed(wide, 400)


def test_what_is_not_there_is_a_dash_and_says_nothing() -> None:
    (table,), notes = compare_tables(comparison(replace(EMPTY, level="overall", name="overall")))
    (line,) = (each for each in printed(table).splitlines() if "overall" in each)
    assert line.split()[1:] == ["-", "-", "-", "-", "-", "0:0", "0"]
    assert notes == ["a rule"]


def test_notes_come_in_the_order_of_tables_and_say_what_is_hidden() -> None:
    subsets = [replace(SUBSET, name=f"s{at}") for at in range(60)]
    majority = [replace(each, vote="majority") for each in (GAP, *subsets)]
    tables, notes = compare_tables(comparison(GAP, *subsets, *majority, flips=FLIPS))
    assert [table.row_count for table in tables] == [1, 1]
    assert notes[0] == (
        f"{GAP.run}, sum: a difference of 2.8 points would be found in four of five comparisons "
        "(5 %, two-sided)"
    )
    assert notes[1].startswith(f"{GAP.run}, majority: ")
    assert notes[2:4] == ["a rule", "60 subsets are in the files of --to and in --json"]
    assert "--flips" in notes[4]


def test_flips_stand_below_their_run() -> None:
    other = replace(GAP, run="other", run_id="1111")
    tables, notes = compare_tables(comparison(GAP, other, flips=FLIPS), flips=True)
    assert [str(table.title) for table in tables[1:]] == [
        f"flipped in {GAP.run}, vote sum, lost ones first",
        "RMB · m, n · k=32 · other less the first, vote sum",
    ]
    lines = [line.split() for line in printed(tables[1]).splitlines()]
    assert ["Math", "m0", "1.00", "0.00"] in lines
    assert not any("--flips" in note for note in notes)


def test_the_files_of_a_comparison(tmp_path: Path) -> None:
    stem = tmp_path / "step-1.5"  # a name may have a dot
    paths = write_comparison(stem, comparison(GAP, EMPTY, SUBSET, flips=FLIPS))
    assert [path.name for path in paths] == ["step-1.5.csv", "step-1.5.md", "step-1.5.json"]
    head, first, empty, _ = (tmp_path / "step-1.5.csv").read_text().splitlines()
    assert head == ",".join(
        [*(field.name for field in fields(Gap)), "limit", "ties", "on_invalid", "first_run"]
    )
    cells = dict(zip(head.split(","), first.split(","), strict=True))
    assert (cells["first"], cells["run_id"], cells["first_run"]) == ("0.8512", GAP.run_id, "ffff")
    assert "nan" not in empty
    read = json.loads((tmp_path / "step-1.5.json").read_text(), parse_constant=pytest.fail)
    assert (read["rows"][1]["p"], len(read["flips"])) == (None, 2)
    text = (tmp_path / "step-1.5.md").read_text()
    assert (
        "| overall | 85.1 | 86.2 | +1.1 | -10.3, +12.6 | &lt;0.001 | - | 1034:1029 | 20,917 | 2.8 |"
        in text
    )
    assert "a\\|b" in text


# ---------------------------------------------------------------------- scale-curve


def point(run: str, vote: str, k: int, value: float, **more: Any) -> CurveRow:
    numbers = dict.fromkeys((field.name for field in fields(CurveRow)), NAN)
    who = {"run": run, "run_id": run, "vote": vote, "level": "overall", "name": "overall"}
    about = {"metric": "accuracy", "k": k, "items": 20_917, "clusters": 2649}
    about |= {"subsets": "Monte Carlo ±0.12", "tokens": 1_234_567.0, "value": value}
    limits = {"low": value - 0.02, "high": value + 0.02, "gain": 0.05}
    limits |= {"gain_low": -0.101, "gain_high": 0.202}
    return CurveRow(**numbers | who | about | limits | more)  # type: ignore[arg-type]


def scaling(
    runs: int, votes: tuple[str, ...] = ("sum",), name: str = "m{}", **more: Any
) -> Scaling:
    beside = {"over_greedy": -0.1, "over_greedy_low": -0.2, "over_greedy_high": -0.05}
    more = (beside if more.pop("greedy", False) else {}) | more
    beside = {"over_first": 0.1, "over_first_low": -0.15, "over_first_high": 0.3}
    rows = tuple(
        point(name.format(at), vote, k, 0.7 + 0.02 * math.log2(k) - 0.01 * at, **(beside | more))
        for at in range(runs)
        for vote in votes
        for k in (1, 2, 4, 8, 16, 32)
    )
    return Scaling("RewardBench · m", rows, (), ("a rule",), {}, {})


LONG = "deepseek-ai/DeepSeek-GRM-27B-step-{}000-with-a-long-label"


@pytest.mark.parametrize("greedy", [False, True])
@pytest.mark.parametrize(("runs", "name"), [(1, "m{}"), (3, "m{}"), (3, LONG)])
def test_a_curve_fits_80_columns_and_cuts_no_number(runs: int, name: str, greedy: bool) -> None:
    result = scaling(runs, ("sum", "meta-weighted"), name, greedy=greedy)
    tables, _ = curve_tables(result, 80)
    text = "".join(map(printed, tables))
    assert max(map(len, text.splitlines())) <= 80
    wanted = ["acc %", "vs k=1", "tokens", "how"]
    wanted += ["vs first"] if runs > 1 else []
    wanted += ["vs greedy"] if greedy else []
    found = [head for table in tables for head in heads(table)]
    assert [head for head in found if head in wanted] == wanted
    # A number and its limits stand in one table, every point in each.
    assert all(table.row_count == len(result.rows) for table in tables)
    assert all("vote" in heads(table) and "k" in heads(table) for table in tables)
    for cell in ("68.0-72.0", "-10.1, +20.2", "1,234,567"):
        assert cell in text
    assert ("-20.0, -5.0" in text) == greedy
    (wide,), _ = curve_tables(result, 400)
    assert [head for head in heads(wide) if head in wanted] == wanted


def test_ties_have_a_column_and_a_dip_its_line(tmp_path: Path) -> None:
    result = scaling(1, ("sum", "majority"), tied=0.223, subsets="1 subset", tokens=537.0)
    (table,), _ = curve_tables(result, 80)  # one table: nothing is cut, nothing stands apart
    assert heads(table).index("tied %") == heads(table).index("tokens") - 1
    assert printed(table).count(" 22.3 ") == len(result.rows)
    (bare,), _ = curve_tables(scaling(1), 400)  # an AUC has none
    assert "tied %" not in heads(bare)
    dip = "falls at k=2 (sum): a tie is paid as $wrong$"
    said = " ".join(texts(write_curve(tmp_path / "a", replace(result, dip=dip))[0]))
    assert dip in said
    assert "falls" not in " ".join(texts(write_curve(tmp_path / "b", result)[0]))
    write_scaling(tmp_path / "c", result)
    rows = csv.DictReader((tmp_path / "c.csv").read_text().splitlines())
    assert {row["tied"] for row in rows} == {"0.223"}
    assert "| tied % |" in (tmp_path / "c.md").read_text()


def test_latex_holds_the_overall_curves_with_a_rule_between_runs(tmp_path: Path) -> None:
    result = scaling(2, ("sum", "majority"), seconds=3.0)
    section = replace(result.rows[0], level="section", name="Math")
    result = replace(result, rows=(*result.rows, section))
    for name in ("curve.tex", "curve.md"):
        write_scaling(tmp_path / name, result)
    lines = (tmp_path / "curve.tex").read_text().splitlines()
    head = next(line for line in lines if "vote" in line)
    assert head.startswith("run & vote & k & acc ")
    assert not {"seconds", "how", "items"} & set(head.replace("\\\\", "").split(" & "))
    rows = [line for line in lines if line.startswith(("m0 &", "m1 &", "\\midrule"))]
    assert [row[:2] for row in rows] == ["\\m", *["m0"] * 12, "\\m", *["m1"] * 12]
    page = (tmp_path / "curve.md").read_text()
    assert "Math" in page
    assert "| seconds |" in page


def test_a_cost_that_is_not_known_is_a_dash(tmp_path: Path) -> None:
    result = scaling(2)
    rows = (*result.rows[:6], *(replace(row, tokens=NAN) for row in result.rows[6:]))
    (table,), _ = curve_tables(replace(result, rows=rows))
    assert "nan" not in printed(table, 400)
    write_scaling(tmp_path / "scaling", replace(result, rows=rows))
    assert "nan" not in (tmp_path / "scaling.md").read_text()


def test_a_price_stands_beside_the_tokens(tmp_path: Path) -> None:
    priced = replace(scaling(2, price=1234.5), about={"currency": "EUR"})
    tables, _ = curve_tables(priced, 80)
    text = "".join(map(printed, tables))
    assert max(map(len, text.splitlines())) <= 80
    found = [head for table in tables for head in heads(table)]
    assert found[found.index("tokens") :][:3] == ["tokens", "EUR/1k", "how"]
    assert "1,234,567 1,234 Monte" in " ".join(text.split())
    write_scaling(tmp_path / "scaling", priced)
    first = next(csv.DictReader((tmp_path / "scaling.csv").read_text().splitlines()))
    assert (first["price"], first["currency"]) == ("1234.5", "EUR")
    assert "/1k" not in "".join(heads(curve_tables(scaling(2))[0][0]))


def test_a_slope_is_a_sentence() -> None:
    slope = Slope("m", "1", "sum", "overall", "overall", (1, 2), 0.0123, -0.001, 0.0256)
    _, notes = curve_tables(replace(scaling(1), slopes=(slope, replace(slope, level="section"))))
    assert notes[0] == "m, sum: +1.2 points a doubling of k (-0.1, +2.6)"
    assert notes[1:3] == ["overall: 20,917 items, 2,649 prompts", "a rule"]


# ---------------------------------------------------------------------- figures


def pixels(path: Path) -> Any:
    from matplotlib.image import imread

    return imread(path)


def texts(path: Path) -> list[str]:
    """What an SVG says: matplotlib writes each text as a comment beside its outlines."""
    return re.findall(r"<!-- (.*?) -->", path.read_text("utf-8"))


@pytest.mark.parametrize(("runs", "name"), [(1, "m{}"), (3, LONG), (7, "m{}"), (9, LONG)])
def test_every_curve_of_a_figure_is_named_and_there_is_room_for_it(
    tmp_path: Path, runs: int, name: str
) -> None:
    result = scaling(runs, name=name, greedy=True)
    svg, png = write_curve(tmp_path / "curve.v1", result)
    assert (svg.name, png.name) == ("curve.v1.svg", "curve.v1.png")
    said = texts(svg)
    for at in range(runs) if runs > 1 else ():
        (label,) = (
            each
            for each in said
            if each.endswith(": sum") and (f"m{at}" in each or f"{at}000" in each)
        )
        assert len(label) <= 60
    assert ("sum" in said, "greedy" in said) == (runs == 1, True)
    assert {"1", "2", "4", "8", "16", "32"} <= set(said)
    # The axes keep their width however long a name is: the bottom line is drawn across them.
    image = pixels(png)
    dark = (image[..., :3].sum(axis=2) < 0.5).sum(axis=1).max()
    assert dark > 450  # of 150 pixels an inch
    border = np.concatenate([image[:2, :, :3].ravel(), image[:, -2:, :3].ravel()])
    assert border.min() > 0.99  # nothing is cut off


def test_a_figure_has_the_same_bytes_for_the_same_data(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_curve(tmp_path / "a", scaling(3))]
    assert [path.read_bytes() for path in write_curve(tmp_path / "a", scaling(3))] == first


def test_no_label_breaks_a_figure(tmp_path: Path) -> None:
    svg, _ = write_curve(tmp_path / "a", scaling(2, name="$\\frac{{m{}$ <b>&\x1b"))
    assert "\x1b" not in svg.read_text("utf-8")
    assert "<b>" not in svg.read_text("utf-8")


FORMULA = "a $x^{ of \\frac and $y$, \\$1"


def test_a_dollar_begins_no_formula(tmp_path: Path) -> None:
    named = replace(scaling(2, name=f"{FORMULA} m{{}}".replace("{ ", "{{ ")), title=FORMULA)
    said = texts(write_curve(tmp_path / "curve", named)[0])
    assert FORMULA in said
    assert sum(each.startswith(FORMULA) and each.endswith(": sum") for each in said) == 2
    with drawing() as (figure, (axes,)):
        entitle(axes, f"{FORMULA} in a title that takes more than one line: {FORMULA}")
        axes.plot([1], [1], label=FORMULA)
        axes.set_xlabel(FORMULA)
        axes.set_xticks([1], [FORMULA])
        axes.legend()
        said = texts(save(figure, tmp_path / "any")[0])
    assert said.count(FORMULA) == 3
    assert sum("in a title" in each for each in said) == 1


def test_one_point_has_its_interval(tmp_path: Path) -> None:
    alone = replace(scaling(1), rows=scaling(1).rows[:1])
    image = pixels(write_curve(tmp_path / "a", alone)[1])
    blue = (image[..., 2] - image[..., 0] > 0.2).any(axis=1).sum()
    assert blue > 300  # a bar from 68 to 72, most of the height
    nothing = tuple(replace(row, value=NAN, low=NAN, high=NAN) for row in alone.rows)
    assert write_curve(tmp_path / "b", replace(alone, rows=nothing))[0].exists()


def test_ks_that_lie_close_share_the_axis(tmp_path: Path) -> None:
    rows = tuple(point("m", "sum", k, 0.7) for k in range(1, 33))
    said = texts(write_curve(tmp_path / "a", Scaling("t", rows, (), (), {}, {}))[0])
    assert [each for each in said if each.isdigit() and int(each) <= 32] == [
        "1",
        "2",
        "4",
        "8",
        "16",
        "32",
    ]
