"""The history: runs and files in the order of their dates, changes paired where they may be."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grmeval.errors import ConfigError
from grmeval.report.plots import write_trend_figure
from grmeval.report.trend import trend_tables, write_trend
from grmeval.score import Night, Trend, baseline_of, compare, trend, write_baseline
from grmeval.store import RunFolder
from tests.helpers import sampled, unchecked
from tests.score.nightly.test_baseline import detection, rmb_rows


def dated(folder: RunFolder, written: str) -> RunFolder:
    """A run as if its last launch had ended then."""
    path = folder.path / "run.json"
    record = json.loads(unchecked(path).read_text())
    for launch in record["launches"]:
        launch["ended"] = written
    path.write_text(json.dumps(record))
    return RunFolder(folder.path)


def night(results: Path, seed: int, rows: dict[str, Any], **more: Any) -> RunFolder:
    folder = sampled(results, seed=seed, **{"k": 2} | rows | more)
    return dated(folder, f"2026-03-{10 + seed:02d}T04:00:00+0000")


def overall(rows: tuple[Night, ...]) -> list[Night]:
    return [row for row in rows if row.level == "overall"]


def test_runs_and_files_stand_in_the_order_of_their_dates(tmp_path: Path) -> None:
    rows, place = rmb_rows(tmp_path), tmp_path / "history"
    third, first = night(place / "a", 3, rows), night(place / "b", 1, rows)
    second = night(tmp_path / "gone", 2, rows)
    write_baseline(baseline_of(second), place / "files" / "second.json")
    write_baseline(baseline_of(first), place / "files" / "first.json")  # its run is there
    (place / "notes.json").write_text('{"no": "baseline"}')
    result = trend(place)
    nights = overall(result.rows)
    runs = [first, second, third]
    assert [row.run_id for row in nights] == [each.path.name for each in runs]
    assert [row.written[:10] for row in nights] == ["2026-03-11", "2026-03-12", "2026-03-13"]
    assert nights[1].source == str(place / "files" / "second.json")
    assert [row.value for row in nights] == pytest.approx(
        [baseline_of(each).figures[0].value for each in runs], abs=1e-8
    )
    assert math.isnan(nights[0].change)
    for before, after, row in zip(runs, runs[1:], nights[1:], strict=False):
        gap = next(g for g in compare(before, after).rows if g.level == "overall")
        assert row.change == pytest.approx(row.value - nights[nights.index(row) - 1].value)
        assert (row.change_low, row.change_high) == pytest.approx((gap.low, gap.high), abs=1e-6)


def test_a_change_is_told_only_between_nights_that_are_alike(tmp_path: Path) -> None:
    rows, place = rmb_rows(tmp_path), tmp_path / "history"
    night(place, 0, rows)
    night(place, 1, rows, limit=10)  # fewer items
    night(place, 2, rows, layout="pairs")
    night(place, 3, rows)
    night(place, 4, rows)
    known = overall(trend(place).rows)
    assert [math.isnan(row.change) for row in known] == [True, True, True, True, False]


def test_a_night_of_other_settings_than_the_one_before_is_named(tmp_path: Path) -> None:
    rows = rmb_rows(tmp_path)
    night(tmp_path / "r", 0, rows)
    hot = night(tmp_path / "r", 1, rows, temperature=1.0)
    found = trend(tmp_path / "r")
    said = "temperature 1.0 here, 0.5 in the night before"
    assert f"{hot.path.name[:6]}: {said}" in found.footer


def test_a_file_of_other_rules_or_k_has_no_change(tmp_path: Path) -> None:
    rows, place = rmb_rows(tmp_path), tmp_path / "history"
    night(place, 0, rows)
    for seed, how in ((1, {"ties": "share"}), (2, {"k": 1}), (3, {"vote": "majority"}), (4, {})):
        gone = night(tmp_path / "gone", seed, rows)
        write_baseline(baseline_of(gone, **how), place / f"{seed}.json")
    known = overall(trend(place, k=2).rows)
    assert [row.k for row in known] == [2, 2, 1, 2, 2]
    assert all(math.isnan(row.change) for row in known)


def test_what_is_unfinished_is_left_out_and_named(tmp_path: Path) -> None:
    rows, place = rmb_rows(tmp_path), tmp_path / "history"
    broken = night(place, 0, rows)  # also the first that has these rows
    table = pq.read_table(broken.path / "samples.parquet")
    pq.write_table(table.slice(1), broken.path / "samples.parquet")
    night(place, 1, rows)
    night(place, 2, rows)
    result = trend(place)
    assert len(overall(result.rows)) == 2
    assert not math.isnan(overall(result.rows)[1].change)
    (note,) = (line for line in result.footer if "left out" in line)
    assert broken.path.name in note
    assert "1 of 30 items have fewer than 2 samples" in note


def test_only_unfinished_runs_are_no_history(tmp_path: Path) -> None:
    night(tmp_path / "h", 0, rmb_rows(tmp_path))
    with pytest.raises(ConfigError, match=r"no finished run of rmb: left out: .* fewer than 9"):
        trend(tmp_path / "h", k=9)


def test_several_benchmarks_are_listed(tmp_path: Path) -> None:
    place = tmp_path / "h"
    night(place, 0, rmb_rows(tmp_path))
    sampled(place, k=1)
    with pytest.raises(ConfigError, match="several benchmarks; say --bench: rmb, sample"):
        trend(place)
    assert len(overall(trend(place, bench="rmb").rows)) == 1
    with pytest.raises(ConfigError, match="did you mean 'rmb'"):
        trend(place, bench="rbm")


def test_an_empty_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run folder and no baseline below it"):
        trend(tmp_path)
    with pytest.raises(ConfigError, match="not a folder"):
        trend(tmp_path / "nowhere")
    (tmp_path / "cut.json").write_text('{\n "grmeval_baseline": 1,')
    with pytest.raises(ConfigError, match=r"cut.json: no baseline"):
        trend(tmp_path)


def test_an_area_has_a_history_and_restricted_rows_no_text(tmp_path: Path) -> None:
    rows, place = detection(tmp_path), tmp_path / "h"
    night(place, 0, rows, engine_args={"quote": 1})
    night(place, 1, rows, engine_args={"quote": 1})
    result = trend(place)
    known = overall(result.rows)
    assert {row.metric for row in known} == {"roc-auc"}
    assert known[1].change == pytest.approx(known[1].value - known[0].value)
    paths = write_trend(tmp_path / "out", result)
    assert not any("zebra" in path.read_text() for path in paths)
    (table,), _ = trend_tables(result)
    assert [column.header for column in table.columns][4] == "AUC %"


def ticks(folder: Path, result: Trend, *written: str) -> list[str]:
    """The names of the nights in the figure of a history with these dates."""
    first = overall(result.rows)[0]
    nights = tuple(
        replace(first, written=date, run_id=f"{at:06}abcdef") for at, date in enumerate(written)
    )
    svg, png = write_trend_figure(folder / "figure", replace(result, rows=nights))
    assert png.stat().st_size > 1000
    return [t for t in re.findall("<!-- (.*?) -->", svg.read_text()) if re.match(r"\d\d-\d\d", t)]


def test_every_night_of_the_figure_has_a_name_of_its_own(tmp_path: Path) -> None:
    night(tmp_path / "h", 0, rmb_rows(tmp_path))
    result = trend(tmp_path / "h")
    one, two = "2026-03-10T04:00:00+0000", "2026-03-11T04:00:00+0000"
    assert ticks(tmp_path, result, one) == ["03-10"]
    assert ticks(tmp_path, result, one, two) == ["03-10", "03-11"]
    later = one.replace("T04", "T16")
    assert ticks(tmp_path, result, one, later) == ["03-10 04:00", "03-10 16:00"]
    assert ticks(tmp_path, result, one, one) == ["03-10 04:00 000000", "03-10 04:00 000001"]
    forty = [f"2026-{at // 20 + 1:02}-{at % 20 + 1:02}T04:00:00+0000" for at in range(40)]
    found = ticks(tmp_path, result, *forty)
    assert found[0] == "01-01"
    assert len(found) == 14  # every third
