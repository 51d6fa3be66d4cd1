"""The nightly in somebody's repository: docs/nightly.md and the workflow, as they stand."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml  # type: ignore[import-untyped,unused-ignore]
from junitparser import JUnitXml

from grmeval import cli
from grmeval.store import all_runs
from tests.cli.test_gate import JUDGE, K, rows
from tests.helpers import ENVIRONMENT, acted_on, grmeval

ROOT = Path(__file__).parents[2]

ITEMS, MARGIN = 600, 7.5

WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"


@pytest.fixture(scope="module")
def workflow() -> Any:
    return yaml.safe_load(WORKFLOW.read_text("utf-8"))


def test_the_workflow_is_what_a_nightly_needs(workflow: Any) -> None:
    triggers = workflow[True]  # YAML 1.1 reads `on` as true
    assert set(triggers) == {"schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is False
    (job,) = workflow["jobs"].values()
    assert job["runs-on"] == ["self-hosted", "gpu"]
    assert job["timeout-minutes"] <= 24 * 60
    steps = {step.get("name", step.get("uses")): step for step in job["steps"]}
    for name in ("Gate", "Trend", "Keep"):
        assert steps[name]["if"] == "${{ !cancelled() }}"
    assert "${{" not in "".join(step.get("run", "") for step in job["steps"])
    assert "${{ env.BASELINE }}" in steps["Keep"]["with"]["path"]
    assert workflow["env"]["INCONCLUSIVE"] == "fail"
    assert not Path(workflow["env"]["BASELINE"]).is_relative_to(workflow["env"]["NIGHTS"])


def test_every_command_of_the_workflow_exists(workflow: Any) -> None:
    grmeval("--version")  # imports the commands
    known: Any = typer.main.get_command(cli.app)
    (job,) = workflow["jobs"].values()
    shell = "\n".join(step.get("run", "") for step in job["steps"]).replace("\\\n", " ")
    asked = re.findall(r"^ *grmeval ([a-z-]+) (.*)$", shell, re.MULTILINE)
    assert [name for name, _ in asked] == ["run", "baseline", "gate", "trend"]
    for name, words in asked:
        flags = {flag for each in known.commands[name].params for flag in each.opts}
        assert set(re.findall(r"--[a-z-]+", words)) <= flags


def test_the_three_nights_of_the_docs_end_as_they_say(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "nightly.md").read_text("utf-8")
    lines = re.findall(
        "^    (grmeval .*)$", text.partition("### Three nights")[2].partition("##")[0], re.M
    )
    assert len(lines) == 7
    for line in lines:
        words, _, code = line.partition("  # ")
        done = grmeval(*shlex.split(words)[1:], cwd=tmp_path)
        assert done.returncode == int(code or 0), (line, done.stderr)
    assert {path.name for path in (tmp_path / "nights" / "3").iterdir()} == {"gate.xml", "sample"}
    assert (tmp_path / "nights" / "trend.png").exists()


STEPS = ("Judge", "Gate", "Trend")


class Runner:
    """Runs a workflow's steps as GitHub's runner does, with the fake engine by grmeval.toml."""

    def __init__(self, folder: Path, workflow: Any, bench: Path, **settings: str) -> None:
        self.folder, self.workflow = folder, workflow
        shim = folder / "bin" / "grmeval"
        shim.parent.mkdir()
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m grmeval "$@"\n')
        shim.chmod(0o755)
        self.settings = {"BENCH": str(bench), "NIGHTS": str(folder / "nights")} | settings
        self.path = f"{shim.parent}{os.pathsep}{os.environ['PATH']}"

    def night(
        self, number: int, judge: dict[str, float] | None = None, steps: Sequence[str] = STEPS
    ) -> dict[str, int]:
        """Exit codes of the steps that ran, of those asked for."""
        lines = [f"{name} = {value}" for name, value in (judge or {}).items()]
        text = f'engine = "fake"\nseed = {number}\n[engine_args]\n'
        (self.folder / "grmeval.toml").write_text(text + "\n".join(lines))
        self.result = self.folder / "nights" / str(number)
        own = {"NIGHT": str(self.result), "GITHUB_STEP_SUMMARY": str(self.folder / "page.md")}
        own |= {"PATH": self.path, "GRMEVAL_MODEL": "", "GITHUB_ACTIONS": "true"}
        known = ENVIRONMENT | self.workflow["env"] | self.settings | own
        known |= {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
        codes: dict[str, int] = {}
        self.said: dict[str, str] = {}
        (job,) = self.workflow["jobs"].values()
        for step in job["steps"]:
            if step.get("name") not in steps:
                continue
            if any(codes.values()) and "if" not in step:
                continue
            shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
            done = subprocess.run(
                shell, cwd=self.folder, env=known, capture_output=True, text=True, check=False
            )
            codes[step["name"]] = done.returncode
            self.said[step["name"]] = done.stdout + done.stderr
        return codes


def test_a_missing_baseline_is_red_unless_the_run_is_said_to_be_the_first(
    tmp_path: Path, workflow: Any
) -> None:
    given = workflow[True]["workflow_dispatch"]["inputs"]["first"]
    assert (given["type"], given["default"]) == ("boolean", False)
    assert workflow["env"]["FIRST_NIGHT"] == "${{ inputs.first && '1' || '0' }}"
    base = tmp_path / "misspelt.json"
    runner = Runner(tmp_path, workflow, tmp_path / "none.jsonl", BASELINE=str(base))
    for said in ("0", ""):
        runner.settings["FIRST_NIGHT"] = said
        assert runner.night(0, steps=["Judge"]) == {"Judge": 2}
        assert f"no baseline {base}" in runner.said["Judge"]
        assert runner.night(0, steps=["Gate"]) == {"Gate": 2}
    assert not runner.result.exists()
    assert not base.exists()


@pytest.mark.long
def test_the_workflows_own_steps_tell_nights_apart(tmp_path: Path, workflow: Any) -> None:
    bench, base = rows(tmp_path, ITEMS), tmp_path / "base.json"
    more = {"BASELINE": str(base), "MAX_DROP": str(MARGIN), "K": str(K), "FIRST_NIGHT": "1"}
    runner = Runner(tmp_path, workflow, bench, **more)
    short = STEPS[:2]
    # A first night that is not whole makes no baseline; one that is has four times the samples.
    assert runner.night(0, JUDGE | {"die_after": 500}, short) == {"Judge": 3, "Gate": 3}
    assert not base.exists()
    assert runner.night(0, JUDGE, short) == {"Judge": 0, "Gate": 0}
    assert acted_on(runner.said["Gate"]) == [
        f"::notice title=grmeval::the first night: {base} is the baseline from now on"
    ]
    runner.settings["FIRST_NIGHT"] = "0"
    made = json.loads(base.read_text())["about"]
    assert (made["k"], made["samples"]) == (K, 4 * K)

    assert runner.night(1, JUDGE) == dict.fromkeys(STEPS, 0)
    assert {path.name for path in runner.result.iterdir()} >= {"gate.xml", "trend.png", "rows"}
    assert runner.night(2, JUDGE | {"accuracy": 0.6}, short) == {"Judge": 0, "Gate": 5}
    # An engine that dies again and again: what is finished stays, the gate says how much is missing.
    dying = JUDGE | {"die_after": 500}
    assert runner.night(3, dying) == {"Judge": 3, "Gate": 3, "Trend": 0}
    (suite,) = JUnitXml.fromfile(str(runner.result / "gate.xml"))
    assert (suite.tests, suite.errors) == (1, 1)
    # The job is run again, with the same number: it goes on, and passes.
    assert runner.night(3, JUDGE, short) == {"Judge": 0, "Gate": 0}
    (found,) = all_runs(runner.result)
    launches = json.loads((found / "run.json").read_text())["launches"]
    assert [launch["samples"] for launch in launches][:4] == [500, 500, 500, ITEMS * K - 1500]

    runner.settings |= {"MAX_DROP": "0.1", "INCONCLUSIVE": "warn"}
    assert runner.night(1, steps=["Gate"]) == {
        "Gate": 0
    }  # inconclusive, with twice the samples: a warning
    assert "::warning title=grmeval gate%3A overall inconclusive::" in runner.said["Gate"]
    del runner.settings["INCONCLUSIVE"]
    assert runner.night(1, steps=["Gate"]) == {"Gate": 4}
    headings = re.findall("^## . (.*?):", (tmp_path / "page.md").read_text(), re.MULTILINE)
    assert headings == ["passed", "regressed", "broken", "passed", "inconclusive", "inconclusive"]
