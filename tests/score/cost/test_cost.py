"""Samples, tokens, seconds and prices of votes: every figure is worked out by hand."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grmeval.engines.arguments import devices
from grmeval.errors import StoreError
from grmeval.items import Completion, Message, Request
from grmeval.runs import Engines, configure, extend, prepare
from grmeval.runs.derived import panel_of
from grmeval.runs.imports import import_scores
from grmeval.score import Cost, Price, Prices, compare, scale, score, unlike_effort
from grmeval.store import RunFolder
from tests.helpers import Quiet, sampled, unchecked
from tests.runs.meta.test_score import scored

BY_TOKEN = {"prompt": 2.0, "cached": 0.5, "generated": 10.0}
BY_HOUR = {"gpu_hour": 3.6}


class Counting:
    """Judgement j takes 10 + j tokens after a prompt of 100; all but the first find 40 of it in the cache."""

    context = 4096

    def facts(self) -> dict[str, str]:
        return {"engine": "counting"}

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        return 100

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            for j in request.js:
                cached = 40 if j else 0
                text = "Scores: \\boxed{8, 3}"
                yield Completion(request, j, text, "stop", 100, cached, 10 + j)

    def close(self) -> None:
        pass


def counted(tmp_path: Path, k: int, **settings: Any) -> RunFolder:
    """A run of two pairs whose launches say that they took what `clocked` tells."""
    rows = [{"id": n, "prompt": n, "responses": ["x", "y"], "quality": [1, 0]} for n in "ab"]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    values = {"bench": str(path), "engine": "fake", "k": k, "results": tmp_path / "r"}
    engines = Engines(lambda seed: Counting())
    return extend(prepare(configure(values | settings)), Quiet(), engines)


def clocked(folder: RunFolder, *launches: dict[str, Any]) -> RunFolder:
    """The same run, its launches' records changed; a value of None takes a key away."""
    path = folder.path / "run.json"
    record = json.loads(unchecked(path).read_text("utf-8"))
    for launch, facts in zip(record["launches"], launches, strict=True):
        launch.update(facts)
        for name in [name for name, value in launch.items() if value is None]:
            del launch[name]
    path.write_text(json.dumps(record), "utf-8")
    return RunFolder(folder.path)


def prices(**models: dict[str, float]) -> Prices:
    known = {name: Price(**price) for name, price in models.items()}
    return Prices(Path("prices.toml"), "EUR", known)


def cost(folder: RunFolder, vote: str = "sum", **more: Any) -> Cost:
    return score(folder, votes=[vote], **more).cost[vote]


@pytest.fixture
def four(tmp_path: Path) -> RunFolder:
    """Four samples of two items in 16 seconds, after 5 of loading."""
    facts = {"sample_seconds": 16.0, "load_seconds": 5.0}
    return clocked(counted(tmp_path, 4), facts)


# ---------------------------------------------------------------------- tokens and seconds


def test_every_figure_of_a_whole_run(four: RunFolder) -> None:
    found = cost(four)
    assert (found.samples, found.items) == (4, 2)
    # 10 + 11 + 12 + 13 an item.
    assert (found.judge.tokens, found.tokens_per_item) == (92, 46)
    assert (found.judge.prompt_tokens, found.judge.cached_tokens) == (800, 240)
    assert (found.judge.seconds, found.judge.gpu_seconds, found.judge.load_seconds) == (16, 16, 5)
    assert (found.judge.model, found.meta, found.notes) == ("fake", None, ())
    assert (found.price, found.currency, found.judge.price) == (None, None, None)


def test_fewer_samples_have_their_own_tokens_and_their_share_of_the_seconds(
    four: RunFolder,
) -> None:
    found = cost(four, k=2)
    assert (found.samples, found.judge.tokens, found.judge.prompt_tokens) == (2, 42, 400)
    assert (found.judge.cached_tokens, found.judge.seconds, found.judge.load_seconds) == (80, 8, 5)


def test_a_limit_leaves_items_out_of_the_cost(four: RunFolder) -> None:
    found = cost(four, limit=1)
    assert (found.items, found.judge.tokens, found.tokens_per_item) == (1, 46, 46)
    assert found.judge.seconds == 8


