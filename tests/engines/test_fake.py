"""The fake judge: its draws belong to (seed, item, j), and its settings are the truth."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from grmeval.engines.fake import SPEED_ONLY, FakeEngine, FakeSettings
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Completion, Item, Key, Message, Reading, Request
from grmeval.judges import PointwiseJudge
from grmeval.runs.orders import response_order

JUDGE = PointwiseJudge()
FAILURES = (
    "no_score",
    "wrong_count",
    "out_of_range",
    "truncated",
    "prompt_too_long",
    "engine_error",
)


def item(name: str, *quality: int, longest: int | None = None) -> Item:
    responses = tuple("a" * (9 if i == longest else 3) for i in range(len(quality)))
    return Item("toy", "toys", name, (Message("user", "?"),), responses, quality)


PAIR, FOUR, TWO_BEST = item("pair", 1, 0), item("four", 0, 0, 1, 0), item("two best", 1, 0, 1)
RIGHT, WRONG = item("right", 1), item("wrong", 0)
TOYS = (PAIR, FOUR, TWO_BEST, RIGHT, WRONG)


def engine(items: Iterable[Item] = TOYS, seed: int = 0, **given: Any) -> FakeEngine:
    return FakeEngine(items, JUDGE.write, seed, given)


def request(of: Item, js: Iterable[int], order: tuple[int, ...] | None = None) -> Request:
    return Request(of.key, order or tuple(range(of.n)), tuple(js), (Message("user", "grade"),))


def ask(judge: FakeEngine, requests: Sequence[Request]) -> dict[tuple[Key, int], Completion]:
    found = {(done.request.key, done.j): done for done in judge.generate(requests)}
    assert len(found) == sum(len(one.js) for one in requests)
    return found


def read(done: Completion) -> Reading:
    return JUDGE.read(done.text, len(done.request.order), done.finish)


def scores(judge: FakeEngine, of: Item, js: Iterable[int]) -> list[tuple[float, ...]]:
    """What each sample gave, in item order."""
    found = ask(judge, [request(of, js)])
    readings = [read(done) for _, done in sorted(found.items())]
    assert [reading.invalid for reading in readings if reading.scores is None] == []
    return [reading.scores for reading in readings if reading.scores is not None]


def is_right(of: Item, given: Sequence[float]) -> bool:
    assert of.quality is not None
    if of.n == 1:
        return (given[0] > 5.5) == (of.quality[0] == 1)
    return all(of.quality[i] for i, score in enumerate(given) if score == max(given))


def is_tied(of: Item, given: Sequence[float]) -> bool:
    assert of.quality is not None
    return len({of.quality[i] for i, score in enumerate(given) if score == max(given)}) == 2


def in_band(count: int, n: int, p: float) -> bool:
    """Inside the central 99.9 % of Binomial(n, p)."""
    low, high = binom.interval(0.999, n, p)
    return bool(low <= count <= high)


# ---------------------------------------------------------------------- whose draws


def said(judge: FakeEngine, requests: Sequence[Request]) -> dict[tuple[Key, int], tuple[str, str]]:
    return {key: (done.text, done.finish) for key, done in ask(judge, requests).items()}


MIXED: dict[str, Any] = {"noise": 1, "spread": 0.2, "no_score": 0.1, "truncated": 0.1}
BASELINE = said(engine(**MIXED), [request(toy, range(8)) for toy in TOYS])


@pytest.mark.parametrize("window", [1, 3, 1000])
def test_the_window_changes_no_text(window: int) -> None:
    asked = [request(toy, range(8)) for toy in TOYS]
    assert said(engine(window=window, **MIXED), asked) == BASELINE


def test_samples_finish_out_of_order() -> None:
    asked = [request(PAIR, range(8))]
    assert [done.j for done in engine(window=4).generate(asked)] == [3, 2, 1, 0, 7, 6, 5, 4]


def test_the_order_of_asking_changes_no_text() -> None:
    asked = [request(toy, [j]) for j in reversed(range(8)) for toy in reversed(TOYS)]
    assert said(engine(reversed(TOYS), **MIXED), asked) == BASELINE


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.id)
def test_other_items_change_no_text(toy: Item) -> None:
    alone = said(engine([toy], **MIXED), [request(toy, range(8))])
    assert alone == {key: text for key, text in BASELINE.items() if key[0] == toy.key}


def test_more_samples_change_none_that_are_there() -> None:
    more = said(engine(**MIXED), [request(toy, range(32)) for toy in TOYS])
    assert {key: more[key] for key in BASELINE} == BASELINE
    extension = said(engine(**MIXED), [request(toy, range(8, 32)) for toy in TOYS])
    assert BASELINE | extension == more


def test_asking_twice_changes_nothing() -> None:
    judge, asked = engine(**MIXED), [request(toy, range(8)) for toy in TOYS]
    assert said(judge, asked) == said(judge, asked) == BASELINE


def test_the_seed_changes_the_draws() -> None:
    asked = [request(toy, range(8)) for toy in TOYS]
    assert said(engine(seed=1, **MIXED), asked) != BASELINE


def test_the_order_shown_does_not_change_a_responses_score() -> None:
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        done = ask(engine(noise=1), [request(FOUR, range(20), order)])
        by_response = [
            tuple(dict(zip(order, read(one).scores or (), strict=True))[i] for i in range(4))
            for _, one in sorted(done.items())
        ]
        assert by_response == scores(engine(noise=1), FOUR, range(20))


def test_requests_are_pulled_as_there_is_room() -> None:
    pulled: list[int] = []

    def asked() -> Iterable[Request]:
        for j in range(10):
            pulled.append(j)
            yield request(PAIR, [j])

    stream = engine(window=3).generate(asked())
    next(stream)
    assert pulled == [0, 1, 2]


# ---------------------------------------------------------------------- the truth


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.id)
@pytest.mark.parametrize("accuracy", [0.0, 0.3, 0.7, 1.0])
def test_accuracy_is_hit(toy: Item, accuracy: float) -> None:
    given = scores(engine(accuracy=accuracy), toy, range(2000))
    assert in_band(sum(is_right(toy, one) for one in given), 2000, accuracy)


@pytest.mark.long
@pytest.mark.parametrize("quality", [(1, 0), (0, 1, 0, 0), (1,), (0,)])
@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_accuracy_and_correlation_are_hit_where_items_differ(
    quality: tuple[int, ...], spread: float
) -> None:
    """Two samples of one item are both right with probability a^2 + spread a (1 - a)."""
    toys = [item(str(i), *quality) for i in range(1500)]
    done = ask(engine(toys, accuracy=0.7, spread=spread), [request(toy, (0, 1)) for toy in toys])
    right = [[is_right(toy, read(done[toy.key, j]).scores or ()) for j in (0, 1)] for toy in toys]
    assert in_band(sum(first for first, _ in right), 1500, 0.7)
    assert in_band(sum(all(both) for both in right), 1500, 0.7**2 + spread * 0.7 * 0.3)


@pytest.mark.parametrize("toy", [PAIR, FOUR, TWO_BEST], ids=lambda toy: toy.id)
@pytest.mark.parametrize("ties", [0.0, 0.3, 1.0])
def test_ties_are_a_part_of_what_is_not_right(toy: Item, ties: float) -> None:
    given = scores(engine(accuracy=0.4, ties=ties), toy, range(2000))
    assert in_band(sum(is_tied(toy, one) for one in given), 2000, 0.6 * ties)


def gaps(noise: float) -> set[float]:
    return {abs(a - b) for a, b in scores(engine(noise=noise, ties=0), PAIR, range(500))}


def test_noise_is_how_far_scores_lie_apart() -> None:
    assert gaps(0) == {1}
    assert max(gaps(0)) < max(gaps(0.5)) < max(gaps(1)) == 9


def test_without_noise_one_response_is_just_on_its_side() -> None:
    assert set(scores(engine(noise=0, accuracy=1), RIGHT, range(20))) == {(6,)}
    assert set(scores(engine(noise=0, accuracy=1), WRONG, range(20))) == {(5,)}


@given(
    st.integers(1, 5),
    st.integers(6, 10),
    st.sampled_from(TOYS),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(-4, 4),
    st.integers(-4, 4),
)
def test_scores_stay_inside(
    low: int, high: int, toy: Item, noise: float, order_bias: int, length_bias: int
) -> None:
    plain = scores(engine(low=low, high=high, noise=noise), toy, range(20))
    assert all(low <= score <= high for one in plain for score in one)
    biased = engine(low=low, high=high, noise=noise, order_bias=order_bias, length_bias=length_bias)
    assert all(1 <= score <= 10 for one in scores(biased, toy, range(20)) for score in one)


# ---------------------------------------------------------------------- failures


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.id)
def test_a_failure_is_read_back_by_its_name(kind: str, toy: Item) -> None:
    for chars in (0, 200):
        given: dict[str, Any] = {kind: 1.0, "chars": chars}
        done = ask(engine(**given), [request(toy, range(10))])
        assert {read(one).invalid for one in done.values()} == {kind}


def test_failures_come_at_their_rates() -> None:
    rates: dict[str, Any] = dict(zip(FAILURES, (0.05, 0.1, 0.02, 0.2, 0.08, 0.15), strict=True))
    toys = [item(str(i), 1, 0) for i in range(400)]
    done = ask(engine(toys, **rates), [request(toy, range(10)) for toy in toys])
    found = Counter(read(one).invalid for one in done.values())
    assert set(found) == {*FAILURES, None}
    for kind, rate in rates.items():
        assert in_band(found[kind], 4000, rate), kind


def test_a_failure_does_not_change_the_samples_that_do_not_fail() -> None:
    whole = said(engine(), [request(PAIR, range(200))])
    failing = ask(engine(no_score=0.5), [request(PAIR, range(200))])
    kept = {key: one for key, one in failing.items() if read(one).invalid is None}
    assert 50 < len(kept) < 150
    assert all(whole[key] == (one.text, one.finish) for key, one in kept.items())


def test_it_dies_when_told_to() -> None:
    asked = [request(PAIR, range(9))]
    stream = engine(die_after=5, window=3).generate(asked)
    came = [next(stream).j for _ in range(5)]
    assert came == [done.j for done in engine(window=3).generate(asked)][:5]
    with pytest.raises(EngineError, match="died after 5 samples"):
        next(stream)


# ---------------------------------------------------------------------- bias


@pytest.mark.parametrize("bias", [-2, -1, 1, 2])
@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.id)
def test_order_bias_adds_whole_points_to_the_first_slot(bias: int, toy: Item) -> None:
    order = tuple(reversed(range(toy.n)))
    asked = [request(toy, range(50), order)]
    plain = ask(engine(low=3, high=8, noise=1), asked)
    biased = ask(engine(low=3, high=8, noise=1, order_bias=bias), asked)
    for key, one in plain.items():
        shown, moved = read(one).scores or (), read(biased[key]).scores or ()
        assert [b - a for a, b in zip(shown, moved, strict=True)] == [bias, *[0] * (toy.n - 1)]


@pytest.mark.parametrize("bias", [-2, 1, 2])
def test_length_bias_adds_whole_points_to_the_longest(bias: int) -> None:
    toy = item("long", 1, 0, 0, longest=2)
    plain = scores(engine([toy], low=3, high=8, noise=1), toy, range(50))
    biased = scores(engine([toy], low=3, high=8, noise=1, length_bias=bias), toy, range(50))
    for shown, moved in zip(plain, biased, strict=True):
        assert [b - a for a, b in zip(shown, moved, strict=True)] == [0, 0, bias]


def totals(judge: FakeEngine, of: Item, k: int) -> list[float]:
    sums = [0.0] * of.n
    for j in range(k):
        order = response_order("balanced", 0, of.key, of.n, j)
        (done,) = judge.generate([request(of, [j], order)])
        for i, score in zip(order, read(done).scores or (), strict=True):
            sums[i] += score
    return sums


@pytest.mark.parametrize("bias", [-2, 2])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_balanced_orders_cancel_order_bias(bias: int, n: int) -> None:
    """Every response is first equally often, so all totals move by the same bias x k / n."""
    toys = [item(str(i), 1, *[0] * (n - 1)) for i in range(40)]
    common: dict[str, Any] = {"low": 3, "high": 8, "noise": 1, "accuracy": 0.5}
    plain, biased = engine(toys, **common), engine(toys, order_bias=bias, **common)
    for toy in toys:
        for k in (n, 2 * n):
            moved = [
                b - a for a, b in zip(totals(plain, toy, k), totals(biased, toy, k), strict=True)
            ]
            assert moved == [bias * k / n] * n


@pytest.mark.parametrize("n", [2, 3])
def test_an_uneven_k_lets_order_bias_decide_some_verdicts(n: int) -> None:
    toys = [item(str(i), 1, *[0] * (n - 1)) for i in range(60)]
    common: dict[str, Any] = {"low": 3, "high": 8, "noise": 0, "accuracy": 0.5}
    plain, biased = engine(toys, **common), engine(toys, order_bias=2, **common)
    right = [
        [is_right(toy, totals(judge, toy, n + 1)) for toy in toys] for judge in (plain, biased)
    ]
    assert right[0] != right[1]


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("name", "meant"), [("acuracy", "accuracy"), ("tie", "ties"), ("orderbias", "order_bias")]
)
def test_an_unknown_setting_is_refused_with_the_nearest_name(name: str, meant: str) -> None:
    given: dict[str, Any] = {name: 1}
    with pytest.raises(ConfigError, match=f"--engine-arg {name}: .*") as caught:
        engine(**given)
    assert f"did you mean {meant!r}?" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 1.1),
        ("spread", 1),
        ("low", 6),
        ("high", 5),
        ("order_bias", 5),
        ("order_bias", 0.5),
        ("window", 0),
        ("chars", -1),
        ("no_score", "often"),
    ],
)
def test_a_setting_out_of_bounds_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"--engine-arg {name}: "):
        engine(**{name: value})


def test_rates_that_add_to_more_than_one_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"the failure rates add up to 1\.1, more than 1"):
        engine(no_score=0.6, truncated=0.5)


@pytest.mark.parametrize(
    "rates", [(1.0,), (0.5, 0.5), (0.3, 0.3, 0.4), (0.1, 0.2, 0.3, 0.4), (0.2, 0.4, 0.3, 0.1)]
)
def test_rates_that_add_to_one_are_allowed(rates: tuple[float, ...]) -> None:
    given: dict[str, Any] = dict(zip(FAILURES, rates, strict=False))
    judge = engine(**given)
    done = ask(judge, [request(PAIR, range(50))])
    assert None not in {read(one).invalid for one in done.values()}


def test_settings_of_speed_alone_are_settings() -> None:
    assert set(FakeSettings.model_fields) > SPEED_ONLY


def test_the_analysis_is_as_long_as_asked() -> None:
    lengths = [
        len(next(engine(chars=chars).generate([request(PAIR, [0])])).text) for chars in (0, 50, 999)
    ]
    assert [length - lengths[0] for length in lengths] == [0, 50, 999]


def test_a_sample_that_tells_says_whether_it_is_right_and_scores_as_ever() -> None:
    told: dict[str, Any] = {"tell": 1, "accuracy": 0.5, "noise": 1, "no_score": 0.1}
    plain = ask(engine(accuracy=0.5, noise=1, no_score=0.1), [request(FOUR, range(400))])
    found = ask(engine(**told), [request(FOUR, range(400))])
    for key, done in found.items():
        reading = read(done)
        assert reading.scores == read(plain[key]).scores
        right = reading.scores is not None and is_right(FOUR, reading.scores)
        assert ("I am sure of this." in done.text) == right
        assert ("I had to guess." in done.text) == (not right)
    some = ask(engine(tell=0.3, accuracy=0.5), [request(FOUR, range(400))])
    said = sum("I am sure" in done.text or "I had to" in done.text for done in some.values())
    assert in_band(said, 400, 0.3)


def test_the_log_probability_is_given_where_it_is_wanted_and_changes_no_text() -> None:
    wanted = [replace(request(PAIR, range(8)), keep_logprob=True)]
    found = ask(engine(), wanted)
    assert all(done.logprob is not None and done.logprob < 0 for done in found.values())
    assert len({done.logprob for done in found.values()}) == 8
    plain = ask(engine(), [request(PAIR, range(8))])
    assert all(done.logprob is None for done in plain.values())
    assert {k: d.text for k, d in found.items()} == {k: d.text for k, d in plain.items()}
