"""Whole runs against a server: through faults, kills and moves, with a key that nobody sees."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from aiohttp import web

from grmeval.engines.server import client
from grmeval.engines.server.retry import Patience
from tests.engines.server.chat_server import Served, error, faults
from tests.helpers import ask, grmeval, journaled, running, until, until_there_are

Serve = Callable[..., Served]
KEY = "sk-nobody-may-see-this"
SERVER = ("run", "--engine", "server", "--bench", "sample", "--max-tokens", 64)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Patience(seconds=60, tries=40, first=0.001, longest=0.02, longest_wish=0.05)
    monkeypatch.setattr(client, "patience", lambda: quick)
    monkeypatch.setattr(client, "TIMEOUT", 1.0)


def stored(results: Path) -> list[dict[str, Any]]:
    (path,) = results.glob("*/*/*/samples.parquet")
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def record(results: Path) -> dict[str, Any]:
    (path,) = results.glob("*/*/*/run.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def check_whole(rows: list[dict[str, Any]], items: int, k: int) -> None:
    """Every (item, j) once."""
    counts = Counter((row["subset"], row["id"]) for row in rows)
    keys = {(row["subset"], row["id"], row["j"]) for row in rows}
    assert len(rows) == len(keys) == items * k
    assert set(counts.values()) == {k}
    assert {row["j"] for row in rows} == set(range(k))


@pytest.mark.usefixtures("_quick")
def test_a_run_through_a_proxy_that_breaks_things_is_whole(serve: Serve, tmp_path: Path) -> None:
    served = serve(fault=faults(), key=KEY)
    place = (
        "--base-url",
        served.url,
        "--results",
        tmp_path,
        "--k",
        8,
        "--limit",
        20,
        "--concurrency",
        16,
    )
    done = grmeval("--debug", *SERVER, *place, env={"GRMEVAL_API_KEY": KEY})
    assert done.returncode == 0, done.stderr
    rows = stored(tmp_path)
    check_whole(rows, 20, 8)
    assert {row["text"] for row in rows} <= served.said
    assert {row["finish"] for row in rows} == {"stop"}
    facts = record(tmp_path)["launches"][0]["engine"]
    assert int(facts["attempts"]) > 1.5 * int(facts["answers"])
    assert int(facts["lost"]) > 0
    assert "one by one since" in facts["noticed"]
    told = [done.stdout, done.stderr]
    told += [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(told) > 5
    assert not any(KEY in text for text in told)


@pytest.mark.usefixtures("_quick")
def test_a_key_is_in_no_traceback(serve: Serve, tmp_path: Path) -> None:
    async def echo(request: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        return error(500, f"you sent {request.headers['Authorization']}")

    served = serve(fault=echo)
    place = ("--base-url", served.url, "--results", tmp_path)
    done = grmeval("--debug", *SERVER, *place, env={"OPENAI_API_KEY": KEY})
    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert "you sent Bearer …" in done.stderr
    assert KEY not in done.stderr + done.stdout


@contextmanager
def chat_process(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server that takes a moment for an answer, killed in the end."""
    words = [sys.executable, "-m", "tests.engines.server.chat_server", str(port), "0.1"]
    with subprocess.Popen(words, cwd=Path(__file__).parents[3]) as process:
        try:
            until(lambda: reached(port))
            yield process
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def reached(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.long
def test_a_server_that_is_killed_and_started_again_twice_costs_no_sample(tmp_path: Path) -> None:
    port = free_port()
    place = ("--base-url", f"http://127.0.0.1:{port}", "--results", tmp_path)
    with ExitStack() as at_work:
        first = at_work.enter_context(chat_process(port))
        run = at_work.enter_context(running(*SERVER, *place, "--concurrency", 16, "--k", 4))
        until_there_are(40, lambda: journaled(tmp_path), run)
        first.kill()
        first.wait()
        time.sleep(0.2)
        second = at_work.enter_context(chat_process(port))
        until_there_are(140, lambda: journaled(tmp_path), run)
        second.kill()
        second.wait()
        at_work.enter_context(chat_process(port))
        assert run.wait(60) == 0
    check_whole(stored(tmp_path), 75, 4)
    assert int(record(tmp_path)["launches"][0]["engine"]["lost"]) > 0


def test_an_interrupt_ends_it_at_once_and_the_same_command_goes_on(
    serve: Serve, tmp_path: Path
) -> None:
    async def slow(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        await asyncio.sleep(0.05 if count < 40 else 20)
        return None

    served = serve(fault=slow)
    words = (*SERVER, "--base-url", served.url, "--results", tmp_path, "--k", 2)
    with running(*words) as run:
        until_there_are(20, lambda: journaled(tmp_path), run)
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
        assert time.monotonic() - began < 5
    served.manners.fault = None
    ask(*words)
    check_whole(stored(tmp_path), 75, 2)


def test_a_server_that_moves_is_the_same_run_and_a_tag_needs_none(
    serve: Serve, tmp_path: Path
) -> None:
    words = (*SERVER, "--limit", 5, "--results", tmp_path)
    ask(*words, "--base-url", serve(root="/weights/1").url, "--k", 2)
    ask(*words, "--base-url", serve(root="/weights/1").url, "--k", 4)
    check_whole(stored(tmp_path), 5, 4)
    assert record(tmp_path)["identity"]["model"] == "served:judge=/weights/1"
    ask(*words, "--base-url", serve(root="/weights/2").url, "--k", 2)
    assert len(list(tmp_path.glob("sample/judge/*"))) == 2
    tagged = (*words, "--k", 2, "--model-tag", "mine/3")
    ask(*tagged, "--base-url", serve().url)
    ask(*tagged, "--base-url", f"http://127.0.0.1:{free_port()}")
    (path,) = tmp_path.glob("sample/mine--3/*/run.json")
    assert json.loads(path.read_text("utf-8"))["identity"]["model"] == "served:mine/3"


def test_two_launches_of_a_run_send_no_seed_twice(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    words = (*SERVER, "--limit", 5, "--results", tmp_path, "--base-url", served.url)
    ask(*words, "--k", 4)
    ask(*words, "--k", 8)
    prompts = [body for body in served.bodies if "Response 1" in body["messages"][-1]["content"]]
    seeds = Counter((body["messages"][-1]["content"], body["seed"]) for body in prompts)
    assert set(seeds.values()) == {1}
    texts = [row["text"] for row in stored(tmp_path)]
    assert len(set(texts)) == len(texts) == 40


def test_greedy_is_one_sample(serve: Serve, tmp_path: Path) -> None:
    served = serve(seeds=False)
    ask(*SERVER, "--base-url", served.url, "--results", tmp_path, "--limit", 5, "--greedy")
    check_whole(stored(tmp_path), 5, 1)


def test_thinking_lies_beside_the_text_and_is_not_read(serve: Serve, tmp_path: Path) -> None:
    def think(body: dict[str, Any], choice: dict[str, Any]) -> None:
        choice["message"] = {"content": "", "reasoning": choice["message"]["content"]}

    served = serve(more=think)
    ask(*SERVER, "--base-url", served.url, "--results", tmp_path, "--limit", 5, "--k", 2)
    rows = stored(tmp_path)
    assert {row["invalid"] for row in rows} == {"no_score"}
    assert all("boxed" in row["thinking"] and not row["text"] for row in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine", "server"], "--base-url http://localhost:8000/v1"),
        (["--base-url", "http://h"], "--base-url: of a server: add --engine server"),
        (["--concurrency", 4], "--concurrency: of a server"),
        (["--engine", "server", "--base-url", "http://me:word@h/v1"], "GRMEVAL_API_KEY"),
        (["--engine", "server", "--base-url", "h:80"], "expected an address such as"),
        (["--engine", "server", "--base-url", "http://h", "--dtype", "half"], "--dtype: with"),
        (["--engine", "server", "--base-url", "http://h", "--lora", "x"], "--lora: with"),
        (["--engine", "server", "--base-url", "http://h", "--concurrency", 0], "--concurrency"),
        (["--engine", "server", "--base-url", "http://h", "--engine-arg", "n=2"], "use --k"),
        (["--engine", "server", "--base-url", "http://h", "--engine-arg", "api_key=x"], "secret"),
    ],
)
def test_words_that_do_not_fit_are_a_usage_error(words: list[Any], said: str) -> None:
    assert said in ask("run", *words, code=2)


def test_a_server_that_is_not_there_or_lets_nobody_in_is_said(serve: Serve, tmp_path: Path) -> None:
    env = {"GRMEVAL_RETRY_SECONDS": "0.5"}
    place = ("--results", tmp_path, "--base-url")
    gone = grmeval(*SERVER, *place, f"http://127.0.0.1:{free_port()}", env=env)
    assert gone.returncode == 3
    assert "cannot be reached" in gone.stderr
    closed = ask(*SERVER, *place, serve(key="x").url, code=3)
    assert "set GRMEVAL_API_KEY" in closed
    wrong = ask(*SERVER, *place, serve().url, "--model", "other", code=3)
    assert "`other` does not exist" in wrong
    assert "`grmeval clean` puts such runs away" in ask("runs", "--results", tmp_path)
    same = ask(*SERVER, *place, serve(seeds=False).url, code=2)
    assert "--allow-identical" in same
    assert not list(tmp_path.rglob("samples.parquet"))


def test_settings_of_a_file_are_the_flags(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    text = f'engine = "server"\nbase_url = "{served.url}"\nconcurrency = 2\nk = 2\nlimit = 5\n'
    (tmp_path / "grmeval.toml").write_text(text + 'results = "r"\n', "utf-8")
    done = grmeval("run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check_whole(stored(tmp_path / "r"), 5, 2)
    faked = grmeval("run", "--engine", "fake", cwd=tmp_path)
    assert faked.returncode == 0, faked.stderr
    # Another engine is asked for now: the server's address is not meant, and is no mistake.
    batch = grmeval("run", "--engine", "batch", "--model", "m", cwd=tmp_path)
    assert batch.returncode == 3, batch.stderr
    assert "samples wait for answers" in batch.stderr
