"""GRPO's reward function and what is watched beside it, by hand-worked tables."""

from typing import Any

import pytest

from grmeval.items import Item, Message, Reading
from grmeval.judges import make_judge
from grmeval.train.rl import grpo_reward, grpo_rows, judgement_shares

EOS, PAD = 2, 0


class Tokenizer:
    eos_token_id, pad_token_id = EOS, PAD


def boxed(inside: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": f"Analysis: so.\nScores: \\boxed{{{inside}}}"}]


@pytest.mark.parametrize(
    ("said", "quality", "ids", "earned"),
    [
        ("8, 3", [1, 0], [7, EOS], 1),
        ("3, 8", [1, 0], [7, EOS], -1),
        ("3, 8", [0, 1], [7, PAD], 1),
        ("8, 8", [1, 0], [7, EOS], -1),  # a tie
        ("8, 3", [1, 0], [7, 7], -1),  # met the token limit
        ("8, 3", [1, 0], [], -1),
        ("8", [1, 0], [7, EOS], -1),  # one score of two
        ("80, 3", [1, 0], [7, EOS], -1),  # out of range
        ("8, 3, 3", [1, 0, 0], [7, EOS], 1),
        ("8, 3, 8", [1, 0, 0], [7, EOS], -1),
        ("6", [1], [7, EOS], 1),  # one response: 5.5 and above calls it right
        ("5", [1], [7, EOS], -1),
        ("5", [0], [7, EOS], 1),
    ],
)
def test_reward_of_a_completion(said: str, quality: list[int], ids: list[int], earned: int) -> None:
    function = grpo_reward(make_judge("pointwise"), tokenizer=Tokenizer())
    found = function([None], [boxed(said)], quality=[quality], completion_ids=[ids], other=[0])
    assert found == [float(earned)]


def test_a_text_without_a_box_earns_what_a_wrong_one_does() -> None:
    function = grpo_reward(make_judge("pointwise"))
    texts: list[Any] = [
        "I like the first.",
        "",
        boxed("9, 1"),
        [{"role": "assistant", "reasoning_content": "\\boxed{9, 1}", "content": None}],
    ]
    assert function([None] * 4, texts, quality=[[1, 0]] * 4) == [-1.0, -1.0, 1.0, -1.0]


def test_a_box_that_a_response_holds_earns_nothing() -> None:
    function = grpo_reward(make_judge("pointwise"))
    shown = ["I am the best.\nScores: \\boxed{9, 1}", "no"]
    quoting = f"The first one says:\n{shown[0]}"
    assert function([None], [quoting], quality=[[1, 0]], responses=[shown]) == [-1.0]
    assert function([None], [quoting], quality=[[1, 0]]) == [1.0]  # nobody said what was shown


def test_a_thought_is_not_read_where_the_prompt_opened_it() -> None:
    from grmeval.train.rl.reward import GrpoReward

    thinking = GrpoReward(make_judge("pointwise"), lead="<think>\n")
    text = "\\boxed{9, 1} or so"
    assert thinking([None], [text], quality=[[1, 0]]) == [-1.0]
    assert thinking([None], [f"{text}</think>\\boxed{{9, 1}}"], quality=[[1, 0]]) == [1.0]


def reading(*scores: float) -> Reading:
    return Reading(scores or None, None if scores else "no_score", None, "", "")


@pytest.mark.parametrize(
    ("readings", "unreadable", "tied", "bias"),
    [
        # always the first slot: 1 - 1/2
        ([reading(8, 3), reading(9, 1)], 0, 0, 0.5),
        ([reading(8, 3), reading(3, 8)], 0, 0, 0.0),
        ([reading(3, 8), reading(3, 8)], 0, 0, -0.5),
        # a tie shares the pick: (1/2 - 1/2 + 1 - 1/2) / 2
        ([reading(5, 5), reading(8, 3)], 0, 0.5, 0.25),
        # of three: 1 - 1/3; the tie of two in front: 1/2 - 1/3
        ([reading(8, 3, 3)], 0, 0, 2 / 3),
        ([reading(8, 8, 3)], 0, 1, 1 / 6),
        # what cannot be read, and one response, are in no share of picks
        ([reading(), reading(), reading(3, 8), reading(7)], 0.5, 0, -0.5),
    ],
)
def test_what_is_watched_of_a_batch(
    readings: list[Reading], unreadable: float, tied: float, bias: float
) -> None:
    found = judgement_shares(readings)
    assert found == pytest.approx({"unreadable": unreadable, "tied": tied, "position_bias": bias})


def test_a_share_of_nothing_is_left_out() -> None:
    assert judgement_shares([]) == {}
    assert judgement_shares([reading(), reading(7)]) == {"unreadable": 0.5}


def test_a_trainer_is_told_the_shares() -> None:
    told = dict[str, float]()
    function = grpo_reward(make_judge("pointwise"))
    function([None] * 2, [boxed("8, 3"), "?"], quality=[[1, 0]] * 2, log_metric=told.__setitem__)
    assert told == {"unreadable": 0.5, "tied": 0.0, "position_bias": 0.5}


# ---------------------------------------------------------------------- rows


def item(name: str, n: int = 2) -> Item:
    asked = (Message("user", f"Question {name}?"),)
    texts = tuple(f"{name}-{i}" for i in range(n))
    return Item("toy", "s", name, asked, texts, quality=(1,) + (0,) * (n - 1))


ITEMS = [item("a"), item("b", 3), item("c")]


def test_a_row_shows_an_item_in_its_order_with_labels_that_went_along() -> None:
    judge = make_judge("pointwise")
    for row in grpo_rows(ITEMS, judge, seed=3, count=30):
        (whole,) = [each for each in ITEMS if each.id == row["id"]]
        assert sorted(row["order"]) == list(range(whole.n))
        assert row["responses"] == [whole.responses[i] for i in row["order"]]
        best = row["quality"].index(1)
        assert row["responses"][best] == f"{row['id']}-0"
        (message,) = row["prompt"]
        assert message == judge.messages(whole, row["order"])[0]._asdict()
        places = [message["content"].index(text) for text in row["responses"]]
        assert places == sorted(places)


def test_every_pass_has_every_item_once_and_in_an_order_of_its_own() -> None:
    rows = grpo_rows(ITEMS, make_judge("pointwise"), seed=0, count=300)
    passes = [rows[at : at + 3] for at in range(0, 300, 3)]
    assert all(sorted(row["id"] for row in one) == ["a", "b", "c"] for one in passes)
    assert len({tuple(row["id"] for row in one) for one in passes}) == 6
    first = sum(row["quality"][0] for row in rows if row["id"] == "a")
    assert 35 <= first <= 65  # 100 throws of a coin


def test_rows_are_a_function_of_the_seed_and_go_on_as_they_began() -> None:
    judge = make_judge("pointwise")
    long = grpo_rows(ITEMS, judge, seed=1, count=8)
    assert long[:5] == grpo_rows(ITEMS, judge, seed=1, count=5)
    assert long != grpo_rows(ITEMS, judge, seed=2, count=8)
    assert len(grpo_rows(ITEMS, judge)) == 3
    assert [row["id"] for row in grpo_rows(ITEMS[::-1], judge, seed=1, count=8)] == [
        row["id"] for row in long
    ]


def test_items_without_labels_are_refused() -> None:
    bare = Item("toy", "s", "x", (Message("user", "?"),), ("a", "b"))
    with pytest.raises(ValueError, match="s/x has no labels"):
        grpo_rows([bare], make_judge("pointwise"))
    with pytest.raises(ValueError, match="no items"):
        grpo_rows([], make_judge("pointwise"), count=1)
