"""Words of other programs are answered with ours, and the help text says each thing once and truly."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer import Context

from grmeval.cli import COMMANDS as OURS
from grmeval.cli import GROUPS
from grmeval.cli.headings import HEADINGS
from grmeval.cli.spellings import COMMANDS, EXTRA, HERE, OPTIONS, SHORT, _below
from grmeval.config import RunConfig
from tests.helpers import ask, grmeval
from tests.test_docs import every_command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--tasks", "rmb"), "No such option: --tasks: here it is --bench"),
        (("run", "--num_samples=8"), "--num-samples: here it is --k"),
        (("run", "-n", 8), "No such option: -n: here it is --k"),
        (("run", "--num_fewshot", 5), "no examples are shown; a --template of yours can hold some"),
        (
            ("run", "--gpu-memory-utilization", 0.9),
            "here it is --engine-arg gpu_memory_utilization=VALUE",
        ),
        (("run", "--output_path", "x"), "here it is --results"),
        (("compare", "a", "b", "--out", "x.csv"), "here it is --to"),
        (("score", "--tasks", "rmb"), "--tasks: it is --bench of `grmeval run`"),
        (("show", "--run", "latest"), "a run is named without a flag, as in `grmeval score RUN`"),
        (("run", "rewardbench", "rmb"), "here it is --bench rewardbench --bench rmb"),
        (("show", "latest", "m1"), "here it is --item m1"),
        (("list",), "No such command 'list'; here: `grmeval runs`, `grmeval benches`, `grmeval ju"),
        (("download", "rmb"), "here: `grmeval data fetch`"),
        (("rum",), "Did you mean 'run'"),
        (
            ("run", "--modl", "x"),
            "No such option: --modl (Possible options: --meta-model, --model, --model-tag)",
        ),
        (("run", "--seed", 1, 2, 3), "--seed takes one value; a run has one: run once for each"),
        (("run", "--k", 4, 8), "--k takes one value"),
        (("run", "--vote", "sum", "majority"), "here it is --vote majority"),
        (("run", "--vote", "majority,sum"), "repeat the flag: --vote majority --vote sum"),
        (("run", "--bench", "rmb,rewardbench"), "repeat the flag: --bench rmb --bench rewardbench"),
        (
            ("run", "--engine-arg", "enforce_eager=True,seed=2"),
            "--engine-arg enforce_eager: one setting a flag: repeat --engine-arg",
        ),
        (
            ("trend", "nights/1", "nights/2"),
            "it takes one folder, above all nights: `grmeval trend nights`",
        ),
        (("scale-curve", "--ks", 1, 2, 4, 8), "one word, with commas: --ks 1,2,4,8"),
        (("scale-curve", "-k", "1,2,4,8"), "No such option: -k: here it is --ks 1,2,4,8"),
        (("score", "a1", "b2"), "`grmeval compare a1 b2` sets runs side by side"),
        (
            ("import", "scores", "x.jsonl", "--name", "mini"),
            "No such option: --name: name the run when it is there: `grmeval label RUN NAME`",
        ),
        (("import", "gpt.jsonl", "--model", "m"), "here: `grmeval import scores gpt.jsonl`"),
        (("import", "output.jsonl"), "batch answered, `grmeval import answers output.jsonl`"),
        (("run", "--api-base", "http://x"), "--base-url"),
        (("run", "--api-key", "x"), "GRMEVAL_API_KEY"),
        (("run", "--seeds", "1,2"), "a run has one seed: run once for each, with --seed"),
        (("run", "--dry-run"), "`grmeval plan` tells what it would take, `grmeval prompt` shows"),
        (("gate", "--threshold", 2), "No such option: --threshold: here it is --max-drop"),
        (("run", "-V"), "`grmeval --version` prints it"),
        (("run", "--category", "chat"), "is named by --section or --subset"),
        (("run", "--no-cache"), "what is stored is never asked again; another --results asks anew"),
        (("--tasks", "x"), "--tasks: it is --bench of `grmeval run`"),
    ],
)
def test_what_other_programs_take_is_answered_with_ours(
    words: tuple[object, ...], said: str
) -> None:
    assert said in ask(*words, code=2)


def test_what_simply_works(tmp_path: Path) -> None:
    helped = ask("score", "--help")
    assert ask("score", "-h") == ask("help", "score") == helped
    assert "-k, --k" in helped
    assert ask("help") == ask("-h")
    assert "Usage: grmeval data fetch" in ask("help", "data", "fetch")
    words = ("-k", 3, "--max_tokens", 99, "--results", tmp_path)
    assert grmeval("run", "--engine", "fake", "--limit", 1, *words).returncode == 0
    (run,) = tmp_path.glob("*/*/*/run.json")
    record = json.loads(run.read_text())
    assert (record["asked"]["k"], record["config"]["max_tokens"]) == (3, 99)


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    """Every command by the words that call it."""
    root, *_ = every_command()
    return dict(_below(root))


def test_the_tables_name_what_exists(commands: dict[str, Any]) -> None:
    options = {word for each in commands.values() for param in each.params for word in param.opts}
    options.add("--version")  # of no command
    for theirs, ours in [*OPTIONS.items(), *((option, said) for (_, option), said in HERE.items())]:
        assert "_" not in theirs
        named = [part.split()[0] for part in ours.split(", ")] if ours.startswith("--") else []
        assert {*named, *re.findall(r"(?<!\S)--[a-z-]+", ours)} <= options, theirs
    assert not OPTIONS.keys() & {word for p in commands["run"].params for word in p.opts}
    assert not COMMANDS.keys() & {*OURS, "help"}
    assert {words for found in COMMANDS.values() for words in found} <= {*commands, "--version"}
    for command, option in HERE:
        assert option in options | set(SHORT.values())
        assert option not in {word for param in commands[command].params for word in param.opts}
    assert EXTRA.keys() <= commands.keys()
    assert SHORT.keys() <= options


# ---------------------------------------------------------------------- the help text


COMMAND = next(every_command())
"""Some command, for typer to write a help text of."""


def texts(param: Any) -> str:
    """What the help text says of a parameter, typer's own additions too."""
    _, said = param.get_help_record(Context(COMMAND))
    return " ".join(said.split())


