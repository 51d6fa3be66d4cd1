"""RewardBench 2's Ties: a prompt's terms as units whose weighted mean is the official score."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.errors import ConfigError
from grmeval.measure import TIES_WEIGHTS, VOTE_TABLE, term_curve, ties_terms
from grmeval.score.arrays import RunArrays

__all__ = ["TERMS", "TiesUnits", "ties_units"]

TERMS = ("tied accuracy", "reference accuracy", "preferred", "preferred hard", "margin")

_STANDS = (1, 1, 0, 0, 0)
"""The tied and the reference prompt are an item each; the other terms are of both."""


class TiesUnits(NamedTuple):
    """Units of the sections that have the rule `ties`: one a prompt number and term.

    `term` numbers the parts, whose section and weight are `part_section` and `part_weight`.
    """

    first: NDArray[np.int64]
    stands: NDArray[np.int64]
    credit: NDArray[np.float64]
    noise: NDArray[np.float64]
    term: NDArray[np.int64]
    part_section: NDArray[np.int64]
    part_weight: NDArray[np.float64]


def ties_units(run: RunArrays, vote: str, ks: Sequence[int], rng: np.random.Generator) -> TiesUnits:
    """The terms of every prompt, for every k; no units where no section has the rule."""
    first, stands, credits, noises, terms = [], [], [], [], []
    sections = [number for number, s in enumerate(run.spec.sections) if s.rule == "ties"]
    if sections and VOTE_TABLE[vote.partition(":")[0]].needs:
        raise ConfigError(f"--vote {vote}: Ties is judged response by response; take sum or mean")
    # As the official runner rates what it cannot read, below every score.
    unread = [-float(k) if vote == "sum" else -1.0 for k in ks]
    prompts: dict[tuple[int, str], list[int]] = {}
    for item in np.flatnonzero(run.ruled("ties")):
        number = str(run.id[item]).rpartition(":")[2]
        prompts.setdefault((int(run.section[item]), number), []).append(int(item))
    for items in prompts.values():
        found, noise = _prompt(run, items, vote, ks, unread, rng)
        for kind, stand in enumerate(_STANDS):
            if not np.isnan(found[kind]).all():
                first.append(items[0])
                stands.append(stand)
                credits.append(found[kind])
                noises.append(noise)
                terms.append(kind + len(TIES_WEIGHTS) * sections.index(run.section[items[0]]))
    shape, term = (len(first), len(ks)), np.array(terms, dtype=np.int64)
    return TiesUnits(
        np.array(first, dtype=np.int64),
        np.array(stands, dtype=np.int64),
        _scaled(np.array(credits).reshape(shape), term),
        np.array(noises).reshape(shape),
        term,
        np.repeat(np.array(sections, dtype=np.int64), len(TIES_WEIGHTS)),
        np.tile(TIES_WEIGHTS, len(sections)),
    )


def _scaled(terms: NDArray[np.float64], term: NDArray[np.int64]) -> NDArray[np.float64]:
    """Credits [U, K] whose mean under the weights is the official sum.

    The weights add up to 1.01, so the mean of all five terms is that much smaller than the sum. Where no
    prompt number has both its prompts, only accuracies are left and their mean is all there is.
    """
    section, kind = np.divmod(term, len(TIES_WEIGHTS))
    credits = terms.copy()
    for number in np.unique(section):
        mine = section == number
        joint = ~np.isnan(terms[mine & (np.array(_STANDS)[kind] == 0)]).all(axis=0)
        credits[mine] *= np.where(joint, sum(TIES_WEIGHTS), 1.0)
    return credits


def _prompt(
    run: RunArrays,
    items: Sequence[int],
    vote: str,
    ks: Sequence[int],
    unread: Sequence[float],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(terms [5, K], noise [K]) of a tied prompt and its reference, judged by the same subsets of j."""
    members = []
    for item in items:
        block = next(block for block in run.blocks if item in block.items)
        members.append((block, int(np.flatnonzero(block.items == item)[0]), str(run.id[item])))
    most = min(block.drawn.shape[1] for block, _, _ in members)
    scores = np.concatenate([block.scores[at, :most] for block, at, _ in members], axis=1)
    drawn = np.all([block.drawn[at, :most] for block, at, _ in members], axis=0)
    correct = np.concatenate([block.best[at] for block, at, _ in members])
    tied = np.repeat(
        [name.startswith("tied:") for _, _, name in members],
        [block.best.shape[1] for block, _, _ in members],
    )
    valid = drawn & ~np.isnan(scores).all(axis=1)
    terms, noise = np.empty((5, len(ks))), np.empty(len(ks))
    for at, k in enumerate(ks):

        def judge(totals: NDArray[np.float64], _: int, at: int = at) -> NDArray[np.float64]:
            return ties_terms(totals, correct, tied, unread[at])

        found, noises = term_curve(
            scores[None],
            valid[None],
            drawn[None],
            [k],
            vote=vote,
            terms=5,
            judge=judge,
            prompt=tied.astype(np.int64),
            judges=run.judges,
            threshold=run.spec.threshold,
            rng=rng,
        )
        terms[:, at], noise[at] = found[:, 0, 0], noises[0, 0]
    return terms, noise
