"""What vLLM's prefix cache shares among prompts, counted without vLLM.

vLLM keeps the KV of each full block of tokens under a hash of the block and of all before it. A request
takes over the blocks that its prompt begins with, as far as they are there; its last token is always
computed, since the first new one comes from it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["CPU_BLOCK", "GPU_BLOCK", "PrefixCache"]

GPU_BLOCK, CPU_BLOCK = 16, 32
"""Tokens of a block, unless the engine argument `block_size` says otherwise."""


class PrefixCache:
    """Prompts in the order in which they are asked; the cache is empty at first, and drops nothing."""

    def __init__(self, block: int) -> None:
        self._block = block
        self._chains: list[NDArray[np.uint64]] = []
        self._lengths: list[int] = []
        self._samples: list[int] = []

    def add(self, ids: Sequence[int], samples: int) -> None:
        """A prompt's tokens, asked for so many samples one after the other."""
        self._chains.append(_chain(np.asarray(ids, dtype=np.uint64), self._block))
        self._lengths.append(len(ids))
        self._samples.append(samples)

    def cached_tokens(self) -> int:
        """Prompt tokens of all samples that the cache has when they are asked for."""
        if not self._chains:
            return 0
        lengths, samples = np.array(self._lengths), np.array(self._samples)
        owner = np.repeat(np.arange(len(lengths)), [len(chain) for chain in self._chains])
        _, first, which = np.unique(
            np.concatenate(self._chains), return_index=True, return_inverse=True
        )
        # Blocks of a prompt that an earlier one has are always those that it begins with.
        shared = np.bincount(owner, weights=owner[first][which] < owner, minlength=len(lengths))
        most = np.maximum(lengths - 1, 0) // self._block
        blocks = np.minimum(shared, most) + (samples - 1) * most
        return int(blocks.sum()) * self._block


def _chain(ids: NDArray[np.uint64], block: int) -> NDArray[np.uint64]:
    """For each full block 64 bits for all tokens up to its end: the sum of their scrambled (place, token)."""
    places = np.arange(len(ids), dtype=np.uint64) << np.uint64(32)
    return np.asarray(np.cumsum(_scrambled(places | ids))[block - 1 :: block])


def _scrambled(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer (Steele, Lea and Flood 2014): each bit of a word changes half of the others."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
