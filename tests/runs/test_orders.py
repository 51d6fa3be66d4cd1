"""Response orders and the prefix that --limit takes."""

from collections import Counter
from fractions import Fraction
from itertools import chain, pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from grmeval.items import Item, Key, Message
from grmeval.runs import Plan, configure, prepare
from grmeval.runs.limit import limit_ranks
from grmeval.runs.orders import distinct_orders, response_order

KEY = Key("colours", "1")
POLICIES = ("balanced", "random")


def uniform(found: Counter[tuple[int, ...]], cells: list[tuple[int, ...]]) -> bool:
    """Chi-square at 99.9 %; the hashes are fixed, so the answer is too."""
    assert set(found) <= set(cells)
    return bool(chisquare([found[cell] for cell in cells]).pvalue > 0.001)


# ---------------------------------------------------------------------- orders


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("n", range(1, 9))
def test_an_order_is_a_permutation(policy: str, n: int) -> None:
    for j in (0, 1, n, 99, 10**6):
        assert sorted(response_order(policy, 0, KEY, n, j)) == list(range(n))


@pytest.mark.parametrize("n", range(1, 9))
def test_balanced_orders_are_rotations(n: int) -> None:
    base = response_order("balanced", 7, KEY, n, 0)
    for j in range(3 * n):
        order = response_order("balanced", 7, KEY, n, j)
        assert order == tuple(base[(slot + j) % n] for slot in range(n))


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("start", [0, 1, 5, 1000])
def test_n_balanced_orders_show_every_response_in_every_slot_once(n: int, start: int) -> None:
    orders = [response_order("balanced", 0, KEY, n, j) for j in range(start, start + n)]
    assert all(sorted(column) == list(range(n)) for column in zip(*orders, strict=True))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_base_orders_are_uniform_over_items(n: int) -> None:
    found = Counter(response_order("balanced", 0, Key("s", str(i)), n, 0) for i in range(6000))
    assert uniform(found, list(permutations(range(n))))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_random_orders_are_uniform_over_samples(n: int) -> None:
    found = Counter(response_order("random", 0, KEY, n, j) for j in range(6000))
    assert uniform(found, list(permutations(range(n))))


def test_one_random_order_says_nothing_of_the_next() -> None:
    orders = [response_order("random", 0, KEY, 3, j) for j in range(7201)]
    found = Counter(a + b for a, b in pairwise(orders))
    cells = [a + b for a in permutations(range(3)) for b in permutations(range(3))]
    assert uniform(found, cells)


@pytest.mark.parametrize("policy", POLICIES)
def test_orders_belong_to_seed_subset_and_id(policy: str) -> None:
    def orders(seed: int, key: Key) -> list[tuple[int, ...]]:
        return [response_order(policy, seed, key, 8, j) for j in range(4)]

    others = [(1, KEY), (0, Key("colours", "2")), (0, Key("numbers", "1"))]
    assert orders(0, KEY) == orders(0, KEY)
    assert all(orders(seed, key) != orders(0, KEY) for seed, key in others)


@pytest.mark.parametrize("policy", POLICIES)
def test_any_key_has_an_order(policy: str) -> None:
    for text in ("", "\0", "\ud800", "\u202e"):
        assert sorted(response_order(policy, 0, Key(text, text), 3, 1)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("policy", "counts"), [("balanced", [1, 2, 3, 4]), ("random", [1, 2, 6, 24])]
)
def test_how_many_prompts_an_item_can_have(policy: str, counts: list[int]) -> None:
    assert [distinct_orders(policy, n) for n in (1, 2, 3, 4)] == counts
    for n, count in zip((1, 2, 3, 4), counts, strict=True):
        assert len({response_order(policy, 0, KEY, n, j) for j in range(400)}) == count


@pytest.mark.parametrize("policy", POLICIES)
def test_orders_do_not_depend_on_k(policy: str) -> None:
    def plan(k: int) -> Plan:
        return prepare(configure({"engine": "fake", "orders": policy, "k": k}))

    def orders(k: int) -> dict[tuple[Key, int], tuple[int, ...]]:
        asked = plan(k).requests(plan(k).missing(set()))
        return {(request.key, j): request.order for request in asked for j in request.js}

    few, many = orders(3), orders(7)
    assert len(many) == 7 * len(few) // 3
    assert {key: many[key] for key in few} == few


# ---------------------------------------------------------------------- --limit


def items(sizes: list[int], per_group: int = 0) -> list[Item]:
    """Sections named by number, so many items (or groups of so many items) in each."""
    turn = (Message("user", "?"),)
    made = []
    for section, size in enumerate(sizes):
        for unit in range(size):
            for part in range(max(1, per_group)):
                group = f"g{unit}" if per_group else None
                made.append(
                    Item("toy", str(section), f"{unit}#{part}", turn, ("a", "b"), group=group)
                )
    return made


SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=8)


