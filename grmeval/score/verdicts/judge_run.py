"""Arrays of a run -> the outcome of every item and group at each k, under one vote."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import (
    Outcomes,
    best_of_first,
    term_curve,
    vote_curve,
)
from grmeval.score.arrays import Block, RunArrays
from grmeval.score.verdicts.roc_auc import Ranked, few_subsets, rank_singles
from grmeval.score.verdicts.rules import Rules
from grmeval.score.verdicts.ties_subset import ties_units
from grmeval.score.verdicts.verdicts import Verdicts
from grmeval.score.verdicts.votes import ballot, check_scale

__all__ = ["judge_run"]


def judge_run(run: RunArrays, vote: str, ks: Sequence[int], rules: Rules) -> Verdicts:
    """Expected outcome of each unit for a fresh run of k samples, for every k in ks.

    Where a run holds exactly k samples that is the plain vote; where it holds more, the mean over
    the admissible subsets of size k (statistics: `grmeval.measure.scaling`).
    """
    check_scale(run.record["identity"], vote)
    shape = (len(run.n), len(ks))
    masses = {name: np.full(shape, np.nan) for name in Outcomes._fields}
    noise, exact = np.zeros(shape), np.ones(len(ks), dtype=bool)
    chance = np.zeros(len(run.n))
    seed = int(run.record["identity"]["seed"])
    judged = run.labelled & ~run.ruled("ties")
    areas = run.ruled("best-of-k")
    for block in run.blocks:
        rng = np.random.default_rng([seed, block.best.shape[1]])
        for area in (False, True):
            known = judged[block.items] & (areas[block.items] == area)
            if not known.any():
                continue
            found, sampled, sure = _found(run, block, known, vote, ks, area, rng)
            for name, values in zip(Outcomes._fields, found, strict=True):
                masses[name][block.items[known]] = values
            noise[block.items[known]] = sampled
            exact &= sure
        # A random pick earns the share of best responses; a single is right or wrong by a coin.
        chance[block.items] = block.best.mean(axis=1) if block.best.shape[1] > 1 else 0.5
    joined = _by_unit(run.unit, Outcomes(**masses), noise, chance, rules.ties)
    first, outcomes, noise, chance = joined
    uniform = np.random.default_rng([seed, 0]).random(len(first))
    paid, weight = rules.pay(outcomes, chance, uniform)
    extra = ties_units(run, vote, ks, np.random.default_rng([seed, 1]))
    plain = ~run.ruled("ties")[first]
    first = first[plain]
    ranked = rank_singles(run, vote, ks, rules, seed) if run.spec.overall == "roc-auc" else None
    none = np.full((len(extra.first), len(ks)), np.nan)
    return Verdicts(
        ks=tuple(ks),
        first=np.concatenate([first, extra.first]),
        stands=np.concatenate([np.ones(len(first), dtype=np.int64), extra.stands]),
        outcomes=Outcomes(*(np.concatenate([m[plain], none]) for m in outcomes)),
        credit=np.concatenate([paid[plain], extra.credit]),
        weight=np.concatenate([weight[plain], np.ones_like(none)]),
        noise=np.concatenate([noise[plain], extra.noise]),
        exact=exact & (extra.noise == 0).all(axis=0) & _ranked_by_all(run, ranked, ks),
        part=np.concatenate([run.part[first], len(run.part_weight) + extra.term]),
        part_section=np.concatenate([run.part_section, extra.part_section]),
        part_weight=np.concatenate([run.part_weight, extra.part_weight]),
        ranked=ranked,
    )


def _ranked_by_all(run: RunArrays, ranked: Ranked | None, ks: Sequence[int]) -> NDArray[np.bool_]:
    """Whether an AUC at each k is over all subsets of the samples."""
    depth = run.depth[ranked.items] if ranked else np.zeros(0, np.int64)
    found = [few_subsets(int(min(depth[depth >= k], default=k)), k, run.judges) for k in ks]
    return np.array(found, dtype=bool)


def _found(
    run: RunArrays,
    block: Block,
    known: NDArray[np.bool_],
    vote: str,
    ks: Sequence[int],
    area: bool,
    rng: np.random.Generator,
) -> tuple[Outcomes, NDArray[np.float64], NDArray[np.bool_]]:
    """The same as `_outcomes`; where items stopped on their own, one plain vote an item: of its first k
    samples, or of those that it stopped with.

    Not a mean over subsets: when an item stops hangs on the order in which its samples came, so that those
    it has are no fresh k, and in subsets of them the first ones, that were undecided, are too rare.
    """
    if not run.stopped.any():
        return _outcomes(run, block, known, vote, ks, area, rng)
    mine = block.items[known]
    depth, reach = run.depth[mine], run.reach(vote)[mine]
    cells = np.full((len(Outcomes._fields), len(mine), len(ks)), np.nan)
    for column, k in enumerate(ks):
        size = np.where(reach >= k, np.minimum(depth, k), 0)
        for each in np.unique(size[size > 0]).tolist():
            some = known.copy()
            some[known] = size == each
            found = _outcomes(run, block.first(each), some, vote, [each], area, rng)[0]
            cells[:, size == each, column] = np.array(found)[..., 0]
    return Outcomes(*cells), np.zeros((len(mine), len(ks))), np.ones(len(ks), dtype=bool)


def _outcomes(
    run: RunArrays,
    block: Block,
    known: NDArray[np.bool_],
    vote: str,
    ks: Sequence[int],
    area: bool,
    rng: np.random.Generator,
) -> tuple[Outcomes, NDArray[np.float64], NDArray[np.bool_]]:
    """(outcomes [I, K], noise [I, K], exact [K]) of a block's items that have a truth.

    `area`: an item's win is the area under its best-of-K curve.
    """
    scores, valid = block.scores[known], block.valid[known]
    drawn, best = block.drawn[known], block.best[known]
    threshold = run.spec.threshold
    vote, extra = ballot(run, block, vote)
    extra = extra.at(known)
    if area:
        # Ties share and silence is a random pick inside the curve, so its area is all there is to win.
        (won,), sampled = term_curve(
            scores,
            valid,
            drawn,
            ks,
            vote=vote,
            terms=1,
            judge=lambda totals, i: best_of_first(totals, best[i]).mean(axis=-1)[None],
            judges=run.judges,
            threshold=threshold,
            rng=rng,
            extra=extra,
        )
        none = np.where(np.isnan(won), np.nan, 0.0)
        return Outcomes(won, none, none, none), sampled, (sampled == 0).all(axis=0)
    curve = vote_curve(
        scores,
        valid,
        drawn,
        best,
        ks,
        vote=vote,
        balanced=run.balanced and not block.pooled,
        judges=run.judges,
        threshold=threshold,
        games=run.played_in_games and best.shape[1] == 2 and not block.pooled,
        rng=rng,
        extra=extra,
    )
    return curve.outcomes, curve.noise, curve.exact


def _by_unit(
    unit: NDArray[np.int64],
    outcomes: Outcomes,
    noise: NDArray[np.float64],
    chance: NDArray[np.float64],
    ties: str,
) -> tuple[NDArray[np.int64], Outcomes, NDArray[np.float64], NDArray[np.float64]]:
    """Join the items of a group: all must be won. Their samples are independent, so masses multiply.

    The `chance` of a silent unit, [U] or of groups [U, K], is that of a random pick of its silent items
    alone: what the others won, or tied and are paid for, stays theirs.
    """
    _, first = np.unique(unit, return_index=True)
    if len(first) == len(unit):
        return first, Outcomes(*(m[first] for m in outcomes)), noise[first], chance[first]

    def product(values: NDArray[np.float64]) -> NDArray[np.float64]:
        joined = np.ones((len(first), *values.shape[1:]))
        np.multiply.at(joined, unit, values)
        return joined

    win, not_lost = product(outcomes.win), product(outcomes.win + outcomes.tie)
    # A group is void only while none of its items is lost outright.
    void = product(outcomes.win + outcomes.tie + outcomes.void) - not_lost
    joined = Outcomes(
        win=win,
        tie=not_lost - win,
        share=product(outcomes.win + outcomes.share) - win,
        void=void,
    )
    paid = outcomes.win + (0.0 if ties == "wrong" else outcomes.share)
    guessed = product(paid + outcomes.void * chance[:, None]) - product(paid)
    squared = np.zeros((len(first), noise.shape[1]))
    np.add.at(squared, unit, noise**2)
    share = np.divide(guessed, void, out=np.zeros_like(void), where=void > 0)
    return first, joined, np.sqrt(squared), share
