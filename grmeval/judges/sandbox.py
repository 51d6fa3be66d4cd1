"""Jinja that ends: a template sees only values, and what it does and makes has bounds.

Jinja's sandbox keeps a template from Python; it does not keep it from a loop in a loop in a loop, or from
`"x" * 10 ** 12`. Here every turn of a loop, call, filter and operation is paid for before it is done, in
characters that it reads and may make, out of one purse for each prompt.
"""

import functools
import inspect
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Sized
from string import Formatter
from types import CodeType
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, nodes
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

__all__ = ["MOST_CHARACTERS", "MOST_STEPS", "Bounded"]

MOST_CHARACTERS = 4_000_000
"""Of a prompt, and of any text on the way to it, beside four times the texts of its row: more than the
longest context there is. A row of any length is no fault of the template."""
MOST_STEPS = 100_000
"""Turns of loops, calls and filters of one prompt."""

_STEP = 1000
_PURSE = MOST_STEPS * _STEP
"""Characters read and made, all together; a step counts as so many, besides those that it reads. A row's
own texts may be read some twenty times."""

MOST_WIDTH = 1000
"""Characters that a format may ask for with a number: `%80s`, `{:.3f}`."""

_PRODUCTS = frozenset({"**", "tojson", "translate", "urlize", "wordwrap", "xmlattr"})
"""Filters, methods and operators whose result may be as long as one operand times another."""
_WIDTHS = frozenset({"batch", "center", "ljust", "rjust", "round", "slice", "to_bytes", "zfill"})
"""Those whose result may be as long as a number says."""
_PERCENT = re.compile(r"%%|%(?:\([^)]*\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")


