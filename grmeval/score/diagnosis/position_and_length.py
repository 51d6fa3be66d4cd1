"""Position and length: what moves a judge besides quality."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import correlation_test, t_test
from grmeval.measure.bias import contrast, flip_rates, in_slots, rank_correlation
from grmeval.score.diagnosis.findings import Claim, Finding, Part, finding, share_of
from grmeval.score.diagnosis.observed import Kind, Observed, over_samples

__all__ = ["length", "position", "reversal"]

Floats = NDArray[np.float64]

_IN_TURN = "balanced orders, k a multiple of the responses shown"
_BY_LENGTH = "tell the judge that length is no merit (--template)"


def position(seen: Observed) -> Part:
    """Does it matter where a response stands? By slot: accuracy of one judgement, and mean score.

    Each of b best responses counts as 1 / b of the judgement, in the slot where it stood.
    """
    rows: list[Finding] = []
    claims: list[Claim] = []
    absent = [] if any(k.n > 1 for k in seen.kinds) else ["one response is shown: it has no slots"]
    for name, kinds in seen.of("pairs", "best-of-n"):
        known = [_slots(kind) for kind in kinds if (kind.order >= 0).any()]
        if not known:
            absent.append(f"{name}: the orders of the judgements are not known")
            continue
        slots = [row for each in known for row in _by_slot(each)]
        led = [claim for claim in _led(name, known) if claim.row.items]
        claims += led
        # Few sizes are common: the rows of the rare ones come last.
        first = [claim.row for claim in led]
        rows += [*slots, *first] if name == "pairs" else [*first, *slots]
        if not slots:
            absent.append(f"{name}: no judgement in a known order can be read")
    if any(kind.name == "pools" for kind in seen.kinds):
        absent.append("pools: each response is judged alone, so it has no slot")
    title = "position: does it matter where a response is shown?"
    columns = ("accuracy", "mean score")
    return Part("position", title, columns, tuple(rows), (), tuple(absent), tuple(claims))


def reversal(seen: Observed) -> Part:
    """How often do two judgements of a pair differ, in opposite orders and in the same?"""
    rows: list[Finding] = []
    says, absent = [], []
    claims: list[Claim] = []
    for name, kinds in seen.of("pairs", "best-of-n"):
        if name == "best-of-n":
            absent.append("best-of-n: an order of more than two has no one reverse")
            continue
        flips, claimed, said = _flips(kinds[0])
        rows += flips
        claims += claimed
        says += said
        if not rows:
            absent.append("pairs: no item has readable judgements in both orders")
    if not any(kind.name in ("pairs", "best-of-n") for kind in seen.kinds):
        absent.append("no prompt shows two responses")
    title = "reversal: does the verdict flip with the order?"
    return Part("reversal", title, (), tuple(rows), tuple(says), tuple(absent), tuple(claims))


class _Slots(NamedTuple):
    """Sums and weights [I, n] by slot: credit of a best response shown there, and score given there."""

    kind: Kind
    credit: Floats
    weight: Floats
    score: Floats
    judged: Floats


def _slots(kind: Kind) -> _Slots:
    order, best = kind.order, kind.block.best
    shares = best / np.maximum(best.sum(axis=1), 1)[:, None]
    used = kind.read & (order[:, :, 0] >= 0)
    stood = in_slots(shares[:, None], order)
    weight = np.where((used & kind.decided[:, None])[..., None], stood, 0.0)
    given = np.where(used[..., None], in_slots(kind.block.scores, order), 0.0)
    return _Slots(
        kind=kind,
        credit=(weight * kind.credit[..., None]).sum(axis=1),
        weight=weight.sum(axis=1),
        score=given.sum(axis=1),
        judged=np.repeat(used.sum(axis=1)[:, None], kind.n, axis=1).astype(np.float64),
    )


def _by_slot(slots: _Slots) -> Iterator[Finding]:
    kind = slots.kind
    label = kind.name if kind.n == 2 else f"best-of-{kind.n}"
    one = np.zeros(len(kind.cluster), dtype=np.intp)
    for slot in range(kind.n):
        name = f"slot {slot + 1}"
        weight, judged = slots.weight[:, slot], slots.judged[:, slot]
        share = share_of(slots.credit[:, slot], weight, kind.cluster)
        mean = contrast(slots.score[:, slot], judged, kind.cluster, one, np.ones(1), shares=False)
        for measure, unit, found, count in (
            ("accuracy", "share", share, weight),
            ("mean score", "score", mean, judged),
        ):
            if found.items:
                yield finding("position", label, name, measure, unit, found, round(count.sum()))


def _led(name: str, known: Sequence[_Slots]) -> Iterator[Claim]:
    """The first slot less the others, whatever n: these weigh together as much as the first does."""
    label = "slot 1 less slot 2" if name == "pairs" else "slot 1 less the rest"
    words = (
        "the first slot is favoured",
        "the first slot is disfavoured",
        "no lean is told from noise",
    )
    for measure, unit, tops, bottoms, tail in (
        (
            "accuracy",
            "points",
            [s.credit for s in known],
            [s.weight for s in known],
            " when the best stands there",
        ),
        (
            "mean score",
            "gap",
            [s.score for s in known],
            [s.judged for s in known],
            " for standing there",
        ),
    ):
        credit, weight = _first_and_others(tops), _first_and_others(bottoms)
        cluster = np.tile(np.concatenate([each.kind.cluster for each in known]), 2)
        which = np.repeat([0, 1], len(cluster) // 2)
        signs = np.array([1.0, -1.0])
        found = contrast(credit, weight, cluster, which, signs, shares=unit == "points")
        items = int(weight.reshape(2, -1).any(axis=0).sum()) if found.items else 0
        found = found._replace(items=items)
        count = round(sum(each[:, 0].sum() for each in bottoms))
        row = finding("position", name, label, measure, unit, found, count, t_test(found))
        yield Claim(row, f"{name}, {measure}", words, tail, _IN_TURN, found.freedom)


def _first_and_others(each: Sequence[Floats]) -> Floats:
    """Of [I, n] by slot: [2 I], the first slot's and then the mean of the others'."""
    first = [values[:, 0] for values in each]
    return np.concatenate([*first, *(values[:, 1:].mean(axis=1) for values in each)])


def _flips(kind: Kind) -> tuple[list[Finding], list[Claim], list[str]]:
    """Verdicts that differ between two judgements of a pair: in opposite orders, and in the same."""
    verdict = np.sign(kind.picked[..., 0] - kind.picked[..., 1]).astype(np.int64)
    used = kind.read & (kind.order[:, :, 0] >= 0)
    rates = flip_rates(verdict, kind.order[:, :, 0], used)
    known = [~np.isnan(rate) for rate in rates]
    values = np.concatenate([rate[there] for rate, there in zip(rates, known, strict=True)])
    cluster = np.concatenate([kind.cluster[there] for there in known])
    which = np.repeat([0, 1], [there.sum() for there in known])
    ones = np.ones(len(values))
    names = ("orders reversed", "same order")
    rows = [
        finding(
            "reversal",
            kind.name,
            name,
            "differ",
            "share",
            share_of(values[which == at], ones[which == at], cluster[which == at]),
        )
        for at, name in enumerate(names)
    ]
    if not known[0].any():
        return [], [], []
    if not known[1].any():
        said = f"pairs: {100 * rows[0].value:.1f} % of verdicts flip under reversal"
        return rows[:1], [], [said]
    more = contrast(values, ones, cluster, which, np.array([1.0, -1.0]))
    more = more._replace(items=int((known[0] | known[1]).sum()))
    # An order that matters can only make more verdicts flip.
    p, name = t_test(more, above=True), "reversed less same"
    rows.append(finding("reversal", kind.name, name, "differ", "points", more, p=p))
    words = ("verdicts flip with the order", "", "no more verdicts flip than by noise")
    tail = " more where it is reversed"
    claim = Claim(rows[-1], kind.name, words, tail, _IN_TURN, more.freedom, above=True)
    said = (
        f"pairs: {100 * rows[0].value:.1f} % of verdicts differ where the order is reversed, "
        f"{100 * rows[1].value:.1f} % where it is the same (noise alone)"
    )
    return rows, [claim], [said]


# ---------------------------------------------------------------------- length


def length(seen: Observed) -> Part:
    """Does the judge like long responses? The best against the mean length of the others."""
    rows: list[Finding] = []
    claims: list[Claim] = []
    says: list[str] = []
    absent = []
    several = list(seen.of("pairs", "best-of-n", "pools"))
    if not several:
        absent.append("one response is judged at a time: there is no longer and no shorter one")
    for name, kinds in several:
        sized = [kind for kind in kinds if kind.chars is not None and kind.chars.any()]
        if not sized:
            absent.append(f"{name}: the lengths of the responses are not known")
            continue
        if not any(kind.judged.any() for kind in sized):
            absent.append(f"{name}: no labelled item was judged")
            continue
        found, claimed = _by_length(name, sized)
        rows += found
        claims += claimed
        says += _length_says(name, found)
        if all(row.unit != "r" for row in found):
            absent.append(f"{name}: no rank correlation: too few items, or all leads are alike")
    title = "length: does the judge like long responses?"
    return Part("length", title, (), tuple(rows), tuple(says), tuple(absent), tuple(claims))


def _by_length(name: str, kinds: Sequence[Kind]) -> tuple[list[Finding], list[Claim]]:
    lead = np.concatenate([_lead(kind) for kind in kinds])
    margin = np.concatenate([_margin(kind) for kind in kinds])
    accuracy = np.concatenate([kind.accuracy[kind.judged] for kind in kinds])
    cluster = np.concatenate([kind.cluster[kind.judged] for kind in kinds])
    judged = np.concatenate([kind.read[kind.judged].sum(axis=1) for kind in kinds])
    ones = np.ones(len(lead))
    rows = []
    for label, side in (("longer", 1), ("equally long", 0), ("shorter", -1)):
        mine = np.sign(lead) == side
        share = share_of(accuracy[mine], ones[mine], cluster[mine])
        title = f"the best is {label}"
        rows.append(
            finding("length", name, title, "accuracy", "share", share, int(judged[mine].sum()))
        )
    unequal = lead != 0
    which = (lead[unequal] < 0).astype(np.intp)
    more = contrast(
        accuracy[unequal], ones[unequal], cluster[unequal], which, np.array([1.0, -1.0])
    )
    title, p = "longer less shorter", t_test(more)
    rows.append(finding("length", name, title, "accuracy", "points", more, p=p))
    words = (
        "long responses are favoured",
        "short responses are favoured",
        "no lean on length is told from noise",
    )
    tail = " of accuracy where the best is the longer"
    claims = [Claim(rows[-1], name, words, tail, _BY_LENGTH, more.freedom)]
    for label, way in (("longest", 1), ("shortest", -1)):
        wins, there, where, count = _wins(kinds, way)
        share = share_of(wins, there, where)
        title = f"{label}, not best"
        rows.append(finding("length", name, title, "wins alone", "share", share, count))
    r = rank_correlation(margin, lead, cluster)
    title, count, p = "score and length", int(judged.sum()), correlation_test(r)
    rows.append(finding("length", name, title, "rank correlation", "r", r, count, p))
    tail = ", rank correlation of score and length"
    claims.append(Claim(rows[-1], name, words, tail, _BY_LENGTH))
    return [row for row in rows if row.items], [each for each in claims if each.row.items]


def _lead(kind: Kind) -> Floats:
    """Length of the best (mean, if several) less the mean of the others, of judged items."""
    assert kind.chars is not None
    return _over_others(kind.chars[kind.judged].astype(np.float64), kind.best[kind.judged])


def _margin(kind: Kind) -> Floats:
    """The same of mean scores over the readable samples."""
    judged = kind.judged
    scores, read = kind.block.scores[judged], kind.read[judged]
    means = np.stack([over_samples(scores[..., i], read) for i in range(kind.n)], axis=1)
    return _over_others(means, kind.best[judged])


def _over_others(values: Floats, best: NDArray[np.bool_]) -> Floats:
    other = ~best
    lead: Floats = (values * best).sum(axis=1) / best.sum(axis=1)
    lead -= (values * other).sum(axis=1) / other.sum(axis=1)
    return lead


def _wins(kinds: Sequence[Kind], way: int) -> tuple[Floats, Floats, NDArray[np.int64], int]:
    """(wins alone, weight, cluster, judgements) of items whose one longest (shortest) is not best."""
    wins, weights, count = [], [], 0
    for kind in kinds:
        assert kind.chars is not None
        sizes = way * kind.chars
        row, extreme = np.arange(len(sizes)), sizes.argmax(axis=1)
        alone = (sizes == sizes.max(axis=1, keepdims=True)).sum(axis=1) == 1
        there = kind.judged & alone & ~kind.best[row, extreme]
        won = kind.picked[row[:, None], np.arange(kind.read.shape[1]), extreme[:, None]] == 1
        wins.append(np.where(there, over_samples(won, kind.read), 0.0))
        weights.append(there.astype(np.float64))
        count += int(kind.read[there].sum())
    cluster = np.concatenate([kind.cluster for kind in kinds])
    return np.concatenate(wins), np.concatenate(weights), cluster, count


def _length_says(name: str, rows: Sequence[Finding]) -> Iterator[str]:
    named = {row.name: row for row in rows}
    longest, shortest = named.get("longest, not best"), named.get("shortest, not best")
    if longest and shortest:
        yield (
            f"{name}: where it is not best, the longest wins {100 * longest.value:.1f} % of "
            f"judgements alone, the shortest {100 * shortest.value:.1f} %"
        )
