"""Several models' runs of one benchmark -> one run of them all: a panel of judges.

Sample i of member m becomes sample j = i R + m of the panel's R members: its first R i samples are i of each.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.benches import hash_of
from grmeval.engines.models import slug
from grmeval.errors import ConfigError, Incomplete
from grmeval.items import Key, Sample
from grmeval.store import (
    PANEL,
    JournalWriter,
    RunFolder,
    SampleKey,
    origin,
    record_of,
    refuse_hinted,
    run_id,
    sample_batches,
    sample_schema,
    stops_of,
)

__all__ = ["Missing", "Panel", "panel_of"]

BATCH = 4096
TOKENS = ("tokens", "prompt_tokens")

LONGEST = 40
"""Characters of a name that is made of the members' own."""


@dataclass(frozen=True)
class Panel:
    """What a panel will hold, before anything is written.

    `items`: the rows that all members have, as items.parquet holds them. `depths`: how many samples an item
    has of each member, in their order, up to the first gap; `rounds`: how many of every member the panel
    takes. `asked`: what run.json says of the last command.
    """

    members: tuple[RunFolder, ...]
    path: Path
    identity: Mapping[str, Any]
    items: Any
    depths: Sequence[Mapping[Key, int]]
    rounds: Mapping[Key, int]
    asked: Mapping[str, Any]

    def missing(self) -> "Missing":
        """What the panel lacks of what was asked, by whether its members can be given more."""
        k, limit = self.asked["asked"]["k"], self.asked["asked"]["limit"]
        wanted = k // len(self.members)
        samples = beyond = 0
        short = set[int]()
        for key in _inside(self.items, limit):
            lacking = [at for at, found in enumerate(self.depths) if found.get(key, 0) < wanted]
            if all(origin(self.members[at].record["identity"]).asked for at in lacking):
                samples += (wanted - self.rounds.get(key, 0)) * len(self.members)
                short.update(lacking)
            else:
                beyond += 1
        return Missing(samples, beyond, tuple(self.members[at] for at in sorted(short)))

    def make(self) -> tuple[RunFolder, int]:
        """Write what is not there yet; gives the run, and how many of its samples are new.

        Whatever ends this, the next call goes on with exactly what is missing.
        """
        folder = RunFolder.create(self.path, self.identity, lambda: self.items, **self.asked)
        with folder.writer(None):
            folder.fold(None)
            if any(folder.record[name] != said for name, said in self.asked.items()):
                folder.update(**self.asked)
            have = folder.done()
            wanted = {
                SampleKey(*key, j)
                for key, rounds in self.rounds.items()
                for j in range(rounds * len(self.members))
            }
            if new := wanted - have:
                for place in range(len(self.members)):
                    self._take_over(folder, place, have | wanted, new)
                folder.fold(None)
        return folder, len(new)

    def _take_over(
        self, folder: RunFolder, place: int, held: set[SampleKey], new: set[SampleKey]
    ) -> None:
        """Write the new samples of the member at this place, each into the journal of its launch."""
        member, names = self.members[place], sample_schema().names
        tallies: dict[str, Counter[str]] = {}
        for row in _rows(member, [*SampleKey._fields, "launch", *TOKENS]):
            if self._key(row, place) in held:
                tally = tallies.setdefault(row["launch"], Counter())
                tally.update({"samples": 1} | {name: row[name] for name in TOKENS})
        launches = _adopted(folder, member, tallies)
        with contextlib.ExitStack() as opened:
            journals = {
                name: opened.enter_context(JournalWriter(folder.path / "journal" / f"{name}.jsonl"))
                for name in launches.values()
            }
            for row in _rows(member, names):
                key = self._key(row, place)
                if key in new:
                    launch = launches[row["launch"]]
                    journals[launch].write(Sample(**row | {"j": key.j, "launch": launch}))

    def _key(self, row: Mapping[str, Any], place: int) -> SampleKey:
        return SampleKey(row["subset"], row["id"], row["j"] * len(self.members) + place)


class Missing(NamedTuple):
    """Samples that `members`, asked for more, would bring; `beyond`: items that an import has no more of."""

    samples: int
    beyond: int
    members: tuple[RunFolder, ...]


