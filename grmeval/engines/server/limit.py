"""How much one server is asked at a time: more while it keeps up, less where it says so."""

from typing import NamedTuple

__all__ = ["LOCAL", "REMOTE", "Limit", "Preset", "fixed"]

CUT = 0.8
QUIET_SECONDS = 15.0
"""After a cut a server is not cut again for so long, or for as long as its answers take."""
BUSY = 0.8
"""It may have more only where so much of what it had was in use."""


class Preset(NamedTuple):
    """What is in flight at first and at most; `step` is added after each round of answers."""

    start: int
    most: int
    step: int


LOCAL = Preset(64, 1024, 64)
REMOTE = Preset(20, 100, 5)


def fixed(size: int) -> Preset:
    """Always the same, but where the server says that it is too much."""
    return Preset(size, size, 0)


class Limit:
    """Additive increase, multiplicative decrease, of one server. Seconds are the caller's clock.

    A round is as many answers as there may be in flight. `slow`: seconds an answer may take; a server that
    takes longer has enough to do.
    """

    def __init__(self, preset: Preset, slow: float) -> None:
        self._preset, self._slow = preset, slow
        self.size = preset.start
        self._answers = self._busiest = 0
        self._quiet_until = float("-inf")

    @property
    def fixed(self) -> bool:
        """Whether the user said how much."""
        return self._preset.step == 0

    def answered(self, weight: int, in_flight: int, seconds: float) -> None:
        """An answer that counts `weight` came after so long, while so much was in flight (it included)."""
        self._answers += weight
        self._busiest = max(self._busiest, in_flight)
        if self._answers < self.size:
            return
        if self._busiest >= BUSY * self.size and seconds < self._slow:
            self.size = min(self._preset.most, self.size + self._preset.step)
        self._answers = self._busiest = 0

    def refused(self, now: float, seconds: float) -> bool:
        """The server has too much to do (429, 503); whether that made it less: once a round trip, `seconds`,
        since what was sent before the cut is refused as well."""
        if self.fixed or now < self._quiet_until:
            return False
        self.size = max(1, int(self.size * CUT))
        self._answers = self._busiest = 0
        self._quiet_until = now + max(seconds, QUIET_SECONDS)
        return True
