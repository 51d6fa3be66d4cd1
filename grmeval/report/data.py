"""What `grmeval data` found, as lines of 80 columns and as JSON; never a text of a row."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from grmeval.benches import Verified
from grmeval.report.cells import one_line

__all__ = ["data_json", "data_text"]

WIDTH = 80
FEW = 5
"""How many of many are named."""


def data_json(results: Sequence[Verified], errors: Mapping[str, str]) -> str:
    """A list with an object a benchmark; one that could not be read has an `error`."""
    failed = [{"bench": bench, "error": error} for bench, error in errors.items()]
    return json.dumps([*map(asdict, results), *failed], indent=1) + "\n"


def data_text(found: Verified) -> Iterator[str]:
    """The same for people, line by line."""
    yield from _line("", f"{found.bench}: {found.title}")
    yield from _line("read from", found.origin)
    yield from _line("items", _of(found.found, found.expected))
    for section in found.sections:
        yield from _line("", f"{section.name}: {_of(section.found, section.expected)}", "  ")
    for title, counts in (("missing", found.missing), ("more than expected", found.surplus)):
        if counts:
            listed = ", ".join(f"{subset} ({count:,})" for subset, count in counts.items())
            yield from _line(title, f"{sum(counts.values()):,} items: {listed}")
    yield from _line("duplicates", _named("rows with the texts of another", found.duplicates))
    shared = f", {found.shared:,} of them shared by {found.sharing:,} items" if found.shared else ""
    yield from _line("prompts", f"{found.prompts:,}{shared}")
    for flag, names in found.odd.items():
        yield from _line("odd rows", _named(flag, names))
    yield from _line("content", f"sha256 {found.content_hash}")
    for archive in found.archives:
        yield from _line("archive", f"{archive.name} ({archive.bytes:,} bytes)")
        yield from _line("", f"sha256 {archive.sha256}", "    ")
    many = f"; the first {FEW} (--json has all)" if len(found.files) > FEW else ""
    size = sum(file.bytes for file in found.files)
    yield from _line("files", f"{len(found.files):,}, {size:,} bytes{many}")
    for file in found.files[:FEW]:
        yield from _line("", f"{file.name} ({file.bytes:,} bytes)", "  ")
        yield from _line("", f"sha256 {file.sha256}", "    ")
    yield from _line("verdict", found.verdict)


def _line(title: str, value: str, margin: str = "") -> Iterator[str]:
    """`title: value`, wrapped; names of a data set's make no terminal act."""
    text = one_line(f"{title}: {value}" if title else value)
    hanging = f"{margin}    "
    wrap = textwrap.TextWrapper(
        WIDTH, initial_indent=margin, subsequent_indent=hanging, break_on_hyphens=False
    )
    for line in wrap.wrap(text):
        yield f"{line}\n"


def _of(found: int, expected: int) -> str:
    return f"{found:,} of {expected:,}" if expected else f"{found:,}"


def _named(what: str, names: Sequence[str]) -> str:
    return f"{len(names):,} {what}: {_few(names)}" if names else f"0 {what}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:FEW]) + (" …" if len(names) > FEW else "")
