"""What kind of thing a word names, out of eight kinds."""

import random

from grmeval.train.smol.questions import Question, Split, a, answers, of_split

__all__ = ["CRITERIA", "draw"]

CRITERIA = ("the right kind", "what the word means", "a true statement")
WORDINGS: dict[Split, tuple[str, ...]] = {
    "train": (
        "What is {x}?",
        "What kind of thing is {x}?",
        "Say what {x} is.",
        "Name the kind of thing that {x} is.",
    ),
    "test": (
        "In one word, what is {x}?",
        "To which group does {x} belong?",
        "My son asks what {x} is.",
        "How would you class {x}?",
    ),
}
ANSWERS: dict[Split, tuple[str, ...]] = {
    "train": ("{}", "{}.", "It is {}.", "{x} is {}."),
    "test": ("That is {}.", "I would say {}.", "We call it {}.", "Clearly {}."),
}
KINDS = {
    "animal": "badger beaver camel cat chicken cow crab crow deer dog dolphin donkey duck "
    "elephant fox frog giraffe goat goose hamster hare horse lion lizard monkey mouse "
    "owl panda pig rabbit rat shark sheep snake squirrel swan tiger turtle whale wolf "
    "zebra",
    "fruit": "apple apricot banana blackberry blueberry cherry coconut cranberry fig grape "
    "grapefruit guava kiwi lemon lime mango melon nectarine papaya peach pear "
    "pineapple plum pomegranate raspberry strawberry watermelon",
    "tool": "axe chainsaw chisel corkscrew drill hacksaw hammer hatchet hoe jigsaw ladder "
    "lathe mallet pickaxe pitchfork pliers rake sander saw scraper screwdriver shovel "
    "sickle spade spanner trowel wrench",
    "vehicle": "ambulance bicycle boat bus canoe car ferry helicopter jeep kayak limousine lorry "
    "minibus motorcycle plane rowboat sailboat scooter ship sledge submarine taxi "
    "tractor train tram tricycle truck van yacht",
    "instrument": "accordion banjo bassoon bugle cello clarinet cornet drum fiddle flute guitar "
    "harp harpsichord lute mandolin oboe organ piano piccolo recorder saxophone sitar "
    "tambourine trombone trumpet tuba ukulele viola violin xylophone",
    "country": "Argentina Austria Belgium Bolivia Brazil Canada Chile China Cuba Denmark Egypt "
    "Finland France Germany Ghana Greece Hungary Iceland India Iran Ireland Italy "
    "Japan Kenya Mexico Morocco Nepal Norway Peru Poland Portugal Romania Spain "
    "Sweden Switzerland Thailand Uganda Vietnam",
    "colour": "beige black blue brown crimson cyan gold green grey indigo lilac magenta maroon "
    "mauve pink purple red scarlet turquoise violet white yellow",
    "sport": "archery badminton baseball basketball boxing cricket curling cycling fencing "
    "football golf gymnastics handball hockey judo karate lacrosse rowing rugby "
    "skiing snowboarding squash surfing swimming tennis volleyball wrestling",
}
BARE = ("country", "colour", "sport")
"""Kinds whose words take no article."""
KIND_OF = {word: kind for kind, words in KINDS.items() for word in words.split()}


def draw(rng: random.Random, split: Split) -> Question:
    """A question of a split; each kind is as likely."""
    kind = rng.choice(list(KINDS))
    word = rng.choice(of_split(tuple(KINDS[kind].split()), split))
    x = word if kind in BARE or word == "pliers" else a(word)
    wrong = rng.sample([a(other) for other in KINDS if other != kind], 3)
    return Question(
        fact=word,
        prompt=rng.choice(WORDINGS[split]).format(x=x),
        right=answers(rng, ANSWERS[split], [a(kind)] * 2, "says {}", x=x),
        wrong=answers(rng, ANSWERS[split], wrong, "says {}", x=x),
        aim=f"{x[0].upper()}{x[1:]} is {a(kind)}.",
        reference=kind,
    )
