"""Accuracy over k. Open curve.py first; points.py makes its lines."""

from grmeval.score.curve.curve import CurveRow, Scaling, Slope, scale

__all__ = [
    "CurveRow",
    "Scaling",
    "Slope",
    "scale",
]
