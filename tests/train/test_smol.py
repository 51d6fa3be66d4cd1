"""Made training data: true by rule, apart from its own test, and judged in the judge's own format."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grmeval import resources
from grmeval.benches import load
from grmeval.benches.shapes import make_items
from grmeval.benches.spec import Table
from grmeval.items import Item, Key
from grmeval.train.smol import FAMILIES, Made, make, sft_row, texts_of
from grmeval.train.smol.__main__ import app
from grmeval.train.smol.safety import HARMFUL, REFUSALS
from grmeval.train.smol.units import UNITS
from grmeval.train.smol.words import KIND_OF
from grmeval.train.smol.write import known_texts, the_judge, write_bench, write_sft

TRAIN = list(make("train", 200, seed=0))
TEST = list(make("test", 200, seed=0))


def prompt(made: Made) -> str:
    return str(made.row["conversation"][0]["content"])


def is_right(made: Made, response: str) -> bool:
    """Worked out from the texts alone."""
    numbers = [int(n) for n in re.findall(r"\d+", prompt(made))]
    if made.family == "sums":
        return int(re.findall(r"\d+", response)[-1]) == sum(numbers)
    if made.family == "units":
        asked = set(re.findall(r"[a-z]+", prompt(made)))
        pairs = [pair for pair in UNITS if set(pair) <= asked]
        (big, small) = pairs[0] if len(pairs) == 1 else made.question.fact.split()[1::2]
        return int(re.findall(r"\d+", response)[-1]) == numbers[0] * UNITS[big, small]
    if made.family == "words":
        return response.rstrip(".").split()[-1].lower() == KIND_OF[made.question.fact]
    harm = any(act in prompt(made) for act in re.split(r"[|\n]", HARMFUL.strip()))
    return harm == (response in REFUSALS["train"] + REFUSALS["test"])


@pytest.mark.parametrize("split", [TRAIN, TEST])
def test_every_label_is_true(split: list[Made]) -> None:
    for made in split:
        said = tuple(int(is_right(made, text)) for text in made.row["responses"])
        assert said == made.quality, made.row


def test_the_same_seed_makes_the_same_rows() -> None:
    again = [made.row for made in make("train", 200, seed=0)]
    assert again == [made.row for made in TRAIN]
    assert again != [made.row for made in make("train", 200, seed=1)]
    only = [made.row for made in make("train", 200, seed=0, families=["sums"])]
    assert only == [made.row for made in TRAIN if made.family == "sums"]


def test_the_test_shares_no_fact_and_no_wording_with_training() -> None:
    assert not {one.question.fact for one in TRAIN} & {one.question.fact for one in TEST}
    assert not {prompt(one) for one in TRAIN} & {prompt(one) for one in TEST}

    def wordings(split: list[Made]) -> set[str]:
        """Answers with numbers, kinds of things and what is asked about taken out."""
        found = set()
        for made in split:
            for text in made.row["responses"]:
                text = text.replace(made.question.fact, "F")
                found.add(re.sub(rf"\d+|\b({'|'.join(set(KIND_OF.values()))})\b", "V", text))
        return found

    assert not wordings(TRAIN) & wordings(TEST)


def test_no_item_twice() -> None:
    for split in (TRAIN, TEST):
        keys = Counter((prompt(made), *sorted(made.row["responses"])) for made in split)
        assert max(keys.values()) == 1


def test_half_of_training_is_one_response_and_half_of_its_pairs_are_alike() -> None:
    of = Counter((made.family, len(made.quality), sum(made.quality)) for made in TRAIN)
    for family in FAMILIES:
        assert of[family, 1, 0] == of[family, 1, 1] == 50
        assert of[family, 2, 1] == 50
        assert of[family, 2, 0] == of[family, 2, 2] == 20
        assert of[family, 4, 1] == 10


def test_the_test_has_one_best_response_in_every_place_equally_often() -> None:
    for family in FAMILIES:
        mine = [made.quality for made in TEST if made.family == family]
        assert Counter(q for q in mine if len(q) == 1) == {(0,): 30, (1,): 30}
        for n, each in ((2, 50), (4, 10)):
            places = Counter(q.index(1) for q in mine if len(q) == n)
            assert [places[slot] for slot in range(n)] == [each] * n
            assert {sum(q) for q in mine if len(q) == n} == {1}


def test_texts_of_the_packaged_sample_are_left_out() -> None:
    first = next(make("test", 1, seed=0, families=["safety"]))
    planted = texts_of([prompt(first)])
    others = list(make("test", 100, seed=0, families=["safety"], known=planted))
    assert planted
    assert prompt(first) not in {prompt(made) for made in others}
    known = known_texts()
    assert len(known) > 5000
    made = [*TRAIN, *TEST]
    assert not [m.row for m in made if known & texts_of([prompt(m), *m.row["responses"]])]


def test_what_overlaps() -> None:
    assert texts_of(["Four words are free."]) == set()
    assert texts_of(["Five words are not: SO!"]) == {"five words are not so"}
    assert texts_of(["a b c d e f g h i"]) == {"a b c d e f g h", "b c d e f g h i"}


def test_too_many_items_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question has one item of each of the first three shapes; the fourth is the first again."""
    one = next(make("train", 1, seed=0)).question
    monkeypatch.setattr("grmeval.train.smol.items.FAMILIES", {"one": (lambda *_: one, ("x",))})
    assert len(list(make("train", 3, seed=0))) == 3
    with pytest.raises(ValueError, match="one: no more than 3 items of the split train"):
        list(make("train", 4, seed=0))


