"""What a gate tells CI: names of sections and models forge no command, no row, no XML."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml

from grmeval.report.gate import annotations, gate_tables, junit_text, summary_text, write_junit
from grmeval.report.grid import json_object, json_text
from grmeval.report.printable import printable
from grmeval.score import Check, Gated

NAN = float("nan")
HOSTILE = [
    "two\nlines",
    "carriage\rreturn",
    "\n::error::forged",
    "::stop-commands::x",
    "100%0A::error::forged",
    "a,title=b",
    "a:b::c",
    "\x1b[31m\x00\x08\x9b",
    "</message>]]><script>alert(1)</script> & | `x`",
    "\u202eright to left",
    "\ud800 half",
    "\ufffe\uffff",
    "",
]


def gated(name: str, *verdicts: str) -> Gated:
    """A result whose every text is `name`."""
    checks = [Check("data", "the same rows", "passed", name)]
    checks += [
        Check("section", f"{name}{at}", each, name, 0.5, 0.4, -0.1, -0.2, 0.0, 0.01)
        for at, each in enumerate(verdicts)
    ]
    return Gated(name, verdicts[0], tuple(checks), (name,), (name,), {"model": name})


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_forges_no_command(name: str) -> None:
    result = gated(name, "broken", "regressed", "inconclusive", "passed", "improved")
    lines = list(annotations(result))
    assert [line.split(" ")[0] for line in lines] == ["::error", "::error", "::warning"]
    for line in lines:
        assert line.endswith("\n")
        inside = line[:-1]
        assert printable(inside) == inside.replace("\n", "\\n")
        # command properties::message: a property has no bare colon or comma, so there is one title.
        properties, message = inside.removeprefix("::").split("::", 1)
        assert properties.split(" ", 1)[1].startswith("title=grmeval gate%3A ")
        assert "," not in properties
        assert ":" not in properties
        # A percent sign of the name is one of the message.
        assert unescaped(message).count("%") == 2 * name.count("%")


def unescaped(message: str) -> str:
    """As the runner reads it."""
    for code, letter in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        message = message.replace(code, letter)
    return message


@pytest.mark.parametrize("name", HOSTILE)
def test_junit_reads_back_with_its_counts(tmp_path: Path, name: str) -> None:
    verdicts = ("broken", "regressed", "inconclusive", "passed", "improved", "regressed")
    write_junit(gated(name, *verdicts), tmp_path / "deep" / "gate.xml")
    (suite,) = JUnitXml.fromfile(str(tmp_path / "deep" / "gate.xml"))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 2, 2, 0)
    cases = list(suite)
    assert len(cases) == 7
    assert {case.classname for case in cases} == {"gate.data", "gate.section"}
    kinds = [[(type(each), each.type) for each in case.result] for case in cases]
    assert kinds == [
        [],
        [(Error, "broken")],
        [(Failure, "regressed")],
        [(Error, "inconclusive")],
        [],
        [],
        [(Failure, "regressed")],
    ]
    counted = JUnitXml.fromfile(str(tmp_path / "deep" / "gate.xml"))
    counted.update_statistics()  # type: ignore[no-untyped-call]
    assert (counted.tests, counted.failures, counted.errors) == (7, 2, 2)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_runs_nothing_in_a_page_and_forges_no_row(name: str) -> None:
    result = gated(name, "regressed", "passed")
    text = summary_text(result)
    assert "<script" not in text
    assert printable(text) == text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    # The head and one row a check, seven cells each.
    assert len(rows) == 3
    assert [row.replace("\\|", "").count("|") for row in rows] == [8, 8, 8]
    assert text.splitlines()[0].startswith("## ✗ regressed: ")
    assert sum(line.startswith("#") for line in text.splitlines()) == 1
    assert ElementTree.fromstring(junit_text(result).encode()).tag == "testsuites"


def test_what_is_not_a_number_is_null_in_json() -> None:
    result = Gated("t", "broken", (Check("data", "rows", "broken", "why"),), (), (), {})
    found = json_object(result)
    assert found["checks"][0]["difference"] is None
    assert "NaN" not in json_text(found)


def test_a_broken_gate_has_no_table_and_says_why() -> None:
    result = Gated("bench · grm", "broken", (Check("data", "rows", "broken", "why"),), (), (), {})
    tables, notes = gate_tables(result)
    assert not tables
    assert notes == ["BROKEN · bench · grm", "broken: rows: why"]
    assert "|" not in summary_text(result)
