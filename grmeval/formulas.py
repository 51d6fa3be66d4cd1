"""CSV cells that a spreadsheet would take for a formula: a guard before them, and how it is taken off.

A spreadsheet runs a text that begins with one of `= + - @`, a tab or a line break, or with their full-width
forms. Before such a text stands one apostrophe, which a spreadsheet takes for "this is text". A text that
begins with apostrophes and then such a sign gets one more, so that every text can be told from its guarded
form: `unguarded(guarded(text)) == text`.
"""

import re
from typing import Any

__all__ = ["guarded", "unguarded"]

_SIGN = "[=+@\\-\\t\\r\\n\\uff1d\\uff0b\\uff0d\\uff20]"
_RUNS = re.compile(f"'*{_SIGN}")
_GUARDED = re.compile(f"'+{_SIGN}")


def guarded(cell: Any) -> Any:
    """A cell that no spreadsheet runs; what is no text, such as a number, stays what it is."""
    return f"'{cell}" if isinstance(cell, str) and _RUNS.match(cell) else cell


def unguarded(text: str) -> str:
    """The text that a guarded cell was made of."""
    return text[1:] if _GUARDED.match(text) else text
