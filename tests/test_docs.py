"""What the documentation shows is what the program does."""

import json
import re
from pathlib import Path

import pytest

from grmeval import resources
from grmeval.benches import load
from grmeval.benches.load import bench_ids, find_spec
from grmeval.cli import COMMANDS
from grmeval.config import RunConfig
from grmeval.engines.fake import FakeSettings
from grmeval.score import read_prices
from tests.helpers import sampled

ROOT = Path(__file__).parents[1]
DOCS = {
    path.name: path.read_text("utf-8") for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]
}


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


def test_every_option_and_command_that_is_named_exists() -> None:
    flags = {f"--{name.replace('_', '-')}" for name in RunConfig.model_fields}
    known = flags | {"--greedy", "--config", "--json", "--save", "--reparse", "--item", "--j"}
    known |= {"--what", "--to", "--no-texts", "--texts", "--ks", "--debug", "--help", "--version"}
    known |= {"--right", "--beside", "--table", "--row", "--check", "--first-k"}
    known |= {"--bootstrap", "--flips", "--baseline", "--max-drop", "--max-drop-section", "--alpha"}
    known |= {"--max-invalid", "--max-truncated", "--max-tokens", "--extend", "--junit"}
    known |= {"--meta-engine-arg", "--name"}
    known |= {"--engine-arg", "--no-structured", "--no-deps", "--install-completion", "--upgrade"}
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


def test_every_preset_is_in_the_readme() -> None:
    for preset in (resources.tasks() / "models").glob("*.toml"):
        assert f"`{preset.stem}`" in DOCS["README.md"]
