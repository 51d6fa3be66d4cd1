"""The HTTP client: every way in which a request can end, on a real loopback server."""

import asyncio
import random
import socket
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import pytest
from aiohttp import web

from grmeval.engines.server.address import api_key, base_url, is_local, joined
from grmeval.engines.server.client import Answer, Client, Unreadable
from grmeval.engines.server.pull import Pull
from grmeval.engines.server.refusal import Refused
from grmeval.engines.server.retry import Patience
from grmeval.errors import ConfigError, EngineError
from tests.engines.server.chat_server import Manners, Served, error, serving

T = TypeVar("T")
QUICK = Patience(seconds=20, tries=12, first=0.001, longest=0.01, longest_wish=0.05)
BODY = {"model": "judge", "messages": [{"role": "user", "content": "which?"}], "max_tokens": 8}


def with_client(urls: Iterable[str], use: Callable[[Client], Awaitable[T]], **more: Any) -> T:
    async def main() -> T:
        client = Client(list(urls), patient=QUICK, rng=random.Random(1), **more)
        try:
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(main())


def text_of(found: Any) -> str:
    try:
        return str(found["choices"][0]["message"]["content"])
    except (KeyError, IndexError, TypeError):
        raise Unreadable("no choices") from None


def ask(served: Served, **more: Any) -> Answer[str]:
    return with_client([served.url], lambda c: c.post("chat/completions", BODY, text_of), **more)


