"""Rows of our own in the schemas of the public preference sets, as files of their repositories."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MATH = "nishadsinghi/math7500_train_qwen2_5_7b_instrucht_temp0_7"


def lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), buffer)
    return buffer.getvalue()


def said(*texts: str) -> list[dict[str, str]]:
    """Turns of a user and an assistant."""
    return [{"content": text, "role": ("user", "assistant")[i % 2]} for i, text in enumerate(texts)]


def helpsteer(
    prompt: str, one: str, two: str, strength: int, split: str = "train"
) -> dict[str, Any]:
    return {
        "split": split,
        "prompt": prompt,
        "response_1": one,
        "response_2": two,
        "preference_strength": strength,
        "preference_statement": "@Response 1 is better because …",
        "preference_elaboration": "…",
        "three_most_similar_preferences": [
            {"statement": "…", "elaboration": "…", "strength": strength}
        ],
        "all_preferences_unprocessed": [{"strength": strength, "justification": "…"}],
    }


def completion(response: str, score: float) -> dict[str, Any]:
    rating = {"Rating": "4", "Rationale": "…"}
    return {
        "model": "m",
        "principle": "helpfulness",
        "custom_system_prompt": "Be helpful.",
        "response": response,
        "annotations": {"helpfulness": rating, "honesty": rating},
        "fine-grained_score": 4.0,
        "critique": "…",
        "overall_score": score,
    }


def ultrafeedback(instruction: str, *completions: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": "s",
        "instruction": instruction,
        "models": ["m"] * len(completions),
        "completions": list(completions),
        "correct_answers": ["None"],
        "incorrect_answers": ["None"],
    }


def solution(problem: int, number: int, text: str, right: bool) -> dict[str, Any]:
    return {
        "problem_id": problem,
        "question": f"Problem {problem}: what is it?",
        "gt_answer": str(problem),
        "gt_solution": "…",
        "solution_id": number,
        "solution": text,
        "is_correct": right,
    }


TALK = "Hello\n<extra_id_1>Assistant\nHello! What is it?\n<extra_id_1>User\nName a river."

HELPSTEER = [
    helpsteer("Name a lake.", "Como", "A lake?", -3),
    helpsteer(TALK, "A river?", "The Po", 1),
    helpsteer("Name a hill.", "A", "B", 0),
    helpsteer("Name a sea.", "A", "B", 2, "val"),
]
SKYWORK = [
    {"chosen": said("Say 1", "1"), "rejected": said("Say 1", "2"), "source": "magpie_ultra"},
    {
        "chosen": said("Say 1", "1", "And 2", "2"),
        "rejected": said("Say 1", "1", "And 2", "no"),
        "source": "helpsteer2",
    },
    {"chosen": said("Say 3", "3"), "rejected": said("Say 4", "3"), "source": "offsetbias"},
]
OFFSETBIAS = [
    {"instruction": "Spell it.", "output_1": "right", "output_2": "wrogn", "label": 1},
    {"instruction": "Spell that.", "output_1": "thta", "output_2": "that", "label": 2},
]
EVOL = [
    ultrafeedback(
        "Rank.",
        *(completion(text, score) for text, score in zip("abcd", (7, 8.5, 8.5, 1), strict=True)),
    ),
    ultrafeedback("Again.", completion("a", 5), completion("b", 5)),
]
SHAREGPT = [ultrafeedback("None."), ultrafeedback("One.", completion("a", 9), completion("b", 2))]
SOLUTIONS = [
    *(solution(1, i, f"way {i}", i < 2) for i in range(5)),
    *(solution(2, i, f"way {i}", True) for i in range(3)),
]

FILES = {
    "nvidia/HelpSteer2": {
        "preference/preference.jsonl.gz": gzip.compress(lines(HELPSTEER), mtime=0)
    },
    "Skywork/Skywork-Reward-Preference-80K-v0.2": {
        "data/train-00000-of-00001.parquet": parquet(SKYWORK)
    },
    "NCSOFT/offsetbias": {"train.jsonl": lines(OFFSETBIAS)},
    "openbmb/UltraFeedback": {
        "evol_instruct.jsonl": lines(EVOL),
        "sharegpt.jsonl": lines(SHAREGPT),
    },
    MATH: {"data/train-00000-of-00001.parquet": parquet(SOLUTIONS)},
}
"""Repository -> its files."""
