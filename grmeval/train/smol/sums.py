"""Sums of a two-digit and a one-digit number that carry nothing: a table of 36 sums of digits, and copying.

So a sum that is kept for the test needs no sum of digits that training does not show."""

import random

from grmeval.train.smol.questions import Question, Split, answers, of_split

__all__ = ["CRITERIA", "draw"]

CRITERIA = ("the right sum", "correct arithmetic", "the exact number")
WORDINGS: dict[Split, tuple[str, ...]] = {
    "train": (
        "What is {a} + {b}?",
        "How much is {a} plus {b}?",
        "Add {b} to {a}.",
        "Compute {a} + {b}.",
        "{name} has {a} {things} and gets {b} more. How many {things} is that?",
        "There are {a} {things} in a box. {name} puts in {b}. How many are there now?",
    ),
    "test": (
        "Work out {a} plus {b}.",
        "Find the sum of {a} and {b}.",
        "If you add {b} to {a}, what do you get?",
        "{name} owned {a} {things} and bought {b} others. How many {things} does {name} own now?",
    ),
}
ANSWERS: dict[Split, tuple[str, ...]] = {
    "train": ("{}", "It is {}.", "The sum is {}.", "The answer is {}."),
    "test": ("{}.", "That makes {}.", "You get {}.", "The total is {}."),
}
NAMES = ("Ana", "Ben", "Ida", "Leo", "Mia", "Tom")
THINGS = ("books", "coins", "eggs", "pens", "shells", "stamps")
FACTS = tuple(f"{a} + {b}" for a in range(10, 100) for b in range(2, 10) if a % 10 + b <= 9)


def draw(rng: random.Random, split: Split) -> Question:
    """A question of a split."""
    fact = rng.choice(of_split(FACTS, split))
    a, b = map(int, fact.split(" + "))
    words = {"name": rng.choice(NAMES), "things": rng.choice(THINGS)}
    near = [a + b + off for off in (-10, -2, -1, 1, 2, 10)]
    wrong = rng.sample([str(x) for x in near if x > 0], 3)
    return Question(
        fact=fact,
        prompt=rng.choice(WORDINGS[split]).format(a=a, b=b, **words),
        right=answers(rng, ANSWERS[split], [str(a + b)] * 2, "says {}"),
        wrong=answers(rng, ANSWERS[split], wrong, "says {}"),
        aim=f"{a} + {b} = {a + b}.",
        reference=str(a + b),
    )
