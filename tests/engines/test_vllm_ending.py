"""The real engine stops where a judgement is complete: the packaged model, held to texts by a grammar."""

import pytest

from grmeval.engines import Sampling
from grmeval.engines.vllm import VllmEngine
from grmeval.items import Completion, Item, Message, Request
from grmeval.judges import IndexProbJudge, PointwiseJudge

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

ITEM = Item("toy", "toys", "a", (Message("user", "?"),), ("one", "two"))
SAID = "Specific Criteria: a\nAnalysis: b\nScores: \\boxed{8, 6}"
MOST = 80
CHATTER = r"\n[a-z]{600,700}"


@pytest.fixture
def sampling() -> Sampling:
    return Sampling(temperature=1.0, top_p=1.0, max_tokens=MOST)


def written(text: str) -> str:
    """As a regular expression."""
    return "".join(f"\\{c}" if c in "\\{}" else c.replace("\n", r"\n") for c in text)


def answers(engine: VllmEngine, grammar: str, stops: bool, js: int = 4) -> list[Completion]:
    stop = PointwiseJudge().stop(ITEM) if stops else None
    asked = Request(
        ITEM.key, (0, 1), tuple(range(js)), (Message("user", "Hi"),), grammar, stop=stop
    )
    return sorted(engine.generate([asked]), key=lambda done: done.j)


def test_what_follows_the_scores_is_not_generated(engine: VllmEngine) -> None:
    whole, stopped = (answers(engine, written(SAID) + CHATTER, stops) for stops in (False, True))
    assert {done.finish for done in whole} == {"length"}
    assert [(done.text, done.finish) for done in stopped] == [(SAID, "stop")] * 4
    # The line's end is the last token that is paid; no token is shorter than a character.
    assert {done.tokens for done in whole} == {MOST}
    assert all(done.tokens <= len(SAID) + 1 < MOST for done in stopped)
    assert not engine._engine.has_unfinished_requests()
    assert not engine._engine.output_processor.request_states


def test_those_that_are_not_complete_go_on(engine: VllmEngine) -> None:
    draft = SAID.replace("8, 6", "8")
    assert {done.finish for done in answers(engine, written(draft) + CHATTER, True)} == {"length"}


def test_a_judgement_that_ends_with_its_scores_is_as_ever(engine: VllmEngine) -> None:
    whole, stopped = (answers(engine, written(SAID), stops) for stops in (False, True))
    assert [done.text for done in whole] == [done.text for done in stopped] == [SAID] * 4
    assert {done.finish for done in (*whole, *stopped)} == {"stop"}


def test_a_stopped_pick_keeps_its_probability(engine: VllmEngine) -> None:
    judge = IndexProbJudge()
    said = written("Analysis: b\nBest Response: \\boxed{") + r"[12]" + r"\}" + CHATTER
    asked = Request(
        ITEM.key,
        (0, 1),
        (0, 1),
        (Message("user", "Hi"),),
        said,
        judge.locate(2),
        stop=judge.stop(ITEM),
    )
    for done in engine.generate([asked]):
        assert done.text in (
            "Analysis: b\nBest Response: \\boxed{1}",
            "Analysis: b\nBest Response: \\boxed{2}",
        )
        assert done.weight is not None
        assert 0 < done.weight <= 1
