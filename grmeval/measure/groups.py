"""Groups: the outcomes of items with the same counts, averaged over subsets of their samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grmeval.measure.subsets import Counts, Ints, dealt, shuffled
from grmeval.measure.votes import VOTE_TABLE, Bools, Extra, Floats, subset_totals

_BATCH = 256
# Fits a core's cache, and keeps each product too small for OpenBLAS to start threads, which on a
# busy machine wait for one another.
_CHUNK_TOTALS = 2**14

Judge = Callable[[list[Floats], slice], Floats]
"""(totals [S, G, n], one array a game; which items) -> terms [T, S, G], each in [-1, 1]."""


@dataclass(frozen=True)
class Group:
    """Items with the same counts, samples held order by order."""

    scores: Floats
    valid: Bools
    counts: Counts
    vote: str
    threshold: float
    judge: Judge
    terms: int
    extra: Extra
    games: bool = False
    prompt: Ints | None = None

    def totals(self, part: slice, chosen: Floats) -> list[Floats]:
        """Totals [S, G, n] of some items over the subsets `chosen` [S, N]; of each order, in games."""
        rotation = np.repeat(np.arange(len(self.counts)), self.counts)
        played = [rotation == game for game in range(len(self.counts))] if self.games else [True]
        return [self._voted(part, chosen * inside) for inside in played]

    def _voted(self, part: slice, chosen: Floats) -> Floats:
        scores, valid, extra = self.scores[part], self.valid[part], self.extra.at(part)

        def voted(responses: Floats) -> Floats:
            return subset_totals(
                self.vote,
                responses,
                valid,
                chosen,
                threshold=self.threshold,
                apart=self.prompt is not None,
                extra=extra,
            )

        if self.prompt is None or not VOTE_TABLE[self.vote].rivals:
            return voted(scores)
        # Only responses to one prompt compete for a ballot.
        found = np.empty((len(chosen), len(scores), scores.shape[2]))
        for number in np.unique(self.prompt):
            mine = self.prompt == number
            found[..., mine] = voted(scores[..., mine])
        return found

    def average(self, chosen: Floats, start: Ints) -> Floats:
        """Terms [T, G] over the subsets `chosen` [S, N]: the mean of the means of each start."""
        member = (start == np.arange(start.max() + 1)[:, None]).astype(np.float64)
        sizes = member.sum(axis=1, keepdims=True)
        averages = np.empty((self.terms, len(self.scores)))
        chunk = max(1, _CHUNK_TOTALS // (len(chosen) * self.scores.shape[2]))
        for at in range(0, len(self.scores), chunk):
            part = slice(at, at + chunk)
            judged = self.judge(self.totals(part, chosen), part)
            averages[:, part] = [(member @ one / sizes).mean(axis=0) for one in judged]
        return averages

    def sampled(
        self, plans: list[list[Counts]], permutations: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Monte Carlo terms [T, G, K] and the standard error [G, K] of the first, at most."""
        sums = np.zeros((self.terms, len(self.scores), len(plans)))
        done = 0
        while done < permutations:
            # No short batch: the starts of an order take turns inside each.
            ranks = shuffled(self.counts, min(_BATCH, permutations), rng)
            for column, takes in enumerate(plans):
                sums[:, :, column] += len(ranks) * self.average(*dealt(ranks, self.counts, takes))
            done += len(ranks)
            win = sums[0] / done
            variance = np.clip(win * (1.0 - win), 0.0, None) / (done - 1)
            # The mean's Monte Carlo error under a tenth of the items' (both sides times I). Groups
            # that each pass do so together, as the spread inside groups is below the overall one.
            if (variance.mean(axis=0) <= 0.01 * win.var(axis=0)).all():
                break
        return sums / done, np.sqrt(variance)
