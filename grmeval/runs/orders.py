"""Response orders: pure functions of (seed, item, j), never of k.

Random choices are ranks of hashes: the same on every machine and Python, with no generator to carry.
"""

from hashlib import blake2b

from grmeval.items import Key

__all__ = ["distinct_orders", "ranking_hash", "response_order"]


def response_order(policy: str, seed: int, key: Key, n: int, j: int) -> tuple[int, ...]:
    """order[slot] = index of the response shown in that slot, for sample j of an item.

    balanced: the item's seeded base order rotated by j mod n, so every response sees every slot
    equally often. random (the paper's shuffle): an independent order for each j.
    """
    if n == 1:
        return (0,)
    if policy == "random":
        return _shuffled(n, f"order\0{seed}\0{key.subset}\0{key.id}\0{j}")
    base = _shuffled(n, f"order\0{seed}\0{key.subset}\0{key.id}")
    turn = j % n
    return base[turn:] + base[:turn]


def distinct_orders(policy: str, n: int) -> int:
    """How many different prompts an item of n responses can have."""
    if policy == "balanced":
        return n
    from math import factorial

    return factorial(n)


def _shuffled(n: int, name: str) -> tuple[int, ...]:
    return tuple(sorted(range(n), key=lambda i: ranking_hash(f"{name}\0{i}")))


def ranking_hash(name: str) -> bytes:
    """Sorting by it shuffles names, alike everywhere."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
