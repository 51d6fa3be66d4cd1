"""What stands in a cell: numbers as people read them, texts that neither a terminal nor a page acts on."""

import html
import math
import re
from collections.abc import Sequence
from typing import Any

from grmeval.report.printable import printable

__all__ = [
    "count",
    "escaped",
    "interval",
    "metric_title",
    "one_line",
    "p_value",
    "percent",
    "signed",
    "signed_interval",
]

_MARKS = re.compile(r"[\\`*_\[\]~|#$]|^(?=[-+] )|^\d+(?=[.)] )")
_ADDRESS = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)


def one_line(text: str) -> str:
    """A cell of ours or a data set's: no terminal acts on it, and it forges no row."""
    return printable(text).replace("\n", "\\n")


def escaped(text: str) -> str:
    """The same for Markdown: what a page shows is the text itself, no link, image, formula, list or HTML."""
    plain = html.escape(one_line(text).strip(), quote=False)
    plain = _MARKS.sub(lambda mark: f"{mark[0]}\\" if mark[0].isdigit() else f"\\{mark[0]}", plain)
    return _ADDRESS.sub(lambda sign: f"&#{ord(sign[0])};", plain)


def metric_title(rows: Sequence[Any]) -> str:
    """The head of a column of values, by the benchmark's metric; a figure's name says what it is."""
    metrics = {row.metric for row in rows if row.level != "figure" and row.items}
    if metrics <= {"accuracy", "ties-score"}:
        return "%" if rows and rows[0].level == "figure" else "acc %"
    return {"roc-auc": "AUC %", "best-of-k-area": "area %"}.get(min(metrics), "%")


def count(value: float) -> str:
    """A number of things, such as tokens."""
    return "-" if math.isnan(value) else f"{value:,.0f}"


def percent(value: float) -> str:
    """A share in percent."""
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference in points."""
    return "-" if math.isnan(value) else f"{round(100 * value, 1) + 0.0:+.1f}"


def p_value(value: float) -> str:
    """The odds of a test."""
    return "-" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def interval(low: float, high: float) -> str:
    """Limits of a share."""
    return "-" if math.isnan(low) else f"{100 * low:.1f}-{100 * high:.1f}"


def signed_interval(low: float, high: float) -> str:
    """Limits of a difference."""
    return "-" if math.isnan(low) else f"{signed(low)}, {signed(high)}"
