"""A pool of workers: every sample once, whoever dies. Real workers at work, in threads of this process."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from queue import SimpleQueue
from typing import Any

import pytest

from grmeval.benches import load
from grmeval.engines.fake import FakeEngine
from grmeval.engines.fake_meta import FakeScorer
from grmeval.engines.messages import Event, Failed, Gone, Order, Work
from grmeval.engines.pool import EnginePool, ScorerPool
from grmeval.engines.scorer import ScoreRequest
from grmeval.engines.serve import serve
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Completion, Key, Message, Request
from grmeval.judges import make_judge

ITEMS = load("sample").items
Opens = Callable[[], Any]


class ThreadWorker:
    """A worker in a thread; after `ends_after` messages nothing of it is heard any more but Gone."""

    def __init__(self, name: str, opens: Opens, ends_after: int | None = None) -> None:
        self.name, self._opens, self._left = name, opens, ends_after
        self._inbox: SimpleQueue[Order] = SimpleQueue()
        self.orders: list[Order] = []
        self.closed = threading.Event()
        self.lives: list[int | None] = []
        """Messages of each further life."""

    def start(self, tell: Callable[[Event], None]) -> None:
        def counted(event: Event) -> None:
            if self._left == 0:
                return
            tell(event)
            if self._left is not None:
                self._left -= 1
                if self._left == 0:
                    tell(Gone("killed by SIGKILL"))

        threading.Thread(
            target=serve, args=(self._opens, self._inbox, counted), daemon=True
        ).start()

    def send(self, order: Order) -> None:
        self.orders.append(order)
        self._inbox.put(order)

    def close(self, patience: float) -> None:
        self.closed.set()

    def again(self) -> bool:
        if not self.lives:
            return False
        self._left, self._inbox = self.lives.pop(0), SimpleQueue()
        return True

    @property
    def asked(self) -> list[tuple[Key, int]]:
        works = (order.requests for order in self.orders if isinstance(order, Work))
        return [(each.key, j) for each in chain.from_iterable(works) for j in each.js]


def fake(**settings: float) -> Opens:
    return partial(FakeEngine, ITEMS, make_judge("pointwise").write, 0, settings)


def requests(k: int = 8, orders: int = 2, items: int = 40) -> Iterator[Request]:
    """Of each item one a rotation, with the samples that it is for."""
    for item in ITEMS[:items]:
        turns = min(orders, item.n)
        for at in range(turns):
            order = tuple((slot + at) % item.n for slot in range(item.n))
            chat = (Message("user", f"{item.id}, {order}"),)
            yield Request(item.key, order, tuple(range(at, k, turns)), chat)


def pooled(*workers: ThreadWorker) -> EnginePool:
    return EnginePool(workers, {"seeds": "1, 2"})


def names(completions: list[Completion]) -> Counter[tuple[Key, int]]:
    return Counter((each.request.key, each.j) for each in completions)


WANTED = Counter({(each.key, j): 1 for each in requests() for j in each.js})


def test_a_pool_answers_as_one_engine_would_and_each_worker_has_its_part() -> None:
    workers = [ThreadWorker(f"worker {at}", fake(latency=0.001)) for at in (1, 2)]
    pool = pooled(*workers)
    assert pool.facts() == {"engine": "fake", "workers": "2", "seeds": "1, 2"}
    assert pool.context == FakeEngine.context
    chat = (Message("user", "x" * 40),)
    assert pool.prompt_tokens(chat) == fake()().prompt_tokens(chat) == 10
    asked = list(requests())
    alone = {(c.request.key, c.j): c for c in fake()().generate(asked)}
    found = list(pool.generate(asked))
    assert names(found) == WANTED
    assert {(c.request.key, c.j): c for c in found} == alone
    assert {id(each.request) for each in found} <= {id(each) for each in asked}
    assert sorted(chain(*(worker.asked for worker in workers))) == sorted(WANTED)
    parts = [len(worker.asked) / len(found) for worker in workers]
    assert min(parts) > 0.3
    items = [{key for key, _ in worker.asked} for worker in workers]
    assert not items[0] & items[1]  # an item's samples share its prompt's cache on one worker
    pool.close()
    assert all(worker.closed.is_set() for worker in workers)


def test_requests_are_pulled_as_there_is_room_for_them() -> None:
    pulled = []

    def asked() -> Iterator[Request]:
        for each in requests():
            pulled.append(each)
            yield each

    pool = pooled(*(ThreadWorker(f"worker {at}", fake(window=8)) for at in (1, 2)))
    answers = pool.generate(asked())
    assert pulled == []
    next(answers)
    assert len(pulled) < 30
    assert len(list(answers)) == sum(WANTED.values()) - 1


def test_one_item_with_many_samples_is_shared() -> None:
    workers = [ThreadWorker(f"worker {at}", fake(latency=0.001)) for at in (1, 2)]
    found = list(pooled(*workers).generate(requests(k=200, items=1)))
    assert sorted(j for _, j in names(found)) == list(range(200))
    assert min(len(worker.asked) for worker in workers) > 60


# A window of 4: it dies with some of a request's samples answered and some not.
@pytest.mark.parametrize("ends_after", [2, 12, 100])
def test_what_a_dead_worker_has_not_answered_goes_to_the_others(
    ends_after: int, caplog: pytest.LogCaptureFixture
) -> None:
    weak = ThreadWorker("worker 1", fake(window=4), ends_after)
    strong = ThreadWorker("worker 2", fake(window=4, latency=0.0002))
    pool = pooled(weak, strong)
    with caplog.at_level(logging.WARNING):
        found = list(pool.generate(requests()))
    assert names(found) == WANTED
    assert weak.closed.is_set()
    again = set(weak.asked) & set(strong.asked)
    assert len(weak.asked) + len(strong.asked) == len(WANTED) + len(again)
    (said,) = caplog.messages
    assert said == (
        f"worker 1 died: killed by SIGKILL; its {len(again)} unanswered samples go to the others"
    )
    assert pool.facts()["died"] == "worker 1 died: killed by SIGKILL"
    assert names(list(pool.generate(requests()))) == WANTED  # and goes on without it


def test_a_worker_that_may_live_again_goes_on_alone(caplog: pytest.LogCaptureFixture) -> None:
    worker = ThreadWorker("worker 1", fake(), ends_after=50)
    worker.lives = [60, None]
    pool = pooled(worker)
    assert names(list(pool.generate(requests()))) == WANTED
    assert [record.message.partition(":")[0] for record in caplog.records] == ["worker 1 died"] * 2
    assert "it is started again" in caplog.text
    assert pool.facts()["died"].count("worker 1 died: killed by SIGKILL") == 2
    pool.close()


def test_one_that_dies_for_good_leaves_its_part_to_one_that_lives_again() -> None:
    first, second = ThreadWorker("worker 1", fake(), 50), ThreadWorker("worker 2", fake(), 50)
    second.lives = [None]
    pool = pooled(first, second)
    assert names(list(pool.generate(requests()))) == WANTED
    pool.close()


def test_an_engine_that_fails_is_a_dead_worker_and_where_all_have_died_the_first_says_why() -> None:
    workers = [ThreadWorker(f"worker {at}", fake(die_after=20, window=4)) for at in (1, 2)]
    with pytest.raises(EngineError) as dead:
        list(pooled(*workers).generate(requests()))
    with pytest.raises(EngineError) as alone:
        list(fake(die_after=20)().generate(requests()))
    assert str(dead.value) == str(alone.value)
    kept: list[Completion] = []
    killed = (ThreadWorker(f"worker {at}", fake(window=4), 30 * at) for at in (1, 2))
    answers = pooled(*killed).generate(requests())
    with pytest.raises(EngineError, match=r"^worker [12] died: killed by SIGKILL\n.*is kept"):
        kept.extend(answers)  # which has those before the error
    assert names(kept).most_common(1)[0][1] == 1
    assert set(names(kept)) < set(WANTED)
    assert len(kept) > 60


def refuse(error: Exception) -> None:
    raise error


def test_what_fails_to_load(caplog: pytest.LogCaptureFixture) -> None:
    broken = partial(refuse, EngineError("vLLM could not load it: no memory\nlower something"))
    one = ThreadWorker("worker 1", broken)
    pool = pooled(one, ThreadWorker("worker 2", fake()))
    said = "worker 1 could not be loaded: vLLM could not load it: no memory"
    assert caplog.messages == [said]
    assert pool.facts()["died"] == f"{said}\nlower something"
    assert names(list(pool.generate(requests()))) == WANTED
    with pytest.raises(EngineError) as none:
        pooled(*(ThreadWorker("worker", broken) for _ in range(2)))
    assert str(none.value) == "vLLM could not load it: no memory\nlower something"
    assert caplog.messages == [said]
    wrong = [
        ThreadWorker("worker", partial(refuse, ConfigError("--lora: too many"))) for _ in range(2)
    ]
    with pytest.raises(ConfigError) as raised:
        pooled(*wrong)
    assert str(raised.value) == "--lora: too many"
    assert "in refuse" in raised.value.__notes__[0]  # of the worker, for --debug
    assert all(worker.closed.is_set() for worker in wrong)
    with pytest.raises(EngineError, match=r"^ZeroDivisionError: by zero"):
        pooled(ThreadWorker("worker", partial(refuse, ZeroDivisionError("by zero"))))


def test_a_request_that_cannot_be_asked_ends_the_run_at_once() -> None:
    class Refusing(FakeEngine):
        def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
            raise ConfigError("the chat template takes no such chat")

    opens = partial(Refusing, ITEMS, make_judge("pointwise").write, 0, {})
    for asked in (
        lambda pool: pool.prompt_tokens(()),
        lambda pool: list(pool.generate(requests())),
    ):
        with pytest.raises(ConfigError, match="takes no such chat"):
            asked(pooled(ThreadWorker("worker 1", opens), ThreadWorker("worker 2", opens)))


def test_a_call_that_is_closed_is_not_answered_in_the_next() -> None:
    pool = pooled(*(ThreadWorker(f"worker {at}", fake(window=4)) for at in (1, 2)))
    for _ in range(3):
        answers = pool.generate(requests())
        assert len(list(islice(answers, 50))) == 50
        answers.close()  # type: ignore[attr-defined]
    assert names(list(pool.generate(requests()))) == WANTED


def test_a_pool_of_scorers_scores_as_one_would() -> None:
    asked = [
        ScoreRequest(item.key, j, (Message("user", str(j)),), right=j % 2 == 0)
        for item in ITEMS[:20]
        for j in range(8)
    ]
    opens = partial(FakeScorer, 0, {"window": 8})
    workers = [ThreadWorker("worker 1", opens, 40), ThreadWorker("worker 2", opens)]
    found = list(ScorerPool(workers, {}).score(asked))
    assert sorted(found) == sorted(opens().score(asked))
    assert {id(each.request) for each in found} == {id(each) for each in asked}


class Forgetful(FakeEngine):
    """An engine that leaves every fifth sample out."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        yield from (each for each in super().generate(requests) if each.j % 5)


def test_what_an_engine_does_not_answer_is_missing_and_nobody_waits_for_it() -> None:
    opens = partial(Forgetful, ITEMS, make_judge("pointwise").write, 0, {})
    weak = ThreadWorker("worker 1", opens, 60)
    pool = pooled(weak, ThreadWorker("worker 2", opens))
    for _ in range(2):
        found = names(list(pool.generate(requests())))
        assert found == Counter({name: 1 for name in WANTED if name[1] % 5})


def test_what_is_told_after_the_end_is_not_heard() -> None:
    pool = pooled(*(ThreadWorker(f"worker {at}", fake()) for at in (1, 2)))
    seat = pool._seats[0]
    for _ in range(2):
        pool._tell(seat, seat.life, Failed(EngineError("once")))
        pool._tell(seat, seat.life, Gone("twice"))
    assert names(list(pool.generate(requests()))) == WANTED
    assert pool.facts()["died"] == "worker 1 died: once"
