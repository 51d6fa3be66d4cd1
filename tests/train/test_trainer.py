"""What a trainer is told, and what is said where it is not installed."""

import sys
from dataclasses import dataclass, field
from enum import Enum

import pytest

from grmeval.errors import ConfigError
from grmeval.train.trainer import against_defaults, import_trainers, settings_fit


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ConfigError, match=r'pip install "grmeval\[train\]" \(missing here: torch\)'
    ):
        import_trainers("trl")


class Kind(Enum):
    STEPS = "steps"


@dataclass
class Arguments:
    output_dir: str
    rate: float = 5e-5
    kind: Kind = Kind.STEPS
    words: list[str] = field(default_factory=lambda: ["a"])
    needed: int = field(kw_only=True)


def test_only_what_differs_from_a_default_is_told_with_both_values() -> None:
    given = {"output_dir": "x", "rate": 1e-4, "kind": "steps", "words": ["a"], "needed": 3}
    assert against_defaults(Arguments, given) == {
        "needed": {"default": None, "value": 3},
        "rate": {"default": 5e-5, "value": 1e-4},
    }
    assert against_defaults(Arguments, given | {"kind": "epoch", "words": []}).keys() == {
        *("kind", "needed", "rate", "words"),
    }


def test_a_value_that_a_library_refuses_is_the_users() -> None:
    with (
        pytest.raises(ConfigError, match=r"its trainer: no layer 'x'$"),
        settings_fit(),
    ):
        raise ValueError("no layer 'x'\nmore of it")
