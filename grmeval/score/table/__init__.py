"""The accuracy table and the story under it. Open accuracy.py first."""

from grmeval.score.table.accuracy import Accuracy, Row, answer, score
from grmeval.score.table.footer import about, footer, provenance
from grmeval.score.table.group_mean import together
from grmeval.score.table.item_list import OUTCOMES, ItemList, ItemRow, list_items
from grmeval.score.table.run_names import labels, records, said_once, title
from grmeval.score.table.seeds import SeedsRow, seed_groups, seeds_alone, seeds_rows

__all__ = [
    "OUTCOMES",
    "Accuracy",
    "ItemList",
    "ItemRow",
    "Row",
    "SeedsRow",
    "about",
    "answer",
    "footer",
    "labels",
    "list_items",
    "provenance",
    "records",
    "said_once",
    "score",
    "seed_groups",
    "seeds_alone",
    "seeds_rows",
    "title",
    "together",
]
