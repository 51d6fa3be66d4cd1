"""The meta RM's prompt: the query, the responses as the judgement saw them, and the judgement."""

from pathlib import Path

import pytest

from grmeval.errors import ConfigError
from grmeval.items import Item, Message
from grmeval.judges import MetaPrompt

ASKED = (
    Message("user", "First?"),
    Message("assistant", "Yes."),
    Message("user", "And {{ 7 * 6 }}?"),
)
ITEM = Item("b", "s", "1", ASKED, ("alpha", "{% raw %}beta", "gamma"), (1, 0, 0))


def test_a_chat_holds_everything_in_the_order_that_was_judged() -> None:
    user, said = MetaPrompt().messages(ITEM, (2, 0, 1), "Principle. \\boxed{1, 9, 2}")
    assert said == Message("assistant", "Principle. \\boxed{1, 9, 2}")
    assert user.role == "user"
    found = [user.content.index(text) for text in ("First?", "Yes.", "And {{ 7 * 6 }}?")]
    shown = [user.content.index(text) for text in ("gamma", "alpha", "{% raw %}beta")]
    assert found == sorted(found)
    assert shown == sorted(shown)
    assert found[-1] < shown[0]
    assert "3 responses" in user.content
    assert "Response 3]" in user.content


def test_one_response_is_spoken_of_as_one() -> None:
    single = Item("b", "s", "1", ASKED, ("alpha",), (1,))
    text = MetaPrompt().messages(single, (0,), "x")[0].content
    assert "one response" in text
    assert "Response 2" not in text


def test_another_template_is_another_prompt(tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text("{{ n }}: {{ responses | join('/') }}", "utf-8")
    prompt = MetaPrompt(own)
    assert prompt.messages(ITEM, (0, 1, 2), "x")[0].content == "3: alpha/{% raw %}beta/gamma"
    assert prompt.identity != MetaPrompt().identity
    assert len(prompt.identity) == 16


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ conversation }}", "shows no responses"),
        ("{{ responses ", "own.jinja"),
        ("{{ responses }}{{ judgement }}", "'judgement' is undefined"),
        (None, "cannot be read as UTF-8 text"),
    ],
)
def test_a_template_that_cannot_be_used_is_said(
    tmp_path: Path, text: str | None, said: str
) -> None:
    own = tmp_path / "own.jinja"
    if text is not None:
        own.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=f"--meta-template .*{said}"):
        MetaPrompt(own).messages(ITEM, (0, 1, 2), "x")
