"""Ctrl-C at any moment of a command's life: one line and 130; and what a command says before that."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grmeval.interrupts import INTERRUPTED, SAID
from tests.helpers import ENVIRONMENT, command, grmeval
from tests.test_imports import HEAVY

WORDS = ("run", "--engine", "fake", "--limit", 4, "--k", 1)
WHEN = """
import atexit, os, signal, sys

WHEN, NUMBER = os.environ["WHEN"], int(os.environ["NUMBER"])

class Press:
    pressed = False

    def find_spec(self, name, path=None, target=None):
        if name == WHEN and not self.pressed:
            self.pressed = True
            try:
                os.kill(os.getpid(), NUMBER)
            except KeyboardInterrupt:
                if "LOST" not in os.environ:
                    raise

if WHEN == "exit":
    atexit.register(os.kill, os.getpid(), NUMBER)
sys.meta_path.insert(0, Press())
"""
"""Sends the process a signal as it imports a module, or as the interpreter is about to end."""


def pressed(
    when: str, folder: Path, number: int, ignored: bool = False, **more: str
) -> tuple[int, list[str]]:
    (folder / "sitecustomize.py").write_text(WHEN)
    more |= {"PYTHONPATH": str(folder), "WHEN": when, "NUMBER": str(number)}

    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    done = subprocess.run(
        command(*WORDS, "--results", folder / "results"),
        capture_output=True,
        text=True,
        env=ENVIRONMENT | more,
        preexec_fn=ignore if ignored else None,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()


# Importing the command line; reading what was typed; at work; printing; the interpreter's end.
MOMENTS = ("grmeval.cli", "pydantic", "grmeval.runs", "pyarrow", "grmeval.report.accuracy", "exit")


@pytest.mark.parametrize(
    ("when", "number"),
    [
        *((when, signal.SIGINT) for when in MOMENTS[::2]),
        ("exit", signal.SIGINT),
        ("pyarrow", signal.SIGTERM),
        *(pytest.param(when, signal.SIGINT, marks=pytest.mark.long) for when in MOMENTS[1:5:2]),
        pytest.param("pydantic", signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_it_is_one_line_and_130(when: str, number: int, tmp_path: Path) -> None:
    code, said = pressed(when, tmp_path, number)
    assert (code, said[-1]) == (INTERRUPTED, SAID)
    assert said.count(SAID) == 1
    assert not [line for line in said if "Traceback" in line or "Exception" in line]
    assert grmeval(*WORDS, "--results", tmp_path / "results").returncode == 0


def test_one_that_an_import_swallows_is_not_lost(tmp_path: Path) -> None:
    """filelock is imported where the run is at work, and an interrupt is an exception."""
    code, said = pressed("filelock", tmp_path, signal.SIGINT, LOST="1")
    assert (code, said.count(SAID)) == (INTERRUPTED, 1), said
    assert not [line for line in said if "samples in" in line]


@pytest.mark.long
@pytest.mark.parametrize("when", ["pyarrow", "exit"])
def test_whoever_ignores_it_goes_on(when: str, tmp_path: Path) -> None:
    code, said = pressed(when, tmp_path, signal.SIGINT, ignored=True)
    assert (code, SAID in said) == (0, False), said


LOOK = f"""
import json, sys

class Look:
    first = None

    def write(self, text):
        if self.first is None:
            self.first = text, sorted({HEAVY!r} & {{name.split(".")[0] for name in sys.modules}})
        return len(text)

    def flush(self):
        pass

sys.stderr, said = Look(), sys.stderr
sys.argv = ["grmeval", *sys.argv[1:]]
from grmeval.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sys.stderr.first), file=said)
"""


def test_a_run_speaks_before_it_imports_what_takes_long(tmp_path: Path) -> None:
    words = [sys.executable, "-c", LOOK, *map(str, WORDS), "--results", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr) == ["reading sample …", []]


def test_a_run_says_what_it_does(tmp_path: Path) -> None:
    first = grmeval(*WORDS, "--results", tmp_path).stderr.splitlines()
    assert [line for line in first if line.endswith(" …")] == [
        "reading sample …",
        "loading engine fake: fake …",
        "scoring sample …",
    ]
