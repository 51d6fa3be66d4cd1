"""What a gate tells: people (table), a code host (Markdown summary, annotations), CI (JUnit XML)."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from grmeval.files import write_text
from grmeval.report.cells import escaped, percent, signed, signed_interval
from grmeval.report.columns import Column
from grmeval.report.grid import markdown_table, rich_table
from grmeval.report.printable import printable
from grmeval.score import Baseline, Gated

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["annotations", "gate_tables", "held", "junit_text", "summary_text", "write_junit"]

_SIGNS = {"broken": "✗", "regressed": "✗", "inconclusive": "?", "passed": "✓", "improved": "✓"}


def held(baseline: Baseline) -> str:
    """The number that a baseline holds, of which samples, items and run."""
    about = baseline.about
    figure = next(figure for figure in baseline.figures if figure.level == "overall")
    number = "-" if figure.value is None else percent(figure.value)
    if figure.low is not None and figure.high is not None:
        number += f" [{percent(figure.low)}, {percent(figure.high)}]"
    return (
        f"{number}, {about.vote}, k={about.k} of {about.samples} samples, {figure.items:,} items, "
        f"of run {about.run_id}"
    )


def gate_tables(result: Gated, width: int | None = None) -> tuple[list["Table"], list[str]]:
    """The comparisons as a table; what needs no table, the advice and the footer as notes."""
    compared = [check for check in result.checks if not math.isnan(check.difference)]
    title = f"{result.verdict.upper()} · {result.title}"
    tables = [rich_table(title, _columns(), compared, width)] if compared else []
    notes = [] if compared else [title]
    notes += [
        f"{check.verdict}: {check.name}: {check.said}"
        for check in result.checks
        if check not in compared
    ]
    return tables, [*notes, *result.advice, *result.footer]


def _columns() -> list[Column]:
    return [
        Column("", lambda check: check.name, left=True),
        Column("verdict", lambda check: check.verdict, left=True),
        Column("baseline", lambda check: percent(check.baseline)),
        Column("now", lambda check: percent(check.value)),
        Column("diff", lambda check: signed(check.difference)),
        Column("limits", lambda check: signed_interval(check.low, check.high)),
        Column("max drop", lambda check: f"{100 * check.limit:g}"),
    ]


def summary_text(result: Gated) -> str:
    """Markdown for a job's summary page."""
    compared = [check for check in result.checks if not math.isnan(check.difference)]
    lines = [f"## {_SIGNS[result.verdict]} {result.verdict}: {escaped(result.title)}", ""]
    lines += [
        f"- {_SIGNS[check.verdict]} {escaped(check.name)}: {escaped(check.said)}"
        for check in result.checks
    ]
    if compared:
        lines += ["", *markdown_table(_columns(), compared)]
    lines += ["", *(f"- {escaped(line)}" for line in [*result.advice, *result.footer]), ""]
    return "\n".join(lines) + "\n"


def annotations(result: Gated) -> Iterator[str]:
    """`::error` and `::warning` lines of GitHub Actions for the checks that did not pass."""
    for check in result.checks:
        if check.verdict in ("broken", "regressed", "inconclusive"):
            kind = "warning" if check.verdict == "inconclusive" else "error"
            title = _property(f"grmeval gate: {check.name} {check.verdict}")
            yield f"::{kind} title={title}::{_data(f'{result.title}: {check.said}')}\n"


def _data(text: str) -> str:
    """A workflow command's message: a percent sign or a line break would change or end it."""
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def write_junit(result: Gated, path: Path) -> None:
    """JUnit XML: a test case a check."""
    write_text(path, junit_text(result))


def junit_text(result: Gated) -> str:
    """regressed is a failure; inconclusive and broken are errors: the question could not be answered."""
    suite = ElementTree.Element("testsuite", name=_xml(f"grmeval gate {result.title}"))
    counts = {"failures": 0, "errors": 0}
    for check in result.checks:
        kind = f"gate.{check.kind}"
        case = ElementTree.SubElement(suite, "testcase", classname=kind, name=_xml(check.name))
        if check.verdict in ("regressed", "inconclusive", "broken"):
            tag = "failure" if check.verdict == "regressed" else "error"
            counts[f"{tag}s"] += 1
            found = ElementTree.SubElement(case, tag, type=check.verdict)
            found.set("message", _xml(check.said))
        else:
            ElementTree.SubElement(case, "system-out").text = _xml(check.said)
    suite.attrib |= {"tests": str(len(result.checks)), "skipped": "0"}
    suite.attrib |= {name: str(count) for name, count in counts.items()}
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """XML 1.0 has no control characters, and not these two."""
    return printable(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