def test_launches_add_up_and_a_killed_one_goes_by_the_others(tmp_path: Path) -> None:
    counted(tmp_path, 1)
    folder = counted(tmp_path, 4)
    first = {"sample_seconds": 3.0, "load_seconds": 5.0, "devices": 2}
    second = {"sample_seconds": 9.0, "load_seconds": 7.5}
    both = cost(clocked(folder, first, second)).judge
    assert (both.seconds, both.gpu_seconds, both.load_seconds) == (12, 15, 12.5)
    # Of six of the eight judgements nobody knows the seconds: two took 3.
    killed = {"sample_seconds": None, "samples": None}
    rest = cost(clocked(folder, first, killed)).judge
    assert (rest.seconds, rest.gpu_seconds) == (12, 24)
    none = cost(clocked(folder, {"sample_seconds": None}, {}))
    assert (none.judge.seconds, none.judge.gpu_seconds, none.judge.tokens) == (None, None, 92)


def test_an_old_run_has_the_gpus_that_were_asked_for(tmp_path: Path) -> None:
    folder = counted(tmp_path, 1, tensor_parallel=4)
    assert folder.record["launches"][0]["devices"] == 4
    older = clocked(folder, {"devices": None, "sample_seconds": 2.0})
    assert cost(older).judge.gpu_seconds == 8


@pytest.mark.parametrize(("arguments", "gpus"), [({}, 2), ({"pipeline_parallel_size": 3}, 6)])
def test_gpus_that_share_a_model(arguments: dict[str, Any], gpus: int) -> None:
    assert devices(2, arguments) == gpus


def test_responses_judged_apart_are_judgements_of_one_item(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2, layout="single")
    found = cost(folder)
    table = pq.read_table(folder.path / "samples.parquet")
    totals = {name: sum(table[name].to_pylist()) for name in ("tokens", "prompt_tokens")}
    assert (found.samples, found.items) == (2, 75)
    assert found.judge.tokens == totals["tokens"]
    assert found.judge.prompt_tokens == totals["prompt_tokens"]
    assert found.tokens_per_item == totals["tokens"] / 75


# ---------------------------------------------------------------------- prices


@pytest.mark.parametrize(
    ("price", "wanted"),
    [
        (BY_TOKEN, ((800 - 240) * 2 + 240 * 0.5 + 92 * 10) / 1e6 * 500),
        ({"prompt": 2.0, "generated": 10.0}, (800 * 2 + 92 * 10) / 1e6 * 500),
        (BY_TOKEN | {"cached": 0.0}, (560 * 2 + 92 * 10) / 1e6 * 500),
        ({"prompt": 0.0, "generated": 0.0}, 0.0),
        (BY_HOUR, 2 * 16 / 3600 * 3.6 * 500),
    ],
)
def test_a_price_is_of_a_thousand_items(
    four: RunFolder, price: dict[str, float], wanted: float
) -> None:
    found = cost(clocked(four, {"devices": 2}), prices=prices(fake=price))
    assert found.price == pytest.approx(wanted)
    assert (found.currency, found.judge.price, found.notes) == ("EUR", found.price, ())


def test_a_model_is_found_by_its_label_and_as_it_was_given() -> None:
    price = Price(**BY_HOUR)
    known = Prices(Path("p"), "EUR", {"my-org/my-grm": price, "/models/a": price})
    assert known.find(["my-org--my-grm"]) is price
    assert known.find(["my-org/my-grm"]) is price
    assert known.find(["a", "/models/a"]) is price
    assert known.find(["my-grm", "a"]) is None


def test_no_price_is_said_and_is_not_zero(four: RunFolder) -> None:
    result = score(four, prices=prices(other=BY_HOUR))
    assert result.cost["sum"].price is None
    assert "no price of fake in prices.toml" in result.footer
    silent = clocked(four, {"sample_seconds": None})
    result = score(silent, prices=prices(fake=BY_HOUR))
    assert result.cost["sum"].price is None
    assert "no price of fake: its seconds are not known" in result.footer
    assert any("tokens an item; seconds not known" in line for line in result.footer)


