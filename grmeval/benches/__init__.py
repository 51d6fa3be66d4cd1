"""Benchmarks: one TOML each in tasks/, read into Items."""

from grmeval.benches.load import Loaded, bench_ids, check_bench, load
from grmeval.benches.spec import BenchSpec, read_spec

__all__ = ["BenchSpec", "Loaded", "bench_ids", "check_bench", "load", "read_spec"]
