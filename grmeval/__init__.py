"""grmeval: benchmark generative reward models with k sampled judgements, votes and curves over k."""

__version__ = "0.1.0"

__all__ = ["__version__"]
