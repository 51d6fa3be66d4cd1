"""How ties and silence are paid: the benchmark's official rule unless told otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from grmeval.errors import ConfigError, nearest
from grmeval.measure import ON_INVALID, TIES, VOTES

__all__ = ["Rules", "check_votes"]

_IN_WORDS = {
    "wrong": "wrong",
    "share": "credit shared",
    "half": "half a point",
    "random": "seeded random pick",
    "drop": "dropped",
}


class Rules(NamedTuple):
    """The rules in force, and whether they are the benchmark's own."""

    ties: str
    on_invalid: str
    official: bool

    @classmethod
    def choose(cls, spec: Mapping[str, Any], ties: str, on_invalid: str) -> "Rules":
        """Resolve `official`; ConfigError names the words that are allowed."""
        for flag, given, allowed in (("ties", ties, TIES), ("on-invalid", on_invalid, ON_INVALID)):
            if given != "official" and given not in allowed:
                raise ConfigError(f"--{flag} {given!r}: {nearest(given, ('official', *allowed))}")
        own = (str(spec["ties"]), str(spec["on_invalid"]))
        chosen = (
            own[0] if ties == "official" else ties,
            own[1] if on_invalid == "official" else on_invalid,
        )
        return cls(*chosen, official=chosen == own)

    def __str__(self) -> str:
        kind = "official" if self.official else "not the official rule"
        ties, silence = _IN_WORDS[self.ties], _IN_WORDS[self.on_invalid]
        return f"ties: {ties}; no readable judgement: {silence} ({kind})"


def check_votes(votes: Sequence[str]) -> tuple[str, ...]:
    """The votes, each once; ConfigError names one that there is not."""
    for vote in votes:
        if vote not in VOTES:
            raise ConfigError(f"--vote {vote!r}: {nearest(vote, VOTES)}")
    return tuple(dict.fromkeys(votes))
