"""Names that are too long for their column: the middle goes, and never so much that two look alike."""

from collections.abc import Collection

__all__ = ["SHORTEST_NAME", "least_room", "shortened"]

SHORTEST_NAME = 16
"""Characters that a name keeps in any case."""


def shortened(text: str, most: int) -> str:
    """At most so many characters of a name, with its indentation; checkpoints differ at their ends."""
    if len(text) <= most:
        return text
    name = text.lstrip()
    indent = len(text) - len(name)
    kept = most - indent - 1
    head = kept // 4
    return f"{text[: indent + head]}…{text[len(text) - (kept - head) :]}"


def least_room(texts: Collection[str]) -> int:
    """The fewest characters, SHORTEST_NAME or more, with which different names stay different."""
    names = set(texts)
    longest = max(map(len, names), default=0)
    return next(
        (
            most
            for most in range(min(longest, SHORTEST_NAME), longest)
            if len({shortened(name, most) for name in names}) == len(names)
        ),
        longest,
    )
