"""A suite's cells: from rows of results to the paper's columns."""

from math import isnan

import pytest

from grmeval.report.suite import Cell, cells_of
from grmeval.runs.suite import Suite, read_suite
from grmeval.score import Cost, Row, Spent
from grmeval.score.suite import Made


def row(value: float, items: int, name: str = "overall") -> Row:
    return Row(
        vote="sum",
        level="overall" if name == "overall" else "section",
        name=name,
        metric="accuracy",
        k=8,
        value=value,
        low=value - 0.1,
        high=value + 0.1,
        error=0.05,
        method="wilson",
        items=items,
        clusters=items,
        expected=100,
    )


def cost(items: int, tokens: float | None, price: float | None) -> Cost:
    spent = Spent("m", None, None, None, None, None, None, price)
    return Cost(
        samples=8,
        mean_samples=8.0,
        items=items,
        tokens_per_item=tokens,
        judge=spent,
        critic=None,
        meta=None,
        price=price,
        currency="EUR",
        notes=(),
    )


def table(name: str) -> Suite:
    suite = read_suite("deepseek-grm")[1]
    return suite.model_copy(update={"tables": tuple(t for t in suite.tables if t.table == name)})


def cells(suite: Suite, **made: Made) -> dict[tuple[str, str], Cell]:
    """Of rows by their run; other rows are of nothing."""
    [one] = suite.tables
    given = {
        (one.table, r.row): made.get(
            f"{r.run}_{r.k}", Made(r, None, r.k, r.k_meta, {}, {"rmb": "no rows: here"}, {})
        )
        for r in one.rows
    }
    return {(cell.row, cell.column): cell for cell in cells_of(suite, given)}


def test_whole_part_and_nothing() -> None:
    suite = table("11")
    [pairs, listed] = suite.tables[0].rows
    names = ("Helpfulness best-of-n", "Harmlessness best-of-n")
    whole = {"rmb": {name: row(0.6, 100, name) for name in names}}
    part = {"rmb": {names[0]: row(0.5, 99, names[0])}}
    costs = {"rmb": cost(10, 30.0, 2.0), "rewardbench": cost(10, 900.0, 9.0)}
    found = cells(
        suite,
        pairs_1=Made(pairs, "m", 1, None, whole, {}, costs),
        greedy_1=Made(listed, "m", 1, None, part, {"rewardbench": "no rows: there"}, {}),
    )
    pair, one = "DeepSeek-GRM-27B Greedy (pair input)", "DeepSeek-GRM-27B Greedy"
    assert found[pair, "Help BoN"].whole
    assert (found[pair, "Help BoN"].printed, found[pair, "Help BoN"].value) == ("62.1", 0.6)
    assert (found[pair, "Help BoN"].tokens, found[pair, "Help BoN"].price) == (30.0, 2.0)
    assert not found[one, "Help BoN"].whole
    assert isnan(found[one, "Harm BoN"].value)
    # Pairs less the list; there is no such number where one of the two is not there.
    assert found[pair, "Help BoN difference"].value == pytest.approx(0.1)
    assert isnan(found[pair, "Harm BoN difference"].value)
    assert {column for _, column in found} == {
        *("Help BoN", "Harm BoN", "Help BoN difference", "Harm BoN difference")
    }


def test_what_a_row_took_is_weighted_by_items_and_unknown_where_a_part_is() -> None:
    suite = table("2")
    greedy = next(r for r in suite.tables[0].rows if r.run == "greedy")
    rows = {"rewardbench": {"overall": row(0.8, 100)}, "rmb": {"overall": row(0.6, 100)}}
    known = {"rewardbench": cost(10, 100.0, 3.0), "rmb": cost(30, 200.0, None)}
    found = cells(suite, greedy_1=Made(greedy, "m", 1, None, rows, {}, known))
    cell = found["DeepSeek-GRM-27B Greedy", "RB"]
    assert cell.tokens == (10 * 100 + 30 * 200) / 40
    assert isnan(cell.price)
    assert found["DeepSeek-BTRM-27B", "RMB"].lacks == "no rows: here"
    assert "Avg Rank" not in {column for _, column in found}
