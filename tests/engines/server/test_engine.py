"""A served model as an engine: what is sent, what is kept, and that k samples are k samples."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from grmeval.engines import Sampling
from grmeval.engines.server.chat import (
    Choice,
    Habits,
    body_of,
    read_reply,
    shares,
    weight_of,
)
from grmeval.engines.server.client import Unreadable
from grmeval.engines.server.engine import ServerEngine
from grmeval.engines.server.retry import Patience
from grmeval.engines.server.served import _read as cards
from grmeval.engines.server.served import served_model
from grmeval.engines.server.settings import ServerSettings, check_fields
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Completion, Key, Message, Request
from tests.engines.server.chat_server import Served, error, judgement

Serve = Callable[..., Served]
QUICK = Patience(seconds=20, tries=12, first=0.001, longest=0.01)
SAMPLING = Sampling(0.5, 1.0, 64)


def request(name: str = "a", k: int = 8, **more: Any) -> Request:
    chat = (Message("user", f"Which is better, {name}?"),)
    return Request(Key("s", name), (0, 1), tuple(range(k)), chat, **more)


@contextmanager
def engine(*servers: Served, **more: Any) -> Iterator[ServerEngine]:
    first, seed = more.pop("first", request()), more.pop("seed", 1)
    settings: dict[str, Any] = {"model": "", "sampling": SAMPLING} | more
    asked = ServerSettings(tuple(server.url for server in servers), **settings)
    opened = ServerEngine(asked, seed=seed, first=first, patient=QUICK)
    try:
        yield opened
    finally:
        opened.close()


def texts(found: list[Completion]) -> set[str]:
    return {completion.text for completion in found}


def test_all_samples_of_a_prompt_in_one_request_and_a_seed_in_each(serve: Serve) -> None:
    served = serve()
    with engine(served) as ours:
        before = len(served.bodies)
        found = list(ours.generate([request("a"), request("b", k=20)]))
        facts = ours.facts()
    assert Counter((c.request.key.id, c.j) for c in found) == Counter(
        [("a", j) for j in range(8)] + [("b", j) for j in range(20)]
    )
    assert len(texts(found)) == 28
    sent = served.bodies[before:]
    assert [body.get("n", 1) for body in sent] == [8, 8, 8, 4]
    assert len({body["seed"] for body in sent}) == 4
    assert (facts["samples_a_request"], facts["seeds"]) == ("8", "sent")
    assert {c.finish for c in found} == {"stop"}


def test_seeds_are_of_launch_item_order_and_j(serve: Serve) -> None:
    served = serve(most_choices=1)

    def seeds(seed: int, *requests: Request) -> list[int]:
        with engine(served, seed=seed) as ours:
            before = len(served.bodies)
            list(ours.generate(requests))
            return [body["seed"] for body in served.bodies[before:]]

    one = seeds(1, request("a", 2), request("b", 2))
    assert one == seeds(1, request("a", 2), request("b", 2))
    assert len({*one, *seeds(2, request("a", 2), request("b", 2))}) == 8
    assert all(0 <= seed < 2**31 for seed in one)


@pytest.mark.parametrize("manners", [{"most_choices": 1}, {"n_refused": True}])
def test_where_n_gives_one_choice_every_sample_has_its_own_request(
    serve: Serve, manners: dict[str, Any]
) -> None:
    served = serve(**manners)
    with engine(served) as ours:
        before = len(served.bodies)
        found = list(ours.generate([request()]))
        assert ours.facts()["samples_a_request"] == "1"
    assert sorted(c.j for c in found) == list(range(8))
    assert len(texts(found)) == 8
    assert all("n" not in body for body in served.bodies[before:])


def test_fewer_choices_than_asked_are_kept_and_the_rest_is_asked_one_by_one(serve: Serve) -> None:
    served = serve()
    with engine(served) as ours:
        served.manners.most_choices = 3
        before = len(served.bodies)
        found = list(ours.generate([request("a"), request("b")]))
        facts = ours.facts()
    assert Counter((c.request.key.id, c.j) for c in found) == Counter(
        (name, j) for name in "ab" for j in range(8)
    )
    assert len(texts(found)) == 16
    assert {body.get("n", 1) for body in served.bodies[before:]} == {8, 1}
    assert facts["samples_a_request"] == "1"
    assert "3 of 8 samples" in facts["noticed"]


def test_a_seed_that_is_refused_is_not_sent(serve: Serve) -> None:
    served = serve(seed_refused=True)
    counter = iter(range(1000))
    served.manners.write = lambda body, draw: judgement(body, next(counter) * 7919)
    with engine(served) as ours:
        before = len(served.bodies)
        list(ours.generate([request()]))
        assert ours.facts()["seeds"] == "not sent"
    assert all("seed" not in body for body in served.bodies[before:])


def test_a_server_that_gives_the_same_text_again_stops_the_run_with_advice(serve: Serve) -> None:
    served = serve(seeds=False)
    with pytest.raises(ConfigError, match=r"same text again .*--allow-identical"), engine(served):
        pass
    with engine(served, allow_identical=True) as ours:
        assert len(list(ours.generate([request()]))) == 8
        assert "alike" in ours.facts()["noticed"]


def test_greedy_is_asked_one_by_one_and_may_say_the_same(serve: Serve) -> None:
    served = serve(seeds=False)
    with engine(served, sampling=Sampling(0.0, 1.0, 64)) as ours:
        assert len(list(ours.generate([request(k=1)]))) == 1
    assert {body.get("n", 1) for body in served.bodies} == {1}


def test_choices_that_are_alike_in_one_request_are_asked_one_by_one(serve: Serve) -> None:
    def write(body: dict[str, Any], draw: int) -> str:
        return judgement(body, body["seed"])

    served = serve(write=write)
    with engine(served) as ours:
        assert ours.facts()["samples_a_request"] == "1"
        assert "alike" in ours.facts()["noticed"]
        assert len(texts(list(ours.generate([request()])))) == 8


def test_what_a_prompt_takes_is_counted_once_and_texts_by_their_length(serve: Serve) -> None:
    served = serve()
    with engine(served) as ours:
        found = list(ours.generate([request()]))
    size = len(request().messages[0].content) // 4
    assert sum(c.prompt_tokens for c in found) == size
    assert sum(c.cached_tokens for c in found) == min(16, size)
    assert sum(c.tokens for c in found) == sum(len(c.text) // 4 for c in found)


def test_without_usage_tokens_are_estimated_and_that_is_said(serve: Serve) -> None:
    served = serve(usage=False)
    with engine(served) as ours:
        found = list(ours.generate([request()]))
        assert ours.facts()["tokens"] == "estimated"
    assert sum(c.tokens for c in found) == sum(len(c.text) for c in found) // 4


def test_a_prompt_that_was_sent_and_lost_is_paid_again(serve: Serve) -> None:
    async def garbage(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        return web.Response(text="{") if count == before else None

    served = serve()
    with engine(served) as ours:
        before = len(served.bodies)
        served.manners.fault = garbage
        found = list(ours.generate([request()]))
        assert ours.facts()["lost"] == "1"
    assert sum(c.prompt_tokens for c in found) == 2 * (len(request().messages[0].content) // 4)


def test_a_prompt_that_is_too_long_is_that_items_end(serve: Serve) -> None:
    served = serve(context=200)
    long = request("x" * 1000, k=3)
    with engine(served, first=long) as ours:
        found = list(ours.generate([long, request("b", k=3)]))
        assert ours.context == 200
    assert Counter(c.finish for c in found) == {"prompt_too_long": 3, "stop": 3}


def test_a_refused_item_says_why_and_the_others_go_on(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def prudish(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        rude = "rude" in body["messages"][-1]["content"]
        return error(400, "content policy violation") if rude else None

    with engine(serve(fault=prudish)) as ours:
        found = list(ours.generate([request("rude", k=2), request("b", k=2)]))
        assert "content policy" in ours.facts()["noticed"]
    said = {c.text for c in found if c.finish == "error"}
    assert said == {"not answered: HTTP 400: content policy violation"}
    assert Counter(c.finish for c in found) == {"error": 2, "stop": 2}
    assert "content policy violation" in caplog.text


def test_a_server_that_refuses_everything_ends_the_run(serve: Serve) -> None:
    async def no(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        return error(400, "not today") if count >= before else None

    served = serve()
    with engine(served) as ours:
        before = len(served.bodies)
        served.manners.fault = no
        with pytest.raises(EngineError, match="32 in a row"):
            list(ours.generate(request(str(at), k=1) for at in range(100)))


def test_a_context_that_leaves_no_room_is_a_usage_error(serve: Serve) -> None:
    with pytest.raises(ConfigError, match="--max-tokens 64"), engine(serve(context=64)):
        pass


@pytest.mark.parametrize("way", ["structured_outputs", "guided_regex", "regex"])
def test_the_way_to_hold_a_server_to_a_format_is_found(serve: Serve, way: str) -> None:
    def write(body: dict[str, Any], draw: int) -> str:
        held = body.get(way)
        if held and "zq" in str(held):
            return "zq: 12\nEnd: \\boxed{3}"
        return judgement(body, draw)

    served = serve(write=write)
    with engine(served, structured=True) as ours:
        assert ours.facts()["structured"] == way
        before = len(served.bodies)
        list(ours.generate([request(grammar="a+", k=2)]))
    wanted = {"regex": "a+"} if way == "structured_outputs" else "a+"
    assert [body[way] for body in served.bodies[before:]] == [wanted]


def test_a_json_schema_holds_a_text_inside_a_string(serve: Serve) -> None:
    def write(body: dict[str, Any], draw: int) -> str:
        form = body.get("response_format", {})
        if form.get("type") != "json_schema":
            return judgement(body, draw)
        pattern = form["json_schema"]["schema"]["pattern"]
        return '"zq: 12\\nEnd: \\\\boxed{3}"' if "zq" in pattern else f'"said {draw}\\n."'

    served = serve(write=write)
    with engine(served, structured=True) as ours:
        assert ours.facts()["structured"] == "json_schema"
        found = list(ours.generate([request(grammar="a+", k=2)]))
    assert all(c.text.startswith("said ") and c.text.endswith("\n.") for c in found)


def test_a_server_that_ignores_formats_cannot_be_used_with_structured(serve: Serve) -> None:
    with (
        pytest.raises(ConfigError, match=r"--structured: .* holds no output to a format"),
        engine(serve(), structured=True),
    ):
        pass


def test_probabilities_are_asked_for_or_their_absence_is_told(serve: Serve) -> None:
    def spell(body: dict[str, Any], choice: dict[str, Any]) -> None:
        if body.get("logprobs"):
            text = choice["message"]["content"]
            tokens = [{"token": t, "logprob": -0.5, "bytes": list(t.encode())} for t in text]
            choice["logprobs"] = {"content": tokens}

    def last_two(text: str) -> tuple[int, int]:
        return len(text) - 2, len(text)

    wanted = request(k=2, locate=last_two)
    with engine(serve(more=spell), first=wanted) as ours:
        found = list(ours.generate([wanted]))
    assert [c.weight for c in found] == [pytest.approx(math.exp(-1))] * 2
    with (
        pytest.raises(ConfigError, match=r"token probabilities \(logprobs\)"),
        engine(serve(), first=wanted),
    ):
        pass


def test_the_mean_log_probability_of_a_text_is_kept_where_it_is_wanted(serve: Serve) -> None:
    def spell(body: dict[str, Any], choice: dict[str, Any]) -> None:
        if body.get("logprobs"):
            words = (choice["message"]["content"], "<end>")
            tokens = [{"token": t, "logprob": -log} for t, log in zip(words, (0.5, 2), strict=True)]
            choice["logprobs"] = {"content": tokens}

    def only_the_text(body: dict[str, Any], choice: dict[str, Any]) -> None:
        spell(body, choice)
        if body.get("logprobs"):
            choice["logprobs"]["content"][1]["logprob"] = None

    wanted = request(k=2, keep_logprob=True)
    with engine(serve(more=spell), first=wanted) as ours:
        assert [c.logprob for c in ours.generate([wanted])] == [-1.25, -1.25]
        assert [c.logprob for c in ours.generate([request(k=1)])] == [None]
    with engine(serve(more=only_the_text), first=wanted) as ours:
        assert [c.logprob for c in ours.generate([wanted])] == [None, None]
    with (
        pytest.raises(ConfigError, match=r"--keep-logprob: .*gives none; a run without it needs"),
        engine(serve(), first=wanted),
    ):
        pass


def test_thinking_that_a_server_tells_apart_is_kept_apart(serve: Serve) -> None:
    def think(body: dict[str, Any], choice: dict[str, Any]) -> None:
        choice["message"]["reasoning_content"] = "Scores: \\boxed{1, 1}"

    with engine(serve(more=think)) as ours:
        found = list(ours.generate([request(k=2)]))
        assert ours.facts()["thinking"] == "apart"
    assert {c.thinking for c in found} == {"Scores: \\boxed{1, 1}"}
    assert all("\\boxed{1, 1}" not in c.text for c in found)


def test_servers_with_settings_of_their_own_are_told_to_sample_plainly(serve: Serve) -> None:
    for owner, told in (("vllm", True), ("someone", False)):
        served = serve(owner=owner)
        with engine(served) as ours:
            list(ours.generate([request()]))
        assert {("top_k" in body) for body in served.bodies} == {told}
        assert {("skip_special_tokens" in body) for body in served.bodies} == {told}


def test_fields_of_the_user_win_and_null_leaves_one_out(serve: Serve) -> None:
    served = serve(owner="vllm")
    counter = iter(range(1000))
    served.manners.write = lambda body, draw: judgement(body, next(counter) * 7919)
    with engine(served, fields={"top_k": 20, "min_p": None, "seed": None}) as ours:
        list(ours.generate([request()]))
        assert ours.facts()["seeds"] == "not sent"
    assert {body["top_k"] for body in served.bodies} == {20}
    assert not any("min_p" in body or "seed" in body for body in served.bodies)
    for name, value in (("max_tokens", 5), ("stream", True), ("seed", 3)):
        with pytest.raises(ConfigError, match=f"--engine-arg {name}"):
            check_fields({name: value})
    check_fields({"seed": None, "reasoning_effort": "low"})


def test_a_token_limit_of_another_name_is_found(serve: Serve) -> None:
    async def newer(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        if "max_tokens" not in body:
            body["max_tokens"] = body["max_completion_tokens"]
            return None
        said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return error(400, said)

    served = serve(fault=newer)
    with engine(served) as ours:
        assert len(list(ours.generate([request()]))) == 8


def test_two_servers_must_serve_the_same_model(serve: Serve) -> None:
    one, other = serve(root="/a"), serve(root="/b")
    with pytest.raises(ConfigError, match="one run has one model"):
        served_model((one.url, other.url), None, None)
    assert served_model((one.url, other.url), None, "the same").identity == "served:the same"
    with engine(one, other) as ours:  # so a tag is enough
        assert len(list(ours.generate([request()]))) == 8


def test_a_model_that_is_not_served_ends_the_run(serve: Serve) -> None:
    with (
        pytest.raises(EngineError, match=r"`other` does not exist.*--model NAME"),
        engine(serve(), model="other"),
    ):
        pass


def test_closing_what_is_generated_leaves_the_engine_usable(serve: Serve) -> None:
    served = serve()
    with engine(served, concurrency=4) as ours:
        some = ours.generate(request(str(at), k=1) for at in range(100))
        assert next(some).text
        some.close()  # type: ignore[attr-defined]
        assert len(served.bodies) < 40
        assert len(list(ours.generate([request()]))) == 8


def test_an_answer_is_read_in_the_ways_that_servers_write_it() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "8"},
    ]
    message = {"content": parts}
    reply = read_reply({"choices": [{"message": message, "finish_reason": "stop"}]})
    assert reply.choices[0][:3] == ("8", "hm", "stop")
    assert reply.prompt_tokens is None
    for ended, finish in (("length", "length"), ("content_filter", "error"), ("eos", "stop")):
        found = {"choices": [{"message": {"content": None}, "finish_reason": ended}]}
        assert read_reply(found).choices[0].finish == finish


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"choices": []},
        {"choices": ["x"]},
        {"choices": [{"message": None, "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": "half"}, "finish_reason": "abort"}]},
        {"choices": [{"message": {"content": "half"}, "finish_reason": None}]},
    ],
)
def test_what_is_no_answer_is_asked_again(found: Any) -> None:
    with pytest.raises(Unreadable):
        read_reply(found)


def test_a_pick_is_found_behind_the_thinking_in_bytes() -> None:
    def token(text: bytes, log: float) -> dict[str, Any]:
        return {"token": text.decode("utf-8", "replace"), "logprob": log, "bytes": list(text)}

    spelled = [token(b"<think>7</think>", -9), token(b"caf\xc3", -9), token(b"\xa9 ", -9)]
    spelled += [token(b"7", -0.25), token(b"}", -9)]
    wanted = request(locate=lambda text: (5, 6))
    assert weight_of(wanted, Choice("café 7}", "7", "stop", spelled)) == pytest.approx(
        math.exp(-0.25)
    )
    assert weight_of(wanted, Choice("other 7", "", "stop", spelled)) is None
    assert weight_of(wanted, Choice("café 7}", "", "stop", [])) is None


@pytest.mark.parametrize(
    ("total", "sizes", "parts"),
    [(10, [1, 1, 1], [3, 3, 4]), (5, [0, 0], [2, 3]), (0, [3], [0]), (7, [6, 1], [6, 1])],
)
def test_counts_are_shared_out_whole(total: int, sizes: list[int], parts: list[int]) -> None:
    assert shares(total, sizes) == parts


def test_a_lone_surrogate_does_not_break_a_request(serve: Serve) -> None:
    served = serve()
    with engine(served) as ours:
        assert len(list(ours.generate([request("\ud800")]))) == 8


def test_a_body_holds_what_the_run_says() -> None:
    settings = ServerSettings(("u",), "m", Sampling(0.7, 0.9, 99), chat_template_kwargs={"a": 1})
    body = body_of(settings, Habits(), "m", (Message("user", "q"),), n=2, seed=5)
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "q"}],
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 99,
        "n": 2,
        "seed": 5,
        "chat_template_kwargs": {"a": 1},
    }


def test_a_context_that_holds_no_prompt_beside_the_texts_is_said(serve: Serve) -> None:
    with pytest.raises(EngineError, match="maximum context length"), engine(serve(context=66)):
        pass


@pytest.mark.parametrize("told", [{"max_model_len": 99}, {"meta": {"n_ctx": 99}}])
def test_a_context_is_told_in_several_ways(told: dict[str, Any]) -> None:
    (card,) = cards({"data": [{"id": "m", **told}, {"object": "model"}]})
    assert (card.name, card.context) == ("m", 99)


def test_a_text_ends_where_the_request_says(serve: Serve) -> None:
    served = serve(write=lambda body, draw: f"{draw}\nScores: 7\nor rather: 2")

    def stop(text: str, lead: str, start: int) -> int | None:
        return text.index("Scores: 7") + len("Scores: 7")

    with engine(served) as ours:
        found = list(ours.generate([request(k=2, stop=stop)]))
    assert all(c.text.endswith("Scores: 7") and c.finish == "stop" for c in found)


def test_where_n_is_too_much_and_where_the_prompt_is(serve: Serve) -> None:
    async def slots(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        prompt = body["messages"][-1]["content"]
        many = body.get("n", 1) > (1 if "rude" in prompt else most)
        said = "n_cmpl cannot be greater than the number of slots"
        return error(400, "content policy" if "rude" in prompt else said) if many else None

    most = 4
    with engine(serve(fault=slots)) as ours:  # takes two, which are asked for first, and not eight
        found = list(ours.generate([request("a"), request("b")]))
        assert ours.facts()["samples_a_request"] == "1"
        assert "number of slots; one by one since" in ours.facts()["noticed"]
    assert Counter(c.finish for c in found) == {"stop": 16}

    async def prudish(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        rude = "rude" in body["messages"][-1]["content"]
        return error(400, "content policy") if rude else None

    served = serve(fault=prudish)
    with engine(served) as ours:
        before = len(served.bodies)
        found = list(ours.generate([request("rude"), request("b")]))
        assert ours.facts()["samples_a_request"] == "8"
    assert len(served.bodies) - before == 3
    assert Counter(c.finish for c in found) == {"error": 8, "stop": 8}


def test_every_server_is_looked_at_and_named(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def lacks(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        return error(404, "The model `judge` does not exist.", "model_not_found")

    def holds(body: dict[str, Any], draw: int) -> str:
        return "zq: 12\nEnd: \\boxed{3}" if "regex" in body else judgement(body, draw)

    cases: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
        ({}, {"seeds": False}, {}, "same text again"),
        ({}, {"fault": lacks}, {}, "does not exist"),
        ({"write": holds}, {}, {"structured": True}, "holds no output to a format"),
        ({"owner": "vllm"}, {}, {}, "wants other fields"),
    ]
    for good, bad, more, said in cases:
        one, other = serve(**good), serve(**bad)
        with (
            pytest.raises((ConfigError, EngineError), match=said) as raised,
            engine(one, other, **more),
        ):
            pass
        assert other.url in str(raised.value)
    with engine(serve(), serve(most_choices=1), serve(seed_refused=True)) as ours:
        facts = ours.facts()
        assert (facts["samples_a_request"], facts["seeds"]) == ("1", "not sent")
    one, other = serve(), serve(model="another", fault=lacks)
    with pytest.raises(EngineError), engine(one, other, model="judge"):
        pass
    assert f"{other.url} does not list --model judge; it lists another" in caplog.text


def test_where_nothing_at_all_is_answered_nothing_is_kept(serve: Serve) -> None:
    async def no(_: web.Request, body: Any, count: int) -> web.StreamResponse | None:
        rude = everything or "rude" in body["messages"][-1]["content"]
        return error(400, "not today") if rude else None

    everything = False
    with engine(serve(fault=no)) as ours:
        few = [request("rude", k=2), request("rude too", k=2)]
        assert {c.finish for c in ours.generate(few)} == {"error"}  # the run's first is still taken
    with engine(serve(fault=no)) as ours:
        everything = True
        found: list[Completion] = []
        with pytest.raises(EngineError, match=r"all 2 are refused, and none is kept.*not today"):
            found.extend(ours.generate(few))
        assert found == []


def test_another_name_in_the_answers_is_noticed(serve: Serve) -> None:
    served = serve()
    with engine(served, model="judge") as ours:
        list(ours.generate([request("a")]))
        answer = served.answer

        def renamed(body: dict[str, Any]) -> web.StreamResponse:
            found = answer(body)
            assert isinstance(found, web.Response)
            assert found.text
            found.text = found.text.replace('"model": "judge"', '"model": "swapped"')
            return found

        served.answer = renamed  # type: ignore[method-assign]
        list(ours.generate([request("b")]))
        assert ours.facts()["answered_by"] == "swapped"
        assert "name swapped as their model, and judge before" in ours.facts()["noticed"]


def test_a_concurrency_that_is_said_holds_for_choices(serve: Serve) -> None:
    served = serve()
    with engine(served, concurrency=4) as ours:
        before = len(served.bodies)
        list(ours.generate([request()]))
    assert [body["n"] for body in served.bodies[before:]] == [4, 4]


def test_a_text_inside_json_has_no_token_probabilities(serve: Serve) -> None:
    def spell(body: dict[str, Any], choice: dict[str, Any]) -> None:
        choice["logprobs"] = {"content": [{"token": "other", "logprob": -1.0}]}

    wanted = request(k=1, locate=lambda text: (0, 1))
    with (
        pytest.raises(ConfigError, match="other tokens than its text has"),
        engine(serve(more=spell), first=wanted),
    ):
        pass

    def json_alone(body: dict[str, Any], draw: int) -> str:
        form = body.get("response_format", {}).get("type")
        return '"zq: 12\\nEnd: \\\\boxed{3}"' if form == "json_schema" else "no"

    with (
        pytest.raises(ConfigError, match=r"--structured: .*holds no output .*regex\)"),
        engine(serve(write=json_alone), first=wanted, structured=True),
    ):
        pass


def test_counts_and_contents_that_make_no_sense_are_not_taken() -> None:
    def answer(**more: Any) -> dict[str, Any]:
        choice = {"message": {"content": "8"}, "finish_reason": "stop"}
        return {"choices": [choice]} | more

    for usage in ("none", [1], {"prompt_tokens": 2**31}, {"prompt_tokens": -1}):
        assert read_reply(answer(usage=usage)).prompt_tokens is None
    assert read_reply(answer(usage={"prompt_tokens_details": [1]})).cached_tokens == 0
    assert read_reply(answer(model={"a": 1})).model == ""
    for message, ended in (({"content": "8"}, {}), ({"content": {"a": 1}}, "stop")):
        with pytest.raises(Unreadable):
            read_reply({"choices": [{"message": message, "finish_reason": ended}]})
    cut = {"message": {"content": "8"}, "finish_reason": "model_length"}  # Mistral's
    assert read_reply({"choices": [cut]}).choices[0].finish == "length"


def test_a_probability_that_is_none_is_unknown() -> None:
    wanted = request(locate=lambda text: (0, 1))
    for log in (float("nan"), float("-inf"), -(10**400), 0.5, None, "x"):
        spelled = [{"token": "7", "logprob": log}]
        assert weight_of(wanted, Choice("7", "", "stop", spelled)) is None
    assert weight_of(wanted, Choice("7", "", "stop", [{"token": "7", "logprob": 1e-6}])) == 1
    odd = request(locate=lambda text: (0, 2))
    a, b = {"token": "7", "logprob": -1}, {"token": "8", "logprob": -1}
    assert weight_of(odd, Choice("78", "", "stop", [a, None, b])) is None
