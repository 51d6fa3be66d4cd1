"""Rules for ties and silence: the benchmark's, the paper's, or told one by one."""

import pytest

from grmeval.errors import ConfigError
from grmeval.score import Rules

SPEC = {"ties": "half", "on_invalid": "wrong"}


@pytest.mark.parametrize(
    ("protocol", "ties", "on_invalid", "chosen", "kind"),
    [
        ("official", None, None, ("half", "wrong"), "official"),
        ("official", "half", "official", ("half", "wrong"), "official"),
        ("official", "share", None, ("share", "wrong"), "not the official rule"),
        ("paper", None, None, ("share", "share"), "the paper's"),
        ("paper", None, "drop", ("share", "drop"), "not the official rule"),
        ("paper", "official", "official", ("half", "wrong"), "official"),
        ("official", "share", "share", ("share", "share"), "not the official rule"),
    ],
)
def test_what_is_not_told_is_the_protocols(
    protocol: str, ties: str | None, on_invalid: str | None, chosen: tuple[str, str], kind: str
) -> None:
    rules = Rules.choose(SPEC, protocol, ties, on_invalid)
    assert (rules.ties, rules.on_invalid) == chosen
    assert f"({kind})" in str(rules)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("papr",), "--protocol 'papr': allowed: official, paper; did you mean 'paper'"),
        (("official", "shar"), "--ties 'shar'.* did you mean 'share'"),
        (("official", None, "dropp"), "--on-invalid 'dropp'.* did you mean 'drop'"),
    ],
)
def test_a_word_that_is_none_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Rules.choose(SPEC, *words)
