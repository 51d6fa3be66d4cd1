"""Every judge: prompt, what it needs, output format, identity."""

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grmeval import resources
from grmeval.config import RunConfig
from grmeval.errors import ConfigError
from grmeval.items import Item, Message
from grmeval.judges import JUDGES, Judge, make_judge
from grmeval.measure import VOTES
from tests.helpers import WRITING

SCORING = [name for name, judge in WRITING.items() if not judge.picks]
PICKING = [name for name, judge in WRITING.items() if judge.picks]
RESPONSES = ("red", "four", "seven", "a tree", "blue", "nine", "green", "ten")


def item(n: int, reference: str | None = "Any colour, such as red.") -> Item:
    turns = (Message("user", "Which is a colour?"),)
    return Item("toy", "colours", "1", turns, RESPONSES[:n], reference=reference)


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "principles.txt"
    path.write_text("Correctness (100 %)\n", "utf-8")
    return path


def judge(
    name: str, principles: Path, template: Path | None = None, tokens: int | None = None
) -> Judge:
    given = principles if WRITING[name].needs.principles else None
    return make_judge(name, template, None, tokens, given)


def test_the_configuration_allows_the_judges_there_are() -> None:
    assert get_args(RunConfig.model_fields["judge"].annotation) == tuple(JUDGES)


def test_every_template_is_of_a_judge_or_a_model() -> None:
    files = {path.stem for path in (resources.tasks() / "templates").glob("*.jinja")}
    judges = {judge.template_name for judge in JUDGES.values() if judge.template_name}
    assert judges | {"meta", "smol"} == files


@pytest.mark.parametrize("name", WRITING)
def test_what_a_judge_declares(name: str) -> None:
    declared = WRITING[name]
    assert declared.name == name
    assert 0 < len(declared.about) < 80
    assert set(declared.votes) <= set(VOTES)
    assert declared.score_range == ((0, 1) if declared.picks else (1, 10))


# ---------------------------------------------------------------------- the prompt


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("name", WRITING)
def test_the_frame_of_the_prompt(name: str, n: int, text_file: Path) -> None:
    if n < WRITING[name].needs.responses:
        return
    order = tuple(reversed(range(n)))
    (message,) = judge(name, text_file).messages(item(n), order)
    shown = re.findall(
        r"\[The Begin of Response (\d)\]\n(.*?)\n\[The End of Response (\d)\]",
        message.content,
        re.DOTALL,
    )
    assert shown == [(str(i + 1), RESPONSES[order[i]], str(i + 1)) for i in range(n)]
    asked = message.content.split("#### Output Format Requirements ####\n")[1].splitlines()[1:]
    labels = [*(label for label, _ in WRITING[name].lines), WRITING[name].last]
    assert [line.split(":")[0] for line in asked] == labels
    box = re.search(r"\\boxed\{(.*?)\}", asked[-1])
    assert box is not None
    assert box.group(1) == ("x" if WRITING[name].picks else ", ".join(["x"] * n))


@pytest.mark.parametrize("name", WRITING)
def test_what_is_shown_beside_the_responses(name: str, text_file: Path) -> None:
    (message,) = judge(name, text_file).messages(item(2), (0, 1))
    assert ("Any colour, such as red." in message.content) == (name == "pointwise-reference")
    assert ("Correctness (100 %)" in message.content) == (name == "pointwise-principles")


@pytest.mark.parametrize("text", ["{{ 7 * 7 }}", "{% raw %}", "\\boxed{1}", "</think>", "\0\u202e"])
def test_a_hostile_reference_or_principle_comes_out_as_it_is(text: str, tmp_path: Path) -> None:
    path = tmp_path / "principles.txt"
    path.write_text(f"a{text}b", "utf-8")
    for name in ("pointwise-reference", "pointwise-principles"):
        (message,) = judge(name, path).messages(item(2, f"a{text}b"), (0, 1))
        assert f"\na{text}b\n" in message.content


