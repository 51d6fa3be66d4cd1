"""One field of the configuration, one option: flag, type, limits and help text stand at the field."""

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from grmeval.cli import app
from grmeval.cli.options import takes
from grmeval.config import RunConfig


def options_of(name: str) -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return {each.name: each for each in group.commands[name].params}


def test_run_takes_every_field_of_the_configuration() -> None:
    import grmeval.cli.run  # noqa: F401

    own = {"greedy", "save", "beside", "config", "as_json", "name"}
    assert options_of("run").keys() == RunConfig.model_fields.keys() | own


@pytest.fixture
def heard() -> tuple[typer.Typer, list[dict[str, Any]]]:
    """A command of some fields, and what it was given each time."""
    program, given = typer.Typer(), list[dict[str, Any]]()

    @program.command()
    @takes(
        *("k", "own", "lora", "vote", "engine_args", "chat_template_kwargs", "structured"),
        *("trust_remote_code", "temperature", "critiques"),
    )
    def listen(*, first: str = "", settings: dict[str, Any], own: int = 0) -> None:
        given.append(settings | {"own": own, "first": first})

    return program, given


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("", {}),
        ("--k 3 --temperature 0", {"k": 3, "temperature": 0.0}),
        ("--own 2 --first a --k 1", {"own": 2, "first": "a", "k": 1}),
        ("--lora a/b --critiques a/", {"lora": Path("a/b"), "critiques": "a/"}),
        ("--vote sum --vote mean", {"vote": ["sum", "mean"]}),
        ("--engine-arg a=1 --engine-arg b=x", {"engine_args": {"a": 1, "b": "x"}}),
        ('--chat-template-kwargs {"a":1}', {"chat_template_kwargs": {"a": 1}}),
        ("--structured", {"structured": True}),
        ("--no-structured", {"structured": False}),
        ("--trust-remote-code", {"trust_remote_code": True}),
    ],
)
def test_only_what_is_given_is_a_setting(
    words: str, settings: dict[str, Any], heard: tuple[typer.Typer, list[dict[str, Any]]]
) -> None:
    program, given = heard
    done = CliRunner().invoke(program, words.split())
    assert done.exit_code == 0, done.output
    assert given == [{"own": 0, "first": ""} | settings]


def test_options_stand_in_the_order_that_is_asked_for(
    heard: tuple[typer.Typer, list[dict[str, Any]]],
) -> None:
    found: Any = typer.main.get_command(heard[0])
    assert [each.name for each in found.params][:4] == ["first", "k", "own", "lora"]


def test_a_field_that_is_none_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError, match="colour"):
        takes("colour")(lambda *, settings: None)
