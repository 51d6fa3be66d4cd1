"""Published numbers: the tables are whole, doubts are flagged, names lead to numbers."""

import csv
import io
import json
from collections import Counter
from decimal import Decimal
from statistics import mean

import pytest
from rich.console import Console

from grmeval import resources
from grmeval.benches import bench_ids, find_spec
from grmeval.errors import ConfigError
from grmeval.files import read_toml
from grmeval.report.published import (
    Number,
    flag_lines,
    number_table,
    paper_tables,
    published_for,
    select,
    table_list,
)
from tests.helpers import grmeval

INDEX = read_toml(resources.published() / "index.toml")
NUMBERS = [number for table in paper_tables() for number in table.numbers]
PAPER = [number for number in NUMBERS if number.table.isdigit()]

FOUR = ("RB", "PPE Pref", "PPE Corr", "RMB")
SECTIONS = ("Chat", "Chat Hard", "Safety", "Reasoning")
CELLS = ("Help BoN", "Help Pair", "Harm BoN", "Harm Pair")
MET = "DeepSeek-GRM-27B Voting@8 (MetaRM)"
HINTED = "DeepSeek-GRM-27B-RFT Greedy (w/o hinted sampling)"
MATHS = "DeepSeek-GRM-27B Greedy (w/o MATH data)"
TOKENS = "LLM-as-a-Judge Voting@8 (TokenProb)"
FLAGGED = {
    ("2", "Skywork-Reward-Gemma-2-27B"): {"PPE Corr"},
    ("2", "GPT-4o"): {"RMB", "Overall"},
    ("3", "GPT-4o"): {"Overall"},
    ("4", HINTED): {"Overall"},
    ("6", "GPT-4o"): {"Overall"},
    ("6", MET): {"RMB"},
    ("7", HINTED): {"Overall"},
    ("8", "DeepSeek-GRM-230B Greedy"): {"RB"},
    ("8", "DeepSeek-GRM-671B Greedy"): {"RB"},
    ("8", "DeepSeek-BTRM-27B"): {*SECTIONS, "Prior Sets", "RB"},
    ("8", "CLoud-Gemma-2-27B Greedy"): {*SECTIONS, "RB"},
    ("8", "DeepSeek-PairRM-27B"): {*SECTIONS, "Prior Sets", "RB"},
    ("10", TOKENS): {*CELLS, "RMB"},
    ("10", MET): {"RMB"},
    ("15", MATHS): {"RB"},
}


def test_every_number_is_there() -> None:
    assert {table.table: len(table.numbers) for table in paper_tables()} == {
        "1": 12,
        "2": 91,
        "3": 22,
        "4": 14,
        "6": 70,
        "7": 70,
        "8": 99,
        "9": 90,
        "10": 70,
        "11": 6,
        "12": 4,
        "13": 8,
        "14": 12,
        "15": 20,
        "later": 117,
        "later-rmb": 12,
    }
    cells = Counter((number.table, number.row, number.column) for number in NUMBERS)
    assert set(cells.values()) == {1}
    for source in INDEX["sources"]:
        with (resources.published() / source["file"]).open(encoding="utf-8") as file:
            lines = [Number(**line) for line in csv.DictReader(file)]
        assert lines == [number for number in NUMBERS if number.table in source["tables"]]


def test_what_is_in_doubt_is_flagged_and_nothing_else() -> None:
    flagged: dict[tuple[str, str], set[str]] = {}
    for number in PAPER:
        if number.flag:
            flagged.setdefault((number.table, number.row), set()).add(number.column)
    assert flagged == FLAGGED
    assert {n.column for n in NUMBERS if n.table == "later" and n.flag} == {
        "RB",
        "RMB",
        "RM-Bench",
        "JudgeBench",
    }


@pytest.mark.parametrize(("short", "detailed"), [("3", "6"), ("4", "7")])
def test_short_tables_are_the_last_columns_of_the_detailed(short: str, detailed: str) -> None:
    last = [
        (n.setting, n.row, n.column, n.value, bool(n.flag))
        for n in NUMBERS
        if n.table == detailed and n.column.startswith("Overall")
    ]
    assert last == [
        (n.setting, n.row, n.column, n.value, bool(n.flag)) for n in NUMBERS if n.table == short
    ]


def test_one_name_has_one_number_over_all_tables() -> None:
    seen: dict[tuple[str, str], set[str]] = {}
    for number in NUMBERS:
        seen.setdefault((number.row, number.column), set()).add(number.value)
    assert {cell: values for cell, values in seen.items() if len(values) > 1} == {}


def test_ranks_recompute() -> None:
    rows: dict[str, dict[str, Decimal]] = {}
    for number in select("2")[0].numbers:
        rows.setdefault(number.row, {})[number.column] = Decimal(number.value)
    ranked = [cells for cells in rows.values() if "Avg Rank" in cells]
    for cells in ranked:
        ranks = [1 + sum(other[column] > cells[column] for other in ranked) for column in FOUR]
        assert mean(map(Decimal, ranks)) == cells["Avg Rank"]


