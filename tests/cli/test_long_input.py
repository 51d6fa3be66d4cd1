"""Names and numbers longer than a system takes, and rows that are not there: mistakes, each with its name."""

from pathlib import Path

import pytest

from grmeval import resources
from tests.helpers import ask, sampled

FAKE = ("run", "--engine", "fake", "--k", 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sampled(tmp_path_factory.mktemp("r"), k=1, limit=2).path


LONG, DIGITS = "a" * 300, "1" * 5000


def test_a_name_that_no_file_can_have_is_a_mistake(tmp_path: Path, run: Path) -> None:
    for words, said in (
        (("run", "--model", LONG), "--model"),
        (("run", "--engine", "fake", "--bench", f"{LONG}.jsonl"), "--bench"),
        (("run", "--engine", "fake", f"--data={LONG}"), "--data"),
        (
            ("run", "--engine", "fake", "--k", 1, "--limit", 2, "--results", tmp_path / LONG),
            "--results",
        ),
        (("export", run, "--to", f"{LONG}.csv"), "--to"),
        (("gate", run, "--baseline", LONG), "--baseline"),
        (("score", LONG), ""),
        (("trend", LONG), ""),
    ):
        assert f"error: {said} {LONG[:40]}…: too long for a name".replace("  ", " ") in ask(
            *words, code=2
        )


def test_a_number_of_5000_digits_is_a_mistake_wherever_it_stands(tmp_path: Path, run: Path) -> None:
    files = {
        "own.jsonl": f'{{"id": {DIGITS}, "prompt": "?", "responses": ["a", "b"]}}',
        "scores.jsonl": f'{{"id": "1", "j": 0, "scores": [{DIGITS}, 1]}}',
        "principles.jsonl": f'{{"id": {DIGITS}}}',
        "base.json": f'{{"grmeval_baseline": {DIGITS}}}',
        "set.toml": f"k = {DIGITS}",
        "mine.toml": f'id = "mine"\nthreshold = {DIGITS}',
        "suite.toml": f"title = {DIGITS}",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    for words, said in (
        ((*FAKE, "--bench", tmp_path / "own.jsonl"), "own.jsonl, line 1: "),
        (
            ("import", "scores", tmp_path / "scores.jsonl", "--bench", "sample", "--model", "m"),
            "line 1: ",
        ),
        (
            (
                *FAKE,
                "--judge",
                "pointwise-principles",
                "--principles",
                tmp_path / "principles.jsonl",
            ),
            "line 1",
        ),
        (("gate", run, "--baseline", tmp_path / "base.json"), "base.json: "),
        ((*FAKE, "--config", tmp_path / "set.toml"), "set.toml: "),
        ((*FAKE, "--prices", tmp_path / "set.toml"), "set.toml: "),
        ((*FAKE, "--bench", tmp_path / "mine.toml"), "mine.toml: "),
        (("suite", tmp_path / "suite.toml", "--dry-run"), "suite.toml: "),
        ((*FAKE, "--engine-arg", f"chars={DIGITS}"), "--engine-arg chars: "),
        ((*FAKE, "--engine-arg", f'chars={{"a": [{DIGITS}]}}'), "--engine-arg chars: "),
        ((*FAKE, "--chat-template-kwargs", f'{{"a": {DIGITS}}}'), "--chat-template-kwargs "),
        ((*FAKE, "--shard", f"{DIGITS}/2"), "--shard "),
        ((*FAKE, "--k", DIGITS), "'--k'"),
        ((*FAKE, "--temperature", DIGITS), "--temperature"),
        (("scale-curve", run, "--ks", DIGITS), "--ks "),
        (("score", run, "--limit", DIGITS), "'--limit'"),
    ):
        assert said in ask(*words, code=2), words


def test_a_suite_of_rows_that_are_not_printed_names_them(tmp_path: Path) -> None:
    text = (resources.tasks() / "suites" / "deepseek-grm.toml").read_text("utf-8")
    path = tmp_path / "mine.toml"
    for old, new, said in (
        (
            'row = "DeepSeek-BTRM-27B"',
            'row = "DeepSeek-BTRM-28B"',
            "table 2: row 'DeepSeek-BTRM-28B': allowed: ",
        ),
        ('table = "7"', 'table = "77"', "table '77': allowed: "),
    ):
        path.write_text(text.replace(old, new))
        assert said in ask("suite", path, "--model", "demo", "--dry-run", code=2)
