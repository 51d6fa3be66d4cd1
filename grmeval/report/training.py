"""A training as people see it: how far it is, the figure of its metrics, its model card."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from grmeval.files import write_text
from grmeval.report.accuracy import accuracy_markdown
from grmeval.report.cells import escaped
from grmeval.report.columns import Column
from grmeval.report.grid import markdown_table
from grmeval.report.plots import STYLES, drawing, entitle, save
from grmeval.report.signs import Signs
from grmeval.score import Accuracy
from grmeval.train.folder import TrainingFolder

__all__ = [
    "PANELS",
    "Judged",
    "TrainingProgress",
    "card_text",
    "side_by_side",
    "write_card",
    "write_metrics_figure",
]

PANELS = {
    "rft": ("loss", "mean_token_accuracy", "grad_norm"),
    "rl": ("reward", "kl", "zero_gradient_groups", "tokens"),
    "meta": ("loss", "eval_auc_inside", "eval_auc"),
}
"""Metrics that a stage's figure shows, from top to bottom, of those that were logged."""

_SMOOTH = 20
"""The thick line is the mean over one part in so many of all lines."""


class Judged(NamedTuple):
    """An accuracy table of grmeval in a card; `whose`: what its model is to the one that was trained."""

    whose: str
    result: Accuracy


class TrainingProgress:
    """Says how far a training is, on standard error."""

    def __init__(self, signs: Signs) -> None:
        self._signs = signs
        self._began: tuple[float, int] | None = None
        self._now = (0, 0)
        self._logs: Mapping[str, Any] = {}

    def __call__(self, step: int, steps: int, logs: Mapping[str, Any]) -> None:
        """Hear of a step."""
        self._now, self._logs = (step, steps), logs
        if self._began is None:
            self._began = (time.monotonic(), step)
            self._signs.so_far(self._line)

    def _line(self) -> str:
        assert self._began
        (step, steps), (began, first) = self._now, self._began
        rate = ""
        if step > first:
            each = (time.monotonic() - began) / (step - first)
            rate = f", {each:.1f} s a step, {each * (steps - step) / 60:.0f} min left"
        shown = [f"{n} {self._logs[n]:.3g}" for n in ("loss", "reward", "kl") if n in self._logs]
        return ", ".join([f"step {step:,} of {steps:,}{rate}", *shown])


# ---------------------------------------------------------------------- the figure