class Bounded(ImmutableSandboxedEnvironment):
    """The sandbox with bounds, for one prompt at a time; OverflowError where a template exceeds them."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=self._shown)
        self._left, self._most = _PURSE, MOST_CHARACTERS
        self.globals = {n: f for n, f in self.globals.items() if n != "lipsum"}
        self.globals["namespace"] = _Namespace
        self.filters = {name: self._paid(name, one) for name, one in self.filters.items()}
        self.filters["_made"] = self._paid("_made", lambda value: value)

    def compiled(self, text: str) -> Template:
        """A template whose every step is paid for; TemplateError: it is none."""
        return self.template_class.from_code(self, _code(text), self.make_globals(None))

    def rendered(self, template: Template, values: Mapping[str, Any]) -> str:
        """One prompt."""
        self._left = sys.maxsize
        given = self._size(list(values.values()))
        self._left, self._most = _PURSE + 20 * given, MOST_CHARACTERS + 4 * given
        try:
            return template.render(values)
        except MemoryError:
            raise OverflowError("takes more memory than there is") from None

    def concat(self, pieces: Iterable[str]) -> str:
        """The pieces of a prompt, a macro or a block as one text."""
        found, size = [], 0
        for piece in pieces:
            size += len(piece)
            self._check(size)
            found.append(piece)
        return "".join(found)

    def step(self) -> bool:
        """What `_Counted` puts into a loop."""
        return True

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Every call that a template makes, of its own macros too."""
        method = getattr(__obj, "__wrapped__", __obj)  # `format` is wrapped by the sandbox
        owner = getattr(method, "__self__", None)
        # A loop that is handed on stays one: it is not read here.
        args = tuple(a if isinstance(a, LoopContext) else __self._listed(a) for a in args)
        operands = (owner, *args, *kwargs.values())
        __self._pay(getattr(__obj, "__name__", ""), operands)
        return __self._checked(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operator of `intercepted_binops`."""
        self._pay(operator, (left, right))
        return self._checked(super().call_binop(context, operator, left, right))

    def _shown(self, value: Any) -> Any:
        self._spend(self._size(value))
        return value

    def _paid(self, name: str, do: Callable[..., Any]) -> Callable[..., Any]:
        by_place = inspect.signature(do) if name in ("indent", "join", "replace") else None

        @functools.wraps(do)  # also what says that a filter wants the context
        def paid(*args: Any, **kwargs: Any) -> Any:
            args = tuple(map(self._listed, args))
            operands = [*args, *kwargs.values()]
            if by_place:  # whatever they were called
                bound = by_place.bind(*args, **kwargs)
                bound.apply_defaults()
                operands = list(bound.arguments.values())
            operands = [each for each in operands if not isinstance(each, _SURROUNDINGS)]
            if name == "join":
                operands[:2] = operands[1::-1]  # as the method has them
            if name in ("format", "indent", "join", "replace"):
                operands[0] = str(operands[0])
            self._pay("%" if name == "format" else name, tuple(operands))
            return self._checked(do(*args, **kwargs))

        return paid

    def _listed(self, value: Any) -> Any:
        """What gives its values one by one, as a list, each paid for; all else as it is."""
        if not isinstance(value, Iterator | MappingView):
            return value
        found = []
        for each in iter(value):  # type: ignore[arg-type]
            self._spend(_STEP + self._size(each))
            found.append(each)
        return found

    def _pay(self, name: str, operands: tuple[Any, ...]) -> None:
        sizes = [self._size(each) for each in operands]
        self._spend(_STEP + sum(sizes))
        counts = [abs(each) for each in operands if isinstance(each, int)]
        first = operands[0] if operands else None
        if name in _PRODUCTS:
            one, two = sorted([*sizes, *counts, 1, 1], reverse=True)[:2]
            (self._makes if name == "**" else self._spend)(one * two)
        elif name in _WIDTHS:
            self._makes(sum(sizes) + sum(counts))
        elif name == "*":
            if any(isinstance(each, str | bytes) for each in operands):
                self._makes(max(sizes) * max(counts, default=0))
            elif any(isinstance(each, list | tuple) for each in operands):
                self._spend(max(sizes) * max(counts, default=0))
            else:
                self._makes(math.prod(sizes))
        elif isinstance(first, str | bytes) and name in _SPLITS:
            self._spend(_STEP * _SPLITS[name](*operands))
        elif isinstance(first, str | bytes) and name in _MADE:
            self._makes(_MADE[name](self._size, *operands))

    def _makes(self, characters: int) -> None:
        """Pay for a text that is about to be made."""
        self._spend(characters)
        self._check(characters)

    def _checked(self, made: Any) -> Any:
        """What was made, if it is no longer than a text may be: escaping makes one a few times longer."""
        if isinstance(made, str | bytes):
            self._check(len(made))
        return made

    def _check(self, characters: int) -> None:
        if characters > self._most:
            raise OverflowError(f"makes more than {self._most:,} characters of such a row")

    def _size(self, value: Any) -> int:
        """Characters of a value, a step for each part of it; no more than are left."""
        if isinstance(value, str):
            return len(value)
        size, values = 0, [value]
        while values and size <= self._left:
            one = values.pop()
            if isinstance(one, str | bytes):
                size += len(one)
            elif isinstance(one, int):
                size += one.bit_length() // 3 + 1
            elif isinstance(one, range):
                size += len(one) * _STEP
            elif isinstance(one, list | tuple | set | dict):
                size += len(one) * _STEP
                if size <= self._left:
                    values += [*one, *one.values()] if isinstance(one, dict) else one
        return size

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise OverflowError(
                f"takes more than {MOST_STEPS:,} steps (turns of loops, calls, filters), or makes too much "
                "on the way"
            )


# --------------------------------------------- how long a text will be; `size` is the sandbox's


def _joined(size: Callable[[Any], int], between: Any, parts: Any, *_: Any) -> int:
    if not isinstance(parts, Sized) or not isinstance(parts, Iterable):
        return 0  # no join: it says so itself
    if isinstance(parts, str | bytes | range):
        return len(parts) * (len(between) + 7)
    return len(parts) * len(between) + sum(map(size, parts))


def _replaced(_: Any, text: Any, old: Any, new: Any, *__: Any) -> int:
    if isinstance(text, str):
        old, new = str(old), str(new)
    return int(len(text) + text.count(old) * max(0, len(new) - len(old)))


def _indented(size: Callable[[Any], int], text: Any, width: Any = 4, *_: Any) -> int:
    wide = width if isinstance(width, int) else size(width)
    return size(text) + wide * (1 + sum(1 for _ in _LINES.finditer(str(text))))


def _tabs(size: Callable[[Any], int], text: Any, width: int = 8) -> int:
    return len(text) + int(text.count("\t" if isinstance(text, str) else b"\t")) * abs(width)


def _percent(size: Callable[[Any], int], text: Any, *values: Any) -> int:
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    found = [width for one in _PERCENT.finditer(text) for width in one.groups("")]
    return (
        len(text) + _wide(found) + len(found) // 2 * (_NUMBER + max(map(size, values), default=0))
    )


def _braces(size: Callable[[Any], int], text: Any, *values: Any) -> int:
    specs = [spec or "" for _, name, spec, _ in Formatter().parse(text) if name is not None]
    if any("{" in spec for spec in specs):
        raise OverflowError("a width in a format is a number: {:80}, not {:{}}")
    widths = _wide([width for spec in specs for width in re.findall(r"\d+", spec)])
    return len(text) + widths + len(specs) * (_NUMBER + max(map(size, values), default=0))


def _wide(widths: list[str]) -> int:
    """All widths together."""
    if "*" in widths:
        raise OverflowError("a width in a format is a number: %80s, not %*s")
    if any(len(width) > 9 or int(width or 0) > MOST_WIDTH for width in widths):
        raise OverflowError(f"a width in a format is at most {MOST_WIDTH:,}")
    return sum(int(width or 0) for width in widths)


def _words(text: Any, *how: Any) -> int:
    """Pieces of a text that is split."""
    between = next((each for each in how if isinstance(each, str | bytes) and each), None)
    most = next((each for each in how if isinstance(each, int) and each >= 0), len(text))
    words = re.finditer(r"\S+" if isinstance(text, str) else rb"\S+", text)
    return 1 + min(most, sum(1 for _ in words) if between is None else text.count(between))


_NUMBER = 400
"""Characters of the longest floating-point number."""
_LINES = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SURROUNDINGS = (Environment, Context, EvalContext)
_MADE: dict[str, Callable[..., int]] = {
    "+": lambda size, *both: sum(map(size, both)),
    "%": _percent,
    "format": _braces,
    "format_map": _braces,
    "expandtabs": _tabs,
    "indent": _indented,
    "join": _joined,
    "replace": _replaced,
}
_SPLITS: dict[str, Callable[..., int]] = {
    "split": _words,
    "rsplit": _words,
    "splitlines": lambda text, *_: 1 + sum(1 for _ in _LINES.finditer(str(text))),
    "wordcount": lambda text: sum(1 for _ in re.finditer(r"\w+", str(text))),
    "list": len,
    "sort": lambda text, *_: len(text),
}
"""Those that make many values of one text: how many."""


@functools.lru_cache(16)
def _code(text: str) -> CodeType:
    """A template, compiled; the same for every sandbox."""
    sandbox = Bounded()
    code: CodeType = sandbox.compile(_Counted().visit(sandbox.parse(text)))
    return code


class _Namespace(Namespace):
    """Namespaces may hold one another many times over: none is written out."""

    __repr__ = object.__repr__


class _Counted(NodeTransformer):
    """A template that pays where Jinja has no hook: turns of loops, `~`, lists, slices."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_step()))
        if node.test:  # turns that it leaves out are turns
            node.test = nodes.And(_step(), node.test)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes), "join", [], [], None, None)

    def visit_List(self, node: nodes.Expr) -> nodes.Filter:
        self.generic_visit(node)
        return _made(node)

    visit_Dict = visit_List

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:
        return self.visit_List(node) if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        self.generic_visit(node)
        return _made(node) if isinstance(node.arg, nodes.Slice) else node


def _made(node: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, "_made", [], [], None, None)


def _step() -> nodes.Call:
    """Is true, and is paid for as every call is."""
    return nodes.Call(nodes.EnvironmentAttribute("step"), [], [], None, None)
