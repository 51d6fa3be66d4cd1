"""Shows a launch: a bar on a terminal, plain lines elsewhere; always on standard error."""

import sys
import time
from typing import TYPE_CHECKING

from grmeval.items import Sample
from grmeval.runs.plan import Plan
from grmeval.runs.sample import Estimate

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ConsoleProgress"]

LINE_SECONDS = 10.0
BAR_SECONDS = 0.1


class ConsoleProgress:
    """Samples/s, tokens/s, invalid rate, time left."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._samples = self._tokens = self._invalid = self._total = 0
        self._started = self._shown = time.perf_counter()
        self._bar: object = None

    def loading(self, plan: Plan) -> None:
        """Say what is loaded, and where the run lies."""
        self._say(f"run folder {plan.path}")
        self._say(f"loading engine {plan.config.engine}: {plan.model.label}")

    def begin(self, estimate: Estimate) -> None:
        """Say what is about to be asked."""
        self._total = estimate.samples
        self._started = self._shown = time.perf_counter()
        have = f" ({estimate.have:,} are there)" if estimate.have else ""
        self._say(
            f"{estimate.samples:,} samples of {estimate.items:,} items{have}: {estimate.prompts:,} prompts, "
            f"about {estimate.prompt_tokens:,} prompt tokens, at most {estimate.max_new_tokens:,} new ones"
        )
        if self._console.is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            bar = Progress(
                TextColumn("{task.completed:,}/{task.total:,}"),
                BarColumn(),
                TextColumn("{task.fields[rates]}"),
                TimeRemainingColumn(),
                console=self._console,
                refresh_per_second=4,
            )
            self._task = bar.add_task("samples", total=self._total, rates="")
            bar.start()
            self._bar = bar

    def advance(self, sample: Sample) -> None:
        """Count a sample that is on disk."""
        self._samples += 1
        self._tokens += sample.tokens
        self._invalid += sample.invalid is not None
        now = time.perf_counter()
        if now - self._shown >= (BAR_SECONDS if self._bar else LINE_SECONDS):
            self._shown = now
            self._show(now)

    def end(self) -> None:
        """Say what the launch came to."""
        now = time.perf_counter()
        if self._bar:
            self._show(now)
            self._bar.stop()  # type: ignore[attr-defined]
            self._bar = None
        if self._samples:
            self._say(
                f"{self._samples:,} samples in {now - self._started:.1f} s, {self._rates(now)}"
            )

    def _show(self, now: float) -> None:
        if self._bar:
            self._bar.update(  # type: ignore[attr-defined]
                self._task, completed=self._samples, rates=self._rates(now)
            )
        else:
            left = (now - self._started) / self._samples * (self._total - self._samples)
            self._say(f"{self._samples:,}/{self._total:,}, {self._rates(now)}, {left:.0f} s left")

    def _rates(self, now: float) -> str:
        seconds = max(now - self._started, 1e-9)
        invalid = 100 * self._invalid / max(self._samples, 1)
        return (
            f"{self._samples / seconds:.1f} samples/s, {self._tokens / seconds:,.0f} tokens/s, "
            f"{invalid:.1f} % invalid"
        )

    def _say(self, line: str) -> None:
        if self._bar:
            self._console.print(line, highlight=False, markup=False)
        else:
            print(line, file=sys.stderr, flush=True)
