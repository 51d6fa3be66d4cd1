"""Which files a result is written to: NAME means every usual format, NAME.tex the one of its ending."""

from pathlib import Path

from grmeval.errors import ConfigError

__all__ = ["FIGURE", "TABLE", "check_place", "places"]

TABLE = (".csv", ".md", ".json", ".tex")
FIGURE = (".svg", ".png", ".pdf")
_WHERE_ASKED = (".tex", ".pdf")
"""Written only where the ending asks for it."""


def check_place(to: Path, figure: bool) -> None:
    """ConfigError: `to` ends in a format that is not written; `figure`: there is one, beside the table."""
    if not to.name:
        raise ConfigError(f"--to {to}: no file's name; write one: {to / 'NAME'}")
    ending = to.suffix
    allowed = TABLE + (FIGURE if figure else ())
    # What is no word, as in night-0.5, belongs to the name.
    if ending[1:].isalpha() and ending not in allowed:
        raise ConfigError(
            f"--to {to}: no format {ending}; allowed: {', '.join(allowed)}; without an ending: all "
            f"but {', '.join(e for e in allowed if e in _WHERE_ASKED)}"
        )


def places(to: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files of these formats that `to` asks for; none where it asks for another."""
    if to.suffix in TABLE + FIGURE:
        return [to] if to.suffix in endings else []
    return [to.with_name(to.name + ending) for ending in endings if ending not in _WHERE_ASKED]
