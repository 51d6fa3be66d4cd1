"""SPCT: training data out of stored judgements, and the training itself. Open reward.py first."""
