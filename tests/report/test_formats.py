"""Where results are written: the formats by a name's ending, LaTeX, PDF, and names in narrow tables."""

from pathlib import Path

import pytest

from grmeval.errors import ConfigError
from grmeval.report.columns import Column, fitting
from grmeval.report.formats import FIGURE, TABLE, check_place, places
from grmeval.report.grid import rich_table
from grmeval.report.latex import latex_table
from grmeval.report.names import SHORTEST_NAME, least_room, shortened
from grmeval.report.plots import write_curve
from grmeval.score import scale
from grmeval.store import RunFolder
from tests.helpers import ask, grmeval, sampled

INT4, INT8 = (f"/models/deepseek-ai/DeepSeek-GRM-27B-awq-int{at}" for at in (4, 8))


@pytest.mark.parametrize(
    ("name", "tables", "figures"),
    [
        ("t", ["t.csv", "t.md", "t.json"], ["t.svg", "t.png"]),
        ("t.tex", ["t.tex"], []),
        ("t.json", ["t.json"], []),
        ("t.pdf", [], ["t.pdf"]),
        ("night-0.5", ["night-0.5.csv", "night-0.5.md", "night-0.5.json"], None),
    ],
)
def test_an_ending_chooses_one_format(
    name: str, tables: list[str], figures: list[str] | None
) -> None:
    assert [path.name for path in places(Path(name), TABLE)] == tables
    if figures is not None:
        assert [path.name for path in places(Path(name), FIGURE)] == figures


def test_a_format_that_is_not_written_is_refused_before_anything_is_done() -> None:
    with pytest.raises(
        ConfigError, match=r"no format \.xlsx; allowed: \.csv, \.md, \.json, \.tex;"
    ):
        check_place(Path("t.xlsx"), figure=False)
    with pytest.raises(ConfigError, match=r"no format \.pdf"):
        check_place(Path("t.pdf"), figure=False)
    check_place(Path("t.pdf"), figure=True)
    for words in (("compare", "a", "b"), ("scale-curve",), ("suite", "deepseek-grm"), ("trend",)):
        assert "no format .docx" in ask(*words, "--to", "t.docx", code=2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    results = tmp_path_factory.mktemp("formats") / "r"
    return [sampled(results, k=2, limit=6, top_p=top_p) for top_p in (1, 0.9)]


def test_every_command_with_a_table_writes_the_one_file(
    runs: list[RunFolder], tmp_path: Path
) -> None:
    one, two = (run.path for run in runs)
    for words, ending, begin in (
        (("score", one), ".tex", "% grmeval sample"),
        (("compare", one, two), ".csv", "run,"),
        (("scale-curve", one), ".pdf", "%PDF"),
        (("diagnose", one), ".tex", "% grmeval sample"),
        (("trend", one.parents[2]), ".md", "# grmeval sample"),
    ):
        to = tmp_path / f"{words[0]}{ending}"
        done = grmeval(*words, "--to", to)
        assert done.returncode == 0, done.stderr
        assert f"written to {tmp_path}: {to.name}\n" in done.stderr
        assert to.read_bytes().startswith(begin.encode())
    assert len(list(tmp_path.iterdir())) == 5
    assert not (one / "scaling.csv").exists()


def test_several_files_are_written_where_to_is_said_again(
    runs: list[RunFolder], tmp_path: Path
) -> None:
    one, two = (run.path for run in runs)
    for words, endings in (
        (("score", one), (".tex", ".csv")),
        (("compare", one, two), (".tex", ".md")),
        (("scale-curve", one), (".tex", ".pdf")),
        (("diagnose", one), (".tex", ".md")),
        (("trend", one.parents[2]), (".csv", ".svg")),
    ):
        files = [tmp_path / f"{words[0]}{ending}" for ending in endings]
        ask(*words, *(word for file in files for word in ("--to", file)))
        assert all(file.stat().st_size for file in files)
    assert "no format .docx" in ask("score", one, "--to", "a.tex", "--to", "b.docx", code=2)


def test_a_pdf_of_the_same_data_is_the_same_file(runs: list[RunFolder], tmp_path: Path) -> None:
    result = scale(runs[0])
    pages = [write_curve(tmp_path / name, result)[0].read_bytes() for name in ("a.pdf", "b.pdf")]
    assert pages[0] == pages[1]
    assert b"/FontFile2" in pages[0]  # TrueType: journals refuse fonts of type 3
    assert write_curve(tmp_path / "c.tex", result) == []


# ---------------------------------------------------------------------- LaTeX


def test_a_latex_table() -> None:
    lines = [["overall", "94.7", "86.7-98.5", "-1.5, +2.0"], ["  a_b", "-", "<0.001", "-3.0"]]
    assert latex_table(
        ["", "acc %", "95 %", "diff"], [True, False, False, False], lines, ["T"]
    ) == (
        "% T\n"
        "% needs \\usepackage{booktabs}\n"
        "\\begin{tabular}{lrrr}\n"
        "\\toprule\n"
        " & acc \\% & 95 \\% & diff \\\\\n"
        "\\midrule\n"
        "overall & 94.7 & 86.7--98.5 & $-$1.5, +2.0 \\\\\n"
        "\\quad \\quad a\\_b & - & \\textless{}0.001 & $-$3.0 \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("50 % & $1 #2 {x}", "50 \\% \\& \\$1 \\#2 \\{x\\}"),
        ("\\input{/etc/passwd}", "\\textbackslash{}input\\{/etc/passwd\\}"),
        ("~^<>|", "\\textasciitilde{}\\textasciicircum{}\\textless{}\\textgreater{}\\textbar{}"),
        ("--models--a", "-{}-models-{}-a"),  # no dashes
        ("[1]", "{[}1]"),  # no argument of the row's end before it
        ("*", "{*}"),
        ("27B…int4", "27B\\dots{}int4"),
    ],
)
def test_no_name_is_read_as_a_command(name: str, said: str) -> None:
    assert f"\n{said} \\\\\n" in latex_table([""], [True], [[name]])


