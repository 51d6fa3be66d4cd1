"""The fake meta RM: its AUC is what was asked for, and no draw depends on when it is made."""

from math import sqrt

import numpy as np
import pytest

from grmeval.engines.fake_meta import FakeScorer, MetaSettings
from grmeval.engines.scorer import ScoreRequest
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Key, Message
from grmeval.measure import roc_auc

WORDS = (Message("user", "judge"), Message("assistant", "critique"))
ASKED = [
    ScoreRequest(Key("s", f"i{item}"), j, WORDS, right=hash((j, item)) % 5 < 3)
    for item in range(250)
    for j in range(8)
]
RIGHT = {(each.key, each.j): each.right for each in ASKED}


def rewards(seed: int = 0, **settings: float) -> dict[tuple[Key, int], float]:
    got = FakeScorer(seed, settings).score(ASKED)
    return {
        (each.request.key, each.request.j): each.reward for each in got if each.reward is not None
    }


@pytest.mark.parametrize("auc", [0.2, 0.5, 0.7, 0.95])
def test_the_auc_is_the_one_that_was_asked_for(auc: float) -> None:
    found = rewards(auc=auc)
    right = np.array([RIGHT[key] for key in found])
    measured = roc_auc(np.array(list(found.values())), right)
    # Hanley and McNeil (1982): the largest variance that an AUC of this many can have.
    error = sqrt(auc * (1 - auc) / min(right.sum(), (~right).sum()))
    assert abs(measured - auc) < 3.29 * error
    wrong = np.array([reward for key, reward in found.items() if not RIGHT[key]])
    assert abs(wrong.mean()) < 3.29 / sqrt(len(wrong))
    assert abs(wrong.std() - 1) < 3.29 / sqrt(2 * len(wrong))


def test_a_draw_belongs_to_its_sample_alone() -> None:
    whole = rewards(auc=0.8)
    assert len(set(whole.values())) == len(ASKED)
    scorer = FakeScorer(0, {"auc": 0.8, "window": 3})
    for each in scorer.score(reversed(ASKED[:100])):
        assert each.reward == whole[each.request.key, each.request.j]
    assert rewards(seed=1, auc=0.8) != whole


def test_what_cannot_be_read_is_counted() -> None:
    got = list(FakeScorer(0, {"prompt_too_long": 0.2}).score(ASKED))
    none = [each for each in got if each.reward is None]
    assert {each.reason for each in none} == {"prompt_too_long"}
    assert abs(len(none) / len(ASKED) - 0.2) < 3.29 * sqrt(0.16 / len(ASKED))


def test_it_dies_when_told_to_and_refuses_what_it_does_not_know() -> None:
    scorer = FakeScorer(0, {"die_after": 5, "window": 4})
    got = []
    with pytest.raises(EngineError, match="died after 5 rewards"):
        got += list(iter(scorer.score(ASKED)))
    with pytest.raises(ConfigError, match=r"no such setting; allowed: auc, .* did you mean 'auc'"):
        FakeScorer(0, {"auk": 0.8})
    for wrong in (0.0, 1.0):
        with pytest.raises(ConfigError, match="--engine-arg auc"):
            FakeScorer(0, {"auc": wrong})
    assert MetaSettings().auc == 0.8  # type: ignore[call-arg]