def panel_of(
    members: Sequence[RunFolder], results: Path, name: str | None = None, k: int | None = None
) -> Panel:
    """The panel of runs that judged the same rows, below `results`; nothing is written.

    Of rows that a partial import leaves out there is nothing, wherever it stands among the members.
    `k`: samples of each member, at most; else as many as all have. ConfigError: fewer than two members,
    one twice, a panel among them, a name of nothing, another one than this panel has already, or a `k`
    that some member does not have. Where items of a member stopped early (`--adaptive`) all items have
    equally many samples in the panel: when one stops hangs on what its samples say.
    """
    _check(members, name)
    depths = [_depths(member) for member in members]
    early = next((member for member in members if any(stops_of(member.path))), None)
    rounds = _rounds(depths, k, early)
    rows = _rows_of_all(members)
    identities = [member.record["identity"] for member in members]
    identity = {
        "bench": identities[0]["bench"],
        "data": rows.data,
        "engine": PANEL,
        "judge": {
            "name": PANEL,
            "members": [member.path.name for member in members],
            "judges": [each["judge"]["name"] for each in identities],
        },
        "layout": identities[0].get("layout", "list"),
        "orders": _orders(identities),
        "seed": identities[0]["seed"],
    }
    own = results / identity["bench"] / (slug(name) if name else _name(members)) / run_id(identity)
    # The same panel under another name has its folder already.
    there = [] if own.exists() else sorted(own.parents[1].glob(f"*/{own.name}/run.json"))
    path = there[0].parent if there else own
    if name and there:
        raise ConfigError(
            f"--name {name}: this panel is there already, as {path.parent.name}: {path}; drop --name"
        )
    limits = [record_of(member).limit for member in members]
    limit = min((limit for limit in limits if limit is not None), default=None)
    of_all = [rounds[key] for key in _inside(rows.items, limit) if key in rounds]
    texts = next((m for m in members if m.record["config"].get("texts", True)), members[0])
    asked = {
        "asked": {
            "k": (k or min(of_all or rounds.values())) * len(members),
            "limit": limit,
        },
        "config": {
            "bench": texts.record["config"].get("bench"),
            "data": texts.record["config"].get("data"),
            "label": path.parent.name,
            "members": [_told(member) for member in members],
            "texts": texts.record["config"].get("texts", True),
        },
        "spec": rows.spec,
    }
    return Panel(tuple(members), path, identity, rows.items, depths, rounds, asked)


def _check(members: Sequence[RunFolder], name: str | None) -> None:
    if name is not None and not name.strip():
        raise ConfigError("--name: name the panel")
    if len(members) < 2:
        raise ConfigError("a panel takes two or more runs")
    seen = set[str]()
    for member in members:
        if member.record["identity"]["engine"] == PANEL:
            raise ConfigError(f"{member.path}: a panel itself: name its members instead")
        if member.path.name in seen:
            raise ConfigError(f"{member.path}: this run is in the panel twice")
        seen.add(member.path.name)
        refuse_hinted(member)


def _told(member: RunFolder) -> dict[str, Any]:
    """What a panel's record keeps of a member: its name, and what it takes to price its samples."""
    config = member.record["config"]
    kept = ("label", "model", "tensor_parallel", "critic")
    return {"run": member.path.name} | {name: config[name] for name in kept if config.get(name)}


class _Rows(NamedTuple):
    """items.parquet of the rows that all members have, their hash, and the benchmark as far as they go."""

    items: Any
    data: str
    spec: Mapping[str, Any]


def _rows_of_all(members: Sequence[RunFolder]) -> _Rows:
    """The first member's rows, less those that an import among the others leaves out."""
    first = members[0].record
    data, spec = first["identity"]["data"], first["spec"]
    items = members[0].items().drop_columns(["section"])
    if not any(member.record["spec"].get("left_out") for member in members[1:]):
        return _Rows(items, data, spec)
    mine = _keys(items)
    common = set(mine).intersection(*(_keys(member.items()) for member in members[1:]))
    if len(common) == len(mine):
        return _Rows(items, data, spec)
    kept = items.filter([key in common for key in mine])
    data = hash_of(dict(zip(_keys(kept), kept["content_hash"].to_pylist(), strict=True)))
    return _Rows(kept, data, _narrowed(spec, items, kept))


