"""What a meta RM is worth: does it tell right judgements from wrong ones, and what do its votes gain?"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import Contrast, Extra, auc_estimate, t_test, vote_curve
from grmeval.measure.bias import contrast
from grmeval.score.diagnosis.findings import NAN, Claim, Finding, Part, finding, points, share_of
from grmeval.score.diagnosis.observed import Kind, Observed

__all__ = ["meta"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

CELLS = 2**22
"""Pairs of samples compared at once."""


def meta(seen: Observed, k: int) -> Iterator[Part]:
    """A part for each meta RM that has scored this run's judgements."""
    for name in sorted({name for kind in seen.kinds for name in kind.block.rewards}):
        yield _part(seen, name, k)


def _part(seen: Observed, name: str, k: int) -> Part:
    title = f"meta rewards of {name}: do they tell right judgements from wrong ones?"
    kinds = [k for k in seen.kinds if name in k.block.rewards and k.decided.any()]
    known = [_known(kind, name) for kind in kinds]
    if not any(each.any() for each in known):
        why = "no readable judgement of a labelled item has a reward"
        return Part(f"meta:{name}", title, (), (), (), (why,))
    rows, says = list(_telling(kinds, known, name)), []
    if rows:
        says.append(
            f"a right judgement has the higher reward in {points(rows[0])} % of pairs with a wrong one"
        )
    claims = []
    for each in _voting(seen, kinds, name, k):
        rows.append(each.row if isinstance(each, Claim) else each)
        claims += [each] if isinstance(each, Claim) else []
    counted = sum(int(kind.block.valid[kind.decided].sum()) for kind in kinds)
    lacking = counted - sum(int(each.sum()) for each in known)
    absent = [f"{lacking:,} of {counted:,} readable judgements have no reward"] if lacking else []
    if not claims:
        absent.append(f"no item has {k} samples to vote with")
    return Part(f"meta:{name}", title, (), tuple(rows), tuple(says), tuple(absent), tuple(claims))


def _known(kind: Kind, name: str) -> Bools:
    """[I, N]: readable judgements of decided items that have a reward."""
    rewarded = ~np.isnan(kind.block.rewards[name])
    found: Bools = kind.block.valid & rewarded & kind.decided[:, None]
    return found


def _telling(kinds: Sequence[Kind], known: Sequence[Bools], name: str) -> Iterator[Finding]:
    """AUC of the reward for "this judgement ranks a best response strictly first".

    That is what the paper's meta RM is trained on (arXiv 2504.02495, Eq. 10).
    """
    pairs = list(zip(kinds, known, strict=True))
    reward = np.concatenate([kind.block.rewards[name][there] for kind, there in pairs])
    right = np.concatenate([kind.credit[there] == 1 for kind, there in pairs])
    cluster = np.concatenate(
        [np.broadcast_to(kind.cluster[:, None], there.shape)[there] for kind, there in pairs]
    )
    found = auc_estimate(reward, right, cluster)
    if found.items:
        items = sum(int(there.any(axis=1).sum()) for there in known)
        whole = found._replace(items=items)
        yield finding(f"meta:{name}", "", "all judgements", "AUC", "share", whole, len(right))
    inside = [_inside(kind, there, name) for kind, there in pairs]
    values = np.concatenate([each[~np.isnan(each)] for each in inside])
    if len(values):
        where = np.concatenate(
            [kind.cluster[~np.isnan(v)] for kind, v in zip(kinds, inside, strict=True)]
        )
        within = share_of(values, np.ones(len(values)), where)
        yield finding(
            f"meta:{name}", "", "judgements of one item", "AUC", "share", within, len(right)
        )


def _inside(kind: Kind, known: Bools, name: str) -> Floats:
    """AUC [I] among an item's own judgements; NaN where all are right, or all wrong."""
    reward, right = kind.block.rewards[name], kind.credit == 1
    found = np.full(len(known), np.nan)
    step = max(1, CELLS // max(1, known.shape[1] ** 2))
    for at in range(0, len(known), step):
        some = slice(at, at + step)
        good, bad = known[some] & right[some], known[some] & ~right[some]
        apart = reward[some][:, :, None] - reward[some][:, None, :]
        won = (apart > 0) + 0.5 * (apart == 0)
        pairs = good[:, :, None] & bad[:, None, :]
        count = pairs.sum(axis=(1, 2))
        share = np.where(pairs, won, 0.0).sum(axis=(1, 2)) / np.maximum(count, 1)
        found[some] = np.where(count > 0, share, np.nan)
    return found


def _voting(seen: Observed, kinds: Sequence[Kind], name: str, k: int) -> Iterator[Finding | Claim]:
    """The accuracy over k_meta, and what half of k gains over all of k and over a random half."""
    half = max(1, k // 2)
    sizes = sorted({half, k, *(2**power for power in range(k.bit_length()))})
    kept = {size: _credit(seen, kinds, "meta", k, name, size) for size in sizes}
    others = {
        f"k={k}: the best {half} less all": _credit(seen, kinds, "sum", k, name),
        f"k={k}: the best {half} less any {half}": _credit(seen, kinds, "sum", half, name),
    }
    cluster = np.concatenate([kind.cluster[kind.decided] for kind in kinds])
    there = ~np.isnan([*kept.values(), *others.values()]).any(axis=0)
    if not there.any():
        return
    ones = np.ones(int(there.sum()))
    for size, credit in kept.items():
        found = share_of(credit[there], ones, cluster[there])
        title = f"the best {size} of {k}" if size < k else f"all {k}"
        yield finding(f"meta:{name}", "", title, "accuracy", "share", found, len(ones))
    for title, other in others.items():
        gain = _difference(kept[half][there] - other[there], cluster[there])
        p = t_test(gain) if k > 1 else NAN  # of one sample there is nothing to gain
        row = finding(f"meta:{name}", "", title, "gain", "points", gain, len(ones), p)
        words = ("the vote gains", "the vote loses", "no gain is told from noise")
        yield Claim(row, title, words, "", "vote with it where that gains", gain.freedom)


def _difference(values: Floats, cluster: Ints) -> Contrast:
    part = np.zeros(len(values), dtype=np.intp)
    return contrast(values, np.ones(len(values)), cluster, part, np.ones(1), shares=False)


def _credit(
    seen: Observed, kinds: Sequence[Kind], vote: str, k: int, name: str, k_meta: int | None = None
) -> Floats:
    """Expected credit of vote@k on the decided items of all kinds, ties shared; NaN: k was not reached."""
    found = []
    for kind in kinds:
        block, known = kind.block, kind.decided
        extra = Extra(reward=block.rewards[name][known], k_meta=k_meta)
        seed = int(seen.run.record["identity"]["seed"])
        outcomes = vote_curve(
            block.scores[known],
            block.valid[known],
            block.drawn[known],
            block.best[known],
            [k],
            vote=vote,
            balanced=seen.run.balanced,
            judges=seen.run.judges,
            threshold=kind.threshold,
            rng=np.random.default_rng([seed, 8, kind.n, k]),
            extra=extra,
        ).outcomes
        chance = 0.5 if kind.n == 1 else block.best[known].mean(axis=1)
        found.append((outcomes.win + outcomes.share)[:, 0] + outcomes.void[:, 0] * chance)
    return np.concatenate(found)
