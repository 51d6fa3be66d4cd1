"""Conversions by a power of ten."""

import random

from grmeval.train.smol.questions import Question, Split, answers, of_split

__all__ = ["CRITERIA", "draw"]

CRITERIA = ("the right number", "a correct conversion", "the right factor")
WORDINGS: dict[Split, tuple[str, ...]] = {
    "train": (
        "How many {small} are {n} {big}?",
        "Convert {n} {big} to {small}.",
        "{n} {big} is how many {small}?",
        "Express {n} {big} in {small}.",
    ),
    "test": (
        "Turn {n} {big} into {small}.",
        "What are {n} {big} in {small}?",
        "I have {n} {big}. Tell me how many {small} that is.",
        "Change {n} {big} to {small}, please.",
    ),
}
ANSWERS: dict[Split, tuple[str, ...]] = {
    "train": ("{}", "{} {small}", "It is {} {small}.", "The result is {} {small}."),
    "test": ("{}.", "That is {} {small}.", "You have {} {small}.", "Exactly {} {small}."),
}
UNITS = {
    ("kilometres", "metres"): 1000,
    ("metres", "centimetres"): 100,
    ("metres", "millimetres"): 1000,
    ("centimetres", "millimetres"): 10,
    ("tonnes", "kilograms"): 1000,
    ("kilograms", "grams"): 1000,
    ("grams", "milligrams"): 1000,
    ("litres", "millilitres"): 1000,
    ("litres", "decilitres"): 10,
    ("euros", "cents"): 100,
    ("seconds", "milliseconds"): 1000,
    ("centuries", "years"): 100,
    ("decades", "years"): 10,
    ("kilowatts", "watts"): 1000,
}
FACTS = tuple(f"{n} {big} in {small}" for big, small in UNITS for n in range(2, 60))


def draw(rng: random.Random, split: Split) -> Question:
    """A question of a split."""
    fact = rng.choice(of_split(FACTS, split))
    n, big, _, small = fact.split()
    factor = UNITS[big, small]
    right = int(n) * factor
    others = [int(n) * each for each in (1, 10, 100, 1000, 10_000) if each != factor]
    wrong = rng.sample([*others, (int(n) + 1) * factor], 3)
    return Question(
        fact=fact,
        prompt=rng.choice(WORDINGS[split]).format(n=n, big=big, small=small),
        right=answers(rng, ANSWERS[split], [str(right)] * 2, "says {}", small=small),
        wrong=answers(rng, ANSWERS[split], list(map(str, wrong)), "says {}", small=small),
        aim=f"{n} x {factor} = {right}.",
        reference=f"{right} {small}",
    )