def _narrowed(spec: Mapping[str, Any], items: Any, kept: Any) -> dict[str, Any]:
    """A benchmark of the kept rows alone; what is not at hand is left out too, as in an import."""
    judged = _counted(kept)
    expected = {s: min(n, judged[s]) for s, n in spec["expected"].items() if judged[s]}
    left_out = _counted(items) - judged
    left_out.update(spec["missing"])
    left_out.update(spec.get("left_out") or {})
    return {**spec, "expected": expected, "missing": {}, "left_out": dict(left_out)}


def _counted(items: Any) -> Counter[str]:
    """Items by subset, as `benches.count` counts them: the responses of a pool are one."""
    columns = (items[name].to_pylist() for name in ("subset", "id", "pool"))
    return Counter(
        subset for subset, _ in {(s, pool or i) for s, i, pool in zip(*columns, strict=True)}
    )


def _keys(items: Any) -> list[Key]:
    return list(map(Key, items["subset"].to_pylist(), items["id"].to_pylist()))


def _inside(items: Any, limit: int | None) -> list[Key]:
    """The items inside --limit."""
    ranks = zip(_keys(items), items["rank"].to_pylist(), strict=True)
    return [key for key, rank in ranks if limit is None or rank < limit]


def _rounds(
    depths: Sequence[Mapping[Key, int]], k: int | None, early: RunFolder | None
) -> dict[Key, int]:
    """How many samples of each member every item has. Incomplete: none at all.

    `early`: a member of which items stopped early; then all have as many as the one with the fewest.
    """
    common = set(depths[0]).intersection(*depths[1:])
    rounds = {key: min(depth[key] for depth in depths) for key in common}
    if not rounds:
        raise Incomplete("no item has a judgement of every member yet")
    if early:
        if (k or 1) > (least := min(rounds.values())):
            raise ConfigError(
                f"--k {k}: items of {early.path} stopped early (--adaptive), and all have {least} samples: "
                f"--k {least}; `grmeval run … --k {k}` without --adaptive draws the rest"
            )
        return dict.fromkeys(rounds, k or least)
    if k is None:
        return rounds
    if k > (most := max(rounds.values())):
        raise ConfigError(f"--k {k}: the members have {most} samples an item in common")
    return {key: min(deep, k) for key, deep in rounds.items()}


def _depths(member: RunFolder) -> dict[Key, int]:
    """Each item's samples before its first gap; items without any are left out."""
    found: dict[Key, int] = {}
    for subset, name, j in sorted(member.done()):
        key = Key(subset, name)
        if j == found.get(key, 0):
            found[key] = j + 1
    return found


def _orders(identities: Sequence[Mapping[str, Any]]) -> str:
    """The members' order policy; `mixed` where they have several."""
    first, *others = dict.fromkeys(str(each["orders"]) for each in identities)
    return "mixed" if others else first


def _name(members: Sequence[RunFolder]) -> str:
    """The members' own names where those are few, short and different."""
    labels = [str(member.record["config"]["label"]) for member in members]
    joined = "+".join(labels)
    short = len(set(labels)) == len(labels) and len(joined) <= LONGEST
    return slug(joined if short else f"panel-of-{len(members)}")


def _rows(member: RunFolder, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in sample_batches(member, columns, BATCH):
        yield from batch.to_pylist()


def _adopted(
    folder: RunFolder, member: RunFolder, tallies: Mapping[str, Mapping[str, int]]
) -> dict[str, str]:
    """Register those of a member's launches that `tallies` samples and tokens here; gives name there -> here.

    Each once, however often it is called: a kill leaves no second one. Its time is that of its share.
    """
    records = list(folder.record["launches"])
    there = {(each["member"], each["merged"]): at for at, each in enumerate(records)}
    found = {}
    for launch in member.record["launches"]:
        name = launch["name"]
        if name not in tallies:
            continue
        at = there.get((member.path.name, name), len(records))
        found[name] = f"{at:04d}"
        whose = {"member": member.path.name, "label": member.record["config"]["label"]}
        here: dict[str, Any] = {"name": found[name], "merged": name, **tallies[name]}
        if launch.get("samples") and "sample_seconds" in launch:
            share = here["samples"] / launch["samples"]
            here["sample_seconds"] = launch["sample_seconds"] * share
        records[at : at + 1] = [launch | whose | here]
    folder.update(launches=records)
    return found
