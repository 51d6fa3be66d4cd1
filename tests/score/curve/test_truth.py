"""The fake judge's truth comes back: intervals cover it, balanced orders cancel its order bias."""

from pathlib import Path

import pytest
from scipy.stats import binom

from grmeval.score import score
from tests.helpers import sampled


@pytest.mark.parametrize("seeds", [10, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize(("spread", "accuracy"), [(0.0, 0.7), (0.3, 0.6)])
def test_the_interval_covers_the_truth(
    tmp_path: Path, spread: float, accuracy: float, seeds: int
) -> None:
    covered = 0
    for seed in range(seeds):
        arguments = {"accuracy": accuracy, "spread": spread}
        folder = sampled(tmp_path / str(seed), k=1, seed=seed, engine_args=arguments)
        overall = score(folder).rows[0]
        covered += overall.low <= accuracy <= overall.high
    low, high = binom.interval(0.999, seeds, 0.95)
    print(
        f"accuracy {accuracy}, spread {spread}: {covered} of {seeds} cover; allowed {low:.0f}-{high:.0f}"
    )
    assert low <= covered <= high


def test_balanced_orders_cancel_a_bias_that_random_orders_keep(tmp_path: Path) -> None:
    # k = 4 is a whole number of turns for pairs and for best-of-4 alike.
    def verdicts(name: str, bias: int, orders: str) -> list[float]:
        arguments = {"high": 7, "low": 1, "order_bias": bias, "accuracy": 0.55}
        folder = sampled(tmp_path / f"{name}{bias}", k=4, orders=orders, engine_args=arguments)
        return [
            credit
            for credit, subset in zip(
                *(score(folder).verdicts[c].to_pylist() for c in ("credit", "subset")), strict=True
            )
            if not subset.endswith("single")
        ]

    assert verdicts("balanced", 3, "balanced") == verdicts("balanced", 0, "balanced")
    assert verdicts("random", 3, "random") != verdicts("random", 0, "random")
