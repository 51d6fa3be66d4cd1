"""What several test files share: the command line, here or as a process of its own, and runs made here."""

import contextlib
import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import pyarrow.parquet as pq
import pytest
import typer.main

from grmeval.items import Sample
from grmeval.judges import JUDGES, PromptedJudge
from grmeval.runs import Estimate, Plan, configure, extend, prepare
from grmeval.store import RunFolder

SHARED = Path(__file__).parents[2] / "shared" / "data"
NONE: Mapping[str, str] = {}
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "100", "PYTHONWARNINGS": "default"}

WRITING = {
    name: judge
    for name, judge in JUDGES.items()
    if issubclass(judge, PromptedJudge) and not judge.head
}
"""Judges that generate text."""


def on_official_rows(copy: Path) -> pytest.MarkDecorator:
    """For a test that the authors' own rows give their published counts; it fails where `copy` is not there.

    Their licences do not let this repository hold the rows (some state none), and tests use no network: where
    there are none at all, `make test` leaves these tests out. Whatever code they run also runs on rows of our
    own, in tests that always run.
    """
    return pytest.mark.official_rows(copy)


class Quiet:
    """A watcher that counts."""

    loaded = 0
    samples = 0

    def loading(self, plan: Plan, is_open: bool) -> None:
        self.loaded += not is_open

    def begin(self, estimate: Estimate) -> None:
        self.estimate = estimate

    def advance(self, sample: Sample) -> None:
        self.samples += 1

    def end(self) -> None:
        pass


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "grmeval", *map(str, arguments)]


def grmeval(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] = NONE
) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process: all that `process` does, less the start of an interpreter.

    Where `env` says something to huggingface_hub, that is read as an interpreter that begins with it does.
    """
    from grmeval import cli

    words = [str(each) for each in arguments]
    with contextlib.ExitStack() as opened:
        out, err = (
            opened.enter_context(
                tempfile.TemporaryFile("w+", encoding="utf-8", newline="", buffering=1)
            )
            for _ in range(2)
        )
        with (
            mock.patch.dict(os.environ, ENVIRONMENT | dict(env), clear=True),
            mock.patch.multiple(sys, argv=["grmeval", *words], stdout=out, stderr=err),
            mock.patch("typer.main.get_command", commands),
            contextlib.chdir(cwd or Path.cwd()),
            _hub_of_the_environment() if any("HF_" in name for name in env) else NOTHING,
        ):
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(bool(end.code))
            except Exception:  # what an interpreter says that nobody stops
                traceback.print_exc()
                code = 1
        said = [_all_of(stream) for stream in (out, err)]
    return subprocess.CompletedProcess(words, code, *said)


@contextlib.contextmanager
def _hub_of_the_environment() -> Iterator[None]:
    """huggingface_hub reads the environment once, as its constants are imported: here again."""
    from huggingface_hub import constants

    with mock.patch.dict(vars(constants)):
        importlib.reload(constants)
        yield


NOTHING = contextlib.nullcontext()
commands = cache(typer.main.get_command)
"""The commands made of the program's functions: the same each time, and a tenth of a second."""


def _all_of(stream: TextIO) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


def ask(*arguments: object, code: int = 0) -> str:
    """What a command prints in this process, or says on one line where its exit code is to be `code`."""
    found = grmeval(*arguments)
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
    if code == 2:
        assert not found.stdout
    return " ".join(found.stderr.split()) if code else found.stdout


def child_here(words: Sequence[object], quiet: bool = False) -> int:
    """What `run_child` does, in this process."""
    done = grmeval(*words)
    print(done.stderr if quiet else done.stdout + done.stderr, file=sys.stderr, end="")
    return done.returncode


def acted_on(output: str) -> list[str]:
    """The lines that GitHub's runner takes for commands of a step's output."""
    lines = (line.strip() for line in output.splitlines())
    return [line for line in lines if line.startswith("::") or "##[" in line]


def process(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] = NONE
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own: forked from one that has imported what takes long."""
    with contextlib.ExitStack() as opened:
        out, err = (
            opened.enter_context(tempfile.NamedTemporaryFile("r", encoding="utf-8", newline=""))
            for _ in range(2)
        )
        words, where = [str(each) for each in arguments], str(cwd or Path.cwd())
        child = _forks().Process(
            target=_program, args=(words, ENVIRONMENT | dict(env), where, out.name, err.name)
        )
        child.start()
        child.join()
        assert child.exitcode is not None
        return subprocess.CompletedProcess(words, child.exitcode, out.read(), err.read())


@cache
def _forks() -> Any:
    """What reads the environment as it is imported (huggingface_hub) is not among what is imported."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            *("grmeval.cli.run", "grmeval.cli.data", "grmeval.score", "grmeval.engines.fake"),
            *("grmeval.report.accuracy", "pandas", "scipy.special", "httpx2", "jinja2", "filelock"),
        ]
    )
    return context


def _program(words: Sequence[str], env: Mapping[str, str], cwd: str, out: str, err: str) -> None:
    """In the child: what an interpreter that begins with these does."""
    for number, name in ((1, out), (2, err)):
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    assert "huggingface_hub" not in sys.modules
    warnings.simplefilter("default")
    sys.argv = ["grmeval", *words]
    from grmeval.__main__ import main

    main()


@contextlib.contextmanager
def running(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] = NONE
) -> Iterator[subprocess.Popen[str]]:
    """The command line at work in a process of its own, which is killed in the end, if it is still there."""
    with subprocess.Popen(
        command(*arguments),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT | dict(env),
        cwd=cwd,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def until(condition: Callable[[], Any], started: "subprocess.Popen[Any] | None" = None) -> bool:
    """Look until a condition holds, however long that takes; False: the process ended before it did."""
    while not condition():
        if started and started.poll() is not None:
            return bool(condition())
        time.sleep(0.002)
    return True


def until_there_are(
    wanted: int, count: Callable[[], int], started: "subprocess.Popen[Any] | None" = None
) -> bool:
    """Look until so many are counted."""
    return until(lambda: count() >= wanted, started)


def journaled(results: Path) -> int:
    """Whole lines in the journals of all runs below a folder."""
    lines = 0
    for path in results.glob("*/*/*/journal/*.jsonl"):
        with contextlib.suppress(FileNotFoundError):  # folded just now
            lines += path.read_bytes().count(b"\n")
    return lines


def left_early(*arguments: object) -> int:
    """Exit code of a command whose reader is gone before it writes, and which must not complain."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command(*arguments), stdout=pipe, stderr=pipe, env=ENVIRONMENT
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b""
        return running.wait(60)


def sampled(results: Path, watcher: Quiet | None = None, **settings: Any) -> RunFolder:
    """A run of the fake engine (unless told otherwise) on the packaged sample, in this process."""
    values = {"bench": "sample", "engine": "fake", "results": results} | settings
    return extend(prepare(configure(values)), watcher or Quiet())


def unchecked(record: Path) -> Path:
    """A JSON record of a run's without its checksum, as before there were any: to be changed by hand."""
    content = json.loads(record.read_text("utf-8"))
    content.pop("checksum", None)
    record.write_text(json.dumps(content, indent=1, sort_keys=True), "utf-8")
    return record


def rows(folder: Path) -> list[dict[str, Any]]:
    """samples.parquet, less the one column that says which process wrote a row."""
    table = pq.read_table(folder / "samples.parquet")
    found: list[dict[str, Any]] = table.drop_columns(["launch"]).to_pylist()
    return found
