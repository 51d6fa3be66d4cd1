"""Under GitHub Actions what a model or a data set wrote is no command, whatever command of ours prints it."""

import io
import json
import sys
from pathlib import Path

import pytest

from grmeval.cli.actions import command, guard_streams
from tests.helpers import acted_on, grmeval

ACTS = "::error::id ##[error]x"
GITHUB = {"GITHUB_ACTIONS": "true"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of rows whose every text is a command; `latest` of results/."""
    folder = tmp_path_factory.mktemp(ACTS)
    known = [
        {"id": f"{ACTS}{at}", "subset": f"::{at % 2}", "prompt": ACTS, "responses": [ACTS, "::x::"]}
        for at in range(6)
    ]
    lines = [json.dumps(row | {"quality": [1, 0]}) for row in known]
    (folder / "rows.jsonl").write_text("\n".join(lines), "utf-8")
    words = ["run", "--bench", "rows.jsonl", "--engine", "fake", "--k", 4]
    done = grmeval(*words, cwd=folder, env=GITHUB)
    assert done.returncode == 0, done.stderr
    assert acted_on(done.stdout) == acted_on(done.stderr) == []
    assert ":\\u003a0" in done.stdout
    return folder


SHOWN = (
    ("score", "latest"),
    ("diagnose", "--all"),
    ("runs",),
    ("show", "latest"),
    ("show", "latest", "--item", f"{ACTS}1"),
    ("prompt", "rows.jsonl", "--item", f"{ACTS}1"),
)
IN_JSON = (
    ("score", "latest", "--json"),
    ("runs", "--json"),
    ("show", "latest", "--item", f"{ACTS}1", "--json"),
    ("prompt", "rows.jsonl", "--item", f"{ACTS}1", "--json"),
)
REFUSED = (
    ("score", "latest", "--vote", ACTS),
    ("compare", "latest", "latest"),
    ("show", "latest", "--item", ACTS),
    ("export", "latest", "--what", ACTS),
    ("import", ACTS),
    ("merge", ACTS, ACTS),
    ("data", "verify", ACTS),
    ("run", "--bench", ACTS),
    ("run", "--k", ACTS),
    ("run", f"--{ACTS}"),
    (ACTS,),
)


@pytest.mark.parametrize(("commands", "code"), [(SHOWN + IN_JSON, 0), (REFUSED, 2)])
def test_no_command_prints_a_command(
    place: Path, commands: tuple[tuple[str, ...], ...], code: int
) -> None:
    guarded = 0
    for words in commands:
        done = grmeval(*words, cwd=place, env=GITHUB)
        assert acted_on(done.stdout) == acted_on(done.stderr) == [], words
        assert done.returncode == code, (words, done.stderr)
        guarded += ":\\u003a" in done.stdout + done.stderr
    assert guarded > len(commands) / 2  # what acts was there to be printed


def test_json_is_the_same_json(place: Path) -> None:
    for words in IN_JSON:
        guarded, plain = (grmeval(*words, cwd=place, env=env) for env in (GITHUB, {}))
        assert json.loads(guarded.stdout) == json.loads(plain.stdout), words
    guarded, plain = (grmeval("export", "latest", cwd=place, env=env) for env in (GITHUB, {}))
    assert guarded.stdout != plain.stdout
    assert [json.loads(line) for line in guarded.stdout.splitlines()] == [
        json.loads(line) for line in plain.stdout.splitlines()
    ]


def test_elsewhere_texts_are_printed_as_they_are(place: Path) -> None:
    assert "::0" in grmeval("score", "latest", cwd=place).stdout


def test_signs_are_seen_across_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    guard_streams()
    for text in (":", ":a:", ":\n", "##", "[x] ##[", "#", "#", "[ a:b [0] ##x ::::"):
        sys.stdout.write(text)
    assert out.getvalue() == (
        ":\\u003aa:\\u003a\n##\\u005bx] ##\\u005b##\\u005b a:b [0] ##x :\\u003a\\u003a\\u003a"
    )
    command(["\n::error::ours\n"], sys.stdout)
    assert acted_on(out.getvalue()) == ["::error::ours"]
