"""SPCT: training data out of stored judgements, and the training itself.

Open reward.py first; of the training itself folder.py and rft.py.
"""

from grmeval.train.grpo_reward import GrpoReward, grpo_reward, judgement_shares
from grmeval.train.pass_rate import Filtered, filter_items, rights
from grmeval.train.reward import THRESHOLD, correct, reward, singles_out
from grmeval.train.rollouts import Group, groups_of, grpo_rows

__all__ = [
    "THRESHOLD",
    "Filtered",
    "Group",
    "GrpoReward",
    "correct",
    "filter_items",
    "groups_of",
    "grpo_reward",
    "grpo_rows",
    "judgement_shares",
    "reward",
    "rights",
    "singles_out",
]
