"""Rows as data sets of the hub have them: turns, content parts, ShareGPT, arenas; the texts are ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.benches import load
from grmeval.errors import DataError
from grmeval.items import Item, Message

Row = dict[str, Any]

ASKED = "What is the tallest tree?"
GOOD, BAD = "A coast redwood.", "An oak."


def user(content: Any) -> Row:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Row:
    return {"role": "assistant", "content": content}


def human(value: str) -> Row:
    return {"from": "human", "value": value}


def gpt(value: str) -> Row:
    return {"from": "gpt", "value": value}


def part(text: str) -> Row:
    return {"type": "text", "text": text}


SYSTEM = {"role": "system", "content": "Be short."}
EARLIER = [user("Hello"), assistant("Hello!"), user(ASKED)]
ARENA = {"question_id": "q7", "model_a": "one", "model_b": "two", "language": "English"}


def items(tmp_path: Path, *rows: Row, name: str = "rows.jsonl") -> tuple[Item, ...]:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return load(str(path)).items


ONE = (Message("user", ASKED),)
THREE = tuple(Message(turn["role"], turn["content"]) for turn in EARLIER)

SHAPES: dict[str, tuple[Row, tuple[Message, ...]]] = {
    # Whole conversations, no prompt: Skywork-Reward-Preference, dpo-mix.
    "conversations": (
        {"chosen": [*EARLIER, assistant(GOOD)], "rejected": [*EARLIER, assistant(BAD)]},
        THREE,
    ),
    # The prompt beside them: ultrafeedback_binarized.
    "and its prompt": (
        {
            "prompt": ASKED,
            "chosen": [user(ASKED), assistant(GOOD)],
            "rejected": [user(ASKED), assistant(BAD)],
        }
        | {"score_chosen": 8.5, "score_rejected": 3.0, "messages": [user(ASKED), assistant(GOOD)]},
        ONE,
    ),
    "a prompt without its system message": (
        {"prompt": ASKED}
        | {
            n: [SYSTEM, user(ASKED), assistant(t)] for n, t in (("chosen", GOOD), ("rejected", BAD))
        },
        (Message("system", "Be short."), *ONE),
    ),
    # TRL's explicit prompt.
    "prompt and answers as turns": (
        {"prompt": EARLIER, "chosen": [assistant(GOOD)], "rejected": [assistant(BAD)]},
        THREE,
    ),
    "content parts": (
        {
            "prompt": [user([part(ASKED)])],
            "chosen": [part(GOOD)],
            "rejected": [assistant([part(BAD)])],
        },
        ONE,
    ),
    "a prompt of parts": ({"prompt": [part(ASKED)], "chosen": GOOD, "rejected": BAD}, ONE),
    # ShareGPT: DPO-En-Zh.
    "sharegpt": (
        {"conversations": [human(ASKED)], "chosen": gpt(GOOD), "rejected": gpt(BAD)},
        ONE,
    ),
    "sharegpt, whole": (
        {"chosen": [human("Hello"), gpt("Hello!"), human(ASKED), gpt(GOOD)]}
        | {"rejected": [human("Hello"), gpt("Hello!"), human(ASKED), gpt(BAD)]},
        THREE,
    ),
    "responses as turns": (
        {"prompt": ASKED, "responses": [assistant(GOOD), [assistant(BAD)]], "quality": [1, 0]},
        ONE,
    ),
    # Battles of an arena: one text a model (wsdm-cup), or a conversation a model (arena-human-preference).
    "arena": (
        ARENA | {"prompt": ASKED, "response_a": GOOD, "response_b": BAD, "winner": "model_a"},
        ONE,
    ),
    "arena, whole": (
        ARENA
        | {
            "conversation_a": [*EARLIER, assistant(GOOD)],
            "conversation_b": [*EARLIER, assistant(BAD)],
        }
        | {"winner": "model_a"},
        THREE,
    ),
    "arena, with parts": (
        ARENA
        | {
            f"conversation_{m}": [user([part(ASKED)]), assistant([part(t)])]
            for m, t in (("a", GOOD), ("b", BAD))
        }
        | {"winner": "model_a"},
        ONE,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_read_by_their_shape(tmp_path: Path, shape: str) -> None:
    row, asked = SHAPES[shape]
    (item,) = items(tmp_path, row)
    assert (item.responses, item.quality) == ((GOOD, BAD), (1, 0))
    assert item.conversation == asked
    assert item.id == row.get("question_id", "1")


def test_however_it_is_written_it_is_the_same_item(tmp_path: Path) -> None:
    plain = items(tmp_path, {"prompt": ASKED, "chosen": GOOD, "rejected": BAD})
    for shape in ("and its prompt", "content parts", "sharegpt"):
        assert items(tmp_path, SHAPES[shape][0])[0].content_hash() == plain[0].content_hash()


def test_several_rejected_ones_are_best_of_n(tmp_path: Path) -> None:
    """RewardBench 2's rows, and the same as conversations."""
    row: Row = {"prompt": ASKED, "chosen": [GOOD], "rejected": [BAD, "A pine.", "A fir."]}
    turns = {
        name: [[user(ASKED), assistant(t)] for t in row[name]] for name in ("chosen", "rejected")
    }
    for each in (row, turns):
        (item,) = items(tmp_path, each)
        assert (item.n, item.quality) == (4, (1, 0, 0, 0))
        assert item.conversation == ONE


