"""Text from models and data sets is hostile: what a terminal would act on is shown, not done."""

import re

__all__ = ["printable"]

# C0 but for tab and newline, DEL and C1, the bidi marks, the line and paragraph separators, the bidi
# embeddings and isolates, and halves of a surrogate pair, which no encoding can write.
_ACTING = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


def printable(text: str) -> str:
    """`text` for a terminal: control characters, bidi controls and lone surrogates as escapes."""
    return _ACTING.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
