"""Shows a launch: a bar on a terminal, plain lines elsewhere; always on standard error."""

import time
from typing import TYPE_CHECKING

from grmeval import interrupts
from grmeval.engines.places import in_words
from grmeval.items import Sample
from grmeval.report.signs import Signs
from grmeval.runs import Estimate, Plan

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["ConsoleProgress"]

BAR_SECONDS = 0.1


class ConsoleProgress:
    """Samples/s, tokens/s, invalid rate, time left."""

    def __init__(self, console: "Console", signs: Signs) -> None:
        self._console, self._signs = console, signs
        self._samples = self._tokens = self._invalid = self._total = 0
        self._started = self._shown = time.perf_counter()
        self._bar: Progress | None = None
        self.loaded = False

    def loading(self, plan: Plan, is_open: bool) -> None:
        """Say what is loaded, and where the run lies."""
        self.loaded, self._writes = True, not plan.judge.head
        self._samples = self._tokens = self._invalid = 0
        self._say(f"run folder {plan.path}")
        if not is_open:
            where = in_words(plan.config.data_parallel, plan.places)
            self._signs.at(f"loading engine {plan.config.engine}: {plan.model.label}{where}")

    def begin(self, estimate: Estimate) -> None:
        """Say what is about to be asked."""
        interrupts.check()
        self._signs.so_far(None if self._console.is_terminal else self._line)
        self._total = estimate.samples
        have = f" ({estimate.have:,} are there)" if estimate.have else ""
        self._say(
            f"{'at most ' * estimate.at_most}{estimate.samples:,} samples of {estimate.items:,} items{have}: "
            f"{estimate.prompts:,} distinct prompts, about {estimate.prompt_tokens:,} prompt tokens, "
            f"at most {estimate.max_new_tokens:,} new ones"
        )
        if self._console.is_terminal:
            self._bar = _bar(self._console)
            self._bar.add_task("samples", total=self._total, rates="")
            self._bar.start()
        self._started = self._shown = time.perf_counter()

    def advance(self, sample: Sample) -> None:
        """Count a sample that is on disk."""
        self._samples += 1
        self._tokens += sample.tokens
        self._invalid += sample.invalid is not None
        if self._bar and (now := time.perf_counter()) - self._shown >= BAR_SECONDS:
            self._shown = now
            self._draw(self._bar, now)

    def end(self) -> None:
        """Say what the launch came to."""
        folding = "folding the journal into samples.parquet …"
        self._signs.so_far((lambda: folding) if self._samples else None)
        now = time.perf_counter()
        if self._bar:
            self._draw(self._bar, now)
            self._bar.stop()
        if self._samples:
            self._say(
                f"{self._samples:,} samples in {now - self._started:.1f} s, {self._rates(now)}"
            )

    def _draw(self, bar: "Progress", now: float) -> None:
        bar.update(bar.task_ids[0], completed=self._samples, rates=self._rates(now))

    def _line(self) -> str:
        now = time.perf_counter()
        # The first to finish say little: everyone's prompts were read before them.
        guess = ""
        if self._samples >= max(self._total / 20, 1):
            left = (now - self._started) / self._samples * (self._total - self._samples)
            guess = f", {left:.0f} s left"
        return f"{self._samples:,}/{self._total:,}, {self._rates(now)}{guess}"

    def _rates(self, now: float) -> str:
        seconds = max(now - self._started, 1e-9)
        invalid = 100 * self._invalid / max(self._samples, 1)
        written = f"{self._tokens / seconds:,.0f} tokens/s, " if self._writes else ""
        return f"{self._samples / seconds:.1f} samples/s, {written}{invalid:.1f} % invalid"

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


def _bar(console: "Console") -> "Progress":
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.completed:,}/{task.total:,}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[rates]}"),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=4,
    )
