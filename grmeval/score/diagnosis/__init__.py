"""What is wrong with a judge. Open diagnose.py first; each part of a diagnosis is a function of Observed."""

from grmeval.score.diagnosis.diagnose import Diagnosis, diagnose
from grmeval.score.diagnosis.findings import Finding, Part

__all__ = [
    "Diagnosis",
    "Finding",
    "Part",
    "diagnose",
]
