"""A template is a program that somebody wrote: it ends, makes no more than a prompt, and reaches nothing."""

import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import ConfigError
from grmeval.judges.sandbox import MOST_CHARACTERS, MOST_STEPS
from grmeval.judges.template import PromptTemplate
from tests.helpers import ask

LONG = "ab\n" * 300_000
NESTED = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def render(folder: Path, text: str, **values: Any) -> str:
    path = folder / "mine.jinja"
    path.write_text(text, "utf-8")
    return PromptTemplate("--template", path, ("responses",)).render(**values)


USUAL = [
    (
        "{% for r in responses %}{{ loop.index }}/{{ loop.length }}: {{ r }}\n{% endfor %}",
        "1/2: a\n2/2: b\n",
    ),
    ("{{ responses | join(', ') ~ '!' ~ 1.5 }}", "a, b!1.5"),
    ("{% for r in responses if r != 'a' %}{{ loop.last }}{{ r }}{% endfor %}", "Trueb"),
    ("{{ ['x'] * 3 }} {{ (1, 2)[1:] }} {{ {'k': 1}.k + 2 ** 3 }}", "['x', 'x', 'x'] (2,) 9"),
    (
        "{% set n = namespace(s='') %}{% for r in responses %}{% set n.s = n.s + r %}{% endfor %}{{ n.s }}",
        "ab",
    ),
    ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}{% filter upper %}a{% endfilter %}", "<1>A"),
    (
        "{{ '%03d|%s' % (7, 'x') }} {{ '{:>3}'.format(1) }} {{ 'a\nb' | indent(2) }}",
        "007|x   1 a\n  b",
    ),
    (
        "{{ responses | map('upper') | list }}{{ 'x' | center(3) }}{{ 2.345 | round(2) }}",
        "['A', 'B'] x 2.35",
    ),
    (
        "{{ '{:.3f} {a!r:>5}'.format(2, a='x') }} {{ '100%% * %-4s|' | format('x') }} {{ 50000 * 3000 }}",
        "2.000   'x' 100% * x   | 150000000",
    ),
    (
        "{{ '-'.join(responses | map('upper')) }} {{ responses | reverse | join(d=', ') }} "
        "{{ 'a b'.split() | last }} {{ {'k': 'v'}.values() | join }} {{ 'aa'.replace('a', 'b', 1) }}",
        "A-B b, a b v ba",
    ),
    ("{% for t in [1, [2]] recursive %}{{ t if t is number else loop(t) }}{% endfor %}", "12"),
]


@pytest.mark.parametrize(("text", "made"), USUAL)
def test_what_templates_do_is_done(tmp_path: Path, text: str, made: str) -> None:
    assert render(tmp_path, text, responses=["a", "b"]) == made


def test_long_rows_have_room(tmp_path: Path) -> None:
    text = "{% for r in responses %}{{ r | replace('\n', '\n> ') }}{{ r ~ '.' }}{% endfor %}"
    assert len(render(tmp_path, text, responses=[LONG])) == 5 * len(LONG) // 3 + len(LONG) + 1
    vast = "x" * (MOST_CHARACTERS + 1)  # no fault of the template
    assert render(tmp_path, "{% for r in responses %}{{ r }}{% endfor %}", responses=[vast]) == vast
    turns = f"{{% for x in range({MOST_STEPS - 1000}) %}}{{% endfor %}}"
    assert render(tmp_path, turns) == ""