@given(SIZES, st.integers(0, 3))
def test_ranks_number_the_items_once(sizes: list[int], seed: int) -> None:
    assert sorted(limit_ranks(items(sizes), int, seed)) == list(range(sum(sizes)))


def excess(sizes: list[int], seed: int = 0) -> list[list[Fraction]]:
    """For every prefix N and section: items taken less the exact share N x size / total."""
    made, total = items(sizes), sum(sizes)
    ranked = sorted(zip(limit_ranks(made, int, seed), made, strict=True), key=lambda row: row[0])
    taken = [0] * len(sizes)
    found = []
    for n, (_, item) in enumerate(ranked, start=1):
        taken[int(item.subset)] += 1
        found.append(
            [Fraction(t) - Fraction(n * s, total) for t, s in zip(taken, sizes, strict=True)]
        )
    return found


@given(SIZES)
def test_shares_of_every_prefix_stay_proportional(sizes: list[int]) -> None:
    """Where the prefix ends at place t, a section has s t + e items with |e| <= 1/2. So of m sections
    one of share p is off by e (1 - p) - p (sum of the others' e), at most (1 + p (m - 2)) / 2."""
    m, total = len(sizes), sum(sizes)
    for row in excess(sizes):
        for size, off in zip(sizes, row, strict=True):
            assert abs(off) <= (1 + Fraction(size, total) * (m - 2)) / 2


@pytest.mark.parametrize(
    "sizes",
    [[1], [1, 1], [10, 10, 10], [3, 97], [2109, 8456, 1677, 6087], [15, 15, 15, 15, 15]],
    ids=str,
)
def test_shares_of_these_benchmarks_are_within_one_item(sizes: list[int]) -> None:
    assert max(abs(off) for row in excess(sizes) for off in row) < 1


def test_many_small_sections_beside_a_large_one_all_come_in_its_middle() -> None:
    """The bound above is met: 50 sections of one item come together, 12.5 items off their share."""
    sizes = [50, *[1] * 50]
    assert max(abs(row[0]) for row in excess(sizes)) == Fraction(25, 2)


@pytest.mark.parametrize("sizes", [[5, 5, 5], [7, 3, 2]])
def test_the_order_of_items_is_not_the_order_of_rows(sizes: list[int]) -> None:
    made = items(sizes)
    straight = dict(zip((i.key for i in made), limit_ranks(made, int, 0), strict=True))
    turned = dict(zip((i.key for i in made[::-1]), limit_ranks(made[::-1], int, 0), strict=True))
    assert straight == turned


def test_the_seed_changes_who_is_first() -> None:
    firsts = {
        tuple(
            item.id
            for rank, item in zip(limit_ranks(made, int, seed), made, strict=True)
            if rank < 5
        )
        for seed in range(20)
        for made in [items([50])]
    }
    assert len(firsts) == 20


def test_everyone_is_first_as_often() -> None:
    made = items([6])
    found: Counter[tuple[int, ...]] = Counter(
        (limit_ranks(made, int, seed).index(0),) for seed in range(3000)
    )
    assert uniform(found, [(i,) for i in range(6)])


@pytest.mark.parametrize("per_group", [1, 3])
def test_groups_stay_together(per_group: int) -> None:
    made = items([4, 8], per_group)
    ranks = limit_ranks(made, int, 0)
    held: dict[tuple[str, str | None], set[int]] = {}
    for item, rank in zip(made, ranks, strict=True):
        held.setdefault((item.subset, item.group), set()).add(rank)
    assert {len(of_one) for of_one in held.values()} == {1}
    assert sorted(rank for of_one in held.values() for rank in of_one) == list(range(12))


@pytest.mark.parametrize("layout", ["list", "pairs"])
def test_limits_are_nested(layout: str) -> None:
    def chosen(limit: int | None) -> set[Key]:
        given = {"engine": "fake", "layout": layout, "limit": limit}
        return {item.key for item in prepare(configure(given)).items()}

    taken = [chosen(limit) for limit in (1, 5, 16, 64, None)]
    assert all(few < more for few, more in pairwise(taken))


def test_a_limit_counts_the_same_rows_in_both_layouts() -> None:
    def rows(layout: str) -> set[tuple[str, str]]:
        given = {"engine": "fake", "layout": layout, "limit": 40}
        chosen = prepare(configure(given)).items()
        return {(item.subset, item.group or item.id) for item in chosen}

    assert len(rows("list")) == len(rows("pairs")) == 40


@pytest.mark.parametrize("limit", [None, 10])
def test_shards_part_the_items(limit: int | None) -> None:
    def keys(shard: int | None) -> list[Key]:
        part = {"index": shard, "count": 3} if shard else None
        return [
            item.key
            for item in prepare(
                configure({"engine": "fake", "limit": limit, "shard": part})
            ).items()
        ]

    parts = [keys(shard) for shard in (1, 2, 3)]
    assert sorted(chain.from_iterable(parts)) == sorted(keys(None))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
