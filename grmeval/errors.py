"""Every error that grmeval raises on purpose.

    GrmevalError                 a message says what was given, what is allowed, what to do next
    ├── UsageError               exit 2: the command's words do not fit together
    │   ├── ConfigError          a setting is unknown, out of range, or contradicts another
    │   └── DataError            rows of a benchmark are missing or cannot be read (file, row, field)
    ├── InfrastructureError      exit 3: what grmeval stands on failed; the same command resumes
    │   ├── EngineError          the engine cannot start, ran out of memory, or died
    │   └── StoreError           the run folder cannot be written, read, or is held by another writer
    │       └── ReadOnlyError    it may be read and not written
    └── Incomplete               exit 3: samples are missing, at the end of a run or for a figure of it

The exit code is an attribute of the class; `grmeval.cli.main` is the one place that turns it into the
process's status. Anything else that escapes is a bug: exit 1, and a traceback with --debug.
"""

__all__ = [
    "ConfigError",
    "DataError",
    "EngineError",
    "GrmevalError",
    "Incomplete",
    "InfrastructureError",
    "ReadOnlyError",
    "StoreError",
    "UsageError",
    "nearest",
]


class GrmevalError(Exception):
    """The root: `exit_code` is what the command line leaves with."""

    exit_code = 1


class UsageError(GrmevalError):
    """The command cannot be carried out as given."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown, out of range, or contradicts another."""


class DataError(UsageError):
    """Benchmark rows are missing or cannot be read."""


class InfrastructureError(GrmevalError):
    """Engine, hub or disk failed; nothing finished is lost."""

    exit_code = 3


class EngineError(InfrastructureError):
    """The engine cannot start, ran out of memory, or died."""


class StoreError(InfrastructureError):
    """The run folder cannot be written, read, or is held by another writer."""


class ReadOnlyError(StoreError):
    """A folder may be read and not written."""


class Incomplete(GrmevalError):
    """Samples are missing: at the end of a run, or for a figure that needs all (items stopped early)."""

    exit_code = 3


def nearest(word: str, allowed: "list[str] | tuple[str, ...]") -> str:
    """Say what is allowed, and which of it `word` may have meant."""
    from difflib import get_close_matches

    close = get_close_matches(word.lower(), allowed, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"allowed: {', '.join(allowed)}{hint}"
