"""Figures: accuracy over k, and over nights; a line and a band each, named at its end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from grmeval.files import write_with
from grmeval.report.text import printable
from grmeval.score import Scaling, Trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "drawing", "save", "write_curve", "write_trend_figure"]

# Okabe and Ito's colours, apart for colour-blind readers; markers and dashes tell them apart in grey.
STYLES = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#E69F00", "v", "-"),
    ("#56B4E9", "P", "--"),
    ("#000000", "X", "-."),
)
COLOURS = tuple(colour for colour, _, _ in STYLES)
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
    """A figure with plain axes below one another, the same bytes for the same data."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "grmeval", "font.size": 10}):
        figure = Figure(figsize=(width, height), layout="constrained")
        found = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[
            :, 0
        ].tolist()
        for axes in found:
            axes.grid(axis="y", alpha=0.3)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        yield figure, found


def save(figure: "Figure", stem: Path) -> list[Path]:
    """`stem`.svg and .png."""
    return [
        write_with(
            stem.with_suffix(".svg"), lambda path: figure.savefig(path, metadata={"Date": None})
        ),
        write_with(stem.with_suffix(".png"), lambda path: figure.savefig(path, dpi=150)),
    ]


def write_curve(stem: Path, result: Scaling) -> list[Path]:
    """`stem`.svg and .png of the overall curves."""
    with drawing() as (figure, (axes,)):
        _draw(axes, list(_curves(result)))
        axes.set_xscale("log", base=2)
        ticks = sorted({row.k for row in result.rows})
        axes.set_xticks(ticks, [str(k) for k in ticks])
        axes.minorticks_off()
        axes.set_xlabel("samples k")
        _entitle(axes, result.title, result.rows[0].metric)
        return save(figure, stem)


def _curves(result: Scaling) -> Iterator[Line]:
    rows = [row for row in result.rows if row.level == "overall"]
    several = len({row.run_id for row in rows}) > 1
    for run, vote in dict.fromkeys((row.run, row.vote) for row in rows):
        mine = [row for row in rows if (row.run, row.vote) == (run, vote)]
        yield _line(f"{run}: {vote}" if several else vote, [row.k for row in mine], mine)
    greedy = [row for row in rows if row.over_greedy == row.over_greedy]
    if greedy:
        first, last = min(row.k for row in rows), max(row.k for row in rows)
        value = 100 * (greedy[0].value - greedy[0].over_greedy)
        yield Line("greedy", [first, last], [value] * 2, [value] * 2, [value] * 2)


def write_trend_figure(stem: Path, result: Trend) -> list[Path]:
    """`stem`.svg and .png of the overall, night by night."""
    rows = [row for row in result.rows if row.level == "overall"]
    with drawing(width=max(6.4, min(12.8, 0.5 * len(rows)))) as (figure, (axes,)):
        places = list(range(len(rows)))
        _draw(axes, [_line("overall", places, rows)])
        every = max(1, len(rows) // 12)
        dates = [row.written[5:10] for row in rows]
        axes.set_xticks(places[::every], dates[::every], rotation=45, ha="right")
        axes.set_xlabel("night (month-day)")
        _entitle(axes, result.title, rows[0].metric)
        return save(figure, stem)


def _line(name: str, x: Sequence[float], rows: Sequence[Any]) -> Line:
    return Line(
        name,
        x,
        [100 * row.value for row in rows],
        [100 * row.low for row in rows],
        [100 * row.high for row in rows],
    )


def _draw(axes: "Axes", lines: Sequence[Line]) -> None:
    for number, line in enumerate(lines):
        colour, marker, dash = STYLES[number % len(STYLES)]
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(line.x, line.y, color=colour, marker=marker, linestyle=dash, markersize=5)
    _label_ends(axes, lines)


def _entitle(axes: "Axes", title: str, metric: str) -> None:
    axes.set_ylabel(f"{_METRICS.get(metric, 'accuracy')} (%), band: 95 % interval")
    axes.set_title(printable(title), loc="left", fontsize=11, wrap=True)


def _label_ends(axes: "Axes", lines: Sequence[Line]) -> None:
    """Names at the right end of their lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    gap, last = (high - low) * 0.05, float("-inf")
    ends = sorted((line.y[-1], line.x[-1], line.name, at) for at, line in enumerate(lines))
    for value, x, name, at in ends:
        last = max(value, last + gap)
        axes.annotate(
            printable(name),
            (x, last),
            xytext=(8, 0),
            textcoords="offset points",
            color=COLOURS[at % len(COLOURS)],
            va="center",
            annotation_clip=False,
        )
