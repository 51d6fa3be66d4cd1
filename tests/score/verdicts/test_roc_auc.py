"""Subsets that all one-response items share, where an AUC is averaged over them."""

from itertools import combinations

import numpy as np
import pytest

from grmeval.score.verdicts import DRAWS, common_subsets
from grmeval.score.verdicts.roc_auc import few_subsets


@pytest.mark.parametrize(("judges", "most", "k"), [(1, 6, 2), (3, 6, 2), (3, 6, 4), (2, 8, 3)])
def test_they_are_all_that_a_fresh_panel_could_have(judges: int, most: int, k: int) -> None:
    fresh = {
        tuple(sum((first + turn) % judges == judge for turn in range(k)) for judge in range(judges))
        for first in range(judges)
    }
    wanted = {
        subset
        for subset in combinations(range(most), k)
        if tuple(sum(j % judges == judge for j in subset) for judge in range(judges)) in fresh
    }
    chosen = common_subsets(most, k, np.random.default_rng(1), judges)
    assert few_subsets(most, k, judges)
    assert len(chosen) == len(wanted)
    assert {tuple(np.flatnonzero(row).tolist()) for row in chosen} == wanted


def test_of_more_some_are_drawn_with_the_same_counts_of_each_judge() -> None:
    chosen = common_subsets(60, 9, np.random.default_rng(1), 3)
    assert not few_subsets(60, 9, 3)
    assert len(chosen) == DRAWS
    assert {chosen[:, judge::3].sum(axis=1).tolist().count(3.0) for judge in range(3)} == {DRAWS}
