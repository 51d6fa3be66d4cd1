"""SPCT: training data out of stored judgements, and the training itself.

Open reward.py first; data/, select/ and rft.py, rl/ and meta/ are the stages in their order, folder.py and
trainer.py what each training is made in.
"""

from grmeval.train.reward import THRESHOLD, correct, reward, singles_out
from grmeval.train.rl import grpo_reward, grpo_rows

__all__ = ["THRESHOLD", "correct", "grpo_reward", "grpo_rows", "reward", "singles_out"]