def write_metrics_figure(folder: TrainingFolder, to: Path | None = None) -> list[Path]:
    """metrics.svg: a panel a metric over the steps; nothing where nothing was logged.

    Thin: every line of metrics.jsonl; thick: their running mean.
    """
    rows = folder.metrics()
    wanted = PANELS.get(folder.stage, ("loss",))
    panels = [name for name in wanted if any(name in row for row in rows)]
    if not panels:
        return []
    with drawing(6.4, 1.2 + 1.5 * len(panels), [1] * len(panels)) as (figure, all_axes):
        for name, axes in zip(panels, all_axes, strict=True):
            found = [(row["step"], row[name]) for row in rows if name in row]
            x, y = [step for step, _ in found], [value for _, value in found]
            colour, _ = STYLES[0]
            smooth = running_mean(y, max(1, len(y) // _SMOOTH))
            axes.plot(x, y, color=colour, alpha=0.35, linewidth=0.8)
            axes.plot(x, smooth, color=colour, linewidth=1.8, marker="o" if len(x) < 3 else None)
            axes.set_ylabel(name.replace("_", " "), fontsize=8)
        all_axes[-1].set_xlabel("optimizer step")
        entitle(all_axes[0], _title(folder.record))
        return save(figure, to or folder.path / "metrics.svg")


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """Of each value and those before it, `window` of them together; fewer at the beginning."""
    return [fmean(values[max(0, at - window + 1) : at + 1]) for at in range(len(values))]


def side_by_side(folders: Sequence[TrainingFolder]) -> list[str]:
    """A row a training: means over the last tenth of its lines, of what its stage's figure shows."""
    names = PANELS[folders[0].stage]
    columns = [Column("training", lambda row: row[0], left=True)]
    columns += [Column(n.replace("_", " "), lambda row, n=n: row[1].get(n, "–")) for n in names]  # type: ignore[misc]
    return markdown_table(columns, [(each.path.name, _last_tenth(each, names)) for each in folders])


def _last_tenth(folder: TrainingFolder, names: Sequence[str]) -> dict[str, str]:
    rows = folder.metrics()
    last = rows[-max(1, len(rows) // 10) :]
    found = {name: [row[name] for row in last if _is_number(row.get(name))] for name in names}
    return {name: f"{fmean(values):.3f}" for name, values in found.items() if values}


# ---------------------------------------------------------------------- the card


def write_card(folder: TrainingFolder, judged: Sequence[Judged] = ()) -> list[Path]:
    """README.md, beside the model too, where there is one; and the figure that it shows."""
    figures = write_metrics_figure(folder)
    text = card_text(folder, judged, bool(figures))
    paths = [write_text(folder.path / "README.md", text)]
    if folder.model.is_dir():
        alone = card_text(folder, judged, figure=False)
        paths.append(write_text(folder.model / "README.md", alone))
    return [*figures, *paths]


def card_text(folder: TrainingFolder, judged: Sequence[Judged] = (), figure: bool = True) -> str:
    """What was trained from what, by which settings, how it went, and how it judges: in Markdown."""
    record, rows = folder.record, folder.metrics()
    identity, facts = record["identity"], record["facts"]
    lines = [*_front(identity, facts), f"# {escaped(_title(record))}", ""]
    lines += [*_begins_with(record, rows), ""]
    lines += ["## Settings", "", *_settings(record), ""]
    lines += ["## Metrics", "", *_metrics(rows), ""]
    if figure:
        lines += ["![metrics over the steps](metrics.svg)", ""]
    lines += ["## Accuracy", "", *_accuracy(judged), ""]
    return "\n".join(lines)


def _front(identity: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """What the hub reads of a card."""
    library = "peft" if identity["config"].get("lora") else "transformers"
    base = json.dumps(str(facts["model"]))
    tags = ["reward-model", "grmeval", identity["stage"]]
    return ["---", f"base_model: {base}", f"library_name: {library}", f"tags: {tags}", "---", ""]


_STAGES = {
    "rft": "rejective fine-tuning (SFT on selected judgements, loss on the completion)",
    "rl": "rule-based online RL (GRPO, +1 or -1 by the labels)",
    "meta": "meta RM (one logit for query, responses and a judgement)",
}


def _title(record: Mapping[str, Any]) -> str:
    """The model, and what was done to it."""
    stage = record["identity"]["stage"]
    return f"{record['facts']['model']}: {_STAGES.get(stage, stage).partition(' (')[0]}"


def _begins_with(record: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    identity, facts = record["identity"], record["facts"]
    steps = record["result"].get("steps", rows[-1]["step"] if rows else 0)
    seconds = sum(launch.get("seconds", 0) for launch in record["launches"])
    last = record["launches"][-1] if record["launches"] else {}
    versions = ", ".join(f"{name} {is_}" for name, is_ in last.get("versions", {}).items())
    dropped = facts.get("rows_too_long", 0)
    found = {
        "stage": _STAGES.get(identity["stage"], identity["stage"]),
        "configuration": facts["title"],
        "base model": f"{facts['model']} ({identity['model']})",
        "data": f"{facts.get('rows', 0):,} rows, sha256 {identity['data']}"
        + (f"; {dropped:,} longer ones left out" if dropped else ""),
        "trained": f"{steps:,} of {facts['steps']:,} optimizer steps, {seconds:,.0f} s; "
        f"launches: {len(record['launches'])}; {record['status']}",
        **facts.get("notes", {}),
        "made with": f"grmeval {last.get('grmeval', '')} {last.get('commit') or ''}; {versions}",
    }
    return [f"- {name}: {escaped(str(text))}" for name, text in found.items()]


def _settings(record: Mapping[str, Any]) -> list[str]:
    """Every setting of the configuration; then what the trainer was told beside its own defaults."""
    config = [
        (f"{table}.{name}", json.dumps(value))
        for table, values in record["identity"]["config"].items()
        for name, value in (values or {"": None}).items()
        if name
    ]
    columns = [
        Column("setting", lambda row: row[0], left=True),
        Column("value", lambda row: row[1], left=True),
    ]
    lines = [*markdown_table(columns, config), ""]
    if told := record.get("trainer"):
        against = [
            (name, json.dumps(of["default"]), json.dumps(of["value"])) for name, of in told.items()
        ]
        columns = [
            Column("told to the trainer", lambda row: row[0], left=True),
            Column("its default", lambda row: row[1], left=True),
            Column("here", lambda row: row[2], left=True),
        ]
        lines += ["Where the trainer's own defaults were not taken:", ""]
        lines += markdown_table(columns, against)
    return lines


def _metrics(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """First, last, least and greatest of each number that was logged."""
    names = [n for n in dict.fromkeys(n for row in rows for n in row) if n not in ("step", "epoch")]
    if not names:
        return ["Nothing was logged yet."]
    found = [(name, [row[name] for row in rows if _is_number(row.get(name))]) for name in names]
    columns = [
        Column("metric", lambda row: row[0], left=True),
        *(
            Column(title, lambda row, of=of: f"{of(row[1]):.4g}")  # type: ignore[misc]
            for title, of in (
                ("first", lambda v: v[0]),
                ("last", lambda v: v[-1]),
                ("least", min),
                ("greatest", max),
            )
        ),
    ]
    return markdown_table(columns, [each for each in found if each[1]])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _accuracy(judged: Sequence[Judged]) -> list[str]:
    if not judged:
        return ["Not measured yet: `grmeval run` it, then `grmeval spct card OUT --run RUN`."]
    lines: list[str] = []
    for whose, result in judged:
        lines += [f"### {escaped(whose)}: {escaped(result.title)}", ""]
        lines += [*accuracy_markdown(result), ""]
    return lines
