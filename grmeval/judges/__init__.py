"""Judges: an Item and a response order -> messages; generated text -> scores, or a reason why not."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from grmeval.errors import ConfigError
from grmeval.judges.critique_scalar import Critique, Critiques, CritiqueScalarJudge
from grmeval.judges.hint import lacks_truth
from grmeval.judges.index import IndexJudge
from grmeval.judges.index_prob import IndexProbJudge
from grmeval.judges.judge import Judge, Locate, Needs
from grmeval.judges.meta import MetaPrompt
from grmeval.judges.pointwise import PointwiseJudge
from grmeval.judges.pointwise_plain import PointwisePlainJudge
from grmeval.judges.pointwise_principles import PointwisePrinciplesJudge
from grmeval.judges.pointwise_reference import PointwiseReferenceJudge
from grmeval.judges.principles import principles_in
from grmeval.judges.prompted import PromptedJudge
from grmeval.judges.scalar import ScalarJudge
from grmeval.judges.scalar_pair import ScalarPairJudge

__all__ = [
    "JUDGES",
    "Critique",
    "CritiqueScalarJudge",
    "Critiques",
    "IndexJudge",
    "IndexProbJudge",
    "Judge",
    "Locate",
    "MetaPrompt",
    "Needs",
    "PointwiseJudge",
    "PointwisePlainJudge",
    "PointwisePrinciplesJudge",
    "PointwiseReferenceJudge",
    "PromptedJudge",
    "ScalarJudge",
    "ScalarPairJudge",
    "lacks_truth",
    "make_judge",
    "principles_in",
]

JUDGES: Mapping[str, type[PromptedJudge] | type[ScalarJudge]] = MappingProxyType(
    {
        judge.name: judge
        for judge in (
            PointwiseJudge,
            PointwisePlainJudge,
            PointwisePrinciplesJudge,
            PointwiseReferenceJudge,
            IndexJudge,
            IndexProbJudge,
            ScalarJudge,
            ScalarPairJudge,
            CritiqueScalarJudge,
        )
    }
)
"""Every judge by its name; `RunConfig.judge` allows the same."""


def make_judge(
    name: str,
    template: Path | None = None,
    system: str | None = None,
    structured_tokens: int | None = None,
    principles: Path | None = None,
    critiques: Critiques | None = None,
) -> Judge:
    """The judge of a run; ConfigError: its settings do not fit together."""
    judge = JUDGES[name]
    if judge.needs.principles and principles is None:
        raise ConfigError(
            f"--judge {name}: with which principles? --principles FILE: JSON lines with subset, id and "
            "principles (`grmeval principles RUN --to FILE` writes them), or a text for all items"
        )
    if issubclass(judge, PromptedJudge):
        return judge(template, system, structured_tokens, principles)
    reads = issubclass(judge, CritiqueScalarJudge)
    refused = {"template": None if reads else template, "system": system, "principles": principles}
    for flag, given in refused.items():
        if given:
            why = f"takes no {flag}" if reads else "has no prompt of its own"
            raise ConfigError(f"--{flag} {given}: judge {name} {why}")
    return CritiqueScalarJudge(template, critiques) if reads else judge()
