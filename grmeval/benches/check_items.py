"""Whether what a benchmark's TOML asks of its items can be asked of those that there are."""

from collections.abc import Sequence

from grmeval.benches.spec import BenchSpec
from grmeval.errors import ConfigError
from grmeval.items import Item

__all__ = ["check_rules"]


def check_rules(spec: BenchSpec, items: Sequence[Item]) -> None:
    """ConfigError names the key, and an item that it does not suit."""
    rules = {s: spec.sections[spec.section_of(s)] for s in {item.subset for item in items}}
    for item in items:
        section = rules[item.subset]
        if section.rule != "accuracy" and item.pool is None:
            said = f"section {section.name!r}: rule = {section.rule!r}"
            raise _unsuited(spec, said, "responses judged one by one (shape pool or ties)", item)
        if spec.overall == "roc-auc" and item.n != 1:
            raise _unsuited(spec, "overall = 'roc-auc'", "one response an item", item)
        if spec.games and item.n > 2:
            raise _unsuited(spec, "games = true", "pairs", item)
        if "arena" in spec.figures and not {"model_a", "model_b"} <= item.meta.keys():
            raise _unsuited(spec, "figures: 'arena'", "meta = ['model_a', 'model_b']", item)
    if "detection" in spec.figures and all(item.n > 1 for item in items):
        raise _unsuited(spec, "figures: 'detection'", "one response an item", items[0])


def _unsuited(spec: BenchSpec, key: str, wanted: str, item: Item) -> ConfigError:
    return ConfigError(
        f"bench {spec.id}: {key} wants {wanted}; item {f'{item.subset}/{item.id}'!r} has {item.n} responses"
    )
