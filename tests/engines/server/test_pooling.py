"""A served head as a scorer: raw logits or nothing, on a quick server of our own."""

import json
from collections.abc import Callable
from itertools import cycle
from math import exp
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from aiohttp import web

from grmeval.engines.scorer import ScoreRequest
from grmeval.engines.server import pooling
from grmeval.engines.server.pooling import ServedScorer
from grmeval.engines.server.retry import Patience
from grmeval.engines.server.settings import PoolingSettings
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Key, Message
from tests.engines.server.chat_server import Manners, error, serving
from tests.helpers import ask, sampled

Handler = Callable[[web.Request], Any]


def logit(messages: list[dict[str, str]]) -> float:
    """Of a chat: how long its last turn is."""
    return len(messages[-1]["content"]) / 10 - 3


def head(*, activation: bool = True, labels: int = 1, raw_only: bool = False) -> Handler:
    """A head whose activation is a sigmoid; `activation` False: it passes over use_activation."""

    async def classify(request: web.Request) -> web.Response:
        body = await request.json()
        said = body["messages"][-1]["content"]
        if "refuse!" in said:
            return error(400, "a system turn is not supported")
        if "long!" in said:
            return error(400, "This model's maximum context length is 16 tokens.")
        value = logit(body["messages"])
        if not raw_only and (body["use_activation"] or not activation):
            value = 1 / (1 + exp(-value))
        if "nan!" in said:
            return web.Response(
                text='{"data": [{"probs": [NaN]}], "usage": {"prompt_tokens": 3}}',
                content_type="application/json",
            )
        data = {"index": 0, "label": None, "probs": [value] * labels, "num_classes": labels}
        return web.json_response({"data": [data], "usage": {"prompt_tokens": 7}})

    return classify


def chats(*texts: str) -> list[ScoreRequest]:
    return [
        ScoreRequest(Key("s", str(at)), at, (Message("user", "Q"), Message("assistant", text)))
        for at, text in enumerate(texts)
    ]


def scored(classify: Handler, *texts: str) -> tuple[list[tuple[float | None, str | None]], Any]:
    """((number, reason) of each text, what the scorer says of itself)."""
    with serving(Manners(model="head"), classify=classify) as served:
        scorer = ServedScorer(PoolingSettings((served.url,)), patient=Patience(2.0, 3))
        try:
            found = {reward.request.j: reward for reward in scorer.score(chats(*texts))}
            return [found[at][1:3] for at in range(len(texts))], scorer.facts()
        finally:
            scorer.close()


def test_a_chat_has_its_raw_logit() -> None:
    found, facts = scored(head(), "a" * 10, "b" * 90, "c" * 30)
    assert found == [(-2.0, None), (6.0, None), (0.0, None)]
    assert facts["engine"] == "server"
    assert facts["model"] == "head"
    assert facts["chats"] == "by the server's chat template"
    assert facts["checked"] == "not checked: its weights are not here"


def test_a_head_without_an_activation_is_raw_as_it_is() -> None:
    assert scored(head(raw_only=True), "b" * 90)[0] == [(6.0, None)]


def test_what_has_no_number_has_a_reason_and_stops_nobody() -> None:
    found, facts = scored(head(), "refuse!", "too long!", "nan!", "a" * 10)
    assert found == [
        (None, "refused"),
        (None, "prompt_too_long"),
        (None, "not_finite"),
        (-2.0, None),
    ]
    assert facts["refused"] == "1"


def test_probabilities_are_refused() -> None:
    with pytest.raises(ConfigError, match="no raw logit is to be had"):
        scored(head(activation=False))


def test_a_head_of_two_numbers_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_labels is 2"):
        scored(head(labels=2))


def test_a_server_that_only_writes_is_told_apart() -> None:
    with (
        serving(Manners(model="judge")) as served,
        pytest.raises(EngineError, match="--runner pool"),
    ):
        ServedScorer(PoolingSettings((served.url,)), patient=Patience(2.0, 3))


