"""Benchmarks: one TOML each in tasks/ (or a file of the user's), read into Items."""

from grmeval.benches.copies import at_hand, on_hub
from grmeval.benches.fetch import fetch
from grmeval.benches.filter import EVERYTHING, Filter, narrowed
from grmeval.benches.groups import Group, groups
from grmeval.benches.load import (
    Loaded,
    bench_ids,
    content_hash,
    count,
    expand,
    find_spec,
    hash_of,
    load,
    load_spec,
)
from grmeval.benches.own import own_file
from grmeval.benches.spec import BenchSpec, holds, read_spec, read_spec_as
from grmeval.benches.verify import Verified, verify

__all__ = [
    "EVERYTHING",
    "BenchSpec",
    "Filter",
    "Group",
    "Loaded",
    "Verified",
    "at_hand",
    "bench_ids",
    "content_hash",
    "count",
    "expand",
    "fetch",
    "find_spec",
    "groups",
    "hash_of",
    "holds",
    "load",
    "load_spec",
    "narrowed",
    "on_hub",
    "own_file",
    "read_spec",
    "read_spec_as",
    "verify",
]
