"""Items of the families, and judgements of them in the judge's own format, composed by rule.

Every training item has a judgement that says what is right, what each response says, whether that is right,
and then the scores. Nothing is judged by a model: the truth is known before the answers are written.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from grmeval.items import Item
from grmeval.judges import PromptedJudge
from grmeval.train.smol import safety, sums, units, words
from grmeval.train.smol.questions import Answer, Question, Split

__all__ = ["FAMILIES", "Made", "make", "sft_row", "texts_of"]

_Draw = Callable[[random.Random, Split], Question]
FAMILIES: Mapping[str, tuple[_Draw, tuple[str, ...]]] = MappingProxyType(
    {
        "units": (units.draw, units.CRITERIA),
        "words": (words.draw, words.CRITERIA),
        "safety": (safety.draw, safety.CRITERIA),
        "sums": (sums.draw, sums.CRITERIA),
    }
)
"""Family -> how a question is drawn, and what its critiques begin with."""

# (right answers, wrong answers) of the items, in turn. Training: about half of single responses, and pairs of
# which both are right or both are wrong, so that one verdict says nothing about the next.
_SHAPES: Mapping[Split, tuple[tuple[int, int], ...]] = MappingProxyType(
    {
        "train": (
            *((1, 0), (0, 1), (1, 1), (1, 0), (0, 1), (2, 0), (1, 0), (0, 1), (1, 1), (1, 3)),
            *((1, 0), (0, 1), (0, 2), (1, 1), (1, 0), (1, 1), (0, 1), (1, 1), (2, 0), (0, 2)),
        ),
        "test": (
            *((1, 1), (1, 0), (1, 1), (1, 3), (1, 1), (0, 1), (1, 1), (1, 0), (1, 1), (1, 3)),
            *((1, 1), (0, 1), (1, 1), (1, 3), (1, 1), (1, 0), (1, 1), (0, 1), (1, 1), (1, 3)),
        ),
    }
)
_KINDS = {1: "single", 2: "pairs", 4: "best-of-4"}
_VERDICTS = (("right", "wrong"), ("correct", "false"))
_TRIES = 200
"""Draws in a row that may repeat an item before a family counts as exhausted."""


@dataclass(frozen=True)
class Made:
    """An item, and what its judgement is composed from: `answers` and `quality` in the order of `row`."""

    row: dict[str, Any]
    question: Question
    answers: tuple[Answer, ...]
    quality: tuple[int, ...]
    family: str


def make(
    split: Split,
    each: int,
    seed: int,
    families: Sequence[str] = (),
    known: Set[str] = frozenset(),
) -> Iterator[Made]:
    """`each` items of every family (all of them, unless named); the same for the same arguments.

    No two have the same prompt and responses, and none has a text of `known` (see `texts_of`). One best
    response stands in every place equally often. ValueError: a family has no more items to give.
    """
    for family in families or FAMILIES:
        rng = random.Random(f"{seed} {family} {split}")
        places: Counter[tuple[int, int]] = Counter()
        seen: set[tuple[str, ...]] = set()
        for number in range(each):
            shape = _SHAPES[split][number % len(_SHAPES[split])]
            for _ in range(_TRIES):
                made = _item(family, number, split, shape, places[shape], rng)
                key = (made.row["conversation"][0]["content"], *sorted(made.row["responses"]))
                if key not in seen and not known & texts_of(key):
                    break
            else:
                raise ValueError(f"{family}: no more than {number} items of the split {split}")
            seen.add(key)
            places[shape] += 1
            yield made


def texts_of(texts: Iterable[str]) -> set[str]:
    """What makes items overlap: a whole text of five or more words, or eight words in a row."""
    found = set()
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        wide = min(len(words), 8)
        if wide >= 5:
            found |= {" ".join(words[at : at + wide]) for at in range(len(words) - wide + 1)}
    return found


def _item(
    family: str, number: int, split: Split, shape: tuple[int, int], place: int, rng: random.Random
) -> Made:
    right, wrong = shape
    question = FAMILIES[family][0](rng, split)
    chosen = [(each, 1) for each in question.right[:right]]
    others = [(each, 0) for each in question.wrong[:wrong]]
    n = right + wrong
    shown = rng.sample(chosen + others, n)
    if right == 1:  # its place goes round, whatever is drawn
        others.insert(place % n, chosen[0])
        shown = others
    answers, quality = zip(*shown, strict=True)
    row = {
        "id": f"{family}-{number:04}",
        "subset": f"{family}-{_KINDS[n]}",
        "conversation": [{"role": "user", "content": question.prompt}],
        "responses": [answer.text for answer in answers],
        "quality": list(quality),
        "reference": question.reference,
        "cluster": f"{family}: {question.fact}",
    }
    return Made(row, question, answers, quality, family)


def sft_row(made: Made, item: Item, judge: PromptedJudge, rng: random.Random) -> dict[str, Any]:
    """A training example: the judge's own prompt in a drawn response order, and the judgement to be learnt.

    `item`: that of `made`, as the benchmark's rows are read.
    """
    order = rng.sample(range(item.n), item.n)
    analysis, scores = _critique(made, order, rng)
    criteria = rng.choice(FAMILIES[made.family][1])
    box = f"{judge.last}: \\boxed{{{judge.boxed(scores)}}}"
    text = f"Specific Criteria: {criteria}\nAnalysis: {analysis}\n{box}"
    messages = judge.messages(item, order)
    return {
        "prompt": [{"role": m.role, "content": m.content} for m in messages],
        "completion": [{"role": "assistant", "content": text}],
        "provenance": {
            "subset": item.subset,
            "id": item.id,
            "order": order,
            "scores": scores,
            "rule": "composed",
        },
    }


def _critique(made: Made, order: Sequence[int], rng: random.Random) -> tuple[str, list[int]]:
    """What is right and what each response says; scores in slot order, one for all of a quality."""
    right, wrong = rng.choice(_VERDICTS)
    high, low = rng.randint(8, 10), rng.randint(1, 3)
    said = [made.question.aim]
    for slot, index in enumerate(order, start=1):
        verdict = right if made.quality[index] else wrong
        said.append(f"Response {slot} {made.answers[index].said}, {verdict}.")
    return " ".join(said), [high if made.quality[index] else low for index in order]