def test_each_default_is_said_once_and_truly(commands: dict[str, Any]) -> None:
    seen = 0
    for command in commands.values():
        for param in command.params:
            said = texts(param)
            stated = re.findall(r"default: ([^\]]*?)[\];]", said)
            where = f"{command.name} {param.opts[0]}: {said}"
            assert len(stated) <= 1, where
            assert said.count("repeatable") == getattr(param, "multiple", False), where
            real = param.default
            if command.name == "run" and param.name in RunConfig.model_fields:
                real = RunConfig.model_fields[param.name].default
            if stated and real not in (None, False):
                seen += 1
                assert stated == [str(real)], where
    assert seen >= 20


def test_a_default_of_0_is_said(commands: dict[str, Any]) -> None:
    (seed,) = (param for param in commands["run"].params if param.name == "seed")
    assert "[default: 0]" in texts(seed)


def test_commands_stand_in_groups_and_none_is_cut() -> None:
    lines = grmeval("--help", env={"COLUMNS": "80"}).stdout.splitlines()
    assert [line[:-1] for line in lines if line[:-1] in GROUPS] == list(GROUPS)
    shown = [line.split()[0] for line in lines if re.match(r"  [a-z][a-z-]+ {2,}\S", line)]
    assert shown == list(OURS)
    assert not [line for line in lines if line.endswith("...") and "COMMAND" not in line]
    assert len(set(OURS)) == len(OURS)


def test_every_option_of_a_long_command_stands_under_one_heading(commands: dict[str, Any]) -> None:
    known = [name for names in HEADINGS.values() for name in names]
    assert len(known) == len(set(known))
    for name in ("run", "plan", "meta-score"):
        options = [each for each in commands[name].params if each.param_type_name == "option"]
        assert {each.name for each in options} <= {*known}
        lines = grmeval(name, "--help", env={"COLUMNS": "80"}).stdout.splitlines()
        headings = [line[:-1] for line in lines if line[:-1] in HEADINGS]
        assert headings == [each for each in HEADINGS if each in headings]
        shown = [re.findall(r"--[a-z-]+", line) for line in lines if line.startswith("  -")]
        flags = {flag for each in shown for flag in each}
        assert {each.opts[0] for each in options} <= flags
