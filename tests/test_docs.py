"""What the documentation shows is what the program does."""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from grmeval import cli, resources
from grmeval.benches import load
from grmeval.benches.load import bench_ids, find_spec
from grmeval.cli import COMMANDS
from grmeval.engines.fake import FakeSettings
from grmeval.score import read_prices
from grmeval.train.smol import __main__ as smol
from perf.speed import SCRIPTS, marked
from tests.helpers import sampled

ROOT = Path(__file__).parents[1]
DOCS = {
    path.name: path.read_text("utf-8") for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]
}


OF_CLUSTERS = {
    *("--array", "--cpus-per-task", "--gpus-per-node", "--gres", "--job-name", "--nodes"),
    *("--ntasks-per-node", "--requeue", "--signal", "--time"),  # sbatch
    *("--address", "--head", "--min-nodes", "--num-gpus", "--port"),  # ray
    *("--pipeline-parallel-size", "--tensor-parallel-size"),  # vllm serve
    *(
        "--config-file",
        "--machine-rank",
        "--main-process-ip",
        "--num-processes",
    ),  # accelerate launch
}
"""Options of other programs, in the scripts for clusters."""


def blocks(name: str) -> list[str]:
    """The indented blocks of a page."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", DOCS[name], re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() + "\n" for block in found]


def test_the_benchmark_of_the_tutorial_runs_without_code(tmp_path: Path) -> None:
    (toml,) = (block for block in blocks("benchmarks.md") if block.startswith("id ="))
    assert len(toml.splitlines()) <= 25
    (tmp_path / "mine.toml").write_text(toml, "utf-8")
    (tmp_path / "rows").mkdir()
    rows = [
        {"id": i, "question": f"{topic} {i}?", "chosen": "a", "rejected": "b", "topic": topic}
        for i, topic in enumerate(["python-lists", "python-files", "rust", "cooking"])
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows" / "a.jsonl").write_text(text, "utf-8")
    loaded = load(str(tmp_path / "mine.toml"))
    sections = [loaded.spec.sections[loaded.spec.section_of(i.subset)].name for i in loaded.items]
    assert sections == ["Code", "Code", "Code", "Rest"]
    assert loaded.spec.ties == "half"
    sampled(tmp_path / "results", bench=str(tmp_path / "mine.toml"), k=1)


@pytest.mark.parametrize("page", ["README.md", "benchmarks.md"])
def test_every_benchmark_is_in_the_table_with_its_size(page: str) -> None:
    for bench in bench_ids():
        spec, _ = find_spec(bench)
        (line,) = (row for row in DOCS[page].splitlines() if row.startswith(f"| `{bench}` |"))
        numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", line.split("|")[2])]
        assert sum(numbers[:2]) == sum(spec.expected.values()) or numbers[0] == sum(
            spec.expected.values()
        )


def every_command() -> Iterator[Any]:
    """The root, its commands and those of its groups, and what is called by `python -m`."""
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"grmeval.cli.{module.name}")
    waiting = [typer.main.get_command(smol.app), typer.main.get_command(cli.app)]
    while waiting:
        command: Any = waiting.pop()
        yield command
        waiting += getattr(command, "commands", {}).values()


def test_every_option_and_command_that_is_named_exists() -> None:
    known = {"--help", "--no-deps", "--upgrade", "--install-completion", "--wheel"}
    for script in sorted(Path("perf").glob("*.py")):
        known |= set(re.findall(r'"(--[a-z][a-z-]+)"', script.read_text("utf-8")))
    known |= {"--model-path", "--no-enable-chunked-prefill"}  # of other programs
    known |= {"--runner", "--generation-config", "--served-model-name"}
    known |= OF_CLUSTERS
    for command in every_command():
        known |= {word for each in command.params for word in (*each.opts, *each.secondary_opts)}
    for page, text in DOCS.items():
        used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
        assert used <= known, page
        commands = set(re.findall(r"grmeval ([a-z][a-z-]+)(?= )", " ".join(blocks(page))))
        assert commands <= {*COMMANDS, "sample"}, page


def test_the_price_file_of_the_docs_can_be_read(tmp_path: Path) -> None:
    (toml,) = (block for block in blocks("numbers.md") if block.startswith("currency ="))
    path = tmp_path / "prices.toml"
    path.write_text(toml, "utf-8")
    found = read_prices(path)
    assert found
    assert {price.gpu_hour is None for price in found.models.values()} == {True, False}


def test_every_setting_of_the_fake_engine_is_named() -> None:
    assert [n for n in FakeSettings.model_fields if f"`{n}`" not in DOCS["judging.md"]] == []


def test_every_script_of_perf_is_run_and_its_figures_have_their_place() -> None:
    assert {path.stem for path in ROOT.glob("perf/*.py")} == {*SCRIPTS, "speed"}
    for name, script in SCRIPTS.items():
        if script.full is not None:
            assert marked(name).search(DOCS["speed.md"]), name


def test_every_preset_is_in_the_readme() -> None:
    for preset in (resources.tasks() / "models").glob("*.toml"):
        assert f"`{preset.stem}`" in DOCS["README.md"]