@pytest.mark.parametrize(
    ("winner", "quality"),
    [("model_b", (0, 1)), ("tie", (1, 1)), ("tie (bothbad)", (1, 1)), ("both_bad", (1, 1))],
)
def test_an_arena_has_ties(tmp_path: Path, winner: str, quality: tuple[int, ...]) -> None:
    (item,) = items(tmp_path, SHAPES["arena"][0] | {"winner": winner})
    assert item.quality == quality


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"chosen": [user("A?"), assistant(GOOD)], "rejected": [user("B?"), assistant(BAD)]},
            "row 1: the turns before its responses differ: only responses to one conversation",
        ),
        (
            {"prompt": "Another?", **SHAPES["conversations"][0]},
            "row 1: column 'prompt' is not what the turns before the responses say; drop one",
        ),
        (
            {"chosen": [user(ASKED)], "rejected": [user(ASKED), assistant(BAD)]},
            "column 'chosen': its last turn is 'user', expected 'assistant'",
        ),
        (
            {
                n: [assistant("Hello"), assistant(t)]
                for n, t in (("chosen", GOOD), ("rejected", BAD))
            },
            "the last turn is 'assistant', expected 'user'",
        ),
        (
            {"prompt": ASKED, "chosen": [{"type": "image_url", "image_url": {}}], "rejected": BAD},
            "column 'chosen': a part of type 'image_url': only parts of type 'text'",
        ),
        (
            {"prompt": [{"speaker": "me", "content": ASKED}], "chosen": GOOD, "rejected": BAD},
            "a turn has 'role' and 'content', or 'from' and 'value'; found: content, speaker",
        ),
        (
            SHAPES["arena"][0] | {"winner": "left"},
            "column 'winner': expected one of 'model_a', .*, found 'left'",
        ),
        (
            {"prompt": ASKED, "response_a": GOOD, "response_b": BAD}
            | {"winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0},
            "give one column 'winner' instead: model_a, model_b or tie",
        ),
        ({"prompt": ASKED, "good one": GOOD}, 'a TOML beside it says best = "COLUMN"'),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, row: Row, message: str) -> None:
    with pytest.raises(DataError, match=message):
        items(tmp_path, row)


@pytest.mark.parametrize(
    "row",
    [
        # orca_dpo_pairs, stack-exchange-paired, and a list of messages by another name.
        {"system": "", "question": ASKED, "chosen": GOOD, "rejected": BAD},
        {"question": ASKED, "response_j": GOOD, "response_k": BAD},
        {"messages": [user(ASKED)], "chosen": GOOD, "rejected": BAD},
        {
            "instruction": ASKED,
            "chosen_response": GOOD,
            "rejected_response": BAD,
            "subset": "trees",
        },
        {"question": ASKED, "response_a": GOOD, "response_b": BAD, "winner": "model_a"},
        # HelpSteer3: a number for the verdict.
        {"context": [user(ASKED)], "response1": GOOD, "response2": BAD, "overall_preference": -2},
    ],
)
def test_other_names_are_answered_with_the_toml_that_reads_them(tmp_path: Path, row: Row) -> None:
    with pytest.raises(DataError, match="this TOML beside it reads it") as caught:
        items(tmp_path, row, name="My rows.jsonl")
    (tmp_path / "own.toml").write_text(str(caught.value).partition("\n\n")[2], "utf-8")
    (item,) = load(str(tmp_path / "own.toml")).items
    assert (item.conversation, item.responses, item.quality) == (ONE, (GOOD, BAD), (1, 0))
    assert item.subset == row.get("subset", "My rows")
