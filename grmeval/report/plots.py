"""Figures: accuracy over k, and over nights; a line and a band each, named at its end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import isfinite, log2
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

from grmeval.files import write_with
from grmeval.report.formats import FIGURE, places
from grmeval.report.names import shortened
from grmeval.report.printable import printable
from grmeval.score import Night, Scaling, Trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["STYLES", "drawing", "entitle", "save", "write_curve", "write_trend_figure"]

# Okabe and Ito's colours, apart for colour-blind readers; markers and dashes tell them apart in grey.
STYLES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
    ("#000000", "X"),
)
_DASHES = ("-", "--", "-.", ":")
_LINE = 0.19
"""Inches from one name to the next."""
_LETTERS, _LEFT = 11, 0.7
"""Letters of a title to an inch, and the inches before it."""
_LONGEST_NAME, _LONGEST_TITLE = 60, 100
_METRICS = {"roc-auc": "ROC-AUC", "best-of-k-area": "area under best-of-K"}


class Line(NamedTuple):
    """Points of one curve in percent."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@contextmanager
def drawing(
    width: float = 6.4, height: float = 4.0, heights: Sequence[float] = (1,)
) -> Iterator["tuple[Figure, list[Axes]]"]:
    """A figure with plain axes below one another, the same bytes for the same data.

    Texts in it are drawn as they are: a `$` of a name begins no formula.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    how: Any = {
        "svg.hashsalt": "grmeval",
        "font.size": 10,
        "text.parse_math": False,
        "pdf.fonttype": 42,  # what conferences take
    }
    with matplotlib.rc_context(how):
        figure = Figure(figsize=(width, height), layout="constrained")
        found = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[
            :, 0
        ].tolist()
        for axes in found:
            axes.grid(axis="y", alpha=0.3)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        yield figure, found


_DATES = {".svg": "Date", ".pdf": "CreationDate"}
"""What a format calls the time at which a figure was made, which is left out."""


def save(figure: "Figure", to: Path) -> list[Path]:
    """The figure in the formats that `to` asks for."""

    def write(path: Path) -> None:
        date = _DATES.get(path.suffix)
        figure.savefig(path, dpi=150, metadata={date: None} if date else None)

    return [write_with(path, write) for path in places(to, FIGURE)]


def write_curve(to: Path, result: Scaling) -> list[Path]:
    """The figure of the overall curves, in the formats that `to` asks for."""
    if not places(to, FIGURE):
        return []
    lines = list(_curves(result))
    width = 5.2 + 0.085 * max(len(line.name) for line in lines)
    with drawing(width, max(4.0, 1.5 + _LINE * len(lines))) as (figure, (axes,)):
        axes.set_xscale("log", base=2)
        _draw(axes, lines)
        ticks = _ticks(sorted({row.k for row in result.rows}))
        axes.set_xticks(ticks, [str(k) for k in ticks])
        axes.minorticks_off()
        axes.set_xlabel("samples k")
        if result.dip:
            note = fill(printable(result.dip), round(16 * width))
            figure.supxlabel(note, x=0.01, ha="left", fontsize=8)
        _label(axes, result.title, result.rows[0].metric)
        return save(figure, to)


def _ticks(ks: Sequence[int]) -> list[int]:
    """The ks that have a number on the axis: those that stand apart."""
    close = any(16 * log2(b / a) < log2(ks[-1] / ks[0]) for a, b in pairwise(ks))
    return [k for k in ks if k.bit_count() == 1 or k == ks[0]] if close else list(ks)


def _curves(result: Scaling) -> Iterator[Line]:
    rows = [row for row in result.rows if row.level == "overall"]
    several = len({row.run for row in rows}) > 1
    for run, vote in dict.fromkeys((row.run, row.vote) for row in rows):
        mine = [row for row in rows if (row.run, row.vote) == (run, vote)]
        name = f"{shortened(run, _LONGEST_NAME - len(vote) - 2)}: {vote}" if several else vote
        yield _line(name, [row.k for row in mine], mine)
    greedy = [row for row in rows if row.over_greedy == row.over_greedy]
    if greedy:
        first, last = min(row.k for row in rows), max(row.k for row in rows)
        value = 100 * (greedy[0].value - greedy[0].over_greedy)
        yield Line("greedy", [first, last], [value] * 2, [value] * 2, [value] * 2)


def write_trend_figure(to: Path, result: Trend) -> list[Path]:
    """The figure of the overall, night by night, in the formats that `to` asks for."""
    if not places(to, FIGURE):
        return []
    rows = [row for row in result.rows if row.level == "overall"]
    with drawing(width=max(6.4, min(12.8, 0.5 * len(rows)))) as (figure, (axes,)):
        at = list(range(len(rows)))
        line = _line("overall", at, rows)
        _draw(axes, [line])
        every = max(1, len(rows) // 12)
        axes.set_xticks(at[::every], _dates(rows)[::every], rotation=45, ha="right")
        axes.set_xlabel("night")
        _label(axes, result.title, rows[0].metric)
        return save(figure, to)


def _dates(rows: Sequence[Night]) -> list[str]:
    """Month and day of each night; where that is not enough, the time, and the run."""
    names: list[str] = []
    for length, run in ((10, 0), (16, 0), (16, 6)):
        names = [f"{r.written[5:length]} {r.run_id[:run]}".replace("T", " ").strip() for r in rows]
        if len(set(names)) == len(names):
            break
    return names


def _line(name: str, x: Sequence[float], rows: Sequence[Any]) -> Line:
    return Line(
        name,
        x,
        [100 * row.value for row in rows],
        [100 * row.low for row in rows],
        [100 * row.high for row in rows],
    )


def _draw(axes: "Axes", lines: Sequence[Line]) -> None:
    alpha = min(0.15, 0.45 / len(lines))
    for number, line in enumerate(lines):
        colour, _ = STYLES[number % len(STYLES)]
        again = number // len(STYLES)  # a colour's second line has another marker and dash
        _, marker = STYLES[(number + again) % len(STYLES)]
        dash = _DASHES[(number + again) % len(_DASHES)]
        if len(line.x) == 1:
            axes.vlines(line.x, line.low, line.high, color=colour, alpha=2 * alpha, linewidth=5)
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=alpha, linewidth=0)
        axes.plot(line.x, line.y, color=colour, marker=marker, linestyle=dash, markersize=5)
    _label_ends(axes, lines)


def _label(axes: "Axes", title: str, metric: str) -> None:
    axes.set_ylabel(f"{_METRICS.get(metric, 'accuracy')} (%), band: 95 % interval")
    entitle(axes, shortened(title, _LONGEST_TITLE))


def entitle(axes: "Axes", title: str) -> None:
    """A title over axes, in as many lines as it takes.

    Not by matplotlib's own `wrap`, which measures what is between two `$` as a formula, whatever it was told.
    """
    figure = axes.figure.get_figure(root=True)
    assert figure
    room = round(_LETTERS * (figure.get_figwidth() - _LEFT))
    axes.set_title(fill(printable(title), room), loc="left", fontsize=11)


def _label_ends(axes: "Axes", lines: Sequence[Line]) -> None:
    """Names beside the axes, each joined to the end of its line, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    figure = axes.figure.get_figure(root=True)
    assert figure
    gap = (high - low) * _LINE / (figure.get_figheight() - 1.3)
    leader = {"arrowstyle": "-", "linewidth": 0.6, "relpos": (0, 0.5), "shrinkB": 4}
    ends = sorted((line.y[-1], at) for at, line in enumerate(lines) if isfinite(line.y[-1]))
    for place, (value, at) in zip(_apart([v for v, _ in ends], gap, high), ends, strict=True):
        colour, _ = STYLES[at % len(STYLES)]
        axes.annotate(
            printable(lines[at].name),
            (lines[at].x[-1], value),
            xytext=(1.04, place),
            textcoords=axes.get_yaxis_transform(),
            color=_darker(colour),
            va="center",
            annotation_clip=False,
            arrowprops=leader | {"color": colour},
        )


def _apart(values: Sequence[float], gap: float, high: float) -> list[float]:
    """Sorted values, moved to be a gap apart and, where there is room, not above `high`."""
    places: list[float] = []
    for value in values:
        places.append(max([value, *(place + gap for place in places[-1:])]))
    ceiling = high
    for at in reversed(range(len(places))):
        places[at] = min(places[at], ceiling)
        ceiling = places[at] - gap
    return places


def _darker(colour: str) -> str:
    """A colour for text, which on white has to be darker than a line."""
    return "#" + "".join(f"{int(colour[at : at + 2], 16) * 2 // 3:02x}" for at in (1, 3, 5))
