"""Asking a model: a configuration becomes a plan, the plan's missing samples are asked for and kept.

Open sample.py first: the loop. configuration.py and make_plan.py lead to it, derived/ is what they read of
other runs; meta/, imports/ and suite/ stand on it.
"""

from grmeval.runs.batch import batch_plan, requests, without_stopped
from grmeval.runs.configuration import OF_A_SERVER, configure
from grmeval.runs.make_plan import again, prepare, recorded_model
from grmeval.runs.open_engine import Engines
from grmeval.runs.plan import Plan
from grmeval.runs.preview import Preview, preview
from grmeval.runs.sample import Estimate, extend

__all__ = [
    "OF_A_SERVER",
    "Engines",
    "Estimate",
    "Plan",
    "Preview",
    "again",
    "batch_plan",
    "configure",
    "extend",
    "prepare",
    "preview",
    "recorded_model",
    "requests",
    "without_stopped",
]
