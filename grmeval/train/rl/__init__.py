"""Rule-based online RL: GRPO with the paper's reward, and that reward for a trainer of your own.

Open train.py first; reward.py is what TRL calls.
"""

from grmeval.train.rl.items import RlItems, read_items
from grmeval.train.rl.pass_rate import Filtered, filter_items, rights
from grmeval.train.rl.reward import GrpoReward, grpo_reward, judgement_shares
from grmeval.train.rl.rollouts import Group, groups_of, grpo_rows
from grmeval.train.rl.train import Prepared, make_trainer, prepare, rl

__all__ = [
    "Filtered",
    "Group",
    "GrpoReward",
    "Prepared",
    "RlItems",
    "filter_items",
    "groups_of",
    "grpo_reward",
    "grpo_rows",
    "judgement_shares",
    "make_trainer",
    "prepare",
    "read_items",
    "rights",
    "rl",
]
