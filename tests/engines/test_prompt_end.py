"""How a prompt ends, as a chat template makes it; what the parser does with that."""

from typing import Any

import pytest

from grmeval.engines.chat import ChatEncoder
from grmeval.items import Completion, Key, Request
from grmeval.judges import PointwiseJudge
from grmeval.runs.sample import make_sample

OPENED = "<|im_end|>\n<|im_start|>assistant\n<think>\n"


class Tokenizer:
    """As much of one as an encoder asks before anything is encoded."""

    chat_template = "a template"
    added_tokens_encoder: tuple[str, ...] = ()
    all_special_tokens: tuple[str, ...] = ()

    def __init__(self, lead: str | None) -> None:
        self.lead = lead

    def apply_chat_template(self, turns: list[dict[str, str]], **given: Any) -> str:
        if self.lead is None:
            raise ValueError("a system turn must come first")
        return "".join(turn["content"] for turn in turns) + self.lead


@pytest.mark.parametrize(
    ("ends", "lead"), [(OPENED, OPENED), ("", ""), (" [/INST]", " [/INST]"), (None, "")]
)
def test_a_prompt_ends_with_what_the_template_adds(ends: str | None, lead: str) -> None:
    assert ChatEncoder(Tokenizer(ends), {}).lead == lead


@pytest.mark.parametrize(
    ("text", "thinking", "scores"),
    [
        ("maybe \\boxed{10, 1}", "maybe \\boxed{10, 1}", None),
        ("maybe \\boxed{10, 1}</think>\\boxed{7, 3}", "maybe \\boxed{10, 1}", (3, 7)),
    ],
)
def test_what_goes_on_from_an_opened_thought_is_one(
    text: str, thinking: str, scores: tuple[int, ...] | None
) -> None:
    request = Request(Key("s", "i"), (1, 0), (0,), ())
    sample = make_sample(
        PointwiseJudge(), Completion(request, 0, text, "stop", 9, 0, 9, None, OPENED), "0000"
    )
    assert (sample.thinking, sample.scores) == (thinking, scores)
