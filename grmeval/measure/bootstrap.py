"""Bootstrap: a panel's numbers in resamples of whole clusters, the same ones for all of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.paired import Panel
from grmeval.measure.votes import Floats

# Weights of a chunk of replicates: 32 MB as counts, 16 MB as float32.
_CHUNK = 2**22


class _Section(NamedTuple):
    """What a resample needs of a section's pairs: residuals and weights, [P_s, M] and [P_s, M or 1].

    columns: where their clusters' counts stand; None: all of them, in order.
    """

    share: float
    columns: NDArray[np.intp] | None
    residual: NDArray[np.float32]
    weight: NDArray[np.float32]


def resampled(panel: Panel, replicates: int, rng: np.random.Generator) -> Floats:
    """A panel's numbers [R, M] in `replicates` paired resamples: one cluster bootstrap for all columns.

    Whole clusters are drawn with replacement inside their stratum (the sections they touch), as
    many as it has, the same ones for every column; ratios are formed anew. An AUC is resampled
    through its placements, which stay as they are (the linear part of its bootstrap). Takes
    replicates x pairs x M multiplications, in chunks, of float32: residuals of the ratios are
    summed, so that rounding stays far below an error.
    """
    order = np.argsort(panel.stratum, kind="stable")
    sizes = np.bincount(panel.stratum)
    size = np.repeat(sizes, sizes).astype(np.uint64)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes).astype(np.uint64)
    place = np.empty(panel.clusters, dtype=np.intp)
    place[order] = np.arange(panel.clusters)
    found = np.tile(panel.values, (replicates, 1))
    sections = list(_columns(panel, place))
    rows = max(1, _CHUNK // max(panel.clusters, 1))
    for at in range(0, replicates, rows):
        part = found[at : at + rows]
        drawn = _drawn(len(part), first, size, rng)
        for share, columns, residual, weight in sections:
            counts = drawn if columns is None else drawn[:, columns]
            top, below = counts @ residual, counts @ weight
            # A resample may hold only units of no weight: the ratio then stays where it is.
            part += share * np.divide(top, below, out=np.zeros_like(top), where=below > 0)
    return found


def _columns(panel: Panel, place: NDArray[np.intp]) -> Iterator[_Section]:
    """Each section's pairs; its clusters stand in `place` of the drawn counts."""
    one = (panel.weight == panel.weight[0]).all()
    mass = panel.weight[:1] if one else panel.weight
    ends = np.append(panel.starts, len(panel.section))
    for share, start, end in zip(panel.share, ends[:-1], ends[1:], strict=True):
        mine = slice(start, end)
        columns = place[panel.cluster[mine]]
        every = len(columns) == panel.clusters and bool((np.diff(columns) == 1).all())
        yield _Section(
            float(share),
            None if every else columns,
            panel.residual[:, mine].T.astype(np.float32, order="C"),
            mass[:, mine].T.astype(np.float32, order="C"),
        )


def _drawn(
    replicates: int, first: NDArray[Any], size: NDArray[Any], rng: np.random.Generator
) -> NDArray[np.float32]:
    """How often each cluster is drawn, [R, C]; cluster c stands in first[c] .. first[c] + size[c] - 1."""
    clusters = len(first)
    counts = np.empty((replicates, clusters), dtype=np.float32)
    for row in counts:  # one at a time stays in a core's cache
        # 32 random bits scaled to the stratum: the odds of its clusters differ by size / 2^32 at most.
        picks = rng.integers(0, 2**32, clusters, dtype=np.uint32) * size
        picks >>= np.uint64(32)
        picks += first
        row[:] = np.bincount(picks.view(np.int64), minlength=clusters)
    return counts
