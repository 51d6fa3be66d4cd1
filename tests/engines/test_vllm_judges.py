"""Every judge on the real engine, and the probability of a pick against transformers' own softmax."""

import re
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import load
from grmeval.engines import Sampling
from grmeval.engines.vllm import VllmEngine
from grmeval.items import Completion, Item, Key, Message, Request
from grmeval.judges import Judge, make_judge
from grmeval.runs.sample import make_sample
from tests.helpers import WRITING

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]


@pytest.fixture
def sampling() -> Sampling:
    """With a temperature and a nucleus: neither may touch a probability."""
    return Sampling(temperature=0.7, top_p=0.9, max_tokens=96)


@pytest.fixture(scope="module")
def model(few: Path) -> Any:
    """The same weights, in transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    found = AutoModelForCausalLM.from_pretrained(few)
    return found.to(torch.float32).eval()


Spied = dict[tuple[str, int], list[int]]


def spied(engine: VllmEngine, requests: list[Request]) -> tuple[list[Completion], Spied]:
    """Completions, and the ids of the tokens that each was made of."""
    ids: Spied = {}
    plain = engine._read

    def spy(asked: tuple[Request, int], length: int, output: Any) -> Completion:
        request, j = asked
        ids[request.key.id, j] = list(output.outputs[0].token_ids)
        return plain(asked, length, output)

    engine._read = spy  # type: ignore[method-assign]
    try:
        return list(engine.generate(requests)), ids
    finally:
        engine._read = plain  # type: ignore[method-assign]


def probabilities(model: Any, prompt: list[int], written: list[int]) -> Any:
    """Softmax of the raw logits before each written token: [written, vocabulary]."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([prompt + written])).logits[0, len(prompt) - 1 : -1]
    return torch.softmax(logits.double(), dim=-1)


def made(judge: Judge, item: Item) -> Request:
    order = tuple(reversed(range(item.n)))
    messages = judge.messages(item, order)
    key = Key(judge.name, item.id)
    return Request(key, order, (0,), messages, judge.grammar(item.n), judge.locate(item.n))


@pytest.mark.long
def test_each_judge_is_answered_in_its_format(engine: VllmEngine, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("Correctness (100 %)", "utf-8")
    items = load("sample").items
    chosen = [next(item for item in items if item.n == n) for n in (2, 4)]
    judges = {}
    for name in WRITING:
        given = tmp_path / "p.txt" if WRITING[name].needs.principles else None
        judges[name] = make_judge(name, structured_tokens=96, principles=given)
    pair, four = chosen
    requests = [made(judge, pair) for judge in judges.values()]
    requests += [made(judges[name], four) for name in ("pointwise", "index-prob")]
    seen = set()
    for done in engine.generate(requests):
        judge = judges[done.request.key.subset]
        sample = make_sample(judge, done, "0000")
        seen.add((judge.name, len(sample.order)))
        assert sample.invalid is None, (judge.name, sample.text)
        assert sample.scores is not None
        low, high = judge.score_range or (0, 0)
        assert all(score is not None and low <= score <= high for score in sample.scores)
        assert (sample.weight is not None) == (judge.name == "index-prob")
        assert sample.weight is None or 0 < sample.weight <= 1
    assert seen == {*((name, 2) for name in WRITING), ("pointwise", 4), ("index-prob", 4)}


def third_word(text: str) -> tuple[int, int] | None:
    """Whatever it is: one token, or several."""
    found = re.match(r"\S*\s\S*\s(\S+)\s", text)
    return found and found.span(1)


def two_words(text: str) -> tuple[int, int] | None:
    """The second and the third, with what is between them: two tokens or more."""
    found = re.match(r"\S*\s(\S+\s\S+)\s", text)
    return found and found.span(1)


@pytest.mark.long
def test_a_probability_is_that_of_the_raw_logits(engine: VllmEngine, model: Any) -> None:
    import torch

    engine._sampling = engine._sampling._replace(max_tokens=40)
    asked = ["Tell a story.", "Name unusual minerals.", "Schreibe einen Satz.", "List emoji: 🙂🙃"]
    requests = [
        Request(
            Key("s", f"{text}{at}"), (0,), tuple(range(6)), (Message("user", text),), None, locate
        )
        for at, locate in enumerate((third_word, two_words))
        for text in asked
    ]
    completions, ids = spied(engine, requests)
    tokenizer: Any = engine.encode.tokenizer
    differences, several = [], 0
    for done in completions:
        where = done.request.locate and done.request.locate(done.text)
        if not where:
            assert done.weight is None
            continue
        written = ids[done.request.key.id, done.j]
        found = probabilities(model, engine.encode(done.request.messages), written)
        ends = [len(tokenizer.decode(written[:count])) for count in range(len(written) + 1)]
        mine = [at for at in range(len(written)) if ends[at] < where[1] and ends[at + 1] > where[0]]
        several += len(mine) > 1
        expected = float(torch.prod(found[mine, [written[at] for at in mine]]))
        assert done.weight is not None
        differences.append(abs(done.weight - expected))
    print(
        f"{len(differences)} picks, {several} of several tokens; at most {max(differences):.2g} apart"
    )
    assert several >= 4
    assert max(differences) < 1e-3


@pytest.mark.long
def test_the_mean_log_probability_is_that_of_all_tokens_by_the_raw_logits(
    engine: VllmEngine, model: Any
) -> None:
    import torch

    engine._sampling = engine._sampling._replace(max_tokens=20)
    asked = Request(
        Key("s", "story"), (0,), (0, 1, 2), (Message("user", "Tell a story."),), keep_logprob=True
    )
    completions, ids = spied(engine, [asked])
    means = []
    for done in completions:
        written = ids["story", done.j]
        found = probabilities(model, engine.encode(asked.messages), written)
        means.append(float(torch.log(found[range(len(written)), written]).mean()))
        assert done.logprob == pytest.approx(means[-1], abs=1e-3)
        assert done.weight is None
    assert len(set(means)) == 3


@pytest.mark.long
def test_in_the_format_it_is_the_probability_among_what_is_allowed(
    engine: VllmEngine, model: Any
) -> None:
    judge = make_judge("index-prob", structured_tokens=60)
    items = [item for item in load("sample").items if item.n > 1]
    requests = [made(judge, items[0]), made(judge, next(item for item in items if item.n == 4))]
    completions, ids = spied(engine, requests)
    tokenizer: Any = engine.encode.tokenizer
    digits = [tokenizer.convert_tokens_to_ids(str(digit)) for digit in range(1, 5)]
    for done in completions:
        written = ids[done.request.key.id, done.j]
        found = probabilities(model, engine.encode(done.request.messages), written)
        (at,) = (
            at for at, token in enumerate(written) if token in digits and at >= len(written) - 3
        )
        allowed = digits[: len(done.request.order)]
        expected = float(found[at, written[at]] / found[at, allowed].sum())
        assert done.weight == pytest.approx(expected, abs=1e-3)