def test_the_index_knows_every_table_and_column() -> None:
    assert sorted(INDEX["detail"]) == sorted(table.table for table in paper_tables())
    assert set(INDEX["columns"]) == {number.column for number in NUMBERS}
    assert {*INDEX["differences"], *(d["of"] for d in INDEX["differences"].values())} <= set(
        INDEX["columns"]
    )
    for bench, columns in INDEX["benches"].items():
        assert set(columns.values()) <= set(INDEX["columns"])
        if bench in bench_ids():
            spec = find_spec(bench)[0]
            parts = {part.name for part in (*spec.sections, *getattr(spec, "views", ()))}
            assert set(columns) - {"overall"} <= parts


def test_a_published_row_stands_beside_a_run() -> None:
    name = "DeepSeek-GRM-27B Voting@32"
    found = published_for("rmb", [name.lower(), f"{name} (MetaRM)"])
    assert list(found) == [name, f"{name} (MetaRM)"]
    assert {ours: number.value for ours, number in found[name].items()} == {
        "overall": 69.7,
        "Helpfulness best-of-n": 63.9,
        "Helpfulness pairs": 79.8,
        "Harmlessness best-of-n": 58.0,
        "Harmlessness pairs": 77.0,
    }
    assert {number.table for number in found[name].values()} == {"10"}
    assert published_for("realmistake", [name]) == {name: {}}
    assert published_for("a-bench-of-the-user", [name]) == {name: {}}
    assert published_for("rmb", []) == {}


def test_the_most_detailed_table_is_quoted_with_its_doubt() -> None:
    number = published_for("rewardbench", ["DeepSeek-BTRM-27B"])["DeepSeek-BTRM-27B"]["overall"]
    assert (number.value, number.table, "swapped" in number.flag) == (81.7, "8", True)
    name = "DeepSeek-GRM-27B Greedy"
    tables = {
        "rewardbench": "8",
        "ppe-preference": "7",
        "ppe-correctness": "9",
        "rmb": "10",
        "grm-overall": "7",
        "realmistake": "13",
    }
    assert {b: published_for(b, [name])[name]["overall"].table for b in tables} == tables
    prior = published_for("rewardbench-prior", ["DeepSeek-GRM-27B Greedy"])
    assert prior["DeepSeek-GRM-27B Greedy"]["Prior Sets"].value == 66.7
    assert "overall" not in prior["DeepSeek-GRM-27B Greedy"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("DeepSeek-GRM-27B", "'DeepSeek-GRM-27B Voting@32'"),
        ("deepseek-grm-27b votin@32", "'DeepSeek-GRM-27B Voting@32'"),
        ("RRM", "'RRM-7B'"),
        ("", "no published row; "),
        ("\x1b[31m", "no published row; "),
    ],
)
def test_an_unknown_name_is_told_what_is_near(name: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        published_for("rmb", [name])
    assert near in str(caught.value)
    with pytest.raises(ConfigError):
        published_for("rmb", ["DeepSeek-GRM-27B Greedy", name])


def test_tables_and_rows_are_selected() -> None:
    assert [table.table for table in select(row="grm-16b math")] == ["15"]
    assert [table.table for table in select("10")] == ["10"]
    with pytest.raises(ConfigError, match="'grm-16b'"):
        select("10", "grm-16b")


def printed(table: object) -> str:
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(table)
    return out.getvalue()


def test_every_table_fits_80_columns_with_all_its_numbers() -> None:
    assert max(map(len, printed(table_list(paper_tables())).splitlines())) <= 80
    for table in paper_tables():
        text = printed(number_table(table))
        assert max(map(len, text.splitlines())) <= 80
        shown = Counter(text.split())
        wanted = Counter("*" * bool(n.flag) + n.value for n in table.numbers)
        assert wanted <= shown
        lines = flag_lines(table)
        assert len(lines) == len({n.flag for n in table.numbers} - {""})
        assert all(line.startswith("* ") for line in lines)


def test_the_command_prints_what_there_is() -> None:
    listed = grmeval("published")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "RewardBench by section" in listed.stdout
    table = grmeval("published", "--table", 8)
    assert table.stdout.startswith("Table 8: ")
    assert "*81.7" in table.stdout
    assert "* RB of DeepSeek-GRM-230B Greedy: The text calls this model 236B." in table.stdout
    later = grmeval("published", "--table", "later", "--row", "rrm 32b")
    assert "91.2" in later.stdout
    assert "J1-Llama" not in later.stdout
    assert "\x1b" not in listed.stdout + table.stdout + later.stdout


def test_the_command_prints_json() -> None:
    found = json.loads(grmeval("published", "--table", 6, "--row", "voting@32", "--json").stdout)
    assert {line["row"] for line in found} == {
        "DeepSeek-GRM-27B Voting@32",
        "DeepSeek-GRM-27B Voting@32 (MetaRM)",
    }
    assert found[0]["value"] == 88.5
    assert len(json.loads(grmeval("published", "--json").stdout)) == len(NUMBERS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--table", "5"], "--table '5': allowed: 1, 2, 3, 4, 6, "),
        (["--row", "gpt-5"], "--row 'gpt-5': no published row"),
    ],
)
def test_the_command_says_what_is_not_there(words: list[str], message: str) -> None:
    found = grmeval("published", *words)
    assert (found.returncode, found.stdout) == (2, "")
    assert message in found.stderr
