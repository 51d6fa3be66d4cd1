"""Prompt texts in Jinja: the template is the user's, the texts put into it are strangers'."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grmeval.errors import ConfigError

__all__ = ["PromptTemplate"]


class PromptTemplate:
    """One template file; messages name the `flag` that takes another one."""

    def __init__(
        self, flag: str, path: Path, variables: Sequence[str], shows: Sequence[str] = ()
    ) -> None:
        """Read it; ConfigError: it cannot be read, is no Jinja, or does not use each name of `shows`.

        `variables` are what it may use, in words.
        """
        from jinja2 import TemplateError, meta

        from grmeval.judges.sandbox import Bounded

        self._made_of = flag, path, tuple(variables), tuple(shows)
        self._name, self._known = f"{flag} {path}", f"variables: {', '.join(variables)}"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{self._name}: cannot be read as UTF-8 text: {why}") from None
        # Strangers' texts are only ever values.
        self._sandbox = Bounded()
        try:
            self._template = self._sandbox.compiled(text)
            used = meta.find_undeclared_variables(self._sandbox.parse(text))
        except (TemplateError, RecursionError, MemoryError) as error:
            raise ConfigError(
                f"{self._name}: {str(error) or 'takes more memory than there is'}"
            ) from None
        if absent := [name for name in shows if name not in used]:
            raise ConfigError(f"{self._name}: shows no {absent[0]} ({self._known})")
        self.identity = hashlib.sha256(text.encode()).hexdigest()[:16]

    def __reduce__(self) -> tuple[Any, ...]:
        """Compiled templates cannot be sent to another process: it reads the file itself."""
        return PromptTemplate, self._made_of

    def render(self, **values: Any) -> str:
        """The prompt; ConfigError where the template fails on these values."""
        try:
            return self._sandbox.rendered(self._template, values)
        except OverflowError as error:
            raise ConfigError(f"{self._name}: {error}") from None
        except Exception as error:  # a template is a program: it may raise anything
            raise ConfigError(f"{self._name}: {error} ({self._known})") from None
