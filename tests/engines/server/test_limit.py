"""Adaptive concurrency and waits, without a network or a clock."""

import random
from typing import Any

import pytest

from grmeval.engines.server.limit import LOCAL, REMOTE, Limit, Preset, fixed
from grmeval.engines.server.retry import Patience, described, may_pass, patience, retry_after
from grmeval.errors import ConfigError


def rounds(limit: Limit, count: int, share: float = 1.0, seconds: float = 1.0) -> list[int]:
    sizes = []
    for _ in range(count):
        for _ in range(limit.size):
            limit.answered(1, int(limit.size * share), seconds)
        sizes.append(limit.size)
    return sizes


def test_it_grows_by_a_step_a_round_up_to_the_most() -> None:
    assert rounds(Limit(REMOTE, 60), 3) == [25, 30, 35]
    assert rounds(Limit(LOCAL, 60), 20)[-1] == 1024


def test_it_grows_only_where_most_slots_were_in_use() -> None:
    assert rounds(Limit(REMOTE, 60), 3, share=0.5) == [20, 20, 20]


def test_it_does_not_grow_where_answers_take_long() -> None:
    assert rounds(Limit(REMOTE, 60), 3, seconds=61) == [20, 20, 20]


def test_it_shrinks_once_a_round_trip() -> None:
    limit = Limit(Preset(100, 200, 10), 60)
    assert limit.refused(now=0, seconds=30)
    assert limit.size == 80
    assert not limit.refused(now=29, seconds=30)
    assert limit.refused(now=31, seconds=1)
    assert limit.size == 64
    assert not limit.refused(now=45, seconds=1)  # 15 s, however fast it answers
    assert limit.refused(now=46.5, seconds=1)


def test_it_never_reaches_zero() -> None:
    limit = Limit(REMOTE, 60)
    for minute in range(50):
        limit.refused(now=60.0 * minute, seconds=1)
    assert limit.size == 1


def test_what_the_user_says_stays() -> None:
    limit = Limit(fixed(7), 60)
    assert rounds(limit, 3) == [7, 7, 7]
    assert not limit.refused(now=0, seconds=1)
    assert limit.size == 7


def test_waits_are_spread_over_all_that_is_allowed() -> None:
    patient, rng = Patience(first=1, longest=8), random.Random(0)
    for failures, most in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (99, 8)):
        waits = [patient.wait(failures, rng) for _ in range(500)]
        assert max(waits) <= most
        assert min(waits) < most / 20
        assert max(waits) > most * 0.95


def test_patience_ends_by_tries_or_by_time() -> None:
    patient = Patience(seconds=10, tries=5)
    assert not patient.spent(4, since=100, now=109)
    assert patient.spent(5, since=100, now=101)
    assert patient.spent(1, since=100, now=110)


def test_the_environment_says_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRMEVAL_RETRY_SECONDS", raising=False)
    assert (patience().seconds, patience().longest_wish) == (300, 120)
    monkeypatch.setenv("GRMEVAL_RETRY_SECONDS", "5")
    assert (patience().seconds, patience().longest_wish) == (5, 5)
    monkeypatch.setenv("GRMEVAL_RETRY_SECONDS", "soon")
    with pytest.raises(ConfigError, match="expected seconds"):
        patience()


def test_which_statuses_may_pass() -> None:
    assert [s for s in range(400, 600) if may_pass(s)] == [
        *(408, 409, 425, 429),
        *(s for s in range(500, 600) if s not in (501, 505)),
    ]


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after({"Retry-After": "7"}, 0) == 7
    assert retry_after({"Retry-After": "0.5"}, 0) == 0.5
    assert retry_after({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, 50) == 10
    assert retry_after({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, 90) == 0
    for odd in ("", "soon", "-3", "٣", "1e99", "nan"):
        assert retry_after({"Retry-After": odd}, 0) == 0


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"error": {"message": "no", "code": "c"}}, ("no", "c")),
        ({"message": "no", "type": "t", "code": 400}, ("no", "400")),
        ({"detail": [{"msg": "n"}]}, ("[{'msg': 'n'}]", "")),
        ({"error": "no"}, ("no", "")),
        ([{"error": {"message": "no"}}], ("no", "")),
        ("<h1>502\n Bad</h1>", ("<h1>502 Bad</h1>", "")),
        ("", ("", "")),
        (None, ("None", "")),
    ],
)
def test_errors_are_read_as_servers_write_them(found: Any, said: tuple[str, str]) -> None:
    assert described(found) == said


def test_a_long_error_is_cut() -> None:
    assert len(described("x" * 100_000)[0]) < 500
