"""Jinja that ends: a template sees only values, and what it does and makes has bounds.

Jinja's sandbox keeps a template from Python; it does not keep it from a loop in a loop in a loop, or from
`"x" * 10 ** 12`. Here every turn of a loop, call, filter and operation is paid for before it is done, in
characters that it reads and may make, out of one purse for each prompt.
"""

import functools
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
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

_GROWS = frozenset(
    {
        *("batch", "center", "expandtabs", "format", "format_map", "indent", "join", "ljust"),
        *("replace", "rjust", "round", "slice", "to_bytes", "tojson", "translate", "wordwrap"),
        *("xmlattr", "zfill", "*", "**", "%"),
    }
)
"""Filters, methods and operators whose result may be as long as one operand times another."""
_FORMATS = ("format", "format_map", "%")
"""Those of them that take a width out of a text."""


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
        return self.from_string(_Counted().visit(self.parse(text)))

    def rendered(self, template: Template, values: Mapping[str, Any]) -> str:
        """One prompt."""
        self._left = sys.maxsize
        given = self._size(list(values.values()))
        self._left, self._most = _PURSE + 20 * given, MOST_CHARACTERS + 4 * given
        return template.render(values)

    def concat(self, pieces: Iterable[str]) -> str:
        """The pieces of a prompt, a macro or a block as one text."""
        found, size = [], 0
        for piece in pieces:
            size += len(piece)
            if size > self._most:
                raise OverflowError(f"makes more than {self._most:,} characters of such a row")
            found.append(piece)
        return "".join(found)

    def step(self) -> bool:
        """What `_Counted` puts into a loop."""
        return True

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Every call that a template makes, of its own macros too."""
        method = getattr(__obj, "__wrapped__", __obj)  # `format` is wrapped by the sandbox
        owner = getattr(method, "__self__", None)
        operands = (owner, *args, *kwargs.values())
        __self._pay(getattr(__obj, "__name__", ""), operands)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operator of `intercepted_binops`."""
        self._pay(operator, (left, right))
        return super().call_binop(context, operator, left, right)

    def _shown(self, value: Any) -> Any:
        self._spend(self._size(value))
        return value

    def _paid(self, name: str, do: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(do)  # also what says that a filter wants the context
        def paid(*args: Any, **kwargs: Any) -> Any:
            self._pay(name, (*args, *kwargs.values()))
            return do(*args, **kwargs)

        return paid

    def _pay(self, name: str, operands: tuple[Any, ...]) -> None:
        sizes = [self._size(each) for each in operands]
        self._spend(_STEP + sum(sizes))
        if name in _GROWS:
            texts = [each for each in operands if isinstance(each, str)]
            counts = [abs(each) for each in operands if isinstance(each, int)]
            if name in _FORMATS:
                counts += [int(n[:10]) for text in texts for n in re.findall(r"\d+", text)]
            first, second = (sorted([*sizes, *counts, 1, 1], reverse=True))[:2]
            self._spend(first * second)

    def _size(self, value: Any) -> int:
        """Characters of a value, a step for each part of it; no more than are left."""
        size, values = 0, [value]
        while values and size <= self._left:
            one = values.pop()
            if isinstance(one, str | bytes):
                size += len(one)
            elif isinstance(one, int):
                size += one.bit_length() // 3 + 1
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
