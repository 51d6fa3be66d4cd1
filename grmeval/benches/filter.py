"""Parts of a benchmark: the subsets and sections that a command keeps."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grmeval.benches.spec import BenchSpec, Section, holds
from grmeval.errors import ConfigError, nearest

__all__ = ["EVERYTHING", "Filter", "narrowed"]

SHOWN = 3
"""Names that a title lists."""


@dataclass(frozen=True)
class Filter:
    """Names or patterns of subsets and of sections; what any of them holds is kept. Empty: everything."""

    subsets: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Mapping[str, Any]) -> "Filter":
        """From a record, or what flags gave: `subset` and `section`, each a list, None or not there."""
        return cls(tuple(names.get("subset") or ()), tuple(names.get("section") or ()))

    def __bool__(self) -> bool:
        return bool(self.subsets or self.sections)

    def __str__(self) -> str:
        """As a title says it: section Math, subsets a, b."""
        return ", ".join(
            f"{kind}{'s' if len(names) > 1 else ''} {_few(names)}"
            for kind, names in (("section", self.sections), ("subset", self.subsets))
            if names
        )

    @property
    def words(self) -> list[str]:
        """The words of a command that give it."""
        given = {"--section": self.sections, "--subset": self.subsets}
        return [word for flag, names in given.items() for name in names for word in (flag, name)]

    def record(self) -> dict[str, list[str]]:
        """As JSON values; see `of`."""
        return {"subset": list(self.subsets), "section": list(self.sections)}

    def keeps(self, spec: BenchSpec, subset: str) -> bool:
        """Whether a subset is kept."""
        section = spec.sections[spec.section_of(subset)].name
        return not self or holds(self.subsets, subset) or holds(self.sections, section)

    def kept(self, spec: BenchSpec, subsets: Iterable[str]) -> list[str]:
        """Those of the subsets, which have rows, that are kept; ConfigError: a name that holds none."""
        there = sorted(set(subsets))
        numbers = sorted(set(map(spec.section_of, there)))
        known = {"subset": there, "section": [spec.sections[n].name for n in numbers]}
        absent = {"subset": {*spec.expected}, "section": {each.name for each in spec.sections}}
        for kind, names in (("subset", self.subsets), ("section", self.sections)):
            other = "section" if kind == "subset" else "subset"
            for name in names:
                if any(holds((name,), each) for each in known[kind]):
                    continue
                why = "no such one"
                if name in absent[kind]:
                    why = "none of its rows are at hand"
                elif name in known[other]:
                    why = f"that is a {other} (--{other})"
                raise ConfigError(
                    f"--{kind} {name!r} of {spec.title}: {why}; {nearest(name, known[kind])}"
                )
        return [subset for subset in there if self.keeps(spec, subset)]


EVERYTHING = Filter()


def narrowed(spec: BenchSpec, only: Filter, subsets: Collection[str]) -> BenchSpec:
    """What a benchmark would be were the kept part all of it; `subsets`: those that have rows.

    No name is left that means more than is kept: a section says how many of its subsets it has, a view that
    lacks one is dropped, title and metric say what this is.
    """
    named = sorted({*subsets, *spec.expected})
    kept = {subset for subset in named if only.keeps(spec, subset)}
    sections = [
        _section(section, mine, kept)
        for number, section in enumerate(spec.sections)
        if kept.intersection(mine := [s for s in named if spec.section_of(s) == number])
    ]
    views = [
        view
        for view in spec.views
        if (held := {s for s in named if holds(view.subsets, s)}) and held <= kept
    ]
    return spec.model_copy(
        update={
            "title": f"{spec.title}, {only} alone",
            "metric": f"of {only} alone, NOT the benchmark's own number; formed as that is: {spec.metric}",
            "sections": tuple(sections),
            "views": tuple(views),
            "expected": {name: rows for name, rows in spec.expected.items() if name in kept},
        }
    )


def _section(section: Section, subsets: Sequence[str], kept: Collection[str]) -> Section:
    left = [subset for subset in subsets if subset in kept]
    name = section.name
    if len(left) < len(subsets):
        name += f" ({len(left)} of {len(subsets)} subsets)"
    weights = {subset: weight for subset, weight in section.weights.items() if subset in kept}
    return section.model_copy(update={"name": name, "weights": weights})


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
