"""What judgements took, in tokens, seconds and money. Open cost.py first."""

from grmeval.score.cost.cost import (
    Cost,
    Spent,
    cost_lines,
    cost_of,
    per_item,
    spent_in_all,
    unlike_effort,
)
from grmeval.score.cost.prices import Price, Prices, read_prices

__all__ = [
    "Cost",
    "Price",
    "Prices",
    "Spent",
    "cost_lines",
    "cost_of",
    "per_item",
    "read_prices",
    "spent_in_all",
    "unlike_effort",
]
