"""Engines: who answers a Request. `engine.py` is the protocol; each engine is one file."""

from grmeval.engines.engine import BATCH, Engine, Sampling

__all__ = ["BATCH", "Engine", "Sampling"]
