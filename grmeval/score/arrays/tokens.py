"""What samples took, apart by the member of a panel that gave them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.score.arrays.columns import Rows

__all__ = ["Taken", "taken"]


class Taken(NamedTuple):
    """By item: samples of one source, and the tokens that they took.

    Prompt tokens are those of all models that had a part in a sample; `critic_*` say how many of them
    its critique had cost, NaN where a sample has none, or does not say.
    """

    samples: NDArray[np.int64]
    prompt_tokens: NDArray[np.float64]
    cached_tokens: NDArray[np.float64]
    tokens: NDArray[np.float64]
    critic_prompt_tokens: NDArray[np.float64]
    critic_cached_tokens: NDArray[np.float64]


def taken(
    record: Mapping[str, Any], rows: Rows, counted: NDArray[np.bool_], items: int
) -> dict[str | None, Taken]:
    """Of the counted rows [R], by the member's run-id that their launches name; None: no panel's."""
    whose = {launch["name"]: launch.get("member") for launch in record["launches"]}
    members = [whose.get(str(name)) for name in rows.names]
    number = np.array([members.index(member) for member in members], dtype=np.int64)[rows.launch]
    found = {}
    for at in np.unique(number[counted]).tolist():
        mine = counted & (number == at)
        item = rows.item[mine]
        columns = (
            *(rows.prompt_tokens, rows.cached_tokens, rows.tokens),
            *(rows.critic_prompt_tokens, rows.critic_cached_tokens),
        )
        totals = (np.bincount(item, column[mine], items).astype(np.float64) for column in columns)
        found[members[at]] = Taken(np.bincount(item, minlength=items), *totals)
    return found