def test_a_day_is_no_range() -> None:
    assert "2026-11-30 \\\\" in latex_table(["night"], [False], [["2026-11-30"]])


# ---------------------------------------------------------------------- narrow tables


@pytest.mark.parametrize("most", [SHORTEST_NAME, 20, 40])
def test_names_that_differ_at_their_ends_stay_apart(most: int) -> None:
    cut = [shortened(name, most) for name in (INT4, INT8)]
    assert [len(name) for name in cut] == [most, most]
    assert [name[-4:] for name in cut] == ["int4", "int8"]
    assert shortened("  " + INT4, most).startswith("  /")
    assert shortened("short", most) == "short"


def test_a_name_keeps_as_much_as_tells_it_apart() -> None:
    assert least_room([INT4, INT8]) == SHORTEST_NAME
    assert least_room(["a", "b"]) == 1
    assert least_room([]) == 0
    middle = [f"organisation-{at}/DeepSeek-GRM-27B-awq-int4" for at in "ab"]
    most = least_room(middle)
    assert len({shortened(name, most) for name in middle}) == 2
    assert len({shortened(name, most - 1) for name in middle}) == 1


def test_spare_columns_go_before_names_are_confused() -> None:
    columns = [
        Column("model", lambda row: row, left=True),
        Column("acc %", lambda row: "94.7"),
        Column("tokens", lambda row: "1,024", spare=1),
        Column("inv %", lambda row: "0.0", spare=2),
    ]
    kept, note = fitting(columns, [INT4, INT8], 35)
    assert [column.title for column in kept] == ["model", "acc %", "tokens"]
    assert note == ["left out at 35 columns: inv % (COLUMNS=160 shows them)"]
    assert fitting(columns, [INT4, INT8], None) == (columns, [])
    table = rich_table("", kept, [INT4, INT8], 35)
    first, second = table.columns[0].cells
    assert str(first) != str(second)