def test_a_table_says_it_in_a_line_before_the_run(four: RunFolder) -> None:
    footer = score(four, votes=["sum", "majority"], prices=prices(fake=BY_TOKEN)).footer
    assert footer[-2] == (
        "cost: 4 samples an item, 400 prompt (30 % cached) and 46 generated tokens an item, 16 s; "
        "1.08 EUR per 1,000 items"
    )
    assert len([line for line in footer if line.startswith("cost")]) == 1
    assert score(four, k=1).footer[-2] == (
        "cost: 1 sample an item, 100 prompt (0 % cached) and 10 generated tokens an item, 4 s"
    )


def test_a_curve_has_them_at_every_k(four: RunFolder) -> None:
    result = scale(four, votes=["sum"], prices=prices(fake=BY_TOKEN))
    for row in result.rows:
        share = row.k / 4
        assert row.tokens == pytest.approx(46 * share)
        assert row.prompt_tokens == pytest.approx(400 * share)
        assert row.seconds == pytest.approx(8 * share)
        assert row.price == pytest.approx(1.08 * share)
    assert result.about["currency"] == "EUR"
    unknown = scale(four, votes=["sum"], prices=prices(other=BY_TOKEN))
    assert all(row.price != row.price for row in unknown.rows)
    assert unknown.footer.count("no price of fake in prices.toml") == 1
    assert "currency" not in scale(four, votes=["sum"]).about


# ---------------------------------------------------------------------- meta RM


def test_a_guided_vote_pays_for_the_rewards_of_its_samples(four: RunFolder) -> None:
    scored(four, name="m")
    path = four.path / "rewards" / "m.json"
    record = json.loads(unchecked(path).read_text("utf-8"))
    record["launches"][0] |= {"seconds": 2.0, "devices": 3, "load_seconds": 1.5, "model": "org/m"}
    path.write_text(json.dumps(record), "utf-8")
    read = pq.read_table(four.path / "rewards" / "m.parquet").to_pylist()
    known = prices(**{"fake": BY_TOKEN, "org/m": BY_HOUR})
    result = score(four, votes=["sum", "meta", "meta-weighted:m"], prices=known)
    plain, guided, weighted = result.cost.values()
    assert (plain.meta, guided) == (None, weighted)
    assert guided.judge == plain.judge
    meta = guided.meta
    assert meta
    asked = sum(row["prompt_tokens"] for row in read)
    assert meta.prompt_tokens == asked > 0
    assert (meta.cached_tokens, meta.tokens) == (0, 0)
    assert (meta.seconds, meta.gpu_seconds, meta.load_seconds) == (2, 6, 1.5)
    assert meta.price == pytest.approx(6 / 3600 * 3.6 * 500)
    assert guided.price == pytest.approx(1.08 + 3.0)
    (line,) = (line for line in result.footer if "meta RM" in line)
    assert line == (
        f"cost of meta RM m: {asked / 2:.0f} prompt tokens (0 % cached) an item, 2 s; "
        "with it 4.08 EUR per 1,000 items"
    )
    half = cost(four, "meta:m", k=2).meta
    assert half
    assert half.prompt_tokens == sum(row["prompt_tokens"] for row in read if row["j"] < 2)
    assert half.seconds == 1
    curve = scale(four, votes=["meta"], prices=known).rows
    assert next(row.price for row in curve if row.k == 4) == pytest.approx(4.08)
    assert {row.tokens for row in curve if row.k == 4} == {46}


def test_rewards_from_elsewhere_say_nothing_of_tokens(four: RunFolder) -> None:
    scored(four, name="m")
    folder = four.path / "rewards"
    table = pq.read_table(folder / "m.parquet").select(["subset", "id", "j", "reward"])
    pq.write_table(table, folder / "theirs.parquet")
    known = prices(fake=BY_TOKEN, theirs=BY_TOKEN)
    result = score(four, votes=["meta:theirs"], prices=known)
    found = result.cost["meta:theirs"]
    assert found.meta
    assert (found.meta.prompt_tokens, found.meta.seconds, found.meta.tokens) == (None, None, None)
    assert found.price is None
    assert found.judge.price == pytest.approx(1.08)
    assert "cost of meta RM theirs: tokens and seconds not known" in result.footer
    (folder / "theirs.json").write_text("[1]", "utf-8")
    with pytest.raises(StoreError, match=r"theirs\.json: cannot be read"):
        score(four, votes=["meta:theirs"], prices=known)
    (folder / "theirs.json").unlink()
    assert "no price of theirs: its tokens are not known" in result.footer


