"""What is wrong with a judge: biases, disagreement, calibration and cost, from its stored samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grmeval.errors import ConfigError, Incomplete
from grmeval.measure import VOTE_TABLE
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.diagnosis.agreement import agreement
from grmeval.score.diagnosis.calibration import calibration
from grmeval.score.diagnosis.claims import declared, looked_at
from grmeval.score.diagnosis.findings import RATE, Part
from grmeval.score.diagnosis.meta_rewards import meta
from grmeval.score.diagnosis.observed import observe
from grmeval.score.diagnosis.output import output, regret
from grmeval.score.diagnosis.position_and_length import length, position, reversal
from grmeval.score.diagnosis.scores import scores
from grmeval.score.diagnosis.summary import summary
from grmeval.score.diagnosis.variance import split, votes
from grmeval.score.table import provenance
from grmeval.score.verdicts import check_scale, check_votes, same, usual_vote
from grmeval.store import Question, RunFolder, origin, record_of, size_of

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """All that a report of a diagnosis prints."""

    title: str
    summary: tuple[str, ...]
    parts: tuple[Part, ...]
    footer: tuple[str, ...]
    about: dict[str, Any]
    """What every number has in common: run-id, limit, vote, k; how many were tested, at which rate."""
    run: dict[str, Any]
    """Identity and launches."""
    usual: bool = True
    """Whether it speaks of the run's record, as it does unless told otherwise."""
    short: int = 0
    """Items that have fewer than k samples."""


def diagnose(
    folder: RunFolder, *, k: int | None = None, limit: int | None = None, vote: str | None = None
) -> Diagnosis:
    """Look for what is wrong with a run's judge; no model is needed.

    Figures of single judgements are of every stored one; figures of a vote are of `k` samples. What is not
    said is as in the run's record: its k, its items, and the first of its votes that is of scores. All are
    plain means over items, and a tie is paid the share of its winners that
    are best: the benchmark's weights and rules are those of `score`. What it claims holds given all that it
    looked at (claims.py). ConfigError: a vote that there is not, or more samples than an item has.
    Incomplete: no sample yet, or items stopped early.
    """
    record, identity = record_of(folder), folder.record["identity"]
    of_scores = [word for word in record.votes if not VOTE_TABLE[word.partition(":")[0]].needs]
    usual = Question(record.k, record.limit, (*of_scores, usual_vote(identity))[:1])
    (vote,) = check_votes([vote or usual.votes[0]])
    check_scale(identity, vote)
    if VOTE_TABLE[vote.partition(":")[0]].needs:
        raise ConfigError(
            f"--vote {vote}: a diagnosis is of the scores; take sum or another of them"
        )
    limit = limit or usual.limit
    run = read_run(folder, None, limit)
    most = int(run.depth.max(initial=0))
    if run.stopped.any():
        raise Incomplete(
            f"{folder.path}: {int(run.stopped.sum()):,} of {len(run.n):,} items stopped early (--adaptive): "
            "items that are hard to decide have more judgements, which is no fair sample of any; "
            f"`grmeval run … --k {usual.k}` without --adaptive draws the rest"
        )
    if not VOTE_TABLE[vote].single and any(block.best.shape[1] == 1 for block in run.blocks):
        raise ConfigError(f"--vote {vote}: it compares responses, and some items have one")
    if most == 0:
        raise Incomplete(f"{folder.path}: no sample yet; {origin(identity).grows}")
    if k is not None and k > most:
        raise ConfigError(f"--k {k}: this run has up to {most} samples an item")
    usual, k = usual._replace(k=min(usual.k, most)), min(k or usual.k, most)
    seen = observe(folder, run, limit)
    voted = votes(seen, vote, k)
    parts = declared(
        [
            position(seen),
            reversal(seen),
            length(seen),
            agreement(seen),
            scores(seen, voted, k),
            calibration(seen, vote, k),
            split(seen, vote, k, voted),
            regret(seen, voted, k),
            output(seen),
            *meta(seen, k),
        ]
    )
    looked = {"looked_at": len(looked_at(parts)), "rate": RATE}
    part = {} if folder.whole else {"only": folder.record["only"]}
    title = f"{folder.record['spec']['title']} · {folder.record['config']['label']} · diagnosis"
    return Diagnosis(
        title=title,
        summary=summary(parts),
        parts=parts,
        footer=tuple(_footer(run, vote, k, most, limit)),
        about={"run_id": run.path.name, "limit": limit, "vote": vote, "k": k} | looked | part,
        run={"identity": folder.record["identity"], "launches": folder.record["launches"]},
        usual=same(usual, Question(k, limit, (vote,)), size_of(folder)),
        short=int((run.depth < k).sum()),
    )


def _footer(run: RunArrays, vote: str, k: int, most: int, limit: int | None) -> Iterator[str]:
    yield (
        f"single judgements: all {int(run.samples.sum()):,} stored, up to {most} an item; "
        f"votes: {vote} of {k}; 95 % by prompt, each interval by itself: only p is adjusted, to q"
    )
    if short := int((run.depth < k).sum()):
        yield f"unfinished: {short:,} of {len(run.n):,} items have fewer than {k} samples"
    yield from run.damaged
    yield "plain means over items, ties shared; the benchmark's own number: `grmeval score`"
    if run.spec.overall == "roc-auc":
        yield f"right is decided at the threshold {run.spec.threshold:g}, as ROC-AUC is of no one item"
    if run.spec.games:
        yield "votes are over all samples: the benchmark's two games, one an order, are not played"
    if without := int((~run.labelled).sum()):
        yield f"rows without a label: {without:,} of {len(run.n):,}: in no figure that needs the truth"
    if run.limited:
        yield f"--limit {limit}: a stratified part of the items"
    yield f"run {run.path.name}: {provenance(run.record, run.launches)}"
