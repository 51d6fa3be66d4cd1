"""A table for a paper: a LaTeX tabular with booktabs rules, to be \\input where a table stands."""

import re
from collections.abc import Collection, Sequence

__all__ = ["latex_table"]

_ESCAPES = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\char34{}",
        "…": r"\dots{}",
        "·": r"$\cdot$",
        # After the end of a row these would be arguments of its \\.
        "[": "{[}",
        "*": "{*}",
    }
)


def latex_table(
    titles: Sequence[str],
    names: Sequence[bool],
    lines: Sequence[Sequence[str]],
    about: Sequence[str] = (),
    rules: Collection[int] = (),
) -> str:
    """Lines of cells under titles; `names`: which columns hold names, the others hold numbers.

    `about` become comments; before the lines at `rules` stands a rule. Every text is one line, as
    `printable` leaves it.
    """
    rows = [[_cell(text, name) for text, name in zip(line, names, strict=True)] for line in lines]
    head = [_cell(title, True) for title in titles]
    return "\n".join(
        [
            *(f"% {text}" for text in about),
            r"% needs \usepackage{booktabs}",
            f"\\begin{{tabular}}{{{''.join('l' if name else 'r' for name in names)}}}",
            r"\toprule",
            _row(head),
            r"\midrule",
            *(
                f"\\midrule\n{_row(row)}" if at in rules else _row(row)
                for at, row in enumerate(rows)
            ),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(text: str, name: bool) -> str:
    """Escaped; the indentation of a name is kept, hyphens of a number are minus signs or ranges."""
    bare = text.lstrip()
    found = bare.translate(_ESCAPES)
    if name:
        found = re.sub("-(?=-)", "-{}", found)
    else:
        found = re.sub(r"^([\d.]+)-([\d.]+)$", r"\1--\2", found)
        found = re.sub(r"(?<![\w.-])-(?=\d)", "$-$", found)
    return r"\quad " * (len(text) - len(bare)) + found
