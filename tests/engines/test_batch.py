"""A line of a requests file, and what makes it another one."""

import json
from typing import Any

from grmeval.engines import Sampling
from grmeval.engines.batch import Asking
from grmeval.engines.server.settings import ServerSettings
from grmeval.items import Key, Message, Request

ASKED = Request(Key("s", "i"), (0, 1), (0,), (Message("user", "Judge \ud800."),))


def body(of_vllm: bool = False, **fields: Any) -> dict[str, Any]:
    settings = ServerSettings((), "m", Sampling(0.5, 1.0, 99), fields=fields)
    line = Asking(settings, of_vllm).line("name", ASKED, 7)
    assert (line["custom_id"], line["method"]) == ("name", "POST")
    found: dict[str, Any] = line["body"]
    return found


def test_a_body_is_plain_and_holds_unicode_text() -> None:
    assert body() == {
        "model": "m",
        "messages": [{"role": "user", "content": "Judge ?."}],
        "temperature": 0.5,
        "top_p": 1.0,
        "max_tokens": 99,
        "seed": 7,
    }
    json.dumps(body(), ensure_ascii=False).encode()


def test_vllm_is_told_to_sample_as_the_engine_does() -> None:
    more = {name: value for name, value in body(of_vllm=True).items() if name not in body()}
    assert more == {
        "skip_special_tokens": False,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
    }


def test_null_leaves_a_field_out_and_renames_the_limit() -> None:
    found = body(temperature=None, max_tokens=None, reasoning_effort="low")
    assert "temperature" not in found
    assert "max_tokens" not in found
    assert found["max_completion_tokens"] == 99
    assert found["reasoning_effort"] == "low"