def test_judgements_are_read_as_they_were_meant(tmp_path: Path) -> None:
    made, loaded = write_bench(tmp_path / "data", "train", 40, 0, [])
    assert write_sft(tmp_path / "sft", made, loaded, 0) == 160
    lines = (tmp_path / "sft/train.jsonl").read_text("utf-8").splitlines()
    examples = [json.loads(line) for line in lines]
    judge, items = the_judge(), {item.key: item for item in loaded.items}
    orders: Counter[tuple[int, ...]] = Counter()
    for row in examples:
        told, (message,) = row["provenance"], row["completion"]
        item = items[Key(told["subset"], told["id"])]
        assert item.quality is not None
        scores = judge.read(message["content"], item.n, "stop").scores
        assert scores == tuple(told["scores"])
        assert [s > 5 for s in scores] == [bool(item.quality[i]) for i in told["order"]]
        assert row["prompt"] == [m._asdict() for m in judge.messages(item, told["order"])]
        assert row["prompt"][0] == {"role": "system", "content": "You grade answers."}
        orders[tuple(told["order"])] += 1
    assert abs(orders[0, 1] - orders[1, 0]) < 30
    assert json.loads((tmp_path / "sft/select.json").read_text())["data"] == loaded.content_hash


def test_a_judgement_word_by_word() -> None:
    made = next(m for m in TRAIN if m.family == "sums" and m.quality == (0, 1))
    judge = the_judge()
    (item,) = as_items(made)
    found = {json.dumps(sft_row(made, item, judge, random.Random(seed))) for seed in range(200)}
    texts = {json.loads(row)["completion"][0]["content"] for row in found}
    a, b = made.question.fact.split(" + ")
    right, wrong = int(a) + int(b), made.answers[0].said.removeprefix("says ")
    assert (
        f"Specific Criteria: the right sum\nAnalysis: {a} + {b} = {right}. Response 1 says {wrong}, wrong. "
        f"Response 2 says {right}, right.\nScores: \\boxed{{1, 9}}"
    ) in texts
    assert len(texts) > 50


def as_items(made: Made) -> list[Item]:
    table = Table(files="*", shape="neutral", subset="subset")
    return make_items("made", table, made.row["subset"], 1, made.row, "here")


def test_the_packaged_rows_are_the_test_split() -> None:
    lines = (resources.tasks() / "sample-smol.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows == [made.row for made in TEST]
    loaded = load("sample-smol")
    assert Counter(item.subset for item in loaded.items) == loaded.spec.expected
    assert [s.name.lower() for s in loaded.spec.sections] == list(FAMILIES)
    assert not [item for item in loaded.items if item.flags]


def asked(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command(tmp_path: Path) -> None:
    done = asked(tmp_path / "data", "--each", 20, "--family", "sums", "--sft", tmp_path / "sft")
    assert done.stdout == f"{tmp_path}/data: 20 items\n{tmp_path}/sft: 20 examples\n", done.output
    told = json.loads((tmp_path / "data/data.json").read_text())
    loaded = load(str(tmp_path / "data/bench.toml"))
    assert (told["items"], told["hash"]) == (20, loaded.content_hash)
    assert loaded.missing == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--family", "sum"], "--family 'sum': allowed: units, words, safety, sums"),
        (["--split", "tests"], "--split 'tests': allowed: train, test"),
        (["--split", "test", "--sft", "x"], "--sft: nothing of the split test is trained on"),
    ],
)
def test_mistakes(tmp_path: Path, words: list[str], said: str) -> None:
    done = asked(tmp_path / "data", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")
    assert not (tmp_path / "data").exists()