DOUBLED = (
    "{{% set n = namespace(x='ab') %}}{{% for i in range(60) %}}{{% set n.x = {} %}}{{% endfor %}}"
    "{{{{ n.x }}}}"
)
TOO_MUCH = [
    NESTED,
    "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ range(10 ** 9) }}",
    "{{ 'x' * 10 ** 12 }}",
    "{{ [1] * 10 ** 12 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'x' | center(1000000000) }}",
    "{{ ['x'] | map('center', 1000000000) | list }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ (1).to_bytes(1000000000, 'big') }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '%*d' | format(999999999, 1) }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ ('%*d' % (2000000000, 1)) | length }}",
    "{{ '%.*f' % (2000000000, 1) }}",
    "{{ ('x' * 4000000).join(range(300) | map('string')) | length }}",
    "{{ (range(300) | map('string') | join('x' * 4000000)) | length }}",
    "{{ ('x' * 400).join(('x' * 90000) | list) | length }}",
    "{{ '{0[0]:{0[1]}}'.format([1, 300000000]) | length }}",
    "{{ '{a:9999}'.format_map({'a': 1}) }}",
    "{{ ('x' * 1000000).replace('', 'y' * 30) | length }}",
    "{{ ('x' * 1000000) | replace(new='y' * 30, old='x') | length }}",
    "{{ ('\t' * 1000000).expandtabs(30) | length }}",
    "{{ ('\n' * 1000000) | indent(first=true, width=30) | length }}",
    "{{ (('%s' * 99) | format(*([long] * 99))) | length }}",
    "{{ ('a ' * 1000000).split() | length }}",
    "{{ ('http://a.b ' * 10000) | urlize(target=long) | length }}",
    "{{ 3 | round(999999999, 'ceil') }}",
    "{{ ['x'] | batch(999999999, 'y') | list }}",
    "{{ long | replace('a', long) }}",
    "{{ long | join(long) }}",
    "{{ long.replace('a', long) }}",
    "{{ long | indent(99999) }}",
    "{% for i in range(20) %}{{ long }}{% endfor %}",
    "{% set x %}{% for i in range(99) %}{{ long }}{% endfor %}{% endset %}",
    "{% for i in range(9999) %}{% set x = long[1:] %}{% endfor %}",
    *(
        DOUBLED.format(twice)
        for twice in (
            "n.x ~ n.x",
            "n.x + n.x",
            "[n.x, n.x]",
            "(n.x, n.x)",
            "{1: n.x, 2: n.x}",
            "[n.x] * 2",
        )
    ),
]


BOUND = (
    r"^--template .*mine\.jinja: (takes more than 100,000 steps|makes more than [\d,]+ characters"
    r"|a width in a format is|Range too big|maximum recursion depth)"
)


@pytest.mark.parametrize("text", TOO_MUCH)
def test_what_makes_too_much_is_refused_before_it_is_made(tmp_path: Path, text: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match=BOUND):
        render(tmp_path, text, long=LONG)
    assert time.process_time() - began < 20  # Jinja's own sandbox: days, or all memory there is


@pytest.mark.long
def test_it_is_refused_before_the_memory_is_taken(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        for text in TOO_MUCH:
            if "length }}" in text:
                with pytest.raises(ConfigError, match=BOUND):
                    render(tmp_path, text, long=LONG)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_no_memory_is_a_usage_error_with_a_reason(tmp_path: Path) -> None:
    def none() -> None:
        raise MemoryError

    with pytest.raises(ConfigError, match=r"mine\.jinja: takes more memory than there is"):
        render(tmp_path, "{{ f() }}", f=none)


def test_nothing_but_values_is_reached(tmp_path: Path) -> None:
    for text in (
        "{{ ''.__class__ }}",
        "{{ lipsum() }}",
        "{{ responses.append('x') }}",
        "{% include 'x' %}",
    ):
        with pytest.raises(ConfigError, match=r"mine\.jinja"):
            render(tmp_path, text, responses=[])


def test_deep_nesting_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mine\.jinja: .*recursion"):
        render(tmp_path, "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}")


def test_the_command_names_the_template_and_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "loops.jinja"
    words = ["run", "--engine", "fake", "--k", 1, "--results", tmp_path / "r", "--template", path]
    path.write_text("{{ conversation }}{{ responses }}{{ 'x' * 10 ** 12 }}")
    said = ask(*words, code=2)
    assert f"error: --template {path}: takes more than {MOST_STEPS:,} steps" in said
    path.write_text(
        "{{ conversation }}{{ responses }}{% for i in range(90) %}{{ 'x' * 50000 }}{% endfor %}"
    )
    assert re.search(f"{path}: makes more than 4,0\\d\\d,\\d\\d\\d characters", ask(*words, code=2))
