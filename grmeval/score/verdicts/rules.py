"""How ties and silence are paid: the benchmark's official rule unless told otherwise."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.errors import ConfigError, nearest
from grmeval.measure import ON_INVALID, TIES, Outcomes, credit

__all__ = ["PROTOCOLS", "Rules"]

Floats = NDArray[np.float64]

_IN_WORDS = {
    "wrong": "wrong",
    "share": "credit shared",
    "half": "half a point",
    "random": "seeded random pick",
    "drop": "dropped",
}


PROTOCOLS = {"official": "official", "paper": "share"}
"""Protocol -> its word for both rules."""


class Rules(NamedTuple):
    """The rules in force, and whose they are."""

    ties: str
    on_invalid: str
    kind: str

    @classmethod
    def choose(
        cls,
        spec: Mapping[str, Any],
        protocol: str = "official",
        ties: str | None = None,
        on_invalid: str | None = None,
    ) -> "Rules":
        """Resolve `official` and what is left to the protocol; ConfigError names the words allowed.

        The paper (arXiv 2504.02495, section 3) shuffles and takes the argmax: a tie is a random pick,
        whose expectation is the shared credit; so is an item without any readable judgement.
        """
        for flag, given, allowed in (
            ("protocol", protocol, tuple(PROTOCOLS)),
            ("ties", ties, ("official", *TIES)),
            ("on-invalid", on_invalid, ("official", *ON_INVALID)),
        ):
            if given is not None and given not in allowed:
                raise ConfigError(f"--{flag} {given!r}: {nearest(given, allowed)}")
        own, default = (str(spec["ties"]), str(spec["on_invalid"])), PROTOCOLS[protocol]
        given_ties, given_invalid = ties or default, on_invalid or default
        chosen = (
            own[0] if given_ties == "official" else given_ties,
            own[1] if given_invalid == "official" else given_invalid,
        )
        paper = protocol == "paper" and chosen == (default, default)
        kind = "official" if chosen == own else "the paper's" if paper else "not the official rule"
        return cls(*chosen, kind=kind)

    def pay(self, outcomes: Outcomes, chance: Floats, uniform: Floats) -> tuple[Floats, Floats]:
        """(credit, weight) of every outcome; see `grmeval.measure.credit`."""
        return credit(
            outcomes,
            ties=self.ties,
            on_invalid=self.on_invalid,
            chance=chance,
            uniform=uniform,
        )

    def __str__(self) -> str:
        ties, silence = _IN_WORDS[self.ties], _IN_WORDS[self.on_invalid]
        return f"ties: {ties}; no readable judgement: {silence} ({self.kind})"
