"""A chat endpoint on loopback whose manners a test chooses, in a thread of its own."""

import asyncio
import hashlib
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from grmeval.engines.server.pull import drop_all

__all__ = ["Manners", "Served", "error", "faults", "judgement", "serving"]

Fault = Callable[[web.Request, dict[str, Any], int], Awaitable[web.StreamResponse | None]]
"""(request, its body, how many came before) -> what is answered in place of an answer; None: an answer."""


@dataclass
class Manners:
    """What the server is like."""

    model: str = "judge"
    root: str | None = None
    owner: str = "someone"
    context: int | None = 8192
    key: str | None = None
    most_choices: int = 128
    n_refused: bool = False
    seeds: bool = True
    """Whether a seed changes the text; else every text of a prompt is the same."""
    seed_refused: bool = False
    write: Callable[[dict[str, Any], int], str] = lambda body, draw: judgement(body, draw)
    usage: bool = True
    more: Callable[[dict[str, Any], dict[str, Any]], None] = lambda body, choice: None
    """Changes a choice before it is sent."""
    fault: Fault | None = None


@dataclass
class Served:
    """A server at work."""

    manners: Manners
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    most: int = 0
    now: int = 0

    async def models(self, request: web.Request) -> web.StreamResponse:
        if refused := self._unknown_key(request):
            return refused
        m = self.manners
        card: dict[str, Any] = {"id": m.model, "object": "model", "owned_by": m.owner}
        card |= {"root": m.root} if m.root else {}
        card |= {"max_model_len": m.context} if m.context else {}
        return web.json_response({"object": "list", "data": [card]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        if refused := self._unknown_key(request):
            return refused
        body = await request.json()
        count = len(self.bodies)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.manners.fault and (answer := await self.manners.fault(request, body, count)):
                return answer
            return self.answer(body)
        finally:
            self.now -= 1

    def answer(self, body: dict[str, Any]) -> web.StreamResponse:
        m, n = self.manners, body.get("n", 1)
        if body["model"] != m.model:
            return error(404, f"The model `{body['model']}` does not exist.", "model_not_found")
        if n > 1 and m.n_refused:
            return error(400, "n: Input should be 1")
        if "seed" in body and m.seed_refused:
            return error(422, "seed: Extra inputs are not permitted")
        prompt = body["messages"][-1]["content"]
        if m.context and len(prompt) // 4 + body["max_tokens"] > m.context:
            said = f"This model's maximum context length is {m.context} tokens."
            return error(400, f"{said} However, your prompt holds more.")
        choices: list[dict[str, Any]] = []
        for at in range(min(n, m.most_choices)):
            seed = f"{body.get('seed')}/{at}" if m.seeds else ""
            digest = hashlib.sha256(f"{seed}/{prompt}".encode()).digest()
            text = m.write(body, int.from_bytes(digest[:4], "big"))
            message = {"role": "assistant", "content": text}
            choice: dict[str, Any] = {"index": at, "message": message, "finish_reason": "stop"}
            m.more(body, choice)
            self.said.add(text)
            choices.append(choice)
        found: dict[str, Any] = {"object": "chat.completion", "model": m.model, "choices": choices}
        if m.usage:
            wrote = sum(len(str(c["message"]["content"])) // 4 for c in choices)
            found["usage"] = {"prompt_tokens": len(prompt) // 4, "completion_tokens": wrote}
            found["usage"]["prompt_tokens_details"] = {"cached_tokens": 16}
        return web.json_response(found)

    def _unknown_key(self, request: web.Request) -> web.Response | None:
        key = self.manners.key
        if key is None or request.headers.get("Authorization") == f"Bearer {key}":
            return None
        given = request.headers.get("Authorization", "none")
        return error(401, f"Incorrect API key provided: {given}", "invalid_api_key")


def judgement(body: dict[str, Any], draw: int) -> str:
    """A score for every response that the prompt shows."""
    n = body["messages"][-1]["content"].count("[The Begin of Response ") or 2
    scores = ", ".join(str(draw // 10**at % 10 + 1) for at in range(n))
    return f"Analysis {draw}.\nScores: \\boxed{{{scores}}}"


def error(status: int, message: str, code: str | None = None, **headers: str) -> web.Response:
    content = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
    return web.json_response(content, status=status, headers=headers)


@contextmanager
def serving(manners: Manners | None = None, **more: Any) -> Iterator[Served]:
    """A server for as long as the context is open; `more`: further routes, as path=handler."""
    served = Served(manners or Manners())
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/v1/models", served.models)
        app.router.add_post("/v1/chat/completions", served.chat)
        for path, handler in more.items():
            app.router.add_post(f"/{path}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        served.url = f"http://{host}:{port}/v1"
        return runner

    def work() -> None:
        asyncio.set_event_loop(loop)
        served_runner = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(served_runner.cleanup())
        drop_all(loop)  # those who hang
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def faults(rate: float = 0.2) -> Fault:
    """A proxy that breaks things: 429 and 500 at `rate` each, hangs, cut bodies, garbage, few choices.

    Which request meets which is a hash of its number. The first 8 pass: a server is found out in peace.
    """

    async def fault(
        request: web.Request, body: dict[str, Any], count: int
    ) -> web.StreamResponse | None:
        draw = int.from_bytes(hashlib.sha256(str(count).encode()).digest()[:4], "big") / 2**32
        if count < 8:
            return None
        if draw < rate:
            later = {"Retry-After": "0.05"} if count % 5 == 0 else {}
            return error(429, "too many requests", None, **later)
        if draw < 2 * rate:
            return error(500, f"it broke; you sent {request.headers.get('Authorization')}")
        if draw < 2 * rate + 0.03:
            await asyncio.sleep(30)
        elif draw < 2 * rate + 0.06:
            cut = web.StreamResponse(headers={"Content-Length": "1000"})
            await cut.prepare(request)
            await cut.write(b'{"choices": [{"message": {"content": "Scores: ')
            assert request.transport
            request.transport.close()
            return cut
        elif draw < 2 * rate + 0.09:
            return web.Response(text='{"choices": [{"mess')
        elif draw < 2 * rate + 0.12 and body.get("n", 1) > 1:
            body["n"] = 1
        return None

    return fault


def main() -> None:
    """As a process of its own: python -m tests.engines.server.chat_server PORT [SECONDS an answer]."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])

    async def slow(
        request: web.Request, body: dict[str, Any], count: int
    ) -> web.StreamResponse | None:
        await asyncio.sleep(seconds)
        return None

    served = Served(Manners(fault=slow))
    app = web.Application()
    app.router.add_get("/v1/models", served.models)
    app.router.add_post("/v1/chat/completions", served.chat)
    web.run_app(app, host="127.0.0.1", port=port, print=None, reuse_address=True)


if __name__ == "__main__":
    main()
