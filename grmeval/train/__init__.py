"""SPCT: training data out of stored judgements, and the training itself.

Open reward.py first; of the training itself folder.py and rft.py.
"""
