"""The accuracy table and the story under it. Open accuracy.py first."""

from grmeval.score.table.accuracy import Accuracy, Row, score
from grmeval.score.table.footer import about, footer, provenance
from grmeval.score.table.group_mean import together
from grmeval.score.table.run_names import labels, records, said_once, title
from grmeval.score.table.suite_row import Made, make_row

__all__ = [
    "Accuracy",
    "Made",
    "Row",
    "about",
    "footer",
    "labels",
    "make_row",
    "provenance",
    "records",
    "said_once",
    "score",
    "title",
    "together",
]