# ---------------------------------------------------------------------- critics


class Reading(Counting):
    """A head that reads 30 tokens of each of two chats, 5 of them out of its cache."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            for j in request.js:
                yield Completion(request, j, "[1.5, 0.5]", "stop", 60, 10, 0)


def headed(four: RunFolder, tmp_path: Path, k: int = 4, **more: Any) -> RunFolder:
    """A run whose head read the critiques of `four`, of which 16 seconds wrote 8, in 8 seconds."""
    config = four.record["config"]
    own = {"judge": "critique-scalar", "critiques": four.path, "bench": config["bench"]}
    values = {"engine": "fake", "k": k, "results": tmp_path / "heads"} | own | more
    folder = extend(prepare(configure(values)), Quiet(), Engines(lambda seed: Reading()))
    return clocked(folder, {"sample_seconds": 8.0, "load_seconds": 1.0, "devices": 2})


def named(folder: RunFolder, label: str, of: str = "label") -> RunFolder:
    """The same run, its model (or its critic) under another name."""
    path = folder.path / "run.json"
    record = json.loads(unchecked(path).read_text("utf-8"))
    (record["config"] if of == "label" else record["config"]["critic"])["label"] = label
    path.write_text(json.dumps(record), "utf-8")
    return RunFolder(folder.path)


def test_a_critic_is_told_and_priced_apart(four: RunFolder, tmp_path: Path) -> None:
    four = named(clocked(four, {"devices": 3}), "writer")
    folder = named(headed(four, tmp_path), "head")
    known = prices(writer=BY_TOKEN, head=BY_HOUR)
    found = cost(folder, "mean", prices=known)
    critic = found.critic
    assert critic
    assert (critic.model, found.judge.model) == ("writer", "head")
    # As the critiques' own run tells them.
    assert (critic.prompt_tokens, critic.cached_tokens, critic.tokens) == (800, 240, 92)
    assert (found.judge.prompt_tokens, found.judge.cached_tokens, found.judge.tokens) == (
        480,
        80,
        0,
    )
    assert (critic.seconds, critic.gpu_seconds, critic.load_seconds) == (16, 48, 5)
    assert (found.judge.seconds, found.judge.gpu_seconds) == (8, 16)
    assert found.tokens_per_item == 46
    assert critic.price == pytest.approx(1.08)
    assert found.judge.price == pytest.approx(16 / 3600 * 3.6 * 500)
    assert found.price == pytest.approx(1.08 + 8)
    assert (
        "cost of critic writer: 400 prompt (30 % cached) and 46 generated tokens an item, 16 s; "
        "with it 9.08 EUR per 1,000 items"
    ) in score(folder, prices=known).footer
    row = next(row for row in scale(folder, votes=["mean"], prices=known).rows if row.k == 4)
    assert (row.tokens, row.prompt_tokens, row.seconds) == (46, 640, 12)
    assert row.price == pytest.approx(9.08)
    # Half of the critiques, as the first two of each are.
    half = cost(folder, "mean", k=2).critic
    assert half
    assert (half.tokens, half.cached_tokens, half.seconds) == (42, 80, 8)
    by_the_hour = cost(folder, "mean", prices=prices(writer=BY_HOUR, head=BY_HOUR))
    assert by_the_hour.price == pytest.approx((48 + 16) / 3600 * 3.6 * 500)


def test_a_critic_of_before_is_not_known(four: RunFolder, tmp_path: Path) -> None:
    folder = headed(four, tmp_path)
    path = folder.path / "samples.parquet"
    columns = ["critic_prompt_tokens", "critic_cached_tokens"]
    pq.write_table(pq.read_table(path).drop_columns(columns), path)
    record = json.loads(unchecked(folder.path / "run.json").read_text("utf-8"))
    del record["config"]["critic"]
    (folder.path / "run.json").write_text(json.dumps(record), "utf-8")
    found = cost(RunFolder(folder.path), "mean", prices=prices(fake=BY_HOUR))
    critic = found.critic
    assert critic
    assert (critic.prompt_tokens, critic.tokens, critic.seconds) == (None, 92, None)
    assert (found.judge.prompt_tokens, found.judge.tokens, found.judge.seconds) == (None, 0, 8)
    assert found.judge.price is not None
    assert found.price is None


# ---------------------------------------------------------------------- panels


def test_a_panel_pays_each_member_its_own_price(four: RunFolder, tmp_path: Path) -> None:
    other = named(clocked(counted(tmp_path, 2, seed=1), {"sample_seconds": 6.0}), "other")
    head = named(headed(named(four, "writer"), tmp_path), "head")
    panel, _ = panel_of([named(four, "one"), other, head], tmp_path / "p").make()
    known = prices(one=BY_TOKEN, other=BY_HOUR, head={"prompt": 1.0, "generated": 0.0})
    found = cost(panel, "majority", prices=known)
    assert (found.price, found.notes) == (None, ("no price of writer in prices.toml",))
    every = Prices(known.path, "EUR", {**known.models, "writer": Price(**BY_HOUR)})
    found = cost(panel, "majority", prices=every)
    critic = found.critic
    assert critic
    # Two samples of each: half of the four, of the head and of its critic, all of the other.
    assert found.judge.seconds == 8 + 6 + 4
    assert found.judge.tokens == 42 + 42
    assert (critic.tokens, critic.seconds) == (42, 8)
    one = ((400 - 80) * 2 + 80 * 0.5 + 42 * 10) / 1e6 * 500
    assert critic.price == pytest.approx(8 / 3600 * 3.6 * 500)
    assert found.judge.price == pytest.approx(one + 6 / 3600 * 3.6 * 500 + 240 / 1e6 * 500)
    assert found.judge.price
    assert critic.price
    assert found.price == pytest.approx(found.judge.price + critic.price)


def test_a_panel_with_an_import_knows_no_tokens(four: RunFolder, tmp_path: Path) -> None:
    judged = [
        {"id": name, "subset": row["subset"], "j": 0, "scores": [8, 3]}
        for name, row in zip("ab", four.items().to_pylist(), strict=True)
    ]
    file = tmp_path / "theirs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in judged), "utf-8")
    bench = four.record["config"]["bench"]
    theirs = import_scores(file, bench, "them", None, tmp_path / "i").folder
    panel, _ = panel_of([four, theirs], tmp_path / "p").make()
    found = cost(panel, "majority", prices=prices(fake=BY_TOKEN, them=BY_TOKEN))
    assert (found.judge.tokens, found.tokens_per_item, found.judge.seconds) == (None, None, None)
    assert found.price is None
    assert found.notes == ("no price of them: its tokens are not known",)


# ---------------------------------------------------------------------- imports

Told = Callable[[str, int], dict[str, int]]


def imported(tmp_path: Path, told: Told) -> RunFolder:
    rows = [
        {"subset": "all", "id": name, "j": j, "scores": [8, 3], "quality": [1, 0], **told(name, j)}
        for name in "ab"
        for j in range(2)
    ]
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    spec = tmp_path / "own.toml"
    spec.write_text(
        'id = "own"\ntitle = "Own"\n[source]\ngithub = "no/where"\n[[tables]]\nfiles = "*"\n'
        'shape = "neutral"\n[[sections]]\nname = "A"\nsubsets = ["*"]\n',
        "utf-8",
    )
    return import_scores(path, str(spec), "org/judge", None, tmp_path / "r").folder


@pytest.mark.parametrize(
    ("told", "tokens", "prompt", "said"),
    [
        (lambda name, j: {}, None, None, "cost: 2 samples an item; tokens and seconds not known"),
        (
            lambda name, j: {"tokens": 5 + j},
            22,
            None,
            "cost: 2 samples an item, 11 generated tokens an item; seconds not known",
        ),
        (
            lambda name, j: {"tokens": 5, "prompt_tokens": 50},
            20,
            200,
            "cost: 2 samples an item, 100 prompt and 10 generated tokens an item; seconds not known",
        ),
        # Of one item alone: a mean of it and nothing would be too small.
        (
            lambda name, j: {"tokens": 5} if name == "a" else {},
            None,
            None,
            "cost: 2 samples an item; tokens and seconds not known",
        ),
    ],
)
def test_what_a_file_does_not_tell_is_not_known(
    tmp_path: Path, told: Told, tokens: int | None, prompt: int | None, said: str
) -> None:
    folder = imported(tmp_path, told)
    result = score(folder, prices=prices(**{"org/judge": BY_TOKEN}))
    found = result.cost["sum"]
    assert (found.judge.tokens, found.judge.prompt_tokens) == (tokens, prompt)
    assert (found.judge.cached_tokens, found.judge.seconds) == (None, None)
    row = scale(folder).rows[0]
    assert (row.tokens == row.tokens) == (tokens is not None)
    assert row.seconds != row.seconds
    if prompt is None:
        assert said in result.footer
        assert found.price is None
        assert "no price of org--judge: its tokens are not known" in result.footer
    else:  # nobody knows what was cached: nothing was
        assert found.price == pytest.approx((200 * 2 + 20 * 10) / 1e6 * 500)
        assert f"{said}; 0.3 EUR per 1,000 items" in result.footer


# ---------------------------------------------------------------------- two runs


def test_runs_of_other_lengths_are_not_the_same_effort(tmp_path: Path) -> None:
    short, long = (sampled(tmp_path, k=2, engine_args={"chars": n}) for n in (200, 800))
    result = compare(short, long, prices=prices(fake=BY_TOKEN))
    names = list(result.cost)
    ours, theirs = (result.cost[name]["sum"] for name in names)
    assert (ours, theirs) == (
        cost(short, prices=prices(fake=BY_TOKEN)),
        cost(long, prices=prices(fake=BY_TOKEN)),
    )
    assert ours.tokens_per_item
    assert theirs.tokens_per_item
    assert (
        f"not the same effort: {names[0]} 2 samples, {ours.tokens_per_item:.0f} generated tokens "
        f"an item; {names[1]} 2 and {theirs.tokens_per_item:.0f}"
    ) in result.footer
    for name in names:
        (line,) = (line for line in result.footer if line.startswith(f"{name}: cost: "))
        assert line.endswith(" EUR per 1,000 items")
    alike = sampled(tmp_path, k=2, seed=1, engine_args={"chars": 200})
    assert not [line for line in compare(short, alike).footer if "effort" in line]


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ([(8, 672.4), (1, 0.0)], "A 8 samples, 672 generated tokens an item; B 1 and 0"),
        ([(8, 100.0), (8, 110.0)], None),
        ([(8, 100.0), (8, 110.1)], "A 8 samples, 100 generated tokens an item; B 8 and 110"),
        ([(8, 0.0), (8, 0.0)], None),
        ([(8, 100.0), (8, None)], None),
        (
            [(8, None), (4, None)],
            "A 8 samples, not known generated tokens an item; B 4 and not known",
        ),
        (
            [(8, 100.0), (8, None), (8, 50.0)],
            "A 8 samples, 100 generated tokens an item; B 8 and not known; C 8 and 50",
        ),
    ],
)
def test_effort_is_samples_and_generated_tokens(
    four: RunFolder, figures: list[tuple[int, float | None]], said: str | None
) -> None:
    plain = cost(four)
    costs = {
        label: replace(plain, samples=k, mean_samples=float(k), tokens_per_item=tokens)
        for label, (k, tokens) in zip("ABC", figures, strict=False)
    }
    assert unlike_effort(costs) == (said and f"not the same effort: {said}")


def test_effort_of_items_that_stopped_early_is_what_they_took(four: RunFolder) -> None:
    plain = replace(cost(four), samples=32, mean_samples=32.0, tokens_per_item=2148.0)
    early = replace(plain, mean_samples=10.8, tokens_per_item=725.0)
    assert unlike_effort({"ada": early, "fixed": plain}) == (
        "not the same effort: ada 10.8 samples (k ≤ 32), 725 generated tokens an item; fixed 32 and 2,148"
    )
    assert unlike_effort({"ada": early, "other": replace(early, mean_samples=11.1)}) is None