@pytest.mark.parametrize(
    ("name", "variable"),
    [("pointwise-reference", "reference"), ("pointwise-principles", "principles")],
)
def test_a_template_must_show_what_the_judge_is_for(
    name: str, variable: str, text_file: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.jinja"
    own.write_text("{{ responses }}", "utf-8")
    with pytest.raises(ConfigError, match=f"shows no {variable}"):
        judge(name, text_file, own)
    own.write_text("{{ responses }}{{ " + variable + " }}", "utf-8")
    assert judge(name, text_file, own).messages(item(2), (0, 1))


# ---------------------------------------------------------------------- what a judge needs


@pytest.mark.parametrize("name", WRITING)
def test_an_item_that_lacks_something_is_refused(name: str, text_file: Path) -> None:
    needs, made = WRITING[name].needs, judge(name, text_file)
    assert made.lacks(item(2)) is None
    for lacking, needed, said in (
        (item(1), needs.responses > 1, "have one response, and this judge compares"),
        (item(2, None), needs.reference, "have no reference answer"),
        (item(2, " \n"), needs.reference, "have no reference answer"),
    ):
        assert made.lacks(lacking) == (said if needed else None)
        if needed:
            with pytest.raises(
                ConfigError, match=f"--judge {name}: cannot judge colours/1: .*{said}"
            ):
                made.messages(lacking, range(lacking.n))


def test_principles_and_their_judge_go_together(text_file: Path) -> None:
    with pytest.raises(ConfigError, match="with which principles"):
        make_judge("pointwise-principles")
    with pytest.raises(
        ConfigError, match="judge index takes none; --judge pointwise-principles does"
    ):
        make_judge("index", principles=text_file)


# ---------------------------------------------------------------------- the output


BOUND = {name: each(structured_tokens=256) for name, each in WRITING.items()}
LINE = st.text(st.characters(exclude_characters="\n\\"), min_size=1, max_size=128)


@given(st.sampled_from(SCORING), st.lists(st.integers(1, 10), min_size=1, max_size=8), LINE)
def test_the_grammar_takes_what_a_scoring_judge_writes(
    name: str, scores: list[int], analysis: str
) -> None:
    made, n = BOUND[name], len(scores)
    text, grammar = made.write(scores, analysis), made.grammar(n)
    assert grammar is not None
    assert re.fullmatch(grammar, text)
    assert made.read(text, n, "stop")[:3] == (tuple(scores), None, "boxed")
    for other in ([*scores, 5], [11, *scores[1:]], [0, *scores[1:]]):
        assert not re.fullmatch(grammar, made.write(other, analysis))


@given(st.sampled_from(PICKING), st.lists(st.integers(0, 9), min_size=2, max_size=12), LINE)
def test_the_grammar_takes_what_a_picking_judge_writes(
    name: str, scores: list[int], analysis: str
) -> None:
    made, n = BOUND[name], len(scores)
    text, grammar = made.write(scores, analysis), made.grammar(n)
    assert grammar is not None
    assert re.fullmatch(grammar, text)
    best = scores.index(max(scores))  # of equals the one shown first
    assert made.read(text, n, "stop").scores == tuple(float(slot == best) for slot in range(n))
    taken = [
        i for i in range(-1, n + 12) if re.fullmatch(grammar, re.sub(r"\d+\}$", f"{i}}}", text))
    ]
    assert taken == list(range(1, n + 1))


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("n", [2, 8])
def test_the_longest_judgement_ends_before_the_token_limit(name: str, n: int) -> None:
    """Even where each character is a token."""
    made, tokens = WRITING[name](structured_tokens=256), 256
    grammar = made.grammar(n)
    assert grammar is not None
    rooms = [int(room) for room in re.findall(r"\{1,(\d+)\}", grammar)]
    longest = made.write([10 if not made.picks else 1] * n, "x")
    said = {"Specific Criteria": "Correctness (100 %)", "Analysis": "x"}
    spare = sum(rooms) - sum(len(said[label]) for label, _ in made.lines)
    assert len(rooms) == len(made.lines)
    assert tokens - 2 * len(rooms) <= len(longest) + spare <= tokens
    with pytest.raises(ConfigError, match="--structured with --max-tokens 30"):
        WRITING[name](structured_tokens=30).grammar(n)


# ---------------------------------------------------------------------- identity


def test_judges_have_identities_of_their_own(text_file: Path) -> None:
    found = [judge(name, text_file).identity() for name in WRITING]
    assert [each["name"] for each in found] == list(WRITING)
    assert all("principles" not in each for each in found if each["name"] != "pointwise-principles")
    by_name = dict(zip(WRITING, found, strict=True))
    assert by_name["index"]["template"] == by_name["index-prob"]["template"]
