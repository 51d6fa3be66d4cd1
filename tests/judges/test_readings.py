"""Judgements as judges write them, each with the outcomes that a user would accept (readings.json)."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.judges import JUDGES

CASES = json.loads(Path(__file__).with_name("readings.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["text"]))
def test_a_judgement_is_read_as_a_user_would(case: dict[str, Any]) -> None:
    scores = JUDGES[case["judge"]]().read(case["text"], case["n"], "stop").scores
    assert (None if scores is None else list(scores)) in case["ok"], case["why"]
