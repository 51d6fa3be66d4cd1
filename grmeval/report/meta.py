"""Meta rewards as they come, and what they came to: lines for people."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval import interrupts
from grmeval.engines.places import in_words
from grmeval.engines.scorer import Reward
from grmeval.report.signs import Signs
from grmeval.runs.meta import MetaPlan, Scored

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ConsoleMeta", "scored_lines"]


class ConsoleMeta:
    """Says what is loaded, and every ten seconds how far it is, on standard error."""

    def __init__(self, console: "Console", signs: Signs) -> None:
        self._console, self._signs = console, signs
        self._total = self._done = 0
        self._started = time.perf_counter()

    def loading(self, plan: MetaPlan) -> None:
        """Say what is loaded."""
        if plan.config.of_samples:
            self._signs.at("reading the judgements' own log-probabilities")
            return
        where = in_words(plan.config.data_parallel, plan.places)
        self._signs.at(f"loading meta RM {plan.config.engine}: {plan.name}{where}")

    def begin(self, run: Path, samples: int, have: int) -> None:
        """Say what is about to be scored."""
        interrupts.check()
        self._total, self._done = samples, 0
        before = f" ({have:,} are there)" if have else ""
        self._say(f"{run}: meta rewards of {samples:,} judgements{before}")
        self._started = time.perf_counter()
        self._signs.so_far(self._line)

    def advance(self, reward: Reward) -> None:
        """Count a reward that is on disk."""
        self._done += 1

    def end(self) -> None:
        """Say what the launch came to."""
        self._signs.so_far(None)
        seconds = max(time.perf_counter() - self._started, 1e-9)
        if self._done:
            rate = self._done / seconds
            self._say(f"{self._done:,} meta rewards in {seconds:.1f} s, {rate:.1f} a second")

    def _line(self) -> str:
        left = ""
        if self._done:
            seconds = (time.perf_counter() - self._started) / self._done
            left = f", {seconds * (self._total - self._done):.0f} s left"
        return f"{self._done:,}/{self._total:,} meta rewards{left}"

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


def scored_lines(found: Sequence[Scored]) -> Iterator[str]:
    """What a command came to, a line or two a run."""
    for each in found:
        if not each.new:
            yield f"run {each.run}: {each.had:,} judgements were asked of {each.name} before, none is missing"
            continue
        before = f", {each.had:,} before" if each.had else ""
        read = (
            f"; {each.prompt_tokens:,} tokens read, {each.cached_tokens:,} of them from the prefix cache"
            if each.prompt_tokens
            else ""
        )
        yield f"run {each.run}: {each.new:,} judgements asked of {each.name}{before}{read}"
        if each.without:
            reasons = ", ".join(f"{why} {count:,}" for why, count in sorted(each.without.items()))
            yield f"  without a reward: {sum(each.without.values()):,} ({reasons})"
        if peak := each.memory.get("peak"):
            gpu = each.memory.get("gpu_peak")
            yield f"  peak memory {peak:,} MiB" + (f", GPU {gpu:,} MiB" if gpu else "")
