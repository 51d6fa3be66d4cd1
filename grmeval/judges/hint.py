"""What a hinted prompt says of the truth (arXiv 2504.02495, hinted sampling): one line behind the template.

For training alone: a judgement made so is no measurement.
"""

from collections.abc import Mapping, Sequence

from grmeval.items import Item

__all__ = ["HINT", "hint", "lacks_truth"]

HINT = 1
"""Version of these words; part of a hinted run's identity."""

_ASIDE = "Judge as if you had found this out yourself: do not mention the hint."
_STRENGTH = "strength"
"""Key of `Item.meta`: by how much the best response is preferred, in words, or 1 to 3 as in HelpSteer2."""
_IN_WORDS: Mapping[float, str] = {1: "slightly better", 2: "better", 3: "much better"}


def lacks_truth(item: Item) -> str | None:
    """What keeps an item from being hinted at, or trained on, as in `3 items …`; None: nothing."""
    if item.quality is None:
        return "have no labels: nobody knows what a correct judgement is"
    if item.pool is not None:
        return "are one response of several that are judged one by one: its label compares it with the others"
    if item.n > 1 and len(set(item.quality)) == 1:
        return "have labels that single out no response as the best"
    return None


def hint(item: Item, order: Sequence[int]) -> str:
    """The truth about an item whose responses are shown in `order` (slot -> response index).

    The best response by the number that it is shown under, all of them where several are equally good, with
    the strength of the preference where the item has one; of a single response, whether it is right.
    """
    assert item.quality is not None, "an item without labels has no hint"
    if item.n == 1:
        truth = "the response is " + ("right" if item.quality[0] else "wrong")
        return f"Hint: {truth}. {_ASIDE}"
    top = max(item.quality)
    shown = [str(slot) for slot, index in enumerate(order, 1) if item.quality[index] == top]
    if len(shown) > 1:
        best = f"{', '.join(shown[:-1])} and {shown[-1]}"
        return f"Hint: Responses {best} are the best and equally good. {_ASIDE}"
    return f"Hint: the best response is Response {shown[0]}{_by(item)}. {_ASIDE}"


def _by(item: Item) -> str:
    """By how much it is better, where the item says so."""
    strength = item.meta.get(_STRENGTH)
    if isinstance(strength, int | float) and strength:  # its sign says which response it is
        return f" ({_IN_WORDS.get(abs(strength)) or f'better by {abs(strength):g}'})"
    return f" ({strength})" if strength else ""