def test_nothing_that_is_taken_ends_the_run() -> None:
    with pytest.raises(EngineError, match="32 in a row are not taken: HTTP 400: a system turn"):
        scored(head(), *["refuse!"] * 100)


def test_below_so_many_nothing_that_is_taken_is_an_error_too() -> None:
    with pytest.raises(EngineError, match="all 2 are refused, and none is kept: HTTP 400"):
        scored(head(), "refuse!", "refuse!")


def test_every_server_is_looked_at() -> None:
    with (
        serving(Manners(model="head"), classify=head()) as one,
        serving(Manners(model="head"), classify=head(activation=False)) as other,
        pytest.raises(ConfigError, match="no raw logit is to be had") as raised,
    ):
        ServedScorer(PoolingSettings((one.url, other.url)), patient=Patience(2.0, 3))
    assert str(raised.value).startswith(other.url)


def test_a_key_that_was_not_set_for_a_far_server_does_not_go_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = []

    def client(urls: tuple[str, ...], key: str | None, **more: Any) -> None:
        sent.append(key)
        raise EngineError("far enough")

    monkeypatch.delenv("GRMEVAL_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-them")
    monkeypatch.setattr(pooling, "Client", client)
    for url in ("http://8.8.8.8/v1", "https://8.8.8.8/v1"):
        with pytest.raises(EngineError):
            ServedScorer(PoolingSettings((url,)))
    assert sent == [None, "sk-not-for-them"]


def test_counts_that_make_no_sense_are_none() -> None:
    async def classify(request: web.Request) -> web.Response:
        told = next(usages)
        value = float(len(str(await request.json())))
        return web.json_response({"data": [{"probs": [value]}], "usage": told})

    odd: list[Any] = [{"prompt_tokens": 2**31}, "none", None, {"prompt_tokens": True}]
    usages = cycle(odd)
    with serving(Manners(model="head"), classify=classify) as served:
        scorer = ServedScorer(PoolingSettings((served.url,)), patient=Patience(2.0, 3))
        rewards = list(scorer.score(chats("a", "b", "c", "d")))
        scorer.close()
    assert [reward.prompt_tokens for reward in rewards] == [0] * 4


def test_the_scalar_judge_and_meta_score_ask_a_server(tmp_path: Path) -> None:
    with serving(Manners(model="org/head"), classify=head()) as served:
        of = ("--engine", "server", "--base-url", served.url)
        words = (
            "run",
            "--bench",
            "sample",
            "--limit",
            6,
            "--judge",
            "scalar",
            "--results",
            tmp_path,
        )
        ask(*words, *of, "--json")
        (folder,) = tmp_path.glob("sample/org--head/*")
        for row in pq.read_table(folder / "samples.parquet").to_pylist():
            shown = [row["scores"][at] for at in row["order"]]
            assert json.loads(row["text"]) == shown
        fake = sampled(tmp_path / "fake", k=2, limit=6)
        ask("meta-score", fake.path, "--meta-model", "org/head", "--name", "m", *of)
        rewards = pq.read_table(fake.path / "rewards" / "m.parquet").to_pylist()
        assert len(rewards) == 12
        assert all(row["reward"] > 0 for row in rewards)
        record = json.loads((fake.path / "rewards" / "m.json").read_text())
        assert record["identity"]["model"] == "served:org/head"
        assert record["launches"][0]["engine"]["checked"].startswith("not checked")
        ask("score", fake.path, "--vote", "meta:m", "--json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--base-url", "http://x"), "--base-url: of a server: add --engine server"),
        (("--engine", "server"), "which one? --base-url"),
        (("--engine", "server", "--base-url", "http://x", "--dtype", "half"), "--dtype: with"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    run = sampled(tmp_path, k=1, limit=1)
    assert said in ask("meta-score", run.path, "--meta-model", "m", *words, code=2)
