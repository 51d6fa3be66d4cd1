"""A part of a run, to be looked at: items of some subsets and sections, as if those were the benchmark."""

from collections.abc import Sequence
from typing import Any

from grmeval.benches import Filter, narrowed
from grmeval.errors import ConfigError
from grmeval.store.folder import RunFolder
from grmeval.store.items import rank_below
from grmeval.store.question import record_of, saved

__all__ = ["asked_part", "parts_of"]


def asked_part(folder: RunFolder) -> Filter:
    """What part of the benchmark the run's last command asked for."""
    return Filter.of(folder.record["asked"].get("only", {}))


def parts_of(folders: Sequence[RunFolder], only: Filter) -> list[RunFolder]:
    """Of each run the part that is kept; without a filter what their last commands asked for.

    A run itself where that is all of it. ConfigError: a name that is not in a run, or two runs that were
    asked for different parts.
    """
    if not only:
        asked = dict.fromkeys(found for folder in folders if (found := asked_part(folder)))
        if len(asked) > 1:
            told = "; ".join(" ".join(found.words) for found in asked)
            raise ConfigError(
                f"the runs were asked for different parts ({told}): say which of them"
            )
        only = next(iter(asked), only)
    return [_part(folder, only) for folder in folders]


def _part(folder: RunFolder, only: Filter) -> RunFolder:
    asked = asked_part(folder)
    if not only:
        return folder
    subsets = set(folder.items()["subset"].to_pylist())
    if len(only.kept(folder.spec(), subsets)) < len(subsets):
        return _RunPart(folder, only)
    if asked:  # everything is wanted: what was asked for last is only some of it
        folder.record["asked"] = folder.record["asked"] | {"limit": None}
    return folder


class _RunPart(RunFolder):
    """For reading alone: `record`, `spec` and `items` are those of the part.

    --limit N takes the first N of the part. Where a command names none, and no k, a part of what was last
    asked for is as that command asked; any other part is as in the run's record, whole where there is none.
    """

    def __init__(self, whole: RunFolder, only: Filter) -> None:
        self.path = whole.path
        table, spec, asked = whole.items(), whole.spec(), whole.record["asked"]
        subsets = table["subset"].to_pylist()
        ranks = list(zip(subsets, table["rank"].to_pylist(), strict=True))
        self._only, self._kept = only, set(only.kept(spec, subsets))
        last = asked_part(whole)
        before = set(last.kept(spec, subsets))
        limit = asked["limit"] if self._kept <= before else None
        if not last or (not self._kept <= before and saved(whole)):
            record, before = record_of(whole), set(subsets)
            limit, asked = record.limit, asked | {"k": record.k, "limit": record.limit}
        below = rank_below((rank for subset, rank in ranks if subset in before), limit)
        mine = {rank for subset, rank in ranks if subset in self._kept}
        inside = mine if below is None else {rank for rank in mine if rank < below}
        self._asked_limit = asked["limit"]
        self.record = whole.record | {
            "only": only.record(),
            "asked": asked | {"limit": None if len(inside) == len(mine) else len(inside)},
            "spec": whole.record["spec"]
            | narrowed(spec, only, set(subsets)).model_dump(mode="json")
            | {
                "missing": {
                    subset: rows
                    for subset, rows in whole.record["spec"].get("missing", {}).items()
                    if only.keeps(spec, subset)
                }
            },
        }

    def _inside(self, table: Any, limit: int | None) -> Any:
        """The rows of the part, then those of the first `limit` of its ranks."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if limit == 0:
            raise ConfigError(
                f"{' '.join(self._only.words)}: none of these items is inside --limit {self._asked_limit}, "
                "which was last asked for; --limit N takes the first N of them"
            )
        kept = pa.array(sorted(self._kept), table["subset"].type)
        table = table.filter(pc.is_in(table["subset"], value_set=kept))
        return super()._inside(table, rank_below(table["rank"].to_pylist(), limit))