def first(count: int, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    """A fault: the first `count` requests are answered so."""

    async def fault(request: web.Request, body: Any, before: int) -> web.StreamResponse | None:
        return await answer(request) if before < count else None

    return fault


def test_a_body_goes_out_and_what_is_read_of_the_answer_comes_back() -> None:
    with serving() as served:
        found = ask(served, key="sk-test")
    assert found.value.startswith("Analysis")
    assert (found.attempts, found.lost) == (1, 0)
    assert served.bodies == [BODY]
    assert served.headers[0]["Authorization"] == "Bearer sk-test"


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [{"mess')
    assert request.transport
    request.transport.close()
    return response


async def drop(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.close()
    return web.Response()


async def garbage(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>gateway</html>", content_type="text/html")


async def half(request: web.Request) -> web.StreamResponse:
    return web.json_response({"choices": []})


@pytest.mark.parametrize("fault", [hang, cut, drop, garbage, half])
def test_what_was_sent_and_got_no_answer_is_asked_again_and_counted(fault: Any) -> None:
    with serving(Manners(fault=first(2, fault))) as served:
        found = ask(served, timeout=0.2)
    assert (found.attempts, found.lost) == (3, 2)
    assert found.value.startswith("Analysis")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_asked_again_and_was_not_paid(status: int) -> None:
    async def busy(request: web.Request) -> web.StreamResponse:
        return error(status, "later")

    with serving(Manners(fault=first(2, busy))) as served:
        assert ask(served)[1:3] == (3, 0)


@pytest.mark.parametrize("status", [400, 422, 413, 451])
def test_what_would_be_refused_again_is_not_asked_again(status: int) -> None:
    async def no(request: web.Request) -> web.StreamResponse:
        return error(status, "this content is not welcome")

    with serving(Manners(fault=first(9, no))) as served:
        with pytest.raises(Refused, match=f"HTTP {status}: this content is not welcome") as raised:
            ask(served)
        assert len(served.bodies) == 1
    assert raised.value.too_long == (status == 413)


@pytest.mark.parametrize(
    ("status", "said", "advice"),
    [
        (401, "bad key", "GRMEVAL_API_KEY"),
        (403, "forbidden", "GRMEVAL_API_KEY"),
        (402, "pay", "no credit"),
        (429, "You exceeded your current quota", "no credit"),
        (404, "The model `x` does not exist.", "--model NAME"),
        (400, "Model x not found", "--model NAME"),
        (404, "Not Found", "--base-url"),
        (405, "Method Not Allowed", "--base-url"),
        (307, "", "--base-url"),
    ],
)
def test_what_concerns_every_request_ends_the_run(status: int, said: str, advice: str) -> None:
    async def no(request: web.Request) -> web.StreamResponse:
        return error(status, said)

    with serving(Manners(fault=first(9, no))) as served:
        with pytest.raises(EngineError, match=advice):
            ask(served)
        assert len(served.bodies) == 1


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "the request exceeds the available context size (4096 tokens), try increasing it",
        "Input length (9000 tokens) exceeds the maximum allowed length (8192 tokens).",
        "`inputs` tokens + `max_new_tokens` must be <= 4096. `inputs` must have less than 4096 tokens.",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
def test_a_prompt_that_is_too_long_is_known_by_what_servers_say(said: str) -> None:
    assert Refused(400, said).too_long
    assert Refused(500, said, "exceed_context_size_error").too_long  # llama.cpp
    assert not Refused(503, said).too_long


def test_a_servers_wish_is_waited_for_and_bounded() -> None:
    async def later(request: web.Request) -> web.StreamResponse:
        return error(429, "later", None, **{"Retry-After": "3600"})

    with serving(Manners(fault=first(1, later))) as served:
        found = ask(served)
    assert found.attempts == 2
    assert 0.05 <= found.seconds < 5


def test_the_bound_of_tries_ends_the_run_and_says_how_to_go_on() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return error(500, "it broke")

    with (
        serving(Manners(fault=first(99, broken))) as served,
        pytest.raises(EngineError, match=r"HTTP 500: it broke; given up after 12 tries .*goes on"),
    ):
        ask(served)


def test_a_key_that_the_server_repeats_is_not_shown() -> None:
    with (
        serving(Manners(key="right")) as served,
        pytest.raises(EngineError, match="HTTP 401") as raised,
    ):
        ask(served, key="sk-secret-123")
    assert "sk-secret" not in str(raised.value)
    assert "Bearer …" in str(raised.value)
    key = 'sk-"\\secret"/' + "x" * 60

    async def echo(request: web.Request) -> web.StreamResponse:
        said = "y" * 360 + request.headers["Authorization"]
        return web.json_response({"choices": [{"message": {"content": said}}]})

    async def refuse(request: web.Request) -> web.StreamResponse:
        return error(400, "y" * 360 + request.headers["Authorization"])

    with serving(Manners(fault=first(9, echo))) as served:
        assert ask(served, key=key).value == "y" * 360 + "Bearer …"
        assert ask(served, key="EMPTY").value.endswith("Bearer EMPTY")  # a word, no secret
    with serving(Manners(fault=first(9, refuse))) as served, pytest.raises(Refused) as cut:
        ask(served, key=key)
    assert str(cut.value).endswith("Bearer …")


def test_half_a_character_is_replaced() -> None:
    async def say(request: web.Request) -> web.StreamResponse:
        text = '{"choices": [{"message": {"content": "half \\ud800"}}]}'
        return web.Response(text=text, content_type="application/json")

    with serving(Manners(fault=first(9, say))) as served:
        assert ask(served).value == "half ?"


def test_a_rate_limit_is_waited_for_whatever_its_status() -> None:
    said = "Request too large for model x on tokens per minute (TPM): Limit 6000, Requested 9000"

    async def limited(request: web.Request) -> web.StreamResponse:
        return error(413, said, "rate_limit_exceeded")

    with serving(Manners(fault=first(2, limited))) as served:
        assert ask(served).attempts == 3
    assert not Refused(400, said, "rate_limit_exceeded").too_long


def test_a_list_of_models_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("grmeval.engines.server.client.LIST", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        began = time.monotonic()
        with pytest.raises(EngineError, match=r"no answer in 0.05 s"):
            with_client([url], lambda c: c.get("models", str, url=url, patient=Patience(0.1)))
        assert time.monotonic() - began < 5


def test_an_address_that_no_host_can_have_is_said() -> None:
    url = "http://a..b/v1"
    with pytest.raises(EngineError, match=r"a\.\.b/v1: no address of a server"):
        with_client([url], lambda c: c.post("chat/completions", BODY, text_of))


def test_what_a_proxy_refuses_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(listening: socket.socket, count: int) -> None:
        for _ in range(count):
            with listening.accept()[0] as taken:
                taken.recv(4096)
                taken.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = f"http://me:hidden-word@127.0.0.1:{listening.getsockname()[1]}"
        at_work = threading.Thread(target=refuse, args=(listening, 2), daemon=True)
        at_work.start()
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", proxy)
            with pytest.raises(EngineError, match=r"HTTP 407.*HTTPS_PROXY") as raised:
                with_client(
                    [f"{scheme}://judge.example/v1"],
                    lambda c: c.post("chat/completions", BODY, text_of),
                )
            told = "".join(traceback.format_exception(raised.value))
            assert "hidden-word" not in told
        at_work.join(5)


def unused() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def many(client: Client, count: int) -> Awaitable[list[Answer[str]]]:
    return asyncio.gather(*(client.post("chat/completions", BODY, text_of) for _ in range(count)))


def test_the_work_of_a_dead_server_goes_to_the_others() -> None:
    with serving() as served:
        found = with_client([unused(), served.url], lambda client: many(client, 40))
        assert len(found) == len(served.bodies) == 40


def test_a_server_that_nobody_reaches_is_given_up() -> None:
    with pytest.raises(EngineError, match="cannot be reached"):
        with_client([unused()], lambda client: many(client, 4))


def test_two_servers_share_the_work_and_none_has_more_than_its_limit() -> None:
    async def slowly(request: web.Request) -> web.StreamResponse | None:
        await asyncio.sleep(0.01)
        return None

    async def fault(request: web.Request, body: Any, before: int) -> web.StreamResponse | None:
        return await slowly(request)

    with serving(Manners(fault=fault)) as one, serving(Manners(fault=fault)) as two:
        with_client([one.url, two.url], lambda client: many(client, 40), concurrency=5)
        assert len(one.bodies) + len(two.bodies) == 40
        assert (one.most, two.most) == (5, 5)


def test_a_weight_counts_as_so_many_in_flight() -> None:
    async def fault(request: web.Request, body: Any, before: int) -> web.StreamResponse | None:
        await asyncio.sleep(0.005)
        return None

    async def use(client: Client) -> None:
        post = (client.post("chat/completions", BODY, text_of, weight=4) for _ in range(12))
        await asyncio.gather(*post)

    with serving(Manners(fault=fault)) as served:
        with_client([served.url], use, concurrency=8)
        assert served.most == 2


def pulled(client: Client, loop: asyncio.AbstractEventLoop, jobs: Iterable[int]) -> Any:
    async def ask(job: int, put: Callable[[int], None]) -> None:
        await client.post("chat/completions", BODY, text_of)
        put(job)

    return Pull(loop, jobs, ask, lambda: client.room).results()


def test_jobs_are_taken_as_there_is_room_and_a_closed_iterator_leaves_nothing_behind() -> None:
    taken = []

    def jobs() -> Iterable[int]:
        for job in range(1000):
            taken.append(job)
            yield job

    loop = asyncio.new_event_loop()
    with serving() as served:
        client = Client([served.url], concurrency=8)
        results = pulled(client, loop, jobs())
        assert len([next(results) for _ in range(20)]) == 20
        assert len(taken) <= 20 + 2 * 8
        results.close()
        assert asyncio.all_tasks(loop) == set()
        assert sorted(pulled(client, loop, range(50))) == list(range(50))
        loop.run_until_complete(client.close())
    loop.close()


def test_what_is_finished_comes_before_what_failed() -> None:
    def jobs() -> Iterable[int]:
        yield from range(5)
        raise ConfigError("the sixth")

    loop = asyncio.new_event_loop()
    with serving() as served:
        client, found = Client([served.url], concurrency=1), []
        with pytest.raises(ConfigError, match="the sixth"):
            found.extend(pulled(client, loop, jobs()))
        loop.run_until_complete(client.close())
    loop.close()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai"),
    ],
)
def test_an_address_is_read_as_people_write_it(given: str, meant: str) -> None:
    assert base_url(given) == meant


@pytest.mark.parametrize(
    "given",
    ["localhost:8000", "ftp://host/v1", "http://", "http://host:x/v1", "http://a b/v1", ""],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="--base-url"):
        base_url(given)


@pytest.mark.parametrize("given", ["http://me:word@host/v1", "http://host/v1?key=secret-word"])
def test_an_address_that_may_hold_a_secret_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(ConfigError) as raised:
        base_url(given)
    assert "word" not in str(raised.value).replace("password", "")


def test_paths_lie_below_the_base_or_beside_it() -> None:
    assert joined("http://h/v1", "chat/completions") == "http://h/v1/chat/completions"
    assert joined("http://h/v1", "/tokenize") == "http://h/tokenize"


def test_near_and_far_are_told_apart() -> None:
    near = ["http://localhost/v1", "http://127.0.0.1:1/v1", "http://[::1]/v1", "http://10.1.2.3/v1"]
    assert all(map(is_local, [*near, "http://node17:8000/v1"]))
    assert not any(map(is_local, ["https://api.example.com/v1", "http://8.8.8.8/v1"]))


def test_the_key_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRMEVAL_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    assert api_key(["https://api.example.com/v1", "http://localhost:1/v1"]) == "theirs"
    assert api_key(["http://8.8.8.8/v1"]) is None
    monkeypatch.setenv("GRMEVAL_API_KEY", "ours\n")
    assert api_key(["http://8.8.8.8/v1"]) == "ours"
    monkeypatch.setenv("GRMEVAL_API_KEY", "two words")
    with pytest.raises(EngineError, match="GRMEVAL_API_KEY") as raised:
        api_key(["https://api.example.com/v1"])
    assert "two" not in str(raised.value)
