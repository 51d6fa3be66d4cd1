"""What a launch would take, before anything is loaded: prompts, tokens, the least time of a GPU.

Open forecast.py first: what is counted, what is expected, what bounds it.
"""

from grmeval.runs.forecast.forecast import Forecast, forecast, forecast_of_run
from grmeval.runs.forecast.output import MEASURED_FROM, Expected, expected_output
from grmeval.runs.forecast.prompts import Missing, Prompts

__all__ = [
    "MEASURED_FROM",
    "Expected",
    "Forecast",
    "Missing",
    "Prompts",
    "expected_output",
    "forecast",
    "forecast_of_run",
]
