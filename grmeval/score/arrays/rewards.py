"""Meta rewards that lie beside a run's samples, by meta model, folded or not: a row a sample."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.errors import StoreError
from grmeval.store import REWARDS, reward_names, reward_rows

__all__ = ["Read", "Rewards", "read_rewards"]


class Read(NamedTuple):
    """How many judgements a meta RM was asked about, and the tokens that it read; None: not known."""

    asked: int
    prompt_tokens: int | None
    cached_tokens: int | None


class Rewards(NamedTuple):
    """Rows [R]: the item, which of its samples, and its meta reward, an unbounded logit.

    `launch`: of the sample that was scored, None where a file does not say; nor need it say anything of
    tokens, which are NaN then.
    """

    item: NDArray[np.int64]
    j: NDArray[np.int64]
    reward: NDArray[np.float64]
    launch: NDArray[np.object_]
    prompt_tokens: NDArray[np.float64]
    cached_tokens: NDArray[np.float64]

    def read(self, k: int | None) -> Read:
        """Of the first k samples, or of all."""
        counted = self.j < (np.iinfo(np.int64).max if k is None else k)
        totals = [each[counted].sum() for each in (self.prompt_tokens, self.cached_tokens)]
        prompt, cached = (None if np.isnan(total) else int(total) for total in totals)
        return Read(int(counted.sum()), prompt, cached)


_TOKENS = ("prompt_tokens", "cached_tokens")


def read_rewards(run: Path, place: Mapping[tuple[str, str], int]) -> dict[str, Rewards]:
    """By meta model; `place` says where a (subset, id) is among the items at hand, others are left out."""
    return {name: _read(run, name, place) for name in reward_names(run)}


def _read(run: Path, name: str, place: Mapping[tuple[str, str], int]) -> Rewards:
    table = reward_rows(run, name, ["subset", "id", "j", "reward", "launch", *_TOKENS])
    keys = zip(table["subset"].to_pylist(), table["id"].to_pylist(), strict=True)
    item = np.array([place.get(key, -1) for key in keys], dtype=np.int64)
    try:
        j = table["j"].to_numpy().astype(np.int64)
        reward, *tokens = (
            table[name].to_numpy().astype(np.float64) for name in ("reward", *_TOKENS)
        )
        if np.isinf(reward).any():
            raise ValueError("a reward must be finite, or null where there is none")
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"{run / REWARDS / name}.parquet: damaged: {error}; move it away, and score its samples again"
        ) from None
    launch = np.array(table["launch"].to_pylist(), dtype=object)
    there = (item >= 0) & (j >= 0)
    columns = (item, j, reward, launch, *tokens)
    return Rewards(*(column[there] for column in columns))
